"""Transition templates in memory: growable columns, one row a slot."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

_FIRST_CAPACITY = 256


def grown(array: NDArray[Any], rows: int, *, axis: int = 0, fill: Any = 0) -> NDArray[Any]:
    """Return the array itself if it has ``rows`` rows along ``axis``, else a copy with at least twice as many."""
    have = array.shape[axis]
    if rows <= have:
        return array
    shape = list(array.shape)
    shape[axis] = max(rows, 2 * have)
    larger = np.full(shape, fill, dtype=array.dtype)
    larger[(slice(None),) * axis + (slice(0, have),)] = array
    return larger


@final
class Columns:
    """The slots of one task, column by column.

    Attributes:
        size: how many slots are filled; rows beyond it hold nothing.
        key, next_key: float32 ``[slots, width]``.
        action: int64 ``[slots]``.
        reward: float64 ``[slots]``, mean per visit, in the environment's units.
        rating: float64 ``[slots]``, mean user rating in [-1, 1], 0 where unrated.
        terminated: bool ``[slots]``.
        count: float64 ``[slots]``, visits.
        value: float64 ``[slots]``: of the action, q, for symbolic keys; of the state at the key, V, for real ones.
        id: int64 ``[slots]``, the template's id in the episodic memory, 0 while it is not stored.
    """

    def __init__(self, width: int) -> None:
        """Start empty with keys of the given width."""
        self.size = 0
        self.key = np.zeros((_FIRST_CAPACITY, width), np.float32)
        self.next_key = np.zeros((_FIRST_CAPACITY, width), np.float32)
        self.action = np.zeros(_FIRST_CAPACITY, np.int64)
        self.reward = np.zeros(_FIRST_CAPACITY)
        self.rating = np.zeros(_FIRST_CAPACITY)
        self.terminated = np.zeros(_FIRST_CAPACITY, bool)
        self.count = np.zeros(_FIRST_CAPACITY)
        self.value = np.zeros(_FIRST_CAPACITY)
        self.id = np.zeros(_FIRST_CAPACITY, np.int64)

    def append(
        self,
        key: NDArray[np.float32],
        action: int,
        reward: float,
        next_key: NDArray[np.float32],
        terminated: bool,
        *,
        value: float,
    ) -> int:
        """Add one visited transition and return its slot."""
        slot = self.size
        if slot == len(self.action):
            for name, column in vars(self).items():
                if isinstance(column, np.ndarray):
                    setattr(self, name, grown(column, slot + 1))
        self.key[slot], self.action[slot], self.reward[slot] = key, action, reward
        self.next_key[slot], self.terminated[slot] = next_key, terminated
        self.count[slot], self.value[slot] = 1.0, value
        self.size += 1
        return slot

    def keep(self, slots: NDArray[np.int64]) -> None:
        """Keep some slots alone, in the order given, which must be ascending."""
        for column in vars(self).values():
            if isinstance(column, np.ndarray):
                column[: len(slots)] = column[slots]
                column[len(slots) : self.size] = 0
        self.size = len(slots)
