"""Ratings of whole episodes: what each decision and each end earns by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.ratings import Trace, _regress, shares, trace_of
from retention import Transitions


def rows(*visits: tuple[int, int, int, bool]) -> Transitions:
    place, action, after, over = zip(*visits, strict=True)
    return Transitions(
        key=np.array(place, np.float32)[:, None],
        action=np.array(action),
        reward=np.zeros(len(visits)),
        next_key=np.array(after, np.float32)[:, None],
        terminated=np.array(over),
    )


def told(*pairs: tuple[str, str | None, float]) -> tuple[list[Trace], NDArray[np.float64]]:
    """Return traces of one-letter decisions with an end each, and what they were worth."""
    return [Trace(decisions=tuple(each), end=end) for each, end, _ in pairs], np.array([worth for *_, worth in pairs])


def test_a_trace_marks_the_decisions_and_the_end() -> None:
    trace = trace_of(rows((0, 1, 1, False), (1, 1, 2, False), (0, 1, 3, True)))
    assert trace.decisions[0] == trace.decisions[2] != trace.decisions[1]  # wherever it led
    assert trace.end is not None
    assert trace_of(rows((0, 1, 3, True))).end == trace.end
    assert trace_of(rows((0, 1, 4, True))).end != trace.end
    assert trace_of(rows((0, 0, 3, True))).end != trace.end
    assert trace_of(rows((0, 1, 3, False))).end is None


def naive(visits: NDArray[np.float64], worths: NDArray[np.float64], prior: float) -> NDArray[np.float64]:
    """Ridge regression in its primal form, with the noise of the highest evidence."""
    best, found = -np.inf, np.zeros(visits.shape[1])
    for noise in (0.01, 0.03, 0.1, 0.3, 1.0):
        gram = prior * visits @ visits.T + noise * np.eye(len(worths))
        scale = max(float(worths @ np.linalg.inv(gram) @ worths) / len(worths), 1e-6)
        evidence = -0.5 * (len(worths) * np.log(scale) + np.linalg.slogdet(gram)[1])
        if evidence > best + 1e-9:
            normal = visits.T @ visits + noise / prior * np.eye(visits.shape[1])
            best, found = evidence, np.linalg.solve(normal, visits.T @ worths)
    return found


@given(seed=st.integers(0, 2**20), episodes=st.integers(1, 30), decisions=st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_the_regression_is_that_of_a_naive_one(seed: int, episodes: int, decisions: int) -> None:
    draw = np.random.default_rng(seed)
    visits = draw.integers(0, 3, (episodes, decisions)).astype(np.float64)
    worths = draw.uniform(0.0, 1.0, episodes)
    mean, explained = _regress(visits, worths, 0.2, None)
    np.testing.assert_allclose(mean, naive(visits, worths, 0.2), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(explained, visits @ mean, rtol=1e-9, atol=1e-12)


def test_draws_have_the_mean_and_the_spread_of_the_posterior() -> None:
    draw = np.random.default_rng(5)
    visits = draw.integers(0, 3, (12, 4)).astype(np.float64)
    worths = visits @ np.array([0.1, 0.2, 0.0, 0.05]) + 0.1 * draw.normal(size=12)
    mean, _ = _regress(visits, worths, 0.25, None)
    drawn = np.array([_regress(visits, worths, 0.25, draw)[0] for _ in range(4000)])
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=0.01)
    spreads = []
    for noise in (0.01, 0.03, 0.1, 0.3, 1.0):  # the noise that was chosen is one of these
        gram = 0.25 * visits @ visits.T + noise * np.eye(12)
        scale = float(worths @ np.linalg.inv(gram) @ worths) / 12
        posterior = scale * np.linalg.inv(np.eye(4) / 0.25 + visits.T @ visits / noise)
        spreads.append(np.abs(np.cov(drawn.T) / posterior - 1.0)[np.diag_indices(4)].max())
    assert min(spreads) < 0.12


def test_where_lengths_differ_the_ends_earn() -> None:
    traces, worths = told(("ab", "hole", 0.0), ("abcd", "goal", 1.0), ("abcdab", None, 0.0), ("ab", "hole", 0.0))
    earned = shares(traces, worths, 0.99)
    assert set(earned) == {"hole", "goal"}
    assert earned["goal"] == pytest.approx(1.0, abs=0.05)
    assert earned["hole"] == pytest.approx(0.0, abs=0.05)


def test_an_end_that_is_sometimes_good_is_worth_its_mean() -> None:
    traces, worths = told(
        *[("a" * (1 + n % 3), "end" if n % 4 else "best", float(n % 4 in (0, 1))) for n in range(120)]
    )
    earned = shares(traces, worths, 0.99)
    assert earned["best"] == pytest.approx(1.0, abs=0.05)
    assert earned["end"] == pytest.approx(1 / 3, abs=0.05)


def test_what_is_bad_does_not_become_good_where_there_is_nothing_better() -> None:
    traces, worths = told(("a", "x", 0.1), ("ab", "x", 0.1), ("abc", "y", 0.0))
    assert shares(traces, worths, 0.99)["x"] == pytest.approx(0.2, abs=0.02)  # of a neutral one


def test_where_all_are_of_one_length_the_decisions_earn() -> None:
    """Each of ten places has a right answer of three; an episode is worth the share that was right."""
    draw = np.random.default_rng(1)
    answers = draw.integers(0, 3, (150, 10))
    right = np.arange(10) % 3
    traces = [Trace(decisions=tuple(f"{n}{a}" for n, a in enumerate(each)), end="over") for each in answers]
    earned = shares(traces, (answers == right).mean(axis=1), 0.5)
    assert "over" not in earned
    best = [max(range(3), key=lambda a, n=n: earned[f"{n}{a}"]) for n in range(10)]
    assert best == right.tolist()
    # Two decisions of worth 1/10 each in two, discounted by half, are what the whole is: 1 / (2 / 10) each at most.
    assert earned["00"] < 1.0
    assert sum(sorted(earned.values())[-10:]) > 3.0


def test_episodes_without_an_end_say_nothing_of_ends() -> None:
    traces, worths = told(("a", None, 1.0), ("abc", None, 0.0))
    assert shares(traces, worths, 0.9) == {}


def test_more_wrong_ratings_count_less_each() -> None:
    def worth(flipped: float) -> Any:
        draw = np.random.default_rng(3)
        wrong = draw.random(60) < flipped
        episodes = [
            ("a" * (1 + n % 3), f"good{n // 20}" if n % 2 else "bad", float(bool(n % 2) != wrong[n])) for n in range(60)
        ]
        traces, worths = told(*episodes, ("aaaa", "once", 1.0))
        return shares(traces, worths, 0.99)["once"]

    assert worth(0.0) > worth(0.3) + 0.05
