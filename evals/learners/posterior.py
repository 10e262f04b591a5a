"""The yardstick under false feedback: the exact posterior over rules, for who knows how often feedback lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import gymnasium
import numpy as np
from numpy.typing import NDArray

from .diary import Diary
from .learner import AfterEpisode, Budget, Learning, MakeWorld


@final
class PosteriorOracle:
    """Answers each context by the action that is most probably right, given all that was heard about it.

    For each context there is one right action of ``n``, each as likely as another, and a rate at which what is heard of
    it is turned round, one of those given with its probability. After hearing ``h`` of action ``a``::

        P(right, rate) *= 1 - rate  if h = 1[a = right]  else  rate

    It is told the rates and that there is one right action, which no learner is. It takes the likeliest action at once
    and so gains nothing by trying for later's sake: where feedback is true that is optimal, else nearly so.
    """

    def __init__(self, rates: Sequence[tuple[float, float]]) -> None:
        """Start knowing nothing but the rates.

        Args:
            rates: pairs of a probability and a rate of lies; the probabilities sum to 1.

        Raises:
            ValueError: the probabilities do not sum to 1, or a number is not in [0, 1].
        """
        table = np.array(rates, np.float64).reshape(-1, 2)
        if not (((table >= 0) & (table <= 1)).all() and np.isclose(table[:, 0].sum(), 1.0)):
            raise ValueError(f"rates must be pairs of a probability and a rate, summing to 1, got {rates}")
        self._table = table
        self._posterior: dict[int, NDArray[np.float64]] = {}

    def learn(
        self, make_world: MakeWorld, *, budget: Budget, seed: int, after_episode: AfterEpisode | None = None
    ) -> Learning:
        """See :class:`Learner`."""
        diary, generator = Diary(budget), np.random.default_rng(seed)
        world = diary.note(make_world())
        while not diary.spent:
            observation, _ = world.reset(seed=None if diary.returns else seed)
            over = False
            while not over:
                context = int(observation)
                action = self._action(world, context, generator)
                observation, heard, terminated, truncated, _ = world.step(action)
                self._hear(context, action, bool(heard))
                over = terminated or truncated
            if after_episode is not None:
                after_episode(len(diary.returns))
        return diary.learning()

    def play(self, make_world: MakeWorld, *, episodes: int, seed: int) -> list[float]:
        """See :class:`Learner`."""
        diary, generator = Diary(Budget(episodes=episodes)), np.random.default_rng(seed)
        world = diary.note(make_world())
        while not diary.spent:
            observation, _ = world.reset(seed=None if diary.returns else seed)
            over = False
            while not over:
                observation, _, terminated, truncated, _ = world.step(self._action(world, int(observation), generator))
                over = terminated or truncated
        return diary.returns

    def probabilities(self, context: int) -> NDArray[np.float64]:
        """Return for each action how probably it is right in a context that was met, ``[actions]``."""
        found: NDArray[np.float64] = self._posterior[context].sum(axis=1)
        return found

    def _action(self, world: gymnasium.Env[Any, Any], context: int, generator: np.random.Generator) -> int:
        if context not in self._posterior:
            assert isinstance(world.action_space, gymnasium.spaces.Discrete)
            actions = int(world.action_space.n)
            self._posterior[context] = np.tile(self._table[:, 0] / actions, (actions, 1))
        right = self.probabilities(context)
        return int(generator.choice(np.flatnonzero(np.isclose(right, right.max()))))

    def _hear(self, context: int, action: int, heard: bool) -> None:
        posterior, rate = self._posterior[context], self._table[:, 1]
        rights = np.arange(len(posterior)) == action
        likelihood = np.where((rights == heard)[:, None], 1.0 - rate, rate)
        posterior *= likelihood
        posterior /= posterior.sum()
