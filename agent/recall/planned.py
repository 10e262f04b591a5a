"""Recall by real keys: what is foreseen there, and a plan over all slots."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from .columns import Columns
from .config import RecallConfig
from .foresight import Worth, action_values
from .near import NearModel
from .plan import Plan
from .retrieval import Recollection, nothing
from .thinning import redundant

_STIRRED = 8  # slots around a new one at which is foreseen anew
_SETTLING = 200  # sweeps at most


@final
class PlannedRetrieval:
    """Reads by looking one decision ahead from the key itself; the values there come from the plan."""

    def __init__(self, columns: Columns, actions: int, width: int, config: RecallConfig) -> None:
        """Start empty.

        Args:
            columns: the slots.
            actions: how many actions there are.
            width: the length of a key.
            config: how many slots are read, how the attention falls, and how much is backed up.
        """
        self._columns = columns
        self._config = config
        self._actions = actions
        self.model = NearModel(
            actions,
            width,
            neighbours=config.neighbours,
            landmarks=config.landmarks,
            beta=config.beta,
            null_distance=config.null_distance,
        )
        self._plan = Plan(self.model, actions, config.landmarks)
        self._touched: list[int] = []

    def add(self, slot: int) -> None:
        """Take in a new slot with the next :meth:`learn`."""

    def changed(self, slot: int) -> None:
        """Foresee anew around a slot with the next :meth:`learn`."""
        self._touched.append(slot)

    def read(self, keys: NDArray[np.float32], worth: Worth) -> list[Recollection]:
        """Foresee every action at some keys and value where it leads."""
        if not self.model.size:
            return [nothing(self._actions, self._config.neighbours, worth) for _ in keys]
        seen = self.model.foresee(keys, self._columns, apart=True)
        values, null_mass = action_values(seen, self._columns.value, worth), 1.0 - seen.support
        return [
            Recollection(
                values=values[row], null_mass=null_mass[row], slots=seen.slots[row], weights=seen.attention[row]
            )
            for row in range(len(keys))
        ]

    def learn(self, worth: Worth, decisions: int) -> None:
        """Take in what is new, foresee anew around it, and back up what that moves."""
        rows = self._stirred()
        if not self._columns.size:
            return
        in_turn = self._plan.turn(decisions, self._columns.size)
        self._plan.foresee(np.unique(np.concatenate([rows, in_turn])), self._columns, worth)
        self._plan.back_up(self._config.backups * decisions, self._columns, worth, self._tolerance(worth))

    def settle(self, worth: Worth) -> None:
        """Foresee at every slot, and sweep until nothing moves."""
        self._stirred()
        self._plan.foresee(np.arange(self._columns.size), self._columns, worth)
        self._plan.sweep(_SETTLING, self._columns, worth, self._tolerance(worth))

    def load(self) -> None:
        """Take in slots; the first ones come with their values, around later ones is foreseen when it learns."""
        first = not self.model.size
        fresh = self.model.extend(self._columns)
        self._plan.grow(self._columns.size)
        if not first:
            self._touched += fresh.tolist()

    def thin(self, most: int, held: NDArray[np.int64]) -> NDArray[np.int64]:
        """Choose slots to forget: those nearest to another of the same action, which is their heir."""
        columns, size = self._columns, self._columns.size
        keys = self.model.scaled(columns.key[:size])
        gone, stays = redundant(keys, columns.action[:size], columns.terminated[:size], held, most)
        heirs = np.arange(size)
        heirs[gone] = stays
        return heirs

    def renumber(self, heirs: NDArray[np.int64], kept: NDArray[np.int64]) -> None:
        """Take in the slots anew; what was foreseen is read off the heirs."""
        self.model.rebuild(self._columns)
        self._plan.renumber(heirs, kept)
        touched = heirs[np.array(self._touched, np.int64)]
        self._touched = touched.tolist()

    def reconsider(self, worth: Worth, before: float) -> None:
        """Back up slots that rely on the unknown."""
        self._plan.reconsider(worth.optimism - before, self._tolerance(worth), self.model.size)

    def _stirred(self) -> NDArray[np.int64]:
        """Take in new slots; return these, what changed, and the slots around them."""
        fresh = self.model.extend(self._columns)
        self._plan.grow(self._columns.size)
        changed = np.unique(np.concatenate([fresh, np.array(self._touched, np.int64)]))
        self._touched.clear()
        if not len(changed):
            return changed
        rows = np.unique(self.model.around(changed, _STIRRED))
        self.model.forget_followers(rows)
        return rows

    def _tolerance(self, worth: Worth) -> float:
        size = self._columns.size
        largest = float(np.abs(self._columns.value[:size]).max()) if size else 0.0
        return self._config.tolerance * max(abs(worth.optimism), largest)
