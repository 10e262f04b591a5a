"""What every table of vectors does, and the checks of what is handed to one."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]
Floats = NDArray[np.float32]


class Vectors(Protocol):
    """The true vectors, by position: an array ``[capacity, dim]``, a memory map, or anything that is read like one."""

    def __getitem__(self, positions: Any, /) -> Any:
        """Return the vectors at some positions, an integer array, or in a range of them, a slice."""
        ...


class VectorTable(Protocol):
    """Finds the vectors with the largest inner product with a query.

    A table keeps a compressed form of the vectors. The truth stays with the caller, who hands it to every search: what
    the compressed form proposes is scored again with it. A table is a cache, to be thrown away and filled again.

    A position is an integer in ``[0, capacity)``. A table serves one thread at a time.
    """

    @property
    def nbytes(self) -> int:
        """Bytes that the table holds."""
        ...

    def __len__(self) -> int:
        """Return how many positions are filled."""
        ...

    def put(self, positions: Positions, vectors: Floats) -> None:
        """Fill positions, or fill them anew.

        Args:
            positions: ``[n]``, each at most once.
            vectors: ``[n, dim]``, finite, of any length.

        Raises:
            ValueError: shapes that do not fit, a position out of range or named twice, or a value that is not finite.
        """
        ...

    def drop(self, positions: Positions) -> None:
        """Empty positions; one that is empty stays so.

        Args:
            positions: ``[n]``.

        Raises:
            ValueError: a position is out of range.
        """
        ...

    def search(self, queries: Floats, k: int, vectors: Vectors) -> tuple[Floats, Positions]:
        """Find the ``k`` filled positions whose vectors have the largest inner product with each query.

        Args:
            queries: ``[n, dim]``, finite.
            k: how many.
            vectors: the truth: at each filled position the vector that was put there last.

        Returns:
            scores: ``[n, k]``, best first, in float32 from the true vectors; ``-inf`` where fewer positions are filled.
            positions: ``[n, k]``; -1 where fewer positions are filled.

        Raises:
            ValueError: shapes that do not fit, ``k`` below 1, or a query that is not finite.
        """
        ...


def check_sizes(capacity: int, dim: int) -> None:
    """Refuse a table without room or width, or with more positions than 32 bits can name."""
    if not 0 < capacity < 2**31:
        raise ValueError(f"capacity must be in [1, 2**31), got {capacity}")
    if dim < 1:
        raise ValueError(f"dim must be at least 1, got {dim}")


def checked_positions(positions: Positions, capacity: int) -> Positions:
    """Return positions ``[n]`` as int64; ValueError where they are no integers, or out of range."""
    positions = np.asarray(positions)
    if positions.ndim != 1 or not (positions.size == 0 or np.issubdtype(positions.dtype, np.integer)):
        raise ValueError(f"positions must be integers [n], got {positions.dtype} {list(positions.shape)}")
    if positions.size and not (positions.min() >= 0 and positions.max() < capacity):
        raise ValueError(f"positions must be in [0, {capacity}), got {positions.min()} to {positions.max()}")
    return positions.astype(np.int64, copy=False)


def checked_entries(positions: Positions, vectors: Floats, capacity: int, dim: int) -> tuple[Positions, Floats]:
    """Return what ``put`` was given as int64 ``[n]`` and float32 ``[n, dim]``; ValueError where it may not be put."""
    positions = checked_positions(positions, capacity)
    if positions.size > 1 and np.unique(positions).size < positions.size:
        raise ValueError(f"positions must be unique, got {positions.size} with {np.unique(positions).size} different")
    return positions, checked_rows("vectors", vectors, (positions.size, dim))


def checked_queries(queries: Floats, k: int, dim: int) -> Floats:
    """Return queries as float32 ``[n, dim]``; ValueError where they, or ``k``, will not do."""
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return checked_rows("queries", queries, (len(queries), dim))


def checked_rows(name: str, rows: Floats, shape: tuple[int, int]) -> Floats:
    """Return ``rows`` as contiguous float32; ValueError where they are of another shape or not finite."""
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    if rows.shape != shape:
        raise ValueError(f"{name} must be of shape {list(shape)}, got {list(rows.shape)}")
    if not np.isfinite(rows).all():
        raise ValueError(f"{name} must be finite, got {rows.size - np.isfinite(rows).sum()} values that are not")
    return rows
