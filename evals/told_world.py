"""Small worlds of facts about people who do not exist: what is told, and what is asked of it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import final

_PEOPLE = (
    "Ada", "Boris", "Carmen", "Dilip", "Edda", "Farid", "Greta", "Hugo", "Imke", "Jonas", "Kira", "Ludo",
)  # fmt: skip

# how it is told, how it is asked, and what it may be
_KINDS = (
    (
        "{n}'s badge is {v}.",
        "What colour is the badge of {n}?",
        ("blue", "red", "green", "yellow", "white", "black"),
    ),
    (
        "{n} works in the {v}.",
        "In which room does {n} work?",
        ("attic", "cellar", "library", "workshop", "kitchen", "greenhouse"),
    ),
    (
        "{n} drinks {v} in the morning.",
        "What does {n} drink in the morning?",
        ("coffee", "cocoa", "milk", "lemonade", "soup", "tea"),
    ),
    (
        "{n} plays the {v}.",
        "Which instrument does {n} play?",
        ("violin", "trumpet", "drums", "harp", "flute", "piano"),
    ),
    (
        "{n} keeps a {v} at home.",
        "Which animal does {n} keep?",
        ("parrot", "tortoise", "rabbit", "goat", "snake", "cat"),
    ),
    (
        "{n} comes from {v}.",
        "Where does {n} come from?",
        ("Bergen", "Lisbon", "Turin", "Ghent", "Krakow", "Leeds"),
    ),
)


@final
@dataclass(frozen=True, kw_only=True)
class ToldFact:
    """One fact.

    Attributes:
        statement: how it is told.
        question: how it is asked.
        value: the answer.
        values: all that the answer could be, in a fixed order.
    """

    statement: str
    question: str
    value: str
    values: tuple[str, ...]


def told_facts(seed: int, *, count: int) -> tuple[ToldFact, ...]:
    """Draw facts, of which no two are about the same thing.

    Args:
        seed: of the drawing; another seed has other values for the same people.
        count: how many, at most 72.
    """
    draw = random.Random(f"told facts {seed}")
    pairs = [(name, kind) for name in _PEOPLE for kind in _KINDS]
    facts = []
    for name, (statement, question, values) in draw.sample(pairs, count):
        value = draw.choice(values)
        facts.append(
            ToldFact(
                statement=statement.format(n=name, v=value),
                question=question.format(n=name),
                value=value,
                values=values,
            )
        )
    return tuple(facts)


def is_right(said: str, fact: ToldFact) -> bool:
    """Return whether an answer names the value, and no other that it could be."""
    words = said.casefold().split()
    named = {
        value for value in fact.values if any(word.strip(".,;:!?'\"").casefold() == value.casefold() for word in words)
    }
    return named == {fact.value}
