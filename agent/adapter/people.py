"""Facts about made-up people, about who speaks and about things around, and the sentences that state and ask them.

What training sees and what tests ask share no word of a name, no value and no sentence, for any seeds and any numbers
of people.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeAlias, final

from retention import HoldfastError

from .naming import OWNERS, Draw, Split, belongs, pieces

Wording: TypeAlias = Literal["asked", "taught", "unseen", "tested"]
"""In the words in which a fact is asked; in a sentence of training; in one of the trials, by which settings are chosen;
in one of the tests, by which nothing is."""

SENTENCES: tuple[Wording, ...] = ("taught", "unseen", "tested")
"""The wordings of which each relation has a list of sentences; it can be empty."""

_FEWEST = 20  # words of a tokenizer that a side needs


@dataclass(frozen=True)
class Fact:
    """One fact: the value that a relation ties to a person, to who speaks, or to a thing.

    Attributes:
        person: first name and surname, or the first alone, or such words as ``"my sister"``; empty where the sentences
            name nobody: "My locker code is", "The spare key is under the".
        relation: a key of the phrasings, such as ``"locker code"``.
        value: as it is said, without a space in front.
    """

    person: str
    relation: str
    value: str


@final
@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Words that a tokenizer knows as one token each, of one side.

    Attributes:
        split: the side.
        capitalised: words such as ``"River"``.
        small: words such as ``"ladder"``.
    """

    split: Split
    capitalised: tuple[str, ...]
    small: tuple[str, ...]

    @classmethod
    def of(cls, tokenizer: Any, split: Split) -> Vocabulary:
        """Take the words of a tokenizer that belong to a side, about 70 % to training and 30 % to tests.

        Args:
            tokenizer: of transformers; its vocabulary marks the start of a word as byte-level or SentencePiece ones do.
            split: the side.

        Raises:
            HoldfastError: the tokenizer has too few whole words.
        """
        taken = _taken()
        known = sorted(tokenizer.get_vocab())
        words = [found[1] for token in known if (found := re.fullmatch(r"[Ġ▁]([A-Za-z][a-z]{3,9})", token))]
        mine = [word for word in words if word.lower() not in taken and belongs(word, split)]
        capitalised = tuple(word for word in mine if word[0].isupper())
        small = tuple(word for word in mine if word.islower())
        if min(len(capitalised), len(small)) < _FEWEST:
            raise HoldfastError(
                f"the tokenizer has {len(capitalised)} capitalised and {len(small)} small words as one token that can "
                f"be values; {_FEWEST} of each are wanted: give a model with a vocabulary of English words"
            )
        return cls(split=split, capitalised=capitalised, small=small)


@cache
def phrasings() -> dict[str, dict[str, Any]]:
    """Return for each relation its kind of value, its cloze, its question, and its sentences by wording."""
    found: dict[str, dict[str, Any]] = json.loads((files(__package__) / "phrasings.json").read_text("utf-8"))
    return found


def relations(wording: Wording, *, taught: bool = True, own: bool = False) -> tuple[str, ...]:
    """Return the relations that can be stated in a wording.

    Args:
        wording: of the statements.
        taught: whether training is about these relations; else it sees nothing of them.
        own: whether their sentences are of who speaks, or of things around, and name nobody; else they name a person.
    """
    return tuple(
        name
        for name, each in phrasings().items()
        if bool(each["taught"]) == taught
        and ("{n}" not in each["asked"]) == own
        and (wording == "asked" or each[wording])
    )


def make_facts(
    people: int,
    *,
    split: Split,
    seed: int,
    vocabulary: Vocabulary,
    among: Sequence[str] | None = None,
    per_person: int = 2,
    alike: int = 1,
) -> list[Fact]:
    """Draw people, and facts about each.

    Args:
        people: how many; no two have the same name.
        split: the side that names and values are of.
        seed: the same seed, the same facts.
        vocabulary: of that side.
        among: the relations to draw from; those that training knows by default.
        per_person: facts of a person, each of another relation; they stand beside each other in the list.
        alike: how many people in a row have the same relations: only their names tell their facts apart.

    Returns:
        ``people * per_person`` facts.

    Raises:
        ValueError: a number is out of its range, a relation is unknown, or the vocabulary is of the other side.
    """
    chosen = _known(relations("taught") if among is None else among)
    if people < 0 or not 1 <= per_person <= len(set(chosen)):
        raise ValueError(
            f"people must not be negative and per_person lie in 1 to {len(set(chosen))}, got {people} and {per_person}"
        )
    if alike < 1:
        raise ValueError(f"alike must be at least 1, got {alike}")
    rng, draw = _drawing(split, seed, vocabulary)
    named: set[str] = set()
    drawn: list[str] = []
    facts = []
    while len(named) < people:
        person = draw.name()
        if person in named:
            continue
        if len(named) % alike == 0:
            drawn = rng.sample(chosen, per_person)
        named.add(person)
        for relation in drawn:
            facts.append(Fact(person, relation, draw.value(phrasings()[relation]["kind"], person)))
    return facts


