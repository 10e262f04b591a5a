from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention import EpisodeDraft, EpisodicMemory, Transitions
from retention.memory.credit import PRIOR_WEIGHT, advantage, shares, utility

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
    assert advantage(5, None) is None
    assert advantage(5, 3) == 2
    assert advantage(5, 3, rating=-0.5) == -2
    assert advantage(3.1, 3, rating=-0.5) == -0.5
    assert advantage(5, None, rating=1) == 1
    assert advantage(5, 3, rating=0) == 2


def test_shares_sum_to_one() -> None:
    assert shares({4: 3.0, 2: 1.0, 9: 0.0}) == {4: 0.75, 2: 0.25}
    assert shares({4: 0.0}) == {}
    for mass in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="mass of template 4"):
            shares({4: mass})


def test_utility_is_shrunk_and_grows_sure() -> None:
    mean, error = utility(0, 0, 0)
    assert mean == 0
    assert math.isnan(error)
    assert utility(2.0, 4.0, 1.0) == (1.0, math.sqrt(2.0))  # one outcome of 2: halfway to it
    mean, error = utility(200.0, 400.0, 100.0)
    assert mean == pytest.approx(2, rel=0.02)
    assert error == pytest.approx(0.2, rel=0.02)


@settings(deadline=None, max_examples=40)
@given(story)
def test_stored_utility_agrees_with_a_naive_count(
    draft: Callable[..., EpisodeDraft], steps: Callable[..., Transitions], told: list
) -> None:
    """Utilities equal what one pass over the whole history gives, however often outcomes were corrected."""
    credits: dict[int, list[tuple[float, float]]] = {1: [], 2: [], 3: []}
    with EpisodicMemory.open(None) as memory:
        first = memory.commit_episode(draft(0.0), steps(1, 2, 3))
        assert first.template_ids.tolist() == [1, 2, 3]
        returns = [0.0]
        for return_, masses, opinions in told:
            episode = memory.commit_episode(draft(return_), recalled=masses)
            for rating, reward in opinions:
                if rating is not None or reward is not None:
                    memory.feedback(episode.episode_id, namespace="alice", rating=rating, reward=reward)
            ratings = [rating for rating, _ in opinions if rating is not None]
            outcome = return_ + sum(reward or 0 for _, reward in opinions)
            gained = outcome - sum(returns) / len(returns)
            rating = sum(ratings) / len(ratings) if ratings else 0
            if rating:
                gained = math.copysign(max(abs(gained), abs(rating)), rating)
            for template_id, mass in masses.items():
                if mass:
                    credits[template_id].append((mass / sum(masses.values()), gained))
            returns.append(return_)
        for template_id, credited in credits.items():
            template = memory.get(template_id, namespace="alice")
            weight = sum(share for share, _ in credited)
            mean = sum(share * gained for share, gained in credited) / (weight + PRIOR_WEIGHT)
            assert template.utility == pytest.approx(mean, abs=1e-9)
            assert (template.utility_error is None) == (not credited)
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
        assert (
            memory.get(kept, namespace="alice").utility == 0.5
        )  # an advantage of 1, all of it, shrunk by a prior of 1
        assert memory.verify() == []
