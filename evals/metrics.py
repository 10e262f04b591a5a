"""What is measured, as pure functions of returns.

Intervals and means follow Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice"
(arXiv 2108.13264). A *stratum* is the scores of one task, one number for each run; resampling stays within a task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def interquartile_mean(values: ArrayLike) -> NDArray[np.float64]:
    """Return the mean of the middle half of ``values`` along the last axis.

    ``floor(n / 4)`` values are left out at each end: less swayed by an outlier than the mean, less wasteful than the
    median.

    Args:
        values: finite numbers, shape ``(..., n)``, n at least 1.

    Returns:
        Shape ``(...)``.

    Raises:
        ValueError: there are no values, or one is not finite.

    Reference: arXiv 2108.13264, section 4.3.
    """
    ordered = np.sort(finite_scores("values", values), axis=-1)
    count = ordered.shape[-1]
    cut = count // 4
    middle: NDArray[np.float64] = ordered[..., cut : count - cut].mean(axis=-1)
    return middle


def bootstrap_interval(
    strata: Sequence[ArrayLike],
    statistic: Statistic = interquartile_mean,
    *,
    level: float = 0.95,
    repetitions: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the stratified percentile-bootstrap interval of a statistic over all runs of all tasks.

    Each repetition draws, within every stratum, as many runs as it has, with replacement; the statistic is taken over
    the drawn runs of all strata together.

    Args:
        strata: for each task its scores, shape ``(runs,)`` each.
        statistic: maps shape ``(repetitions, n)`` to ``(repetitions,)``.
        level: the share of the bootstrap distribution inside the interval, in (0, 1).
        repetitions: how many resamples are drawn.
        seed: of the resampling: the same scores and seed give the same interval.

    Returns:
        The lower and the upper end.

    Raises:
        ValueError: no strata, an empty one, a score that is not finite, or a level or count out of range.

    Reference: arXiv 2108.13264, section 4.1.
    """
    if not strata:
        raise ValueError("strata must hold at least one task, got none")
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
    if repetitions < 1:
        raise ValueError(f"repetitions must be at least 1, got {repetitions}")
    generator = np.random.default_rng(seed)
    resampled = []
    for stratum in strata:
        scores = finite_scores("a stratum", stratum)
        if scores.ndim != 1:
            raise ValueError(f"a stratum must be of shape (runs,), got shape {scores.shape}")
        resampled.append(scores[generator.integers(len(scores), size=(repetitions, len(scores)))])
    low, high = np.quantile(statistic(np.concatenate(resampled, axis=1)), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def probability_of_improvement(first: ArrayLike, second: ArrayLike) -> float:
    """Return the probability that a run of ``first`` beats one of ``second`` on a task: ``P(X > Y) + P(X = Y) / 2``.

    Args:
        first: scores of the one, shape ``(runs,)``.
        second: scores of the other, shape ``(other runs,)``.

    Raises:
        ValueError: one is empty or has a score that is not finite.

    Reference: arXiv 2108.13264, section 4.3 (the Mann-Whitney U statistic over the number of pairs).
    """
    difference = np.subtract.outer(finite_scores("first", first), finite_scores("second", second))
    return float(np.mean((np.sign(difference) + 1) / 2))


def improvement_interval(
    pairs: Sequence[tuple[ArrayLike, ArrayLike]], *, level: float = 0.95, repetitions: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Return the mean over tasks of the probability of improvement, and its stratified bootstrap interval.

    Each repetition draws, within every task, as many runs of each of the two as there are, with replacement.

    Args:
        pairs: for each task the scores of the one and of the other, shape ``(runs,)`` each; more is better.
        level: the share of the bootstrap distribution inside the interval, in (0, 1).
        repetitions: how many resamples are drawn.
        seed: of the resampling.

    Returns:
        The mean, the lower and the upper end.

    Raises:
        ValueError: no tasks, one without scores, a score that is not finite, or a level or count out of range.

    Reference: arXiv 2108.13264, section 4.3.
    """
    if not pairs:
        raise ValueError("pairs must hold at least one task, got none")
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
    if repetitions < 1:
        raise ValueError(f"repetitions must be at least 1, got {repetitions}")
    generator = np.random.default_rng(seed)
    drawn = np.zeros((len(pairs), repetitions))
    for place, (first, second) in enumerate(pairs):
        ones, others = finite_scores("first", first), finite_scores("second", second)
        ones = ones[generator.integers(len(ones), size=(repetitions, len(ones)))]
        others = others[generator.integers(len(others), size=(repetitions, len(others)))]
        drawn[place] = ((np.sign(ones[:, :, None] - others[:, None, :]) + 1) / 2).mean(axis=(1, 2))
    value = float(np.mean([probability_of_improvement(first, second) for first, second in pairs]))
    low, high = np.quantile(drawn.mean(axis=0), [(1 - level) / 2, (1 + level) / 2])
    return value, float(low), float(high)


def curve_interval(
    runs: ArrayLike, *, level: float = 0.95, repetitions: int = 1000, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the interquartile mean of learning curves at each point, and its percentile-bootstrap interval.

    A repetition draws whole curves, so that the same runs stand behind every point.

    Args:
        runs: a curve for each run, shape ``(runs, points)``.
        level: the share of the bootstrap distribution inside the interval, in (0, 1).
        repetitions: how many resamples are drawn.
        seed: of the resampling.

    Returns:
        Mean, lower and upper end, shape ``(points,)`` each.

    Raises:
        ValueError: there are no runs or no points, or a value is not finite.
    """
    curves = finite_scores("runs", runs)
    if curves.ndim != 2 or len(curves) == 0:
        raise ValueError(f"runs must be of shape (runs, points), got shape {curves.shape}")
    drawn = np.random.default_rng(seed).integers(len(curves), size=(repetitions, len(curves)))
    means = interquartile_mean(np.moveaxis(curves[drawn], 1, -1))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return interquartile_mean(curves.T), low, high


def episodes_to_threshold(returns: ArrayLike, threshold: float, window: int) -> int:
    """Return the first episode e, from 1 on, with ``mean(returns[e : e + window]) >= threshold``.

    Args:
        returns: the return of each episode, shape ``(episodes,)``.
        threshold: the mean return to reach.
        window: how many episodes the mean is taken over, at least 1.

    Returns:
        The first episode of the first such window; where there is none, the number of episodes + 1 (censored, so that
        a run that never arrives counts as worse than every run that does).

    Raises:
        ValueError: the window is below 1, or a return is not finite.
    """
    if window < 1:
        raise ValueError(f"window must be at least 1, got {window}")
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"returns must be finite and of shape (episodes,), got {returns!r}")
    if len(values) >= window:
        reached = np.flatnonzero(np.lib.stride_tricks.sliding_window_view(values, window).mean(axis=1) >= threshold)
        if len(reached):
            return int(reached[0]) + 1
    return len(values) + 1


def normalised(value: float, untrained: float, optimum: float) -> float:
    """Return ``(value - untrained) / (optimum - untrained)``: 0 as good as untrained, 1 as good as can be.

    Raises:
        ValueError: the two ends are equal.
    """
    if optimum == untrained:
        raise ValueError(f"untrained and optimum must differ, got {untrained} for both")
    return (value - untrained) / (optimum - untrained)


def cross_session_retention(first: float, last: float, wiped: float) -> float:
    """Return how much of what memory had gained is still there in a new process.

    ``(first - wiped) / (last - wiped)``: 1 when nothing is lost, 0 when all is; above 1 when the last episodes of the
    old process were still held back by exploring. ``nan`` where memory had gained nothing, as nothing can be retained.

    Args:
        first: mean return of the first episodes in the new process, with the memory of the old one.
        last: mean return of the last episodes in the old process.
        wiped: mean return of the first episodes in a new process without the memory.
    """
    return (first - wiped) / (last - wiped) if last > wiped else float("nan")


def memory_gain(with_memory: float, wiped: float) -> float:
    """Return ``with_memory - wiped``: what a memory adds over having none; below 0 when it harms."""
    return with_memory - wiped


def finite_scores(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return scores as an array.

    Raises:
        ValueError: there is none, or one is not finite; the message says of what.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"{name} must hold at least one score, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array}")
    return array
