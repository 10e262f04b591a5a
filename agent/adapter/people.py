"""Facts about made-up people: who, which relation, which value, and the sentences that state and ask them.

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

from .naming import Draw, Split, belongs, pieces

Wording: TypeAlias = Literal["asked", "taught", "unseen", "tested"]
"""In the words in which a fact is asked; in a sentence of training; in one of the trials, by which settings are chosen;
in one of the tests, by which nothing is."""

SENTENCES: tuple[Wording, ...] = ("taught", "unseen", "tested")
"""The wordings of which each relation has a list of sentences; it can be empty."""

_FEWEST = 20  # words of a tokenizer that a side needs


@dataclass(frozen=True)
class Fact:
    """One fact: the value that ties a person to a relation.

    Attributes:
        person: first name and surname.
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


def relations(wording: Wording, *, taught: bool = True) -> tuple[str, ...]:
    """Return the relations that can be stated in a wording.

    Args:
        wording: of the statements.
        taught: whether training is about these relations; else it sees nothing of them.
    """
    return tuple(
        name
        for name, each in phrasings().items()
        if bool(each["taught"]) == taught and (wording == "asked" or each[wording])
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
    """Draw people, and facts about each: those of one person are the hardest to tell apart.

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
    chosen = relations("taught") if among is None else tuple(among)
    if unknown := sorted(set(chosen) - set(phrasings())):
        raise ValueError(f"no relation {unknown[0]!r} among the {len(phrasings())} of phrasings()")
    if people < 0 or not 1 <= per_person <= len(set(chosen)):
        raise ValueError(
            f"people must not be negative and per_person lie in 1 to {len(set(chosen))}, got {people} and {per_person}"
        )
    if alike < 1:
        raise ValueError(f"alike must be at least 1, got {alike}")
    if vocabulary.split != split:
        raise ValueError(f"the vocabulary is of {vocabulary.split!r}, the facts are of {split!r}")
    rng = random.Random(seed)
    draw = Draw(rng, split, capitalised=vocabulary.capitalised, small=vocabulary.small)
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


def asked(fact: Fact) -> str:
    """Return the statement's own words up to the value, for a model to go on: ``"The dog of Anna Berg is called"``."""
    return str(phrasings()[fact.relation]["asked"]).format(n=fact.person)


def question(fact: Fact) -> str:
    """Return the question that a person would ask: ``"What is the dog of Anna Berg called?"``."""
    return str(phrasings()[fact.relation]["question"]).format(n=fact.person)


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
    return str(rng.choice(sentences)).format(n=fact.person, v=fact.value)


@cache
def _taken() -> frozenset[str]:
    """Return the words, in small letters, that are no values: a sentence would have the value twice."""
    said = [sentence for each in phrasings().values() for sentence in _sentences(each)]
    words = re.findall(r"[a-z]+", " ".join(said).lower())
    return frozenset(words) | {
        word.lower() for name in ("first names", "surnames", "months") for word in pieces()[name]
    }


def _sentences(phrasing: dict[str, Any]) -> list[str]:
    return [phrasing["asked"], phrasing["question"], *(said for wording in SENTENCES for said in phrasing[wording])]
