"""A table that compresses nothing: every search compares with every true vector."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from .rescore import best
from .table import Floats, Positions, Vectors, check_sizes, checked_entries, checked_positions, checked_queries


@final
class DenseTable:
    """Keeps no more than which positions are filled; exact, and the fastest while positions are few."""

    def __init__(self, capacity: int, dim: int, *, chunk: int = 4096) -> None:
        """Make an empty table.

        Args:
            capacity: positions are below it.
            dim: the width of a vector.
            chunk: how many positions are compared at a time.

        Raises:
            ValueError: a size is below 1, or ``capacity`` is 2**31 or more.
        """
        check_sizes(capacity, dim)
        if chunk < 1:
            raise ValueError(f"chunk must be at least 1, got {chunk}")
        self._filled = np.zeros(capacity, dtype=bool)
        self._dim = dim
        self._chunk = chunk
        self._size = 0

    @property
    def nbytes(self) -> int:
        """Bytes that the table holds."""
        return self._filled.nbytes

    def __len__(self) -> int:
        """Return how many positions are filled."""
        return self._size

    def put(self, positions: Positions, vectors: Floats) -> None:
        """Fill positions; see ``VectorTable.put``."""
        positions, _ = checked_entries(positions, vectors, self._filled.size, self._dim)
        self._mark(positions, True)

    def drop(self, positions: Positions) -> None:
        """Empty positions; see ``VectorTable.drop``."""
        self._mark(checked_positions(positions, self._filled.size), False)

    def search(self, queries: Floats, k: int, vectors: Vectors) -> tuple[Floats, Positions]:
        """Find the best positions; see ``VectorTable.search``."""
        queries = checked_queries(queries, k, self._dim)
        return search_filled(queries, k, vectors, self._filled, self._chunk)

    def _mark(self, positions: Positions, filled: bool) -> None:
        self._filled[positions] = filled
        self._size = int(np.count_nonzero(self._filled))


def search_filled(
    queries: Floats, k: int, vectors: Vectors, filled: NDArray[np.bool_], chunk: int = 4096
) -> tuple[Floats, Positions]:
    """Find the best of the filled positions, by comparing with each true vector.

    Args:
        queries: ``[n, dim]``.
        k: how many.
        vectors: the truth.
        filled: ``[capacity]``, True where a position may be found.
        chunk: how many positions are compared at a time.

    Returns:
        ``[n, k]`` scores and positions, as ``VectorTable.search`` has them.
    """
    scores = np.empty((len(queries), 0), dtype=np.float32)
    positions = np.empty((len(queries), 0), dtype=np.int64)
    for start in range(0, filled.size, chunk):
        here = filled[start : start + chunk]
        if not here.any():
            continue
        part = np.asarray(vectors[start : start + here.size], dtype=np.float32)
        with np.errstate(invalid="ignore", over="ignore"):  # what stands at an empty position need not be a vector
            products = queries @ part.T
        products[:, ~here] = -np.inf
        top = np.argpartition(-products, min(k, here.size) - 1, axis=1)[:, :k]
        scores = np.concatenate((scores, np.take_along_axis(products, top, axis=1)), axis=1)
        positions = np.concatenate((positions, top + start), axis=1)
        scores, positions = best(scores, positions, k)
    scores, positions = best(scores, positions, k)
    positions[scores == -np.inf] = -1
    return scores, positions
