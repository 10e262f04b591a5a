"""Vectors of one width in memory, of length 1, searched by cosine: a cache, filled from the table."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from .growing import Growing

_FEW = 20  # rows of zeros that are counted in with the mean


@final
class VectorRows:
    """Rows of float32 that grow. A row is known by its number: 0, 1, 2, ... in the order of adding.

    Args:
        width: how many numbers a row has.
    """

    def __init__(self, width: int) -> None:
        self._rows = Growing(np.float32, (width,))
        self._sum = np.zeros(width)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean of the rows, drawn to zero where they are few: what a query shares with all says nothing of any."""
        return self._sum / (len(self) + _FEW)

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Add rows of shape (n, width), made to length 1; one without a direction stays zero."""
        rows = unit(vectors)
        self._sum += rows.sum(axis=0, dtype=np.float64)
        self._rows.extend(rows)

    def cosines(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the cosines of a query of length 1 with all rows."""
        found: NDArray[np.float32] = self._rows.rows @ query
        np.clip(found, -1, 1, out=found)
        return found


def highest(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the places of the k highest scores above minus infinity, the highest first; ties by place."""
    k = min(k, len(scores))
    if k == 0:
        return np.zeros(0, np.int64)
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    some = np.flatnonzero(scores >= least)
    some = some[scores[some] > -np.inf]
    found: NDArray[np.int64] = some[np.lexsort((some, -scores[some]))][:k]
    return found


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors made to length 1, whatever their length was; a zero vector stays zero."""
    wide = vectors.astype(np.float64)
    wide /= np.maximum(np.abs(wide).max(axis=-1, keepdims=True), np.finfo(np.float64).tiny)
    norms = np.linalg.norm(wide, axis=-1, keepdims=True)
    found: NDArray[np.float32] = np.divide(wide, norms, out=np.zeros_like(wide), where=norms > 0).astype(np.float32)
    return found
