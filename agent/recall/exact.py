"""Retrieval for symbolic keys: a hash of the key."""

from __future__ import annotations

import math
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .columns import Columns, grown
from .retrieval import Retrieved


@final
class ExactRetrieval:
    """Slots by key and action.

    The outcomes that one action had in one state are slots of their own, scored by ``log count``. Attention over them
    is then the empirical expectation, and a null slot of mass ``c0`` weighs as much as ``c0`` visits.
    """

    def __init__(self, actions: int, *, null_mass: float) -> None:
        """Start empty.

        Args:
            actions: how many actions there are.
            null_mass: the mass of the null slot, in visits, positive.
        """
        self.null_score = math.log(null_mass)
        self._row_of: dict[bytes, int] = {}
        self._place_of: list[tuple[int, int, int]] = []
        self._index = np.zeros((64, actions, 2), np.int64)
        self._scores = np.full((64, actions, 2), -np.inf)
        self._fill = np.zeros((64, actions), np.int64)
        self._next_row = np.zeros(256, np.int64)

    def add(self, slot: int, columns: Columns) -> None:
        """Take in a new slot; slots come in order."""
        row, next_row = self._row(columns.key[slot]), self._row(columns.next_key[slot])
        action = int(columns.action[slot])
        place = int(self._fill[row, action])
        self._index = grown(self._index, place + 1, axis=2)
        self._scores = grown(self._scores, place + 1, axis=2, fill=-np.inf)
        self._next_row = grown(self._next_row, slot + 1)
        self._index[row, action, place] = slot
        self._fill[row, action] += 1
        self._next_row[slot] = next_row
        self._place_of.append((row, action, place))
        self.recount(slot, columns)

    def recount(self, slot: int, columns: Columns) -> None:
        """Score the slot by its count."""
        self._scores[self._place_of[slot]] = math.log(columns.count[slot])

    def near(self, key: NDArray[np.float32], columns: Columns) -> Retrieved:
        """Return the outcomes of each action in exactly this state; a state never met retrieves nothing."""
        row = self._row_of.get(key.tobytes())
        if row is None:
            scores = torch.full(self._scores.shape[1:], -torch.inf, dtype=torch.float64)
            return Retrieved(index=torch.zeros(scores.shape, dtype=torch.int64), scores=scores)
        return Retrieved(index=torch.from_numpy(self._index[row]), scores=torch.from_numpy(self._scores[row]))

    def successors(self, columns: Columns) -> tuple[Retrieved, Tensor]:
        """Return the outcomes in every state met, and the state that each slot leads to."""
        rows = len(self._row_of)
        every = Retrieved(index=torch.from_numpy(self._index[:rows]), scores=torch.from_numpy(self._scores[:rows]))
        return every, torch.from_numpy(self._next_row[: columns.size])

    def _row(self, key: NDArray[np.float32]) -> int:
        row = self._row_of.setdefault(key.tobytes(), len(self._row_of))
        self._index = grown(self._index, row + 1)
        self._scores = grown(self._scores, row + 1, fill=-np.inf)
        self._fill = grown(self._fill, row + 1)
        return row
