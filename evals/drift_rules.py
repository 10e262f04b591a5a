"""How notes are chosen among the most similar ones: as the memory does it, or by a peer's rule on the same candidates.

Peers' rules rank the same candidates as the memory does, by the sum of two z-scores, of similarity and of worth, as
MemRL publishes it with equal weights. What differs is the worth:

- counters: in how many episodes a note was used that were heard to succeed and to fail; with one of each to begin with,
  the worth is the share of successes (Memory Worth, arXiv 2604.12007; ACE, arXiv 2510.04618, counts the same two);
- EMA: ``Q += 0.1 (r - Q)`` from 0, with r = 1 for a success and -1 for a failure (MemRL, arXiv 2601.03192).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from retention import Hit

CANDIDATES = 64
"""How many similar notes a peer's rule chooses from: as many as the memory reorders by utility where 5 are wanted."""

_RATE = 0.1


class PeerRule(ABC):
    """A rule that keeps a worth for each note."""

    @abstractmethod
    def worth(self, number: int) -> float:
        """Return what a note is worth."""

    @abstractmethod
    def learn(self, used: Iterable[int], success: bool) -> None:
        """Take in what is heard of an episode that notes were used in."""

    @final
    def choose(self, hits: Sequence[Hit], k: int) -> list[Hit]:
        """Return the k best of the candidates, the best first; of equals the more similar ones."""
        if not hits:
            return []
        similar = _z_scores([hit.relevance for hit in hits])
        worth = _z_scores([self.worth(hit.template.id) for hit in hits])
        order = np.argsort(-(similar + worth), kind="stable")[:k]
        return [hits[place] for place in order]


@final
class Counters(PeerRule):
    """Two counters a note."""

    def __init__(self) -> None:
        self._counts: dict[int, tuple[int, int]] = {}

    def worth(self, number: int) -> float:
        """Return the share of successes."""
        good, bad = self._counts.get(number, (0, 0))
        return (good + 1) / (good + bad + 2)

    def learn(self, used: Iterable[int], success: bool) -> None:
        """Count the episode for each note."""
        for number in used:
            good, bad = self._counts.get(number, (0, 0))
            self._counts[number] = (good + success, bad + (not success))


@final
class MovingAverage(PeerRule):
    """An exponential moving average of the rewards of a note."""

    def __init__(self) -> None:
        self._values: dict[int, float] = {}

    def worth(self, number: int) -> float:
        """Return Q."""
        return self._values.get(number, 0.0)

    def learn(self, used: Iterable[int], success: bool) -> None:
        """Move Q of each note towards the reward."""
        for number in used:
            value = self._values.get(number, 0.0)
            self._values[number] = value + _RATE * ((1.0 if success else -1.0) - value)


def _z_scores(values: Sequence[float]) -> NDArray[np.float64]:
    """Return values less their mean, over their standard deviation; zeros where they are all equal."""
    array = np.asarray(values, np.float64)
    apart = array.std()
    return (array - array.mean()) / apart if apart > 1e-12 else np.zeros(len(array))
