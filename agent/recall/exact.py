"""Recall by symbolic keys: a hash of the key."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from .columns import Columns, grown
from .config import RecallConfig
from .foresight import Worth
from .retrieval import Recollection, nothing
from .sweep import sweep
from .thinning import inferior

_SETTLING = 500  # sweeps at most


@final
class ExactRetrieval:
    """Slots by key and action.

    The outcomes that one action had in one state are slots of their own, scored by ``log count``. Attention over them
    is then the empirical expectation, and a null slot of mass ``c0`` weighs as much as ``c0`` visits.

    How much a visit teaches is found from the visits. Where an action always leads to the same place, one visit has
    shown where, and a null slot that shrinks with the visits alone would keep an agent going in circles: ``c0`` falls
    with the share of repeated visits that led elsewhere than most, ``c0 = null_mass min(1, 2 (elsewhere + 1) / (again +
    1))``.
    """

    def __init__(self, columns: Columns, actions: int, config: RecallConfig) -> None:
        """Start empty.

        Args:
            columns: the slots.
            actions: how many actions there are.
            config: the mass of the null slot, and how often to sweep.
        """
        self._columns = columns
        self._config = config
        self._row_of: dict[bytes, int] = {}
        self._place_of: list[tuple[int, int, int]] = []
        self._index = np.zeros((64, actions, 2), np.int64)
        self._scores = np.full((64, actions, 2), -np.inf)
        self._fill = np.zeros((64, actions), np.int64)
        self._next_row = np.zeros(256, np.int64)
        self._forgotten = np.zeros((64, actions), bool)
        self._visits = np.zeros((64, actions, 2))  # of each action in each state: in all, and of its likeliest outcome
        self._again = self._elsewhere = 0.0

    @property
    def null_mass(self) -> float:
        """The mass of the null slot now, in visits."""
        return self._config.null_mass * min(1.0, 2.0 * (self._elsewhere + 1.0) / (self._again + 1.0))

    def add(self, slot: int) -> None:
        """Take in a new slot; slots come in order."""
        columns = self._columns
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
        self._forgotten[row, action] = False
        self.changed(slot)

    def changed(self, slot: int) -> None:
        """Score the slot by its count."""
        row, action, place = self._place_of[slot]
        self._scores[row, action, place] = math.log(self._columns.count[slot])
        counts = self._columns.count[self._index[row, action, : self._fill[row, action]]]
        (visits, most), (total, top) = self._visits[row, action], (float(counts.sum()), float(counts.max()))
        self._again += max(total - 1.0, 0.0) - max(visits - 1.0, 0.0)
        self._elsewhere += (total - top) - (visits - most)
        self._visits[row, action] = total, top

    def read(self, keys: NDArray[np.float32], worth: Worth) -> list[Recollection]:
        """Attend over the outcomes of each action in exactly these states; a state never met recalls nothing."""
        rows = [self._row_of.get(key.tobytes(), -1) for key in keys]
        if len(rows) == 1:  # of a place, and not of a list of one: that is faster
            return [self._nothing(worth) if rows[0] < 0 else Recollection(**self._attended(rows[0], worth))]
        found = self._attended(np.array(rows, np.int64), worth)
        return [
            self._nothing(worth) if row < 0 else Recollection(**{name: each[i] for name, each in found.items()})
            for i, row in enumerate(rows)
        ]

    def _attended(self, rows: int | NDArray[np.int64], worth: Worth) -> dict[str, NDArray[Any]]:
        """Return what a recollection of a row holds, or of each of several."""
        slots = self._index[rows].copy()
        mass = np.exp(self._scores[rows])
        null = self.null_mass
        total = mass.sum(axis=-1) + null
        weights, null_mass = mass / total[..., None], null / total
        forgotten = self._forgotten[rows]
        unknown = self._unknown(worth, forgotten) if forgotten.any() else worth.optimism
        values = (weights * self._columns.value[slots]).sum(axis=-1) + null_mass * unknown
        return {"values": values, "null_mass": null_mass, "slots": slots, "weights": weights}

    def _nothing(self, worth: Worth) -> Recollection:
        return nothing(*self._index.shape[1:], worth)

    def learn(self, worth: Worth, decisions: int) -> None:
        """Sweep some times after a decision, and more often after an episode."""
        self._sweep(worth, self._config.sweeps_exact if decisions <= 1 else self._config.sweeps_after)

    def settle(self, worth: Worth) -> None:
        """Sweep until nothing moves."""
        self._sweep(worth, _SETTLING)

    def reconsider(self, worth: Worth, before: float) -> None:
        """Do nothing: every sweep takes the value of the unknown as it is."""

    def thin(self, most: int, held: NDArray[np.int64]) -> NDArray[np.int64]:
        """Choose slots of actions that fall behind; what was forgotten promises no more than the worst known.

        Returns:
            For each slot where its value is to be found from now on: itself, or -1 if it goes.
        """
        size = self._columns.size
        rows = np.array([place[0] for place in self._place_of], np.int64)
        best = np.full(len(self._row_of), -np.inf)
        np.maximum.at(best, rows, self._columns.value[:size])
        gone = inferior(self._columns, best[rows], held, most)
        for slot in gone:
            row, action, _ = self._place_of[slot]
            self._fill[row, action] -= 1
            self._forgotten[row, action] |= self._fill[row, action] == 0
        heirs = np.arange(size)
        heirs[gone] = -1
        return heirs

    def renumber(self, heirs: NDArray[np.int64], kept: NDArray[np.int64]) -> None:
        """Take in the slots anew after some are gone; which actions were forgotten stays known."""
        self._place_of.clear()
        self._index[:], self._fill[:], self._scores[:], self._visits[:] = 0, 0, -np.inf, 0.0
        self._again = self._elsewhere = 0.0
        forgotten = self._forgotten.copy()
        for slot in range(self._columns.size):
            self.add(slot)
        self._forgotten = forgotten

    def _unknown(self, worth: Worth, forgotten: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the value of the null slot, ``[rows, actions]``, by what was forgotten there."""
        if not forgotten.any():
            return np.full(forgotten.shape, worth.optimism)
        lowest = float(self._columns.value[: self._columns.size].min())
        return np.where(forgotten, lowest, worth.optimism)

    def _sweep(self, worth: Worth, times: int) -> None:
        columns, size, rows = self._columns, self._columns.size, len(self._row_of)
        if not size:
            return
        value = torch.from_numpy(columns.value[:size])
        after, _ = sweep(
            value,
            torch.from_numpy(columns.reward[:size] + worth.rating_unit * columns.rating[:size]),
            torch.from_numpy(columns.terminated[:size]),
            torch.from_numpy(self._index[:rows]),
            torch.from_numpy(self._scores[:rows]),
            torch.from_numpy(self._next_row[:size]),
            null_score=math.log(self.null_mass),
            optimism=torch.from_numpy(self._unknown(worth, self._forgotten[:rows])),
            discount=worth.discount,
            times=times,
            tolerance=self._config.tolerance * max(abs(worth.optimism), float(value.abs().max())),
        )
        columns.value[:size] = after.numpy()

    def _row(self, key: NDArray[np.float32]) -> int:
        row = self._row_of.setdefault(key.tobytes(), len(self._row_of))
        self._index = grown(self._index, row + 1)
        self._scores = grown(self._scores, row + 1, fill=-np.inf)
        self._fill = grown(self._fill, row + 1)
        self._forgotten = grown(self._forgotten, row + 1)
        self._visits = grown(self._visits, row + 1)
        return row
