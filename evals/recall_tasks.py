"""Tasks for a memory: something is told in one or more segments, the context is cleared, and it is asked for.

Every row of a batch is drawn anew, so that weights can learn how to remember, but not what. The answers are the last
token ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final

import torch
from torch import Tensor

from .peers.recaller import RecallerConfig


@final
@dataclass(frozen=True, kw_only=True)
class Exercise:
    """A batch of rows. Segments are told, then asked, one after the other; each begins with an empty context.

    Attributes:
        told: token ids, ``Int64[batch, time]`` each.
        asked: token ids, ``Int64[batch, time]`` each.
        answers: for each asked segment the right answers, ``Int64[batch, time]``, counted from 0.
    """

    told: tuple[Tensor, ...]
    asked: tuple[Tensor, ...]
    answers: tuple[Tensor, ...]


class RecallTask(Protocol):
    """A family of exercises of growing size."""

    def sizes(self, *, width: int, heads: int) -> RecallerConfig:
        """Return what a model for the largest exercise needs."""
        ...

    def draw(self, batch: int, size: int, generator: torch.Generator) -> Exercise:
        """Draw an exercise of a size."""
        ...


@final
@dataclass(frozen=True, kw_only=True)
class CopyTask:
    """A sequence is told in one segment, and reproduced symbol by symbol: the position asks.

    An example of size 3, with 4 symbols (tokens 1 to 4; token 0 asks)::

        told    4 1 4
        asked   0 0 0
        answers 3 0 3

    Attributes:
        symbols: how many symbols there are.
        longest: the longest sequence.
    """

    symbols: int = 64
    longest: int = 32

    def sizes(self, *, width: int, heads: int) -> RecallerConfig:
        """See ``RecallTask``."""
        return RecallerConfig(
            tokens=1 + self.symbols,
            answers=self.symbols,
            width=width,
            heads=heads,
            longest=self.longest,
            told=self.longest,
        )

    def draw(self, batch: int, size: int, generator: torch.Generator) -> Exercise:
        """Draw sequences of ``size`` symbols."""
        symbols = torch.randint(self.symbols, (batch, size), generator=generator)
        return Exercise(told=(1 + symbols,), asked=(torch.zeros_like(symbols),), answers=(symbols,))


@final
@dataclass(frozen=True, kw_only=True)
class FactTask:
    """Facts pair a key with a value. They are told ``segment`` at a time and asked for in another order.

    An example of size 2, with 4 keys (tokens 0 to 3) and 4 values (tokens 4 to 7)::

        told    2 7 0 4
        asked   0 2
        answers 0 3

    Attributes:
        keys: how many keys there are; those of a row differ.
        values: how many values there are; a guess is right once in so many.
        segment: how many facts a segment tells, and how many keys it asks for.
        most: the most facts that a row is told.
        first: the keys that are drawn begin here; a model of all keys can so be shown some of them only.
        last: they end before this one; None for all that there are.
    """

    keys: int = 64
    values: int = 64
    segment: int = 8
    most: int = 64
    first: int = 0
    last: int | None = None

    def __post_init__(self) -> None:
        """Check that the keys suffice.

        Raises:
            ValueError: the keys that are drawn are fewer than a segment tells, or not among those that there are.
        """
        end = self.keys if self.last is None else self.last
        if not 0 <= self.first <= end - min(self.segment, self.most) <= end <= self.keys:
            raise ValueError(
                f"keys {self.first} to {end} of {self.keys} are not enough for segments of {self.segment} facts"
            )

    def sizes(self, *, width: int, heads: int) -> RecallerConfig:
        """See ``RecallTask``."""
        return RecallerConfig(
            tokens=self.keys + self.values,
            answers=self.values,
            width=width,
            heads=heads,
            longest=2 * self.segment,
            told=2 * self.most,
        )

    def draw(self, batch: int, size: int, generator: torch.Generator) -> Exercise:
        """Draw ``size`` facts a row."""
        end = self.keys if self.last is None else self.last
        keys = self.first + _some(batch, end - self.first, size, generator)
        values = torch.randint(self.values, (batch, size), generator=generator)
        return self.exercise(keys, values, _some(batch, size, size, generator))

    def exercise(self, keys: Tensor, values: Tensor, order: Tensor) -> Exercise:
        """Tell these facts, and ask for those whose numbers ``order`` has, ``[batch, asked]``.

        Args:
            keys: numbers of keys, ``[batch, facts]``.
            values: the value of each, ``[batch, facts]``.
            order: which facts are asked for, and when.
        """
        return Exercise(
            told=_segments(self.facts(keys, values), 2 * self.segment),
            asked=_segments(keys.gather(1, order), self.segment),
            answers=_segments(values.gather(1, order), self.segment),
        )

    def facts(self, keys: Tensor, values: Tensor) -> Tensor:
        """Return facts as tokens: a key, its value, the next key, ..."""
        return torch.stack((keys, self.keys + values), dim=2).flatten(1)


@final
@dataclass(frozen=True, kw_only=True)
class RewriteTask:
    """Every key is told ``1 + size`` times, each time with a new value, and the last one counts.

    The tellings come in rounds; a round tells each key once, in an order of its own. Apart, each round is a segment;
    together, all rounds are one.

    An example of size 1, with 2 of 4 keys told and 4 values (tokens 4 to 7)::

        told    2 7 0 4    0 5 2 6
        asked   0 2
        answers 1 2

    Attributes:
        keys: how many keys there are.
        values: how many values there are.
        told: how many keys a row is told again and again.
        once: how many more keys are told in the first round alone; where there are some, they are what is asked for.
        most: the most rewrites.
        together: whether all tellings are in one segment.
    """

    keys: int = 64
    values: int = 64
    told: int = 4
    once: int = 0
    most: int = 10
    together: bool = False

    def sizes(self, *, width: int, heads: int) -> RecallerConfig:
        """See ``RecallTask``; a model for tellings apart takes them together too, and keys told once."""
        written = 2 * self.told * (2 + self.most)
        return RecallerConfig(
            tokens=self.keys + self.values,
            answers=self.values,
            width=width,
            heads=heads,
            longest=written,
            told=written,
        )

    def draw(self, batch: int, size: int, generator: torch.Generator) -> Exercise:
        """Draw rows with ``size`` rewrites of each key."""
        facts = FactTask(keys=self.keys, values=self.values)
        keys = _some(batch, self.keys, self.told + self.once, generator)
        last = torch.randint(self.values, keys.shape, generator=generator)
        rounds = []
        for turn in range(1 + size):
            count = keys.shape[1] if turn == 0 else self.told
            if turn:
                fresh = torch.randint(self.values, (batch, count), generator=generator)
                last = torch.cat((fresh, last[:, count:]), dim=1)
            order = _some(batch, count, count, generator)
            rounds.append(facts.facts(keys.gather(1, order), last.gather(1, order)))
        first = self.told if self.once else 0
        order = first + _some(batch, keys.shape[1] - first, keys.shape[1] - first, generator)
        return Exercise(
            told=(torch.cat(rounds, dim=1),) if self.together else tuple(rounds),
            asked=(keys.gather(1, order),),
            answers=(last.gather(1, order),),
        )


TASKS: Mapping[str, type[Any]] = {"copy": CopyTask, "recall": FactTask, "rewritten": RewriteTask}
"""The tasks by the names that suites have for them."""


def _some(batch: int, among: int, count: int, generator: torch.Generator) -> Tensor:
    """Draw ``count`` different numbers below ``among`` for each row, in random order."""
    if among <= 4 * count * count:
        return torch.rand(batch, among, generator=generator).argsort(dim=1)[:, :count]
    drawn = torch.randint(among, (batch, count), generator=generator)
    while bool((again := (drawn.sort(dim=1).values.diff(dim=1) == 0).any(dim=1)).any()):
        drawn[again] = torch.randint(among, (int(again.sum()), count), generator=generator)
    return drawn


def _segments(row: Tensor, length: int) -> tuple[Tensor, ...]:
    """Cut rows into segments of ``length``; the last one may be shorter."""
    return tuple(row[:, start : start + length] for start in range(0, row.shape[1], length))
