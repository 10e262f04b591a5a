"""The slots of one task: written as transitions, valued by sweeps, read to act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from retention import Transitions, attend

from .columns import Columns
from .config import RecallConfig
from .exact import ExactRetrieval
from .keys import KeySpace
from .near import NearRetrieval
from .retrieval import Retrieval
from .sweep import optimistic_value, sweep

_MOST_NEIGHBOURS = 64

_Identity = tuple[bytes, int, bytes, bool]


@dataclass(frozen=True, kw_only=True)
class Recollection:
    """What one read recalled for an observation.

    Attributes:
        values: the value of each action, ``[actions]``.
        null_mass: the attention on the null slot, ``[actions]``: 1 where memory knows nothing of the action.
        slots: the slots retrieved, ``[actions, k]``.
        weights: the attention on them, ``[actions, k]``.
    """

    values: NDArray[np.float64]
    null_mass: NDArray[np.float64]
    slots: NDArray[np.int64]
    weights: NDArray[np.float64]


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
        self._retrieval: Retrieval
        if keys.exact:
            self._retrieval = ExactRetrieval(actions, null_mass=config.null_mass)
        else:
            self._retrieval = NearRetrieval(
                actions,
                keys.width,
                neighbours=min(config.neighbours * keys.width, _MOST_NEIGHBOURS),
                beta=config.beta,
                null_distance=config.null_distance,
            )

    def __len__(self) -> int:
        """Return how many slots are filled."""
        return self.columns.size

    @property
    def full(self) -> bool:
        """Whether the capacity is reached: then what is known is kept, and new slots are not taken."""
        return len(self) >= self._config.capacity

    def read(self, key: NDArray[np.float32], *, null_value: float | None = None) -> Recollection:
        """Read the value of every action at a key.

        Args:
            key: ``[width]``.
            null_value: the value of the null slot; the optimistic one by default.
        """
        retrieved = self._retrieval.near(key, self.columns)
        value = torch.from_numpy(self.columns.value)[retrieved.index].to(retrieved.scores.dtype)
        output, weights, null_mass = attend(
            retrieved.scores,
            value,
            null_score=self._retrieval.null_score,
            null_value=self.optimism if null_value is None else null_value,
        )
        return Recollection(
            values=output.double().numpy(),
            null_mass=null_mass.double().numpy(),
            slots=retrieved.index.numpy(),
            weights=weights.double().numpy(),
        )

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
            self._retrieval.recount(slot, self.columns)
            return slot
        if self.full:
            return None
        slot = self.columns.append(key, action, reward, next_key, terminated, value=max(expected, 0.0))
        self._add(slot)
        return slot

    def _add(self, slot: int) -> None:
        columns = self.columns
        self._retrieval.add(slot, columns)
        same = _identity(columns.key[slot], columns.action[slot], columns.next_key[slot], columns.terminated[slot])
        self._slot_of[same] = slot

    def back_up(self, slot: int, ahead: float) -> None:
        """Value one slot by what its next key promises: ``q = r + discount (1 - terminated) ahead``."""
        columns = self.columns
        follows = 0.0 if columns.terminated[slot] else self._config.discount * ahead
        columns.value[slot] = columns.reward[slot] + self.rating_unit * columns.rating[slot] + follows

    def sweep(self, times: int) -> float:
        """Sweep all values at most ``times`` times; return the largest move of the last sweep."""
        size = len(self)
        if not size:
            return 0.0
        retrieved, next_row = self._retrieval.successors(self.columns)
        columns = self.columns
        value = torch.from_numpy(columns.value[:size])
        reward = torch.from_numpy(columns.reward[:size] + self.rating_unit * columns.rating[:size])
        scale = max(abs(self.optimism), float(value.abs().max()))
        after, move = sweep(
            value,
            reward,
            torch.from_numpy(columns.terminated[:size]),
            retrieved,
            next_row,
            null_score=self._retrieval.null_score,
            optimism=self.optimism,
            discount=self._config.discount,
            times=times,
            tolerance=self._config.tolerance * scale,
        )
        columns.value[:size] = after.numpy()
        return move

    def settle(self, ahead: float = 0.0, rate: float = 0.0) -> None:
        """Take stock: how good an episode can be, and so what the unknown promises.

        Args:
            ahead: the most that followed a decision of an episode that has just ended, discounted.
            rate: its mean reward per decision, without the decision that ended it.
        """
        self.best_return, self.best_rate = max(self.best_return, ahead), max(self.best_rate, rate)
        rewards = self.columns.reward[: len(self)]
        self.optimism = optimistic_value(rewards, self.best_return, self.best_rate, self._config.discount)

    @property
    def scale(self) -> NDArray[np.float32] | None:
        """The scale of real keys, ``[width]``; None for symbolic ones."""
        return self._retrieval.scale if isinstance(self._retrieval, NearRetrieval) else None

    def rescale(self, spread: NDArray[np.float64]) -> None:
        """Let real keys follow the spread of the observations, ``[width]``; symbolic keys have none."""
        if isinstance(self._retrieval, NearRetrieval):
            self._retrieval.rescale(spread, self.columns)

    def set_scale(self, scale: NDArray[np.float32]) -> None:
        """Restore the scale of real keys, ``[width]``."""
        if isinstance(self._retrieval, NearRetrieval):
            self._retrieval.set_scale(scale, self.columns)

    def load(self, transitions: Transitions) -> None:
        """Take in templates of the episodic memory; one that is here already takes the counts of the memory.

        Args:
            transitions: templates with their ids; those never swept start at the optimistic value.
        """
        columns = self.columns
        for row in range(len(transitions)):
            key, next_key = transitions.key[row], transitions.next_key[row]
            action, terminated = int(transitions.action[row]), bool(transitions.terminated[row])
            slot = self._slot_of.get(_identity(key, action, next_key, terminated))
            if slot is None and self.full:
                continue
            if slot is None:
                value = float(transitions.value[row])
                value = self.optimism if np.isnan(value) else value
                slot = columns.append(key, action, 0.0, next_key, terminated, value=value)
                self._add(slot)
            columns.id[slot] = transitions.id[row]
            columns.count[slot] = transitions.count[row]
            columns.reward[slot] = transitions.reward[row]
            columns.rating[slot] = transitions.rating[row]
            self._retrieval.recount(slot, columns)

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
