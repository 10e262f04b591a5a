"""Episodes: what is handed in when one ends, and what the memory says of it."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from .gate import Gate
from .numeric import real, whole
from .scope import TASK_LIMIT, check_name

AGENT = "agent"
"""The source of what an agent says of itself: it counts for little, and decides nothing."""

_MOST_REWARD = 1e30  # as in a run: sums of these are still float32


@final
@dataclass(frozen=True, kw_only=True)
class EpisodeDraft:
    """An episode that has just ended.

    Attributes:
        namespace: whose it is.
        task: what was done; opaque, compared exactly.
        number: its number within the task, from 1.
        seed: the seed it was reset with, if any.
        return_: the sum of its rewards, in the units of the task.
        length: its steps.
        success: what the environment said of it, if it said anything.
        seconds: how long it took.
    """

    namespace: str
    task: str
    number: int
    seed: int | None
    return_: float
    length: int
    success: bool | None
    seconds: float

    def __post_init__(self) -> None:
        check_name(self.namespace, "namespace")
        check_name(self.task, "task", TASK_LIMIT)
        for name in ("number", "length"):
            object.__setattr__(self, name, whole(getattr(self, name), name))
        for name in ("return_", "seconds"):
            object.__setattr__(self, name, real(getattr(self, name), name))
        object.__setattr__(self, "seed", None if self.seed is None else whole(self.seed, "seed"))
        object.__setattr__(self, "success", None if self.success is None else bool(self.success))
        if self.number < 1:
            raise ValueError(f"number must be at least 1, got {self.number}")
        if not math.isfinite(self.return_):
            raise ValueError(f"return_ must be finite, got {self.return_!r}")
        if self.length < 0:
            raise ValueError(f"length must not be negative, got {self.length}")
        if not (math.isfinite(self.seconds) and self.seconds >= 0):
            raise ValueError(f"seconds must be finite and not negative, got {self.seconds!r}")


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class CommittedEpisode:
    """What the memory made of an episode.

    Attributes:
        episode_id: its id, by which feedback may come later.
        gate: the gate's decision.
        written: how many templates were new.
        merged: how many rows were visits of templates that were there; ``written + merged`` is the number of rows.
        template_ids: the template of each row, int64 of shape (n,); 0 where the gate kept it out.
        revision: the memory's revision after the commit.
        noted: how many texts that it left were new.
    """

    episode_id: str
    gate: Gate
    written: int
    merged: int
    template_ids: NDArray[np.int64]
    revision: int
    noted: int = 0


@final
@dataclass(frozen=True, kw_only=True)
class Episode:
    """An episode as the memory holds it; the fields of :class:`EpisodeDraft` are said there.

    Attributes:
        episode_id: its id.
        gate: the gate's decision, with the feedback so far.
        rating: the mean of the users' ratings in [-1, 1]; ``None`` without one.
        self_rating: the mean of what the agent said of itself in [-1, 1], a reward as a rating; ``None`` without it.
        late_reward: the sum of the rewards that came as feedback, but from the agent, in the units of the task.
        written: how many templates were new.
        merged: how many rows were visits of templates that were there.
        last_template_id: the template it ended on, if one was written.
        created: when it was committed, in seconds since 1970.
    """

    episode_id: str
    namespace: str
    task: str
    number: int
    seed: int | None
    return_: float
    length: int
    success: bool | None
    seconds: float
    gate: Gate
    rating: float | None
    self_rating: float | None
    late_reward: float
    written: int
    merged: int
    last_template_id: int | None
    created: float


@final
@dataclass(frozen=True, kw_only=True)
class Feedback:
    """What a feedback did.

    Attributes:
        feedback_id: its id; the same id again changes nothing.
        episode_id: the episode it is about; ``None`` for a receipt that belongs to none.
        applied: whether it was new.
        gate: the gate's decision now, on the episode or on the answer.
        receipt_id: the receipt it is about, where it named one.
    """

    feedback_id: str
    episode_id: str | None
    applied: bool
    gate: Gate
    receipt_id: str | None = None


@final
@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What somebody says of an episode or of an answer.

    Attributes:
        rating: from -1 (bad) to 1 (good), if any.
        reward: in the units of the task, if any.
        feedback_id: a name for it; ``""`` to have one made.
        source: who says it: ``"agent"`` for the agent itself, which counts for little, a reward as a rating; anything
            else counts in full.
        reason: why, in words; kept, and looked at by nothing.
    """

    rating: float | None = None
    reward: float | None = None
    feedback_id: str = ""
    source: str = "user"
    reason: str | None = None

    def named(self) -> Opinion:
        """Return it with a name of its own, if it had none."""
        return self if self.feedback_id else replace(self, feedback_id=uuid.uuid4().hex)


def checked_opinion(
    rating: float | None, reward: float | None, feedback_id: str | None, source: str, reason: str | None = None
) -> Opinion:
    """Return what somebody says, or say what is wrong with it.

    Raises:
        TypeError: if what should be a number is none.
        ValueError: if nothing is said, or a number is out of its range.
    """
    if rating is None and reward is None:
        raise ValueError("feedback needs a rating, a reward, or both")
    rating = None if rating is None else real(rating, "rating")
    reward = None if reward is None else real(reward, "reward")
    if rating is not None and not -1 <= rating <= 1:
        raise ValueError(f"rating must lie in [-1, 1], got {rating!r}")
    if reward is not None and not math.isfinite(reward):
        raise ValueError(f"reward must be finite, got {reward!r}")
    if reward is not None and abs(reward) > _MOST_REWARD:
        raise ValueError(f"reward must lie in [-{_MOST_REWARD:g}, {_MOST_REWARD:g}], got {reward!r}: scale it")
    if feedback_id is not None:
        check_name(feedback_id, "feedback_id")
    check_name(source, "source")
    return Opinion(rating=rating, reward=reward, feedback_id=feedback_id or "", source=source, reason=reason)