def make_own_facts(
    count: int, *, split: Split, seed: int, vocabulary: Vocabulary, among: Sequence[str] | None = None
) -> list[Fact]:
    """Draw facts that name nobody: of who speaks, and of things around.

    Args:
        count: how many.
        split: the side that values are of.
        seed: the same seed, the same facts; more facts begin with the same ones.
        vocabulary: of that side.
        among: the relations to draw from; those that training knows by default. Each comes once before one comes again,
            and as many facts from the first, or from any that many later, have no relation twice: they can be of one
            speaker.

    Raises:
        ValueError: the number is negative, there is no relation or an unknown one, or the vocabulary is of the other
            side.
    """
    chosen = _known(relations("taught", own=True) if among is None else among)
    if count < 0:
        raise ValueError(f"count must not be negative, got {count}")
    if not chosen:
        raise ValueError("among must name at least one relation")
    rng, draw = _drawing(split, seed, vocabulary)
    facts = list[Fact]()
    while len(facts) < count:
        for relation in rng.sample(chosen, len(chosen)):
            facts.append(Fact("", relation, draw.value(phrasings()[relation]["kind"], "")))
    return facts[:count]


def asked(fact: Fact) -> str:
    """Return the statement's own words up to the value, for a model to go on: ``"The dog of Anna Berg is called"``."""
    return _said(phrasings()[fact.relation]["asked"], fact)


def question(fact: Fact) -> str:
    """Return the question that a person would ask: ``"What is the dog of Anna Berg called?"``."""
    return _said(phrasings()[fact.relation]["question"], fact)


def statement(fact: Fact, wording: Wording, rng: random.Random) -> str:
    """State a fact in one sentence.

    Args:
        fact: what to state.
        wording: which sentences.
        rng: chooses among the paraphrases.

    Raises:
        ValueError: there is no such wording for the fact's relation.
    """
    if wording == "asked":
        return f"{asked(fact)} {fact.value}."
    sentences = phrasings()[fact.relation].get(wording)
    if wording not in SENTENCES or not sentences:
        raise ValueError(f"no wording {wording!r} for {fact.relation!r}")
    return _said(rng.choice(sentences), fact)


def _said(sentence: str, fact: Fact) -> str:
    """Put name and value into a sentence; a name that begins it begins with a capital letter: "My sister"."""
    person = fact.person[:1].upper() + fact.person[1:] if sentence.startswith("{n}") else fact.person
    return sentence.format(n=person, v=fact.value)


def _known(among: Sequence[str]) -> tuple[str, ...]:
    if unknown := sorted(set(among) - set(phrasings())):
        raise ValueError(f"no relation {unknown[0]!r} among the {len(phrasings())} of phrasings()")
    return tuple(among)


def _drawing(split: Split, seed: int, vocabulary: Vocabulary) -> tuple[random.Random, Draw]:
    if vocabulary.split != split:
        raise ValueError(f"the vocabulary is of {vocabulary.split!r}, the facts are of {split!r}")
    rng = random.Random(seed)
    return rng, Draw(rng, split, capitalised=vocabulary.capitalised, small=vocabulary.small)


@cache
def _taken() -> frozenset[str]:
    """Return the words, in small letters, that are no values: a sentence would have the value twice."""
    said = [sentence for each in phrasings().values() for sentence in _sentences(each)]
    words = re.findall(r"[a-z]+", " ".join(said).lower())
    named = {word.lower() for name in ("first names", "surnames", "months", "kin") for word in pieces()[name]}
    return frozenset(words) | named | set(OWNERS)


def _sentences(phrasing: dict[str, Any]) -> list[str]:
    return [phrasing["asked"], phrasing["question"], *(said for wording in SENTENCES for said in phrasing[wording])]
