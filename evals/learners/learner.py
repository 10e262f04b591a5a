"""The contract of a learner: it plays an environment for so long and says what each episode earned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol, final

import gymnasium

World = gymnasium.Env[Any, Any]
MakeWorld = Callable[[], World]
AfterEpisode = Callable[[int], None]


@final
@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long a learner plays: until either is spent, and to the end of the episode that is then being played.

    Attributes:
        episodes: so many episodes at most; None for any number.
        env_steps: so many steps of the environment at most; None for any number.
    """

    episodes: int | None = None
    env_steps: int | None = None

    def __post_init__(self) -> None:
        """Check that it ends.

        Raises:
            ValueError: neither is given, or one is below 1.
        """
        given = [each for each in (self.episodes, self.env_steps) if each is not None]
        if not given or min(given) < 1:
            raise ValueError(
                f"a budget needs episodes or env_steps, 1 or more, got {self.episodes} and {self.env_steps}"
            )

    def spent(self, episodes: int, env_steps: int) -> bool:
        """Return whether nothing is left after so much."""
        return (self.episodes is not None and episodes >= self.episodes) or (
            self.env_steps is not None and env_steps >= self.env_steps
        )


@final
@dataclass(frozen=True, kw_only=True)
class Learning:
    """What a learner did; the episodes stand in the order in which they ended.

    Attributes:
        returns: the true return of each episode.
        lengths: its steps.
        clock: process CPU seconds from the start to its end, learning included.
        env_steps: all steps, those of an episode that did not end included.
        cpu_seconds: process CPU seconds of the whole, from the making of the learner's model on.
    """

    returns: tuple[float, ...]
    lengths: tuple[int, ...]
    clock: tuple[float, ...]
    env_steps: int
    cpu_seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


class Learner(Protocol):
    """Whatever learns from episodes."""

    def learn(
        self, make_world: MakeWorld, *, budget: Budget, seed: int, after_episode: AfterEpisode | None = None
    ) -> Learning:
        """Play and learn from a fresh start.

        Args:
            make_world: makes the environment; a learner that wants several at once calls it several times.
            budget: how long.
            seed: of all randomness.
            after_episode: called with the number of episodes played, once the learner has all it keeps of the last.
        """
        ...

    def play(self, make_world: MakeWorld, *, episodes: int, seed: int) -> list[float]:
        """Play with what was learned so far, learning nothing, and return the true return of each episode."""
        ...
