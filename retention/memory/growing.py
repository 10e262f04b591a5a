"""Columns that grow at their end: what is added is copied now and then, not each time."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import DTypeLike, NDArray


@final
class Growing:
    """An array that grows along its first axis.

    Args:
        dtype: of its numbers.
        width: the shape of a row; ``()`` for a number.
    """

    def __init__(self, dtype: DTypeLike, width: tuple[int, ...] = ()) -> None:
        self._held: NDArray[Any] = np.zeros((0, *width), dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def rows(self) -> NDArray[Any]:
        """What was added, of shape (n, *width): a view, to be asked for anew after an addition."""
        return self._held[: self._size]

    def extend(self, rows: NDArray[Any]) -> None:
        """Add rows of shape (m, *width)."""
        end = self._size + len(rows)
        if end > len(self._held):
            grown = np.zeros((max(end, len(self._held) * 3 // 2), *self._held.shape[1:]), self._held.dtype)
            grown[: self._size] = self.rows
            self._held = grown
        self._held[self._size : end] = rows
        self._size = end
