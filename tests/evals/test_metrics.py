from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals import metrics

SCORES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30)


def naive_iqm(values: list[float]) -> float:
    ordered = sorted(values)
    cut = len(ordered) // 4
    return statistics.fmean(ordered[cut : len(ordered) - cut])


@settings(max_examples=100, deadline=None)
@given(values=SCORES)
def test_the_interquartile_mean_is_the_mean_of_the_middle_half(values):
    found = float(metrics.interquartile_mean(values))
    assert found == pytest.approx(naive_iqm(values), rel=1e-9, abs=1e-6)
    assert min(values) - 1e-6 <= found <= max(values) + 1e-6


def test_the_interquartile_mean_leaves_out_outliers_and_keeps_leading_axes():
    assert metrics.interquartile_mean([-1e9, 1, 2, 3, 1e9]) == 2.0
    assert metrics.interquartile_mean([[4, 1, 3, 2], [0, 0, 8, 0]]).tolist() == [2.5, 0.0]


@settings(max_examples=40, deadline=None)
@given(strata=st.lists(SCORES, min_size=1, max_size=4), seed=st.integers(0, 9))
def test_an_interval_lies_within_the_scores_and_is_reproducible(strata, seed):
    low, high = metrics.bootstrap_interval(strata, repetitions=50, seed=seed)
    assert (low, high) == metrics.bootstrap_interval(strata, repetitions=50, seed=seed)
    pooled = [score for stratum in strata for score in stratum]
    slack = 1e-9 * max(1.0, *map(abs, pooled))
    assert min(pooled) - slack <= low <= high <= max(pooled) + slack


def test_an_interval_agrees_with_a_plain_loop():
    strata = [[0.1, 0.4, 0.5, 0.9, 0.7], [3.0, 2.0, 8.0]]
    generator = np.random.default_rng(4)
    draws = [generator.integers(len(stratum), size=(300, len(stratum))) for stratum in strata]
    means = sorted(
        naive_iqm([stratum[i] for stratum, draw in zip(strata, draws, strict=True) for i in draw[repetition]])
        for repetition in range(300)
    )
    low, high = metrics.bootstrap_interval(strata, repetitions=300, seed=4)
    # quantile q of n sorted values lies at position q (n - 1)
    for found, share in ((low, 0.025), (high, 0.975)):
        below, rest = divmod(share * 299, 1)
        assert found == pytest.approx(means[int(below)] * (1 - rest) + means[int(below) + 1] * rest)


def test_an_interval_covers_the_true_mean_about_as_often_as_it_says():
    generator = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        low, high = metrics.bootstrap_interval(
            [generator.normal(0, 1, 30)], lambda draws: draws.mean(axis=-1), repetitions=200, seed=trial
        )
        hits += low <= 0 <= high
    assert 0.89 <= hits / 200 <= 0.99


def test_resampling_stays_within_a_task():
    # any mixture of the two tasks would move the mean away from 5
    assert metrics.bootstrap_interval([[0.0] * 4, [10.0] * 4], lambda draws: draws.mean(axis=-1)) == (5.0, 5.0)


@settings(max_examples=100, deadline=None)
@given(
    first=st.lists(st.integers(-5, 5), min_size=1, max_size=8),
    second=st.lists(st.integers(-5, 5), min_size=1, max_size=8),
)
def test_probability_of_improvement_counts_pairs(first, second):
    wins = sum(1.0 if x > y else 0.5 if x == y else 0.0 for x in first for y in second)
    found = metrics.probability_of_improvement(first, second)
    assert found == pytest.approx(wins / (len(first) * len(second)))
    assert found + metrics.probability_of_improvement(second, first) == pytest.approx(1.0)


@settings(max_examples=100, deadline=None)
@given(returns=st.lists(st.integers(0, 4), max_size=20), threshold=st.integers(0, 4), window=st.integers(1, 6))
def test_episodes_to_threshold_is_the_first_window_that_reaches_it(returns, threshold, window):
    expected = len(returns) + 1
    for start in range(len(returns) - window + 1):
        if sum(returns[start : start + window]) >= threshold * window:
            expected = start + 1
            break
    assert metrics.episodes_to_threshold(returns, threshold, window) == expected


def test_episodes_to_threshold_by_hand():
    assert metrics.episodes_to_threshold([0, 0, 1, 1, 1], 1.0, 2) == 3
    assert metrics.episodes_to_threshold([1, 1], 1.0, 2) == 1
    assert metrics.episodes_to_threshold([1, 0, 1], 1.0, 2) == 4  # censored: budget + 1
    assert metrics.episodes_to_threshold([], 1.0, 2) == 1


