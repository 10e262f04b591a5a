"""Mean and spread of numbers as they come."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

_FARTHEST = 10.0  # spreads from the mean at which a number is cut
_SMALLEST = 1e-8


@final
class RunningSpread:
    """The mean and the standard deviation of each place of a vector, updated one vector at a time.

    A place that never showed anything but 0 and 1 is a symbol and is left as it is: divided by its spread, a rare one
    would shout.

    Reference: B. P. Welford, Note on a method for calculating corrected sums of squares and products, 1962.
    """

    def __init__(self, width: int) -> None:
        """Start with nothing seen."""
        self.count = 0
        self.mean = np.zeros(width)
        self.squares = np.zeros(width)
        self.real = np.zeros(width, np.bool_)
        self._shift, self._unit = np.zeros(width, np.float32), np.ones(width, np.float32)
        self._fresh = True

    def add(self, key: NDArray[np.float32]) -> None:
        """See a vector, ``[width]``."""
        self.count += 1
        offset = key - self.mean
        self.mean += offset / self.count
        self.squares += offset * (key - self.mean)
        self.real |= (key != 0.0) & (key != 1.0)
        self._fresh = False

    def spread(self) -> NDArray[np.float64]:
        """Return the standard deviation of each place, 1 where there is none."""
        variance = self.squares / max(self.count, 1)
        return np.where(variance > _SMALLEST**2, np.sqrt(variance), 1.0)

    def scaled(self, keys: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ``(key - mean) / spread``, cut at 10, of vectors ``[*lead, width]``."""
        if not self._fresh:
            self._shift = np.where(self.real, self.mean, 0.0).astype(np.float32)
            self._unit = np.where(self.real, 1.0 / self.spread(), 1.0).astype(np.float32)
            self._fresh = True
        near: NDArray[np.float32] = ((keys - self._shift) * self._unit).clip(-_FARTHEST, _FARTHEST)
        return near

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return what ``restore`` takes."""
        return {"count": np.array([self.count]), "mean": self.mean, "squares": self.squares, "real": self.real}

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Go on from a state of the same width."""
        self.count = int(state["count"][0])
        self.mean, self.squares = np.array(state["mean"], np.float64), np.array(state["squares"], np.float64)
        self.real = np.array(state["real"], np.bool_)
        self._fresh = False
