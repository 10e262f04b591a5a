"""Credit: how an outcome moves the utility of the templates that were recalled for it.

A template's utility is its expected advantage when recalled: the mean of ``outcome - baseline`` over the outcomes it
had a share in, weighted by that share, and shrunk towards zero. The baseline is the task's running mean: that of its
last 100 returns before the episode. Credit by advantage tells a helpful template from one that is merely recalled on
easy tasks; counting successes does not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

PRIOR_WEIGHT = 1.0
"""The weight of the prior (a utility of zero), in outcomes."""


def advantage(outcome: float, baseline: float | None, rating: float | None = None) -> float | None:
    """Return by how much an outcome was better than the task usually is.

    A rating decides the sign, as it does in the gate, and the size is at least the rating's.

    Args:
        outcome: the episode's return and the rewards that came late, in the units of the task.
        baseline: the task's running mean return before the episode; ``None`` for its first episode.
        rating: the user's rating in [-1, 1]; ``None`` or 0 leaves the return to decide.

    Returns:
        The advantage, or ``None`` where there is nothing to compare with.
    """
    gained = None if baseline is None else outcome - baseline
    if not rating:
        return gained
    return math.copysign(max(abs(gained or 0.0), abs(rating)), rating)


def shares(masses: Mapping[int, float]) -> dict[int, float]:
    """Return each template's share of the attention: its mass over the sum of all.

    Args:
        masses: attention mass by template id; not negative.

    Returns:
        Shares that sum to 1; templates without mass are left out.

    Raises:
        ValueError: if a mass is negative or not finite.
    """
    for template_id, mass in masses.items():
        if not (math.isfinite(mass) and mass >= 0):
            raise ValueError(f"the mass of template {template_id} must be finite and not negative, got {mass!r}")
    total = math.fsum(masses.values())
    return {int(template_id): mass / total for template_id, mass in masses.items() if mass > 0}


def utility(total: float, square: float, weight: float) -> tuple[float, float]:
    """Return a template's utility and its standard error.

    ``mean = S / (W + w0)`` and ``error = sqrt((Q / W) / (W + w0))`` with W, S and Q the sums of the shares, of the
    shares times the advantages, and of the shares times their squares, and w0 the prior's weight.

    Args:
        total: S, in the units of the task.
        square: Q, in those units squared.
        weight: W, in outcomes.

    Returns:
        Mean and standard error; 0 and nan for a template that no outcome was credited to.
    """
    if weight <= 0:
        return 0.0, math.nan
    return total / (weight + PRIOR_WEIGHT), math.sqrt(max(square, 0.0) / weight / (weight + PRIOR_WEIGHT))
