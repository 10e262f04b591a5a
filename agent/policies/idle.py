"""A policy that does nothing: it measures what the loop itself costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from retention import Transitions

from ..recall.actions import numbered_actions
from .protocol import Experience, Task


@final
class IdlePolicy:
    """Always takes the first action and keeps nothing."""

    def __init__(self) -> None:
        """Start unbound."""
        self._action: Any = 0

    def begin(self, task: Task) -> None:
        """Note which action is the first.

        Raises:
            UnsupportedSpaceError: the actions cannot be numbered.
        """
        self._action = numbered_actions(task.action_space).take(0)

    def restore(
        self, transitions: Transitions, settings: Mapping[str, Any] | None, *, swept: bool, anew: bool = False
    ) -> None:
        """Keep nothing."""

    def start_episode(self, observation: Any, rng: np.random.Generator, *, lane: int = 0) -> None:
        """Keep nothing."""

    def act(self, *, lane: int = 0) -> Any:
        """Return the first action."""
        return self._action

    def act_lanes(self, lanes: Sequence[int]) -> list[Any]:
        """Return the first action for each lane."""
        return [self._action] * len(lanes)

    def observe(self, reward: float, observation: Any, terminated: bool, truncated: bool, *, lane: int = 0) -> None:
        """Keep nothing."""

    def end_episode(self, return_: float, *, lane: int = 0) -> Experience:
        """Offer nothing."""
        return Experience()

    def stored(self, experience: Experience, template_ids: NDArray[np.int64]) -> None:
        """Keep nothing."""

    def settings(self) -> dict[str, Any]:
        """Return no settings."""
        return {}

    def values(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return no values."""
        return np.zeros(0, np.int64), np.zeros(0)
