"""What is told to a frozen model and asked of it: facts about people who do not exist, or about who speaks."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, final

from agent import Vocabulary, asked, make_facts, make_own_facts, relations, statement

from .asking import Asked
from .wordings import AS_ASKED, NEW_RELATION, OF_PEOPLE, OWN, TAUGHT, UNSEEN

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_WORDED: dict[str, Literal["asked", "taught", "tested"]] = {
    AS_ASKED: "asked",
    TAUGHT: "taught",
    UNSEEN: "tested",
    NEW_RELATION: "tested",
    OWN: "tested",
}


@final
@dataclass(frozen=True, kw_only=True)
class Told:
    """A fact that was told, and how it is asked.

    Attributes:
        statement: the sentence.
        cloze: the words of the question, which the value completes.
        asked: the same and the value, in tokens.
    """

    statement: str
    cloze: str
    asked: Asked


def tell(wording: str, *, count: int, seed: int, tokenizer: PreTrainedTokenizerBase) -> list[Told]:
    """Tell facts; the two of one person stand side by side, and those of one speaker, ``own_kinds()`` of them.

    Whatever the wording, the same seed tells the same facts about people, but those of relations that were never
    trained. More facts begin with the same ones.

    Args:
        wording: one of ``WORDINGS``.
        count: how many.
        seed: another seed, other people.
        tokenizer: of the model that is asked.
    """
    vocabulary = Vocabulary.of(tokenizer, "test")
    if wording == OWN:
        facts = make_own_facts(count, split="test", seed=seed, vocabulary=vocabulary, among=_own())
    else:
        among = relations("tested", taught=wording != NEW_RELATION)
        facts = make_facts(-(-count // 2), split="test", seed=seed, vocabulary=vocabulary, among=among)
    return [
        Told(
            statement=statement(fact, _WORDED[wording], random.Random(f"{seed} {place}")),
            cloze=asked(fact),
            asked=Asked(encoded(tokenizer, asked(fact)), encoded(tokenizer, f" {fact.value}")),
        )
        for place, fact in enumerate(facts[:count])
    ]


def memories(
    wording: str, size: int, *, questions: int, seed: int, tokenizer: PreTrainedTokenizerBase
) -> list[tuple[list[Told], list[Told]]]:
    """Return memories of so many facts: what each is told, in no order, and what of it is asked.

    A speaker has told no more than ``own_kinds()`` facts of their own, each of another kind: what a memory of these has
    beside them is about other people, in unseen wording.

    Args:
        wording: one of ``WORDINGS``.
        size: facts in a memory, 1 or an even number.
        questions: how many in all memories together; they are the same whatever the size.
        seed: another seed, other people.
        tokenizer: of the model that is asked.
    """
    if wording == OWN:
        own = tell(OWN, count=questions, seed=seed, tokenizer=tokenizer)
        beside = tell(UNSEEN, count=size, seed=seed, tokenizer=tokenizer)
        return [
            (random.Random(seed).sample([*mine, *beside[: size - len(mine)]], size), mine) for mine in _parts(own, size)
        ]
    whole = tell(wording, count=-(-questions // size) * size, seed=seed, tokenizer=tokenizer)
    return [
        (random.Random(seed).sample(whole[first : first + size], size), whole[first : min(first + size, questions)])
        for first in range(0, questions, size)
    ]


def mixed(size: int, *, count: int, seed: int, tokenizer: PreTrainedTokenizerBase) -> list[dict[str, list[Told]]]:
    """Return memories that are told as many facts in each of ``OF_PEOPLE``, other ones in each; all are asked.

    Args:
        size: facts in a memory, a multiple of the number of these wordings.
        count: of memories.
        seed: as of ``memories``: the questions are among those.
        tokenizer: of the model that is asked.
    """
    share = size // len(OF_PEOPLE)
    apart = share + share % 2  # the two facts of a person are not told in two wordings
    parts = {
        wording: tell(wording, count=count * len(OF_PEOPLE) * apart, seed=seed, tokenizer=tokenizer)
        for wording in OF_PEOPLE
    }
    return [
        {wording: facts[first : first + share] for wording, facts, first in _places(parts, number, apart)}
        for number in range(count)
    ]


def others(wording: str, size: int, *, seed: int, tokenizer: PreTrainedTokenizerBase) -> list[Told]:
    """Return a memory of so many facts of which none is asked; smaller ones are its beginnings.

    Args:
        wording: one of ``WORDINGS``: what others are told so.
        size: facts in the memory.
        seed: another one than that of the questions.
        tokenizer: of the model that is asked.
    """
    own = tell(OWN, count=min(size, own_kinds()), seed=seed, tokenizer=tokenizer) if wording == OWN else []
    about = UNSEEN if wording == OWN else wording
    return [*own, *tell(about, count=size - len(own), seed=seed, tokenizer=tokenizer)]


def own_kinds() -> int:
    """Return how many kinds of facts a speaker can tell of themselves and of things around."""
    return len(_own())


def encoded(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[int, ...]:
    """Return the tokens of a text, with none of the model's own in front."""
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def _own() -> tuple[str, ...]:
    return relations("tested", taught=False, own=True)


def _parts(own: list[Told], size: int) -> list[list[Told]]:
    """Cut facts into memories of a size, of one speaker each."""
    speakers = [own[first : first + own_kinds()] for first in range(0, len(own), own_kinds())]
    return [facts[first : first + size] for facts in speakers for first in range(0, len(facts), size)]


def _places(parts: dict[str, list[Told]], number: int, apart: int) -> Sequence[tuple[str, list[Told], int]]:
    return [
        (wording, facts, (number * len(parts) + place) * apart) for place, (wording, facts) in enumerate(parts.items())
    ]
