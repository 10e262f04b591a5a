"""Credit: how an outcome moves the utility of the templates that were recalled for it.

A template's utility is its expected advantage when recalled, in spreads of its task: how much better than usual what it
was recalled for went, over how far outcomes of the task usually lie apart. What the others that were recalled with it
are known to bring is taken off first (the delta rule of R. A. Rescorla and A. R. Wagner, 1972): a template that is
merely recalled beside a good one, or on easy tasks, earns nothing. Counting successes cannot tell them apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev
from typing import NamedTuple

from .numeric import real

PRIOR_WEIGHT = 10.0
"""The weight of the prior (a utility of zero), in outcomes."""

HORIZON = 100.0
"""The most outcomes a utility remembers: beyond them older ones fade, so that it follows a template that changes."""

LIMIT = 3.0
"""The most that one outcome may count, in spreads: it moves a utility by ``2 LIMIT / (1 + PRIOR_WEIGHT)`` at most."""

SELF_RATING_LIMIT = 0.2
"""The most that an agent's rating of itself may count, in spreads."""

FOUND_WEIGHT = 3.0
"""For how many recalls the outcome of an episode counts for a text that was written for it: it is about this text."""


class Evidence(NamedTuple):
    """What a utility is computed from: sums over outcomes, each weighted by the template's exposure to it.

    Attributes:
        total: S, the sum of the credits, in spreads.
        square: Q, the sum of their squares.
        weight: W, the sum of the exposures.
    """

    total: float
    square: float
    weight: float

    def plus(self, exposure: float, credit: float) -> Evidence:
        """Return the evidence with one more outcome; beyond the horizon older ones fade."""
        weight = self.weight + exposure
        kept = min(1.0, HORIZON / weight) if weight > 0 else 1.0
        total, square = self.total + exposure * credit, self.square + exposure * credit * credit
        return Evidence(total * kept, square * kept, weight * kept)

    def minus(self, exposure: float, credit: float) -> Evidence:
        """Return the evidence without an outcome that was given before."""
        weight = self.weight - exposure
        if weight <= 1e-9:
            return Evidence(0.0, 0.0, 0.0)
        return Evidence(self.total - exposure * credit, max(0.0, self.square - exposure * credit * credit), weight)


def spread(outcomes: Sequence[float]) -> float:
    """Return how far outcomes lie apart: their standard deviation; 0 for none."""
    return pstdev(outcomes) if outcomes else 0.0


def advantage(
    outcome: float, earlier: Sequence[float], rating: float | None = None, self_rating: float | None = None
) -> float | None:
    """Return by how much an outcome was better than the task usually is, in spreads.

    A rating decides the sign, as it does in the gate, and the size is at least the rating's.

    Args:
        outcome: the episode's return and the rewards that came late, in the units of the task.
        earlier: the task's latest outcomes before it, in the same units.
        rating: the user's rating in [-1, 1]; ``None`` or 0 leaves the outcome to decide.
        self_rating: the agent's rating of itself, in [-1, 1]; counts for little.

    Returns:
        The advantage in [-LIMIT, LIMIT], or ``None`` where there is nothing to compare with.
    """
    gained = None
    if earlier:
        distance, apart = outcome - fmean(earlier), spread(earlier)
        if apart > 1e-9 * max(1.0, abs(outcome)):
            gained = _clip(distance / apart, LIMIT)
        else:
            gained = math.copysign(1.0, distance) if distance else 0.0
    if rating:
        return math.copysign(max(abs(gained or 0.0), abs(rating)), rating)
    if self_rating:
        gained = _clip((gained or 0.0) + _clip(self_rating, SELF_RATING_LIMIT), LIMIT)
    return gained


def exposures(masses: Mapping[int, float]) -> dict[int, float]:
    """Return how much each template had to do with an outcome: its attention mass over the greatest.

    Args:
        masses: attention mass by template id; not negative.

    Returns:
        Exposures in (0, 1]; templates without mass are left out.

    Raises:
        ValueError: if a mass is negative or not finite.
    """
    masses = {int(template_id): real(mass, f"the mass of {template_id}") for template_id, mass in masses.items()}
    for template_id, mass in masses.items():
        if not (math.isfinite(mass) and mass >= 0):
            raise ValueError(f"the mass of template {template_id} must be finite and not negative, got {mass!r}")
    greatest = max(masses.values(), default=0.0)
    return {template_id: mass / greatest for template_id, mass in masses.items() if mass > 0 and mass / greatest}


