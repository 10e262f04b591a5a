"""Feedback that lies: the agent sees a reward turned round, and the true one is kept for the record."""

from __future__ import annotations

from typing import Any, final

import gymnasium
import numpy as np

from .learners.diary import TRUE_REWARD


@final
class FalseFeedback(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Turns rewards of 0 and 1 round; ``info["true_reward"]`` has what they were.

    Which rewards are turned round depends on the seed and the number of the step alone. So all agents meet the same
    noise, and what is flipped at a rate is flipped at every higher one.
    """

    def __init__(
        self, world: gymnasium.Env[Any, Any], *, rate: float = 0.0, contexts: float = 0.0, seed: int = 0
    ) -> None:
        """Wrap an environment with rewards of 0 and 1.

        Args:
            world: the environment; with ``contexts``, its observations are Discrete.
            rate: the chance that a reward is turned round, in [0, 1].
            contexts: the share of the observations at which it always is, in [0, 1]; which ones, the seed decides.
            seed: of the noise.

        Raises:
            TypeError: ``contexts`` is given and the observations are not Discrete.
            ValueError: a share is not in [0, 1].
        """
        super().__init__(world)
        if not (0 <= rate <= 1 and 0 <= contexts <= 1):
            raise ValueError(f"rate and contexts must be in [0, 1], got {rate} and {contexts}")
        space = world.observation_space
        if contexts and not isinstance(space, gymnasium.spaces.Discrete):
            raise TypeError(f"contexts need Discrete observations, got {space}")
        self._rate = rate
        self._noise = np.random.default_rng([seed, 0])
        self.turned: frozenset[int] = frozenset()
        """The observations at which every reward is turned round."""
        if isinstance(space, gymnasium.spaces.Discrete):
            order = np.random.default_rng([seed, 1]).permutation(int(space.n)) + int(space.start)
            self.turned = frozenset(order[: round(contexts * int(space.n))].tolist())
        self._seen: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; the noise goes on."""
        self._seen, info = super().reset(seed=seed, options=options)
        return self._seen, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step, and tell what is heard."""
        flipped = bool(self._noise.random() < self._rate)
        if self.turned and int(self._seen) in self.turned:
            flipped = not flipped
        self._seen, reward, terminated, truncated, info = super().step(action)
        truth = float(reward)
        return self._seen, 1.0 - truth if flipped else truth, terminated, truncated, {**info, TRUE_REWARD: truth}
