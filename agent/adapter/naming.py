"""How made-up people are called, and values: each of one of two sides, and what training draws, no test ever does."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from random import Random
from typing import Literal, TypeAlias, final
from zlib import crc32

Split: TypeAlias = Literal["train", "test"]

OWNERS = ("my", "our")
"""Words before what a person is to somebody; both sides have them."""


def belongs(piece: str, split: Split) -> bool:
    """Return whether a word or a number is of a side: seven of ten are of training, by their checksum."""
    return (crc32(piece.encode()) % 10 < 7) == (split == "train")


@cache
def pieces() -> dict[str, list[str]]:
    """Return usual first names, surnames, months, what a person can be to somebody, and the parts of made-up words."""
    found: dict[str, list[str]] = json.loads((files(__package__) / "names.json").read_text("utf-8"))
    return found


@final
class Draw:
    """Draws names and values of one side."""

    def __init__(self, rng: Random, split: Split, *, capitalised: Sequence[str], small: Sequence[str]) -> None:
        """Begin.

        Args:
            rng: its draws are in the order of the calls.
            split: the side.
            capitalised: words of that side that are values.
            small: such words in small letters.
        """
        self._rng, self._split, every = rng, split, pieces()
        self._first = [each for each in every["first names"] if belongs(each, split)]
        self._last = [each for each in every["surnames"] if belongs(each, split)]
        self._kin = [each for each in every["kin"] if belongs(each, split)]
        self._onsets, self._vowels, self._ends = every["onsets"], every["vowels"], every["codas"] + every["vowels"]
        self._codas, months = every["codas"], every["months"]
        self._kinds: dict[str, Callable[[], str]] = {
            "2 digits": lambda: self._digits(2),
            "3 digits": lambda: self._digits(3),
            "4 digits": lambda: self._digits(4),
            "5 digits": lambda: self._digits(5),
            "time": lambda: self._own(lambda: f"{rng.randrange(5, 24)}:{rng.randrange(0, 60, 5):02d}"),
            "seat": lambda: self._own(lambda: f"{rng.randrange(1, 60)}{rng.choice('ABCDEFGHJK')}"),
            "date": lambda: self._own(lambda: f"{rng.randrange(1, 29)} {rng.choice(months)}"),
            "Word": lambda: rng.choice(capitalised),
            "word": lambda: rng.choice(small),
            "two words": lambda: " ".join(rng.sample(small, 2)),
            "Two Words": lambda: " ".join(rng.sample(capitalised, 2)),
            "Made-up": lambda: self._own(self._surname),
            "made-up": lambda: self._own(self._made_up),
            "person": lambda: f"{self._own(self._given)} {self._own(self._surname)}",
        }

    def name(self) -> str:
        """Draw how somebody is called: by two names; one in eight by the first alone, and one in eight as "my sister".

        About a third of the people have a first name that is a usual one, a quarter such a surname.
        """
        usual, chance = self._rng.random() < 0.5, self._rng.random
        first = self._rng.choice(self._first) if usual and chance() < 0.7 else self._own(self._given)
        last = self._rng.choice(self._last) if usual and chance() < 0.5 else self._own(self._surname)
        called = chance()
        if called < 0.25:
            return first if called < 0.125 else f"{self._rng.choice(OWNERS)} {self._rng.choice(self._kin)}"
        return f"{first} {last}"

    def value(self, kind: str, person: str) -> str:
        """Draw a value of a kind that has no word of the person's name in it."""
        taken = set(person.lower().split())
        while taken & set((value := self._kinds[kind]()).lower().split()):
            pass
        return value

    def _own(self, draw: Callable[[], str]) -> str:
        """Draw until it is of this side."""
        while not belongs(piece := draw(), self._split):
            pass
        return piece

    def _digits(self, how_many: int) -> str:
        return self._own(lambda: f"{self._rng.randrange(10**how_many):0{how_many}d}")

    def _syllable(self) -> str:
        return self._rng.choice(self._onsets) + self._rng.choice(self._vowels)

    def _given(self) -> str:
        return (self._syllable() + self._syllable() + self._rng.choice(self._codas)).capitalize()

    def _surname(self) -> str:
        return self._made_up().capitalize()

    def _made_up(self) -> str:
        third = self._rng.choice(["", self._syllable()])
        return self._syllable() + self._syllable() + third + self._rng.choice(self._ends)
