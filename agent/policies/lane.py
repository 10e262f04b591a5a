"""What the retention policy notes of one environment's episode while it is played."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

_RECEIPT = 64  # templates that a receipt names at most: those that acting relied on most


@final
@dataclass(kw_only=True)
class Lane:
    """An episode in progress. A decision is an action and the steps for which it is held.

    Attributes:
        rng: all randomness of the episode.
        key: of the latest observation, float32 ``[width]``.
        start_key: the key at which the decision was made; None once it is written and the next one is due.
        action: of the decision, from 0.
        expected: the value of that action before it was taken.
        steps_held: steps for which the action has been held.
        reward: earned since the decision.
        terminated: whether the latest decision ended the task.
        steps: steps of the environment so far.
        earned: the reward of each decision so far.
        visits: the slot that each decision was written to, and what it earned.
        recalled: for each decision the slots read for the action, ``[k]``, and the attention on them, ``[k]``.
    """

    rng: np.random.Generator
    key: NDArray[np.float32]
    start_key: NDArray[np.float32] | None = None
    action: int = 0
    expected: float = 0.0
    steps_held: int = 0
    reward: float = 0.0
    terminated: bool = False
    steps: int = 0
    earned: list[float] = field(default_factory=list)
    visits: list[tuple[int, float]] = field(default_factory=list)
    recalled: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = field(default_factory=list)

    def receipt(self, ids: NDArray[np.int64]) -> dict[int, float]:
        """Sum the attention per template over the episode; keep the templates that acting relied on most.

        Args:
            ids: of the template of each slot, 0 where it is not stored, ``[slots]``.
        """
        if not self.recalled:
            return {}
        slots = np.concatenate([slots for slots, _ in self.recalled])
        weights = np.concatenate([weights for _, weights in self.recalled])
        mass = np.bincount(slots, weights, minlength=len(ids))[: len(ids)]
        known = np.flatnonzero((mass > 0.0) & (ids > 0))
        most = known[np.argsort(-mass[known], kind="stable")[:_RECEIPT]]
        return {int(ids[slot]): float(mass[slot]) for slot in most}
