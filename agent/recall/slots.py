"""The slots of one task: written as transitions, valued by sweeps, read to act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray

from retention import Transitions

from .columns import Columns
from .config import RecallConfig
from .exact import ExactRetrieval
from .foresight import Worth
from .keys import KeySpace
from .planned import PlannedRetrieval
from .retrieval import Recollection, Retrieval
from .sweep import optimistic_value

_THINNED = 8  # the share of the capacity that makes room at once

_Identity = tuple[bytes, int, bytes, bool]


@final
class TransitionSlots:
    """Transitions as slots: key and action, to reward, next key and whether it ended; each with a value q.

    Attributes:
        optimism: the value of the null slot.
        best_return: the highest discounted return from any decision to the end of its episode so far.
        best_rate: the highest mean reward per decision of an episode so far, without the decision that ended it.
        rating_unit: what a full rating of 1 is worth, in the environment's reward units.
    """

    def __init__(self, keys: KeySpace, actions: int, config: RecallConfig) -> None:
        """Start empty."""
        self.columns = Columns(keys.width)
        self.optimism = 1.0
        self.best_return = 0.0
        self.best_rate = 0.0
        self.rating_unit = 1.0
        self._config = config
        self._slot_of: dict[_Identity, int] = {}
        self._planned: PlannedRetrieval | None = None
        self._retrieval: Retrieval
        if keys.exact:
            self._retrieval = ExactRetrieval(self.columns, actions, config)
        else:
            self._retrieval = self._planned = PlannedRetrieval(self.columns, actions, keys.width, config)

    def __len__(self) -> int:
        """Return how many slots are filled."""
        return self.columns.size

    @property
    def full(self) -> bool:
        """Whether the capacity is reached: then :meth:`thin` makes room, or new slots are not taken."""
        return len(self) >= self._config.capacity

    def read(self, keys: NDArray[np.float32], *, null_value: float | None = None) -> list[Recollection]:
        """Read the value of every action at some keys: each, to the bit, as if it were the only one.

        Args:
            keys: ``[rows, width]``.
            null_value: the value of the null slot; the optimistic one by default.
        """
        return self._retrieval.read(keys, self._worth(self.optimism if null_value is None else null_value))

    def _worth(self, optimism: float) -> Worth:
        return Worth(optimism=optimism, discount=self._config.discount, rating_unit=self.rating_unit)

    def write(
        self,
        key: NDArray[np.float32],
        action: int,
        reward: float,
        next_key: NDArray[np.float32],
        terminated: bool,
        *,
        expected: float = 0.0,
    ) -> int | None:
        """Write one visited transition; the very same one again merges: its count grows, its reward averages.

        Until it is backed up or swept, a new slot is worth what was expected of it, but no less than nothing: where
        every step costs, it promises to be free, and so draws the agent on.

        Args:
            key: where it began, ``[width]``.
            action: what was done.
            reward: what it earned.
            next_key: where it led, ``[width]``.
            terminated: whether the episode was over there.
            expected: the value of the action before it was taken.

        Returns:
            The slot, or None if the memory is full and the transition is new.
        """
        slot = self._slot_of.get(_identity(key, action, next_key, terminated))
        if slot is not None:
            self.columns.count[slot] += 1.0
            self.columns.reward[slot] += (reward - self.columns.reward[slot]) / self.columns.count[slot]
            self._retrieval.changed(slot)
            return slot
        if self.full:
            return None
        slot = self.columns.append(key, action, reward, next_key, terminated, value=max(expected, 0.0))
        self._add(slot)
        return slot

    def _add(self, slot: int) -> None:
        columns = self.columns
        self._retrieval.add(slot)
        same = _identity(columns.key[slot], columns.action[slot], columns.next_key[slot], columns.terminated[slot])
        self._slot_of[same] = slot

    def learn(self, decisions: int) -> None:
        """Bring values up to date after so many decisions."""
        self._retrieval.learn(self._worth(self.optimism), decisions)

    def settle_values(self) -> None:
        """Bring all values up to date, however long it takes."""
        self._retrieval.settle(self._worth(self.optimism))

    def settle(self, ahead: float = 0.0, rate: float = 0.0) -> None:
        """Take stock: how good an episode can be, and so what the unknown promises.

        Args:
            ahead: the most that followed a decision of an episode that has just ended, discounted.
            rate: its mean reward per decision, without the decision that ended it.
        """
        self.best_return, self.best_rate = max(self.best_return, ahead), max(self.best_rate, rate)
        rewards, before = self.columns.reward[: len(self)], self.optimism
        self.optimism = optimistic_value(rewards, self.best_return, self.best_rate, self._config.discount)
        if self.optimism != before:
            self._retrieval.reconsider(self._worth(self.optimism), before)

    @property
    def scale(self) -> NDArray[np.float32] | None:
        """The scale of real keys, ``[width]``; None for symbolic ones."""
        return self._planned.model.scale if self._planned else None

    def rescale(self, spread: NDArray[np.float64]) -> None:
        """Let real keys follow the spread of the observations, ``[width]``; symbolic keys have none."""
        if self._planned:
            self._planned.model.rescale(spread, self.columns)

    def set_scale(self, scale: NDArray[np.float32]) -> None:
        """Restore the scale of real keys, ``[width]``."""
        if self._planned:
            self._planned.model.set_scale(scale, self.columns)

    def load(self, transitions: Transitions) -> None:
        """Take in templates of the episodic memory; one that is here already takes the counts of the memory.

        Args:
            transitions: templates with their ids; those never swept start at the optimistic value. They may be more
                than the capacity: :meth:`thin` then picks which to hold, once their values are settled.
        """
        columns = self.columns
        for row in range(len(transitions)):
            key, next_key = transitions.key[row], transitions.next_key[row]
            action, terminated = int(transitions.action[row]), bool(transitions.terminated[row])
            slot = self._slot_of.get(_identity(key, action, next_key, terminated))
            new = slot is None
            if slot is None:
                value = float(transitions.value[row])
                value = self.optimism if np.isnan(value) else value
                slot = columns.append(key, action, 0.0, next_key, terminated, value=value)
            columns.id[slot] = transitions.id[row]
            columns.count[slot] = transitions.count[row]
            columns.reward[slot] = transitions.reward[row]
            columns.rating[slot] = transitions.rating[row]
            if new:
                self._add(slot)
            else:
                self._retrieval.changed(slot)
        if self._planned:
            self._planned.load()

    def thin(self, held: NDArray[np.int64]) -> NDArray[np.int64]:
        """Forget an eighth of the capacity, or what can be spared; the episodic memory keeps the templates.

        Args:
            held: slots that must stay: what episodes in progress visited is in no memory yet.

        Returns:
            For each slot before, the number of the slot that stands for it now, or -1.
        """
        room = max(1, self._config.capacity // _THINNED)
        heirs = self._retrieval.thin(max(room, len(self) + room - self._config.capacity), held)
        before = np.arange(len(heirs))
        kept = before[heirs == before]
        now = np.full(len(heirs) + 1, -1)  # the last one is where -1 points
        now[kept] = np.arange(len(kept))
        heirs = now[heirs]
        self.columns.keep(kept)
        self._retrieval.renumber(heirs, kept)
        stays = np.isin(before, kept)
        self._slot_of = {same: int(heirs[slot]) for same, slot in self._slot_of.items() if stays[slot]}
        return heirs

    def visited(self, slots: Sequence[int], rewards: Sequence[float]) -> Transitions:
        """Return the transitions of some visits, one row each, as the episodic memory takes them.

        Args:
            slots: the slot of each visit.
            rewards: what each visit earned.
        """
        columns, rows = self.columns, np.array(slots, np.int64)
        return Transitions(
            key=columns.key[rows],
            action=columns.action[rows],
            reward=np.array(rewards, np.float64),
            next_key=columns.next_key[rows],
            terminated=columns.terminated[rows],
            count=np.ones(len(rows), np.int64),
            value=columns.value[rows],
            rating=np.zeros(len(rows)),
            id=np.zeros(len(rows), np.int64),
        )

    @property
    def lowest(self) -> float:
        """The lowest value of any slot: what a frozen policy expects of the unknown, since it cannot learn from it."""
        return float(self.columns.value[: len(self)].min()) if len(self) else 0.0

    def bind(self, slot: int, template: int) -> None:
        """Note the id under which the episodic memory keeps a slot."""
        self.columns.id[slot] = template


def _identity(key: NDArray[np.float32], action: int, next_key: NDArray[np.float32], terminated: bool) -> _Identity:
    """Return what makes two transitions the same, here as in the episodic memory."""
    return key.tobytes(), int(action), next_key.tobytes(), bool(terminated)
