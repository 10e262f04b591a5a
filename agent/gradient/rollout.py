"""What was played since the last update: pieces of episodes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

_F32 = NDArray[np.float32]


@final
@dataclass(kw_only=True, eq=False)
class Piece:
    """Consecutive steps of one episode.

    Attributes:
        key: of the observations at which was decided, as the environment showed them.
        seen: the same, scaled as they were when it was decided.
        decision: what was decided.
        reward: what it earned.
        last: key of the observation after the last step; None while a decision waits for what it leads to.
        terminated: whether the task was over there.
        ended: whether the episode was over there.
    """

    key: list[_F32] = field(default_factory=list)
    seen: list[_F32] = field(default_factory=list)
    decision: list[_F32] = field(default_factory=list)
    reward: list[float] = field(default_factory=list)
    last: _F32 | None = None
    terminated: bool = False
    ended: bool = False

    def __len__(self) -> int:
        """Return the number of steps that are complete."""
        return len(self.reward)

    def decide(self, key: _F32, seen: _F32, decision: _F32) -> None:
        """Note a decision."""
        self.key.append(key)
        self.seen.append(seen)
        self.decision.append(decision)

    def earn(self, reward: float, key: _F32, terminated: bool, ended: bool) -> None:
        """Note what the decision led to."""
        self.reward.append(reward)
        self.last, self.terminated, self.ended = key, terminated, ended

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return what ``restored`` takes; the piece is complete and not empty."""
        assert self.last is not None  # it is complete
        return {
            "key": np.stack([*self.key, self.last]),
            "seen": np.stack(self.seen),
            "decision": np.stack(self.decision),
            "reward": np.array(self.reward),
            "over": np.array([self.terminated, self.ended]),
        }

    @classmethod
    def restored(cls, state: dict[str, NDArray[np.generic]]) -> Piece:
        """Return the piece of a state."""
        keys = list(np.asarray(state["key"], np.float32))
        return cls(
            key=keys[:-1],
            seen=list(np.asarray(state["seen"], np.float32)),
            decision=list(np.asarray(state["decision"], np.float32)),
            reward=np.asarray(state["reward"], np.float64).tolist(),
            last=keys[-1],
            terminated=bool(state["over"][0]),
            ended=bool(state["over"][1]),
        )