def credits(gained: float, portions: Sequence[tuple[float, float]]) -> list[float]:
    """Return what each of the templates recalled together is credited with.

    Args:
        gained: the advantage of the outcome, in spreads.
        portions: the exposure and the utility of each template.

    Returns:
        For each: the advantage, less what the others are known to bring, in [-LIMIT, LIMIT].
    """
    known = math.fsum(exposure * worth for exposure, worth in portions)
    return [_clip(gained - (known - exposure * worth), LIMIT) for exposure, worth in portions]


def judged(credit: float, verdict: float) -> float:
    """Return a credit with what somebody said of this very template added, in [-LIMIT, LIMIT].

    Args:
        credit: what the outcome gives it, in spreads.
        verdict: in spreads: above 0 if it helped, below if it did harm.
    """
    return _clip(credit + verdict, LIMIT)


class Place(NamedTuple):
    """A template on a receipt.

    Attributes:
        exposure: how much it had to do with the outcome.
        given: what the receipt credited it with so far; ``None`` for nothing.
        verdict: what somebody said of this very template, in spreads.
        sums: its evidence, with what was given.
    """

    exposure: float
    given: float | None
    verdict: float
    sums: Evidence


def credited_anew(
    places: Sequence[Place], weight: float, gained: float | None
) -> tuple[list[Evidence], list[float | None]]:
    """Return the evidence and the credit of each template on a receipt, with what it gave before taken back.

    Args:
        places: the templates.
        weight: for how many recalls the outcome counts.
        gained: its advantage, in spreads; ``None`` for none, or none any more.
    """
    before = [
        place.sums if place.given is None else place.sums.minus(weight * place.exposure, place.given)
        for place in places
    ]
    if gained is None:
        return before, [None] * len(places)
    fair = credits(gained, [(place.exposure, utility(*sums)[0]) for place, sums in zip(places, before, strict=True)])
    now = [judged(credit, place.verdict) for place, credit in zip(places, fair, strict=True)]
    after = [
        sums.plus(weight * place.exposure, credit) for place, sums, credit in zip(places, before, now, strict=True)
    ]
    return after, list(now)


def utility(total: float, square: float, weight: float, prior: float = 0.0) -> tuple[float, float]:
    """Return a template's utility and its standard error.

    ``mean = (S + w0 p) / (W + w0)`` and ``error = sqrt((Q / W) / (W + w0))``, with w0 the weight of the prior p.

    Args:
        total: S of :class:`Evidence`.
        square: Q of :class:`Evidence`.
        weight: W of :class:`Evidence`.
        prior: p, what is expected without evidence (:func:`distrust`).

    Returns:
        Mean and standard error; the prior and nan for a template that no outcome was credited to.
    """
    if weight <= 0:
        return prior, math.nan
    mean = (total + PRIOR_WEIGHT * prior) / (weight + PRIOR_WEIGHT)
    return mean, math.sqrt(max(square, 0.0) / weight / (weight + PRIOR_WEIGHT))


def distrust(total: float, square: float, weight: float) -> float:
    """Return what is expected of a template for its source alone: 0, or as much below it as is sure.

    A source whose templates did harm is believed less from then on, also in what it newly says: so no one can do harm
    for ever by saying something else each time. A good record is no credit: it cannot be earned and then spent.

    Args:
        total: S of :class:`Evidence`, over all templates of the source.
        square: Q, likewise.
        weight: W, likewise.

    Returns:
        The mean and two standard errors, or 0 if that is above it.
    """
    if weight <= 0:
        return 0.0
    mean, error = utility(total, square, weight)
    # Rounded: the sums are of many, and the order they were added in is not to show.
    return min(0.0, round(mean + 2 * error, 9))


def _clip(value: float, limit: float) -> float:
    return max(-limit, min(limit, value))
