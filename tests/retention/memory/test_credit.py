from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention import EpisodeDraft, EpisodicMemory, Transitions
from retention.memory.credit import (
    HORIZON,
    LIMIT,
    PRIOR_WEIGHT,
    SELF_RATING_LIMIT,
    Evidence,
    advantage,
    credits,
    exposures,
    utility,
)

number = st.integers(-20, 20).map(float)
story = st.lists(
    st.tuples(
        number,
        st.dictionaries(st.integers(1, 3), st.integers(0, 4).map(float), max_size=3),
        st.lists(st.tuples(st.none() | st.sampled_from([-1.0, 0.0, 0.5]), st.none() | number), max_size=2),
    ),
    min_size=1,
    max_size=6,
)


def test_advantage() -> None:
    assert advantage(5, []) is None
    assert advantage(5, [1, 3]) == 3  # three spreads of 1 above 2
    assert advantage(2.5, [1, 3]) == 0.5
    assert advantage(-50, [1, 3]) == -LIMIT
    assert advantage(4, [3, 3]) == 1  # no spread yet: better, nobody knows by how much
    assert advantage(3, [3, 3]) == 0
    assert advantage(2.5, [1, 3], rating=-0.25) == -0.5
    assert advantage(2.1, [1, 3], rating=-0.5) == -0.5
    assert advantage(5, [], rating=1) == 1
    assert advantage(2.5, [1, 3], rating=0) == 0.5


def test_what_an_agent_says_of_itself_counts_for_little() -> None:
    assert advantage(0, [], self_rating=1) == SELF_RATING_LIMIT
    assert advantage(1.5, [1, 3], self_rating=1) == pytest.approx(-0.5 + SELF_RATING_LIMIT)
    assert advantage(1.5, [1, 3], rating=-1, self_rating=1) == -1


@given(st.floats(-1e12, 1e12), st.lists(st.floats(-1e12, 1e12), min_size=1), st.floats(0.001, 1000), number)
def test_the_units_of_a_task_do_not_matter(outcome: float, earlier: list[float], scale: float, shift: float) -> None:
    gained = advantage(outcome, earlier)
    assert gained is not None
    assert -LIMIT <= gained <= LIMIT
    if np.std(earlier) > 1e-6 * max(map(abs, [outcome, *earlier, 1])):
        moved = advantage(outcome * scale + shift, [value * scale + shift for value in earlier])
        assert moved == pytest.approx(gained, rel=1e-3, abs=1e-3)


def test_exposures_are_relative_to_the_greatest() -> None:
    assert exposures({4: 3.0, 2: 1.5, 9: 0.0}) == {4: 1.0, 2: 0.5}
    assert exposures({4: 0.0}) == {}
    assert exposures({}) == {}
    for mass in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="mass of template 4"):
            exposures({4: mass})


def test_what_others_are_known_to_bring_is_taken_off() -> None:
    assert credits(1.0, [(1.0, 0.0)]) == [1.0]
    assert credits(1.0, [(1.0, 0.75), (0.5, 0.5)]) == [0.75, 0.25]
    assert credits(3.0, [(1.0, -3.0), (1.0, 0.0)]) == [3.0, LIMIT]


def test_utility_is_shrunk_and_grows_sure() -> None:
    mean, error = utility(0, 0, 0)
    assert mean == 0
    assert math.isnan(error)
    assert utility(2.0, 4.0, 1.0) == (2 / (1 + PRIOR_WEIGHT), math.sqrt(4.0 / (1 + PRIOR_WEIGHT)))
    mean, error = utility(180.0, 360.0, 90.0)
    assert mean == pytest.approx(1.8)
    assert error == pytest.approx(0.2)


credit_given = st.tuples(st.floats(0.01, 1), st.floats(-LIMIT, LIMIT))


@given(st.lists(credit_given, max_size=300), credit_given)
def test_one_outcome_moves_a_utility_by_a_fixed_step_at_most(
    history: list[tuple[float, float]], last: tuple[float, float]
) -> None:
    evidence = Evidence(0.0, 0.0, 0.0)
    for given_ in history:
        evidence = evidence.plus(*given_)
    after = evidence.plus(*last)
    assert abs(utility(*after)[0] - utility(*evidence)[0]) <= 2 * LIMIT / (1 + PRIOR_WEIGHT)
    assert after.weight <= HORIZON * (1 + 1e-9)


def test_old_outcomes_fade() -> None:
    evidence = Evidence(0.0, 0.0, 0.0)
    for credit in (1.0,) * 1000 + (-1.0,) * 200:
        evidence = evidence.plus(1.0, credit)
    assert utility(*evidence)[0] < -0.5


