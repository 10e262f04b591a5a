"""Hearing: what several say of one episode or answer, taken together; each source has one voice.

What an agent says of itself is apart: a reward of it is heard as a rating, so that neither can count for more than the
other. An agent that could hand in rewards would else choose what its memory believes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

from .credit import advantage
from .episodes import AGENT


class Heard(NamedTuple):
    """What was said by now.

    Attributes:
        reward: the sum of the rewards, in the units of the task; ``None`` without one.
        rating: the mean rating of the sources, in [-1, 1]; ``None`` without one.
        self_rating: the mean of what the agent said of itself, in [-1, 1]; ``None`` without it.
    """

    reward: float | None
    rating: float | None
    self_rating: float | None

    @property
    def outcome(self) -> float | None:
        """Rewards and rating together; ``None`` where only the agent spoke."""
        if self.reward is None and self.rating is None:
            return None
        return (self.reward or 0.0) + (self.rating or 0.0)


def heard(said: Iterable[tuple[str, float | None, float | None]]) -> Heard:
    """Return what was said, taken together.

    Args:
        said: who said it, the reward and the rating of each, in the order they came.
    """
    rewards: list[float] = []
    of_itself: list[float] = []
    voices: dict[str, list[float]] = {}
    for source, reward, rating in said:
        if source == AGENT:
            if rating is not None or reward is not None:
                of_itself.append(rating if rating is not None else max(-1.0, min(1.0, reward or 0.0)))
            continue
        if reward is not None:
            rewards.append(reward)
        if rating is not None:
            voices.setdefault(source, []).append(rating)
    return Heard(
        reward=sum(rewards) if rewards else None,
        rating=fmean(map(fmean, voices.values())) if voices else None,
        self_rating=fmean(of_itself) if of_itself else None,
    )


def gained_by_answer(said: Heard, earlier: Sequence[float]) -> float | None:
    """Return the advantage of an answer; ``None`` where there is nothing to compare it with.

    Args:
        said: what was said of it.
        earlier: the outcomes of the task's answers before it.
    """
    # Ratings alone are compared with the task's earlier ones: a thumb that is always up tells nothing apart.
    decisive = said.rating if said.reward is not None or not earlier else None
    outcome = said.outcome
    return advantage(outcome or 0.0, [] if outcome is None else earlier, decisive, said.self_rating)
