"""The task: facts are told, the context is cleared, and each is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from .recaller import RecallerConfig


@final
@dataclass(frozen=True, kw_only=True)
class Episode:
    """A batch of tellings and askings, all ``Int64[batch, time]``.

    Attributes:
        told: the facts of a row one after the other: a key, its value, the next key, ...
        asked: the keys of the row in another order.
        answers: the answer to each, counted from the first value.
    """

    told: Tensor
    asked: Tensor
    answers: Tensor


@final
@dataclass(frozen=True, kw_only=True)
class ToldFacts:
    """Facts that pair a key with a value, drawn anew for every row; the keys of a row differ.

    An example with 2 facts of 4 keys (tokens 0 to 3) and 4 values (tokens 4 to 7)::

        told    2 7 0 4
        asked   0 2
        answers 0 3

    Attributes:
        keys: how many keys there are.
        values: how many values there are; a guess is right once in so many.
        facts: how many facts a row is told.
    """

    keys: int = 64
    values: int = 64
    facts: int = 8

    def __post_init__(self) -> None:
        """Check the numbers."""
        if min(self.keys, self.values, self.facts) < 1 or self.facts > self.keys:
            raise ValueError(
                f"wanted 1 <= facts <= keys and 1 or more values, got {self.facts}, {self.keys} and {self.values}"
            )

    def config(self, *, width: int = 64, heads: int = 2) -> RecallerConfig:
        """Return the sizes of a recaller for this task."""
        return RecallerConfig(
            tokens=self.keys + self.values,
            answers=self.values,
            width=width,
            heads=heads,
            longest=2 * self.facts,
            told=2 * self.facts,
        )

    def draw(self, batch: int, generator: torch.Generator) -> Episode:
        """Draw ``batch`` rows."""
        keys = torch.rand(batch, self.keys, generator=generator).argsort(dim=1)[:, : self.facts]
        values = torch.randint(self.values, (batch, self.facts), generator=generator)
        order = torch.rand(batch, self.facts, generator=generator).argsort(dim=1)
        return Episode(
            told=torch.stack((keys, self.keys + values), dim=2).flatten(1),
            asked=keys.gather(1, order),
            answers=values.gather(1, order),
        )