@given(st.lists(credit_given, max_size=8), credit_given)
def test_what_is_taken_back_leaves_no_trace(history: list[tuple[float, float]], wrong: tuple[float, float]) -> None:
    evidence = Evidence(0.0, 0.0, 0.0)
    for given_ in history:
        evidence = evidence.plus(*given_)
    assert evidence.plus(*wrong).minus(*wrong) == pytest.approx(evidence, abs=1e-9)


@settings(deadline=None, max_examples=40)
@given(story)
def test_stored_utility_agrees_with_a_naive_count(
    draft: Callable[..., EpisodeDraft], steps: Callable[..., Transitions], told: list
) -> None:
    """Utilities equal means over the credits that stand, each found from those that stood before it."""
    standing: list[tuple[object, int, float, float]] = []  # episode, template, exposure, credit

    def worth(template_id: int) -> float:
        own = [(exposure, credit) for _, number, exposure, credit in standing if number == template_id]
        return sum(exposure * credit for exposure, credit in own) / (sum(e for e, _ in own) + PRIOR_WEIGHT)

    def credit(episode: object, masses: dict[int, float], gained: float | None) -> None:
        standing[:] = [row for row in standing if row[0] != episode]
        if gained is None:
            return
        shown = {number: mass / max(masses.values()) for number, mass in masses.items() if mass}
        bring = {number: exposure * worth(number) for number, exposure in shown.items()}
        for number, exposure in shown.items():
            rest = sum(bring.values()) - bring[number]
            standing.append((episode, number, exposure, float(np.clip(gained - rest, -LIMIT, LIMIT))))

    def expected(outcome: float, earlier: list[float], ratings: list[float]) -> float:
        apart, distance = np.std(earlier), outcome - np.mean(earlier)
        gained = np.clip(distance / apart, -LIMIT, LIMIT) if apart else np.sign(distance)
        mean = np.mean(ratings) if ratings else 0.0
        return float(np.copysign(max(abs(gained), abs(mean)), mean) if mean else gained)

    with EpisodicMemory.open(None) as memory:
        first = memory.commit_episode(draft(0.0), steps(1, 2, 3))
        assert first.template_ids.tolist() == [1, 2, 3]
        returns = [0.0]
        for return_, masses, opinions in told:
            episode = memory.commit_episode(draft(return_), recalled=masses)
            credit(episode, masses, expected(return_, returns, []))
            outcome, ratings = return_, []
            for rating, reward in opinions:
                if rating is not None or reward is not None:
                    memory.feedback(episode.episode_id, namespace="alice", rating=rating, reward=reward)
                    outcome, ratings = outcome + (reward or 0), ratings + ([] if rating is None else [rating])
                    credit(episode, masses, expected(outcome, returns, ratings))
            returns.append(return_)
        for number in (1, 2, 3):
            template = memory.get(number, namespace="alice")
            assert template.utility == pytest.approx(worth(number), abs=1e-9)
            assert template.uses == pytest.approx(sum(row[2] for row in standing if row[1] == number), abs=1e-9)
            assert (template.utility_error is None) == (template.uses == 0)
        assert memory.verify() == []


def test_a_better_template_ends_up_with_more_utility(
    draft: Callable[..., EpisodeDraft], steps: Callable[..., Transitions]
) -> None:
    with EpisodicMemory.open(None) as memory:
        memory.commit_episode(draft(0.0), steps(1, 2))
        for _ in range(20):
            memory.commit_episode(draft(1.0), recalled={1: 1.0})
            memory.commit_episode(draft(0.0), recalled={2: 1.0})
        good, bad = (memory.get(template_id, namespace="alice").utility for template_id in (1, 2))
        assert good > 0.3
        assert bad < -0.3


def test_a_recalled_template_that_is_gone_by_now_is_left_out(
    draft: Callable[..., EpisodeDraft], steps: Callable[..., Transitions]
) -> None:
    """Another process may have discarded it: the episode must not be lost for that."""
    with EpisodicMemory.open(None) as memory:
        (kept,) = memory.commit_episode(draft(0.0), steps(1)).template_ids.tolist()
        memory.commit_episode(draft(1.0), recalled={kept: 1.0, 99: 3.0})
        assert len(memory.episodes(namespace="alice")) == 2
        assert memory.get(kept, namespace="alice").utility == 1 / (1 + PRIOR_WEIGHT)
        assert memory.verify() == []
