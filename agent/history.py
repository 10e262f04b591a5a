"""What a run returns: its episodes, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray


@final
@dataclass(frozen=True, kw_only=True)
class EpisodeResult:
    """One finished episode.

    Attributes:
        episode: its number within namespace and task, from 1, going on over sessions.
        return_: sum of rewards.
        length: steps.
        episode_id: its id in the memory, for feedback; None if the agent was frozen and wrote nothing.
        gate: the gate's decision, polarity times weight, in [-1, 1]; 0 if the agent was frozen.
        written: templates that this episode added.
    """

    episode: int
    return_: float
    length: int
    episode_id: str | None = None
    gate: float = 0.0
    written: int = 0


@final
@dataclass(frozen=True)
class History:
    """The finished episodes of a run, in order."""

    episodes: tuple[EpisodeResult, ...]

    @property
    def returns(self) -> NDArray[np.float64]:
        """The return of each episode, ``[episodes]``."""
        return np.array([each.return_ for each in self.episodes], np.float64)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The steps of each episode, ``[episodes]``."""
        return np.array([each.length for each in self.episodes], np.int64)

    @property
    def env_steps(self) -> int:
        """Steps of all episodes."""
        return int(self.lengths.sum())

    def __len__(self) -> int:
        """Return how many episodes were finished."""
        return len(self.episodes)
