"""The background of vectors: what those of one namespace have in common, which says nothing of any of them.

Texts of one memory are alike before they are about anything: they name the same people, they chat. In a conversation
whose texts begin with the speaker's name, "Maya: Who else?" is the nearest of all to any question about Maya. So a
query is compared after the mean has been taken off and the directions in which the vectors spread most are damped, by
``(S + RIDGE tr(S)/d I)^-1`` with S their covariance: the rule of J. Mu and P. Viswanath, "All-but-the-Top" (2018), in
the soft form of a ridge, so that no number of directions must be chosen. As the matrix is applied to the query alone, a
search costs what it did. Lengths are not made equal after it: what is mostly background is short, and rightly loses.

It also says how alike two of the templates are by chance, and so how alike the best of n is that have nothing to do
with a query: what abstaining goes by, without a label or an example.
"""

from __future__ import annotations

import math
from typing import final

import numpy as np
from numpy.typing import NDArray

RIDGE = 10.0
"""How far the spread in every direction is drawn to the mean of all: 10 damps the few widest alone."""

_FEW_MEAN = 20  # rows of zeros that are counted in with the mean
_FEW_SPREAD = 50  # rows that spread alike in every direction, counted in with the covariance
_SAMPLE = 2048  # rows that the covariance is of, at most
_GROWTH = 1.5  # it is made anew when there are so many times as many rows


@final
class Background:
    """The mean and the spread of rows.

    Args:
        rows: of shape (n, d), of length 1 or 0 each; n may be 0.
    """

    def __init__(self, rows: NDArray[np.float32]) -> None:
        count, width = rows.shape
        wide = rows[sample(count)].astype(np.float64)
        self._mean = wide.sum(axis=0) / max(len(wide) + _FEW_MEAN, 1)
        centred = wide - self._mean
        spread = centred.T @ centred + _FEW_SPREAD / width * np.eye(width)
        spread /= len(wide) + _FEW_SPREAD
        self._damping = np.linalg.inv(spread + RIDGE * np.trace(spread) / width * np.eye(width))
        damped = self._damping @ spread
        self._length = math.sqrt(np.trace(damped))
        self.by_chance = float(math.sqrt(np.sum(damped * damped.T)) / np.trace(damped))
        """The standard deviation of the likeness of two that have nothing to do with each other."""

    def direction(self, query: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, float]:
        """Return what to compare templates with instead of a query, and how to read it.

        Args:
            query: of length 1, of shape (d,).

        Returns:
            A vector of length 1; what a template that is all background has with it; and what to divide by. The
            likeness of a template is ``(its cosine with the vector - second) / third``: 1 is a text that is the query.
        """
        apart = query.astype(np.float64) - self._mean
        damped = self._damping @ apart
        length = float(np.linalg.norm(damped))
        if length == 0:
            return query, 0.0, 1.0
        scale = math.sqrt(float(apart @ damped)) * self._length / length
        return (damped / length).astype(np.float32), float(self._mean @ damped) / length, scale

    def best_by_chance(self, count: int) -> float:
        """Return how alike the best of so many is that have nothing to do with the query: ``s sqrt(2 ln n)``."""
        return self.by_chance * math.sqrt(2 * math.log(max(count, 1)))


def counted_in(count: int) -> int:
    """Return of how many rows the background is made where there are so many: it is made anew at half as many again."""
    size = 1
    while math.ceil(size * _GROWTH) <= count:
        size = math.ceil(size * _GROWTH)
    return min(size, count)


def sample(count: int) -> NDArray[np.int64]:
    """Return the numbers of the rows, of so many, that the background is made of."""
    return np.linspace(0, count - 1, min(count, _SAMPLE)).astype(np.int64)
