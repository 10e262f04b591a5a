"""The gate: what an episode earned becomes whether, as what and how strongly it is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

EARLIER_LIMIT = 100
"""How many of a task's latest returns an episode is compared with."""

_UNCOMPARED_WEIGHT = 0.5


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A decision of the gate.

    Attributes:
        polarity: 1 for a success, -1 for a failure.
        weight: how strongly it counts, in [0, 1].
    """

    polarity: Literal[-1, 1]
    weight: float

    def __post_init__(self) -> None:
        if self.polarity not in (-1, 1):
            raise ValueError(f"polarity must be -1 or 1, got {self.polarity!r}")
        if not 0 <= self.weight <= 1:
            raise ValueError(f"weight must lie in [0, 1], got {self.weight!r}")

    @property
    def signed(self) -> float:
        """Polarity and weight as one number in [-1, 1]."""
        return self.polarity * self.weight


@dataclass(frozen=True, kw_only=True)
class GateConfig:
    """Settings of :class:`FeedbackGate`.

    Attributes:
        admit: ``"both"`` writes failures too, as evidence against; ``"success"`` writes successes alone.
        floor: the least weight of an episode, in [0, 1].
    """

    admit: Literal["both", "success"] = "both"
    floor: float = 0.1

    def __post_init__(self) -> None:
        if self.admit not in ("both", "success"):
            raise ValueError(f"admit must be 'both' or 'success', got {self.admit!r}")
        if not 0 <= self.floor <= 1:
            raise ValueError(f"floor must lie in [0, 1], got {self.floor!r}")


def mid_rank(value: float, others: Sequence[float]) -> float:
    """Return the mid-rank percentile of a value: the share of the others below it, ties counted half.

    Args:
        value: the number to place.
        others: the numbers it is compared with; at least one.
    """
    below = sum(other < value for other in others)
    ties = sum(other == value for other in others)
    return (below + 0.5 * ties) / len(others)


@final
class FeedbackGate:
    """Decides from the return, an explicit success and the user's rating; the later in this list, the stronger.

    With p the mid-rank percentile of the return among the task's earlier returns, polarity is positive where
    ``p >= 1/2`` and the weight is ``max(floor, |2p - 1|)``. So the scale of a task's rewards does not matter.
    """

    def __init__(self, config: GateConfig | None = None) -> None:
        self.config = config or GateConfig()

    def decide(
        self,
        return_: float,
        earlier: Sequence[float],
        success: bool | None = None,
        rating: float | None = None,
    ) -> Gate:
        """Decide on one episode.

        Args:
            return_: its return, in the units of the task.
            earlier: the returns of the task's earlier episodes, oldest first; the last 100 count.
            success: what the environment said of it, if it said anything.
            rating: the user's rating in [-1, 1]; 0 leaves the decision to the rest.

        Raises:
            ValueError: if the return is not finite or the rating is outside [-1, 1].
        """
        if not math.isfinite(return_):
            raise ValueError(f"return_ must be finite, got {return_!r}")
        if rating is not None and not -1 <= rating <= 1:
            raise ValueError(f"rating must lie in [-1, 1], got {rating!r}")
        floor = self.config.floor
        if rating:
            return Gate(polarity=1 if rating > 0 else -1, weight=max(floor, abs(rating)))
        polarity: Literal[-1, 1]
        if earlier:
            percentile = mid_rank(return_, earlier[-EARLIER_LIMIT:])
            polarity, weight = (1 if percentile >= 0.5 else -1), max(floor, abs(2 * percentile - 1))
        else:
            polarity, weight = (1 if return_ > 0 else -1), max(floor, _UNCOMPARED_WEIGHT)
        if success is not None:
            said: Literal[-1, 1] = 1 if success else -1
            weight = max(weight, _UNCOMPARED_WEIGHT) if said == polarity else max(floor, _UNCOMPARED_WEIGHT)
            polarity = said
        return Gate(polarity=polarity, weight=weight)

    def admits(self, decision: Gate) -> bool:
        """Say whether what an episode with this decision found is written as templates."""
        return decision.polarity > 0 or self.config.admit == "both"