@settings(max_examples=50, deadline=None)
@given(untrained=st.floats(-1e3, 1e3), span=st.floats(1e-2, 1e3), share=st.floats(-2, 2))
def test_normalised_puts_untrained_at_0_and_the_optimum_at_1(untrained, span, share):
    optimum = untrained + span
    assert metrics.normalised(untrained, untrained, optimum) == 0.0
    assert metrics.normalised(optimum, untrained, optimum) == 1.0
    assert metrics.normalised(untrained + share * span, untrained, optimum) == pytest.approx(share, abs=1e-6)


def test_retention_and_gain_by_hand():
    assert metrics.cross_session_retention(9.0, 10.0, 0.0) == 0.9
    assert metrics.cross_session_retention(2.0, 10.0, 2.0) == 0.0
    assert metrics.cross_session_retention(-13.0, -13.0, -200.0) == 1.0
    assert math.isnan(metrics.cross_session_retention(1.0, 1.0, 1.0))
    assert math.isnan(metrics.cross_session_retention(1.0, 0.0, 1.0))
    assert metrics.memory_gain(3.0, 5.0) == -2.0


def test_an_improvement_is_a_mean_over_tasks_with_an_interval_that_a_plain_loop_agrees_with():
    pairs = [([1.0, 2.0, 5.0], [2.0, 2.0, 3.0]), ([4.0, 9.0], [1.0, 1.0, 9.0, 9.0])]
    value, low, high = metrics.improvement_interval(pairs, repetitions=400, seed=3)
    assert value == pytest.approx(np.mean([metrics.probability_of_improvement(*pair) for pair in pairs]))
    generator = np.random.default_rng(3)
    drawn = [[], []]
    for place, (first, second) in enumerate(pairs):
        ones = np.array(first)[generator.integers(len(first), size=(400, len(first)))]
        others = np.array(second)[generator.integers(len(second), size=(400, len(second)))]
        drawn[place] = [metrics.probability_of_improvement(a, b) for a, b in zip(ones, others, strict=True)]
    assert (low, high) == pytest.approx(tuple(np.quantile(np.mean(drawn, axis=0), [0.025, 0.975])))
    assert metrics.improvement_interval([([2.0, 3.0], [0.0, 1.0])]) == (1.0, 1.0, 1.0)


def test_a_curve_has_the_mean_of_each_point_and_an_interval_that_holds_it():
    runs = np.array([[0.0, 1.0, 5.0], [1.0, 1.0, 6.0], [2.0, 1.0, 7.0], [9.0, 1.0, 8.0], [3.0, 1.0, 90.0]])
    value, low, high = metrics.curve_interval(runs)
    assert value.tolist() == [metrics.interquartile_mean(runs[:, point]) for point in range(3)]
    assert (low <= value).all() and (value <= high).all()
    assert (low[1], high[1]) == (1.0, 1.0)
    draws = np.random.default_rng(0).integers(5, size=(1000, 5))
    means = [[metrics.interquartile_mean(runs[draw][:, point]) for point in range(3)] for draw in draws]
    assert low == pytest.approx(np.quantile(means, 0.025, axis=0))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: metrics.improvement_interval([]), "pairs must hold at least one task"),
        (lambda: metrics.improvement_interval([([1], [])]), "second must hold at least one score"),
        (lambda: metrics.curve_interval([1.0, 2.0]), r"of shape \(runs, points\), got shape \(2,\)"),
        (lambda: metrics.interquartile_mean([]), "values must hold at least one score, got shape"),
        (lambda: metrics.interquartile_mean([1.0, math.nan]), "values must be finite, got"),
        (lambda: metrics.bootstrap_interval([]), "strata must hold at least one task"),
        (lambda: metrics.bootstrap_interval([[]]), "a stratum must hold at least one score"),
        (lambda: metrics.bootstrap_interval([[[1.0]]]), r"of shape \(runs,\), got shape \(1, 1\)"),
        (lambda: metrics.bootstrap_interval([[1.0]], level=1.0), r"level must be in \(0, 1\), got 1.0"),
        (lambda: metrics.bootstrap_interval([[1.0]], repetitions=0), "repetitions must be at least 1, got 0"),
        (lambda: metrics.probability_of_improvement([], [1]), "first must hold at least one score"),
        (lambda: metrics.episodes_to_threshold([1], 1, 0), "window must be at least 1, got 0"),
        (lambda: metrics.episodes_to_threshold([math.inf], 1, 1), "returns must be finite"),
        (lambda: metrics.normalised(1.0, 2.0, 2.0), "untrained and optimum must differ, got 2.0"),
    ],
)
def test_wrong_arguments_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
