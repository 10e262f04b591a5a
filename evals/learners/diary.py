"""Notes every episode of an environment, the same for all learners."""

from __future__ import annotations

import time
from typing import Any, SupportsFloat, final

import gymnasium

from .learner import Budget, Learning, World

TRUE_REWARD = "true_reward"
"""The key of ``info`` under which a wrapper keeps the reward that it hid."""


@final
class Diary:
    """What was played in one or several environments together."""

    def __init__(self, budget: Budget) -> None:
        """Start with empty pages.

        Args:
            budget: what ``spent`` is about.
        """
        self.budget = budget
        self.returns: list[float] = []
        self.lengths: list[int] = []
        self.env_steps = 0
        self._clock: list[float] = []
        self._started = time.process_time()

    @property
    def spent(self) -> bool:
        """Whether the budget is."""
        return self.budget.spent(len(self.returns), self.env_steps)

    def note(self, world: World) -> World:
        """Return the environment with every episode of it noted here."""
        return _Noted(world, self)

    def episode(self, return_: float, length: int) -> None:
        """Note an episode that has just ended."""
        self.returns.append(return_)
        self.lengths.append(length)
        self._clock.append(time.process_time() - self._started)

    def learning(self) -> Learning:
        """Return what is noted, without episodes beyond the budget (environments side by side end several at once)."""
        kept = slice(self.budget.episodes)
        return Learning(
            returns=tuple(self.returns[kept]),
            lengths=tuple(self.lengths[kept]),
            clock=tuple(self._clock[kept]),
            env_steps=self.env_steps,
            cpu_seconds=time.process_time() - self._started,
        )


@final
class _Noted(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment whose episodes a diary notes, by their true rewards."""

    def __init__(self, world: World, diary: Diary) -> None:
        super().__init__(world)
        self._diary = diary
        self._return, self._length = 0.0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; one that was broken off is not noted."""
        self._return, self._length = 0.0, 0
        return super().reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Step, and note the episode if that was its end."""
        observation, reward, terminated, truncated, info = super().step(action)
        self._return += float(info.get(TRUE_REWARD, reward))
        self._length += 1
        self._diary.env_steps += 1
        if terminated or truncated:
            self._diary.episode(self._return, self._length)
        return observation, reward, terminated, truncated, info
