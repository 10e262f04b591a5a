"""Tabular Q-learning, epsilon-greedy: the plainest learner of symbolic tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import gymnasium
import numpy as np
from numpy.typing import NDArray

from .diary import Diary
from .learner import AfterEpisode, Budget, Learning, MakeWorld


@final
@dataclass(frozen=True, kw_only=True)
class TabularQConfig:
    """Its settings.

    Attributes:
        learning_rate: how far a value moves towards what was met, in (0, 1].
        discount: of the future, in [0, 1).
        epsilon: how often an action is drawn at random, in [0, 1].
        start: the value of what was never met: 0, or an optimistic one.
    """

    learning_rate: float = 0.2
    discount: float = 0.99
    epsilon: float = 0.1
    start: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ValueError: a number is out of its range.
        """
        if not (0 < self.learning_rate <= 1 and 0 <= self.discount < 1 and 0 <= self.epsilon <= 1):
            raise ValueError(f"learning_rate, discount or epsilon is out of its range, got {self}")


@final
class TabularQ:
    """``Q(s, a) += learning_rate (r + discount (1 - terminated) max_b Q(s', b) - Q(s, a))``.

    Reference: Watkins 1989; Sutton and Barto 2018, section 6.5.
    """

    def __init__(self, config: TabularQConfig) -> None:
        """Start without any value."""
        self.config = config
        self._table: dict[bytes, NDArray[np.float64]] = {}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> TabularQ:
        """Make one with what a task's settings say under ``"tabular-q"``."""
        return cls(TabularQConfig(**settings.get("tabular-q", {})))

    def learn(
        self, make_world: MakeWorld, *, budget: Budget, seed: int, after_episode: AfterEpisode | None = None
    ) -> Learning:
        """See :class:`Learner`."""
        diary = Diary(budget)
        world, generator = diary.note(make_world()), np.random.default_rng(seed)
        config = self.config
        while not diary.spent:
            values = self._values(world, world.reset(seed=None if diary.returns else seed)[0])
            over = False
            while not over:
                explores = generator.random() < config.epsilon
                action = int(generator.integers(len(values))) if explores else _best(values, generator)
                observation, reward, terminated, truncated, _ = world.step(action)
                following = self._values(world, observation)
                target = float(reward) + config.discount * (not terminated) * following.max()
                values[action] += config.learning_rate * (target - values[action])
                values, over = following, terminated or truncated
            if after_episode is not None:
                after_episode(len(diary.returns))
        return diary.learning()

    def play(self, make_world: MakeWorld, *, episodes: int, seed: int) -> list[float]:
        """See :class:`Learner`; without epsilon."""
        diary = Diary(Budget(episodes=episodes))
        world, generator = diary.note(make_world()), np.random.default_rng(seed)
        while not diary.spent:
            observation, _ = world.reset(seed=None if diary.returns else seed)
            over = False
            while not over:
                observation, _, terminated, truncated, _ = world.step(
                    _best(self._values(world, observation), generator)
                )
                over = terminated or truncated
        return diary.returns

    def _values(self, world: gymnasium.Env[Any, Any], observation: Any) -> NDArray[np.float64]:
        """Return the row of an observation in the table; made where it is new."""
        actions = world.action_space
        if not isinstance(actions, gymnasium.spaces.Discrete):
            raise TypeError(f"tabular Q needs Discrete actions, got {actions}")
        key = np.asarray(gymnasium.spaces.flatten(world.observation_space, observation)).tobytes()
        return self._table.setdefault(key, np.full(int(actions.n), self.config.start))


def _best(values: NDArray[np.float64], generator: np.random.Generator) -> int:
    """Return the best action, one of them at random where several are."""
    return int(generator.choice(np.flatnonzero(values == values.max())))
