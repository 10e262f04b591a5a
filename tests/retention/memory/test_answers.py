"""Outcomes of receipts: late, idempotent, bounded, of one namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from retention import EpisodeDraft, EpisodicMemory, NotFoundError, TemplateDraft
from retention.memory.credit import LIMIT, PRIOR_WEIGHT, SELF_RATING_LIMIT


@pytest.fixture
def memory() -> Any:
    """A memory of two notes that have nothing in common."""
    with EpisodicMemory.open(None) as opened:
        opened.write(
            [TemplateDraft(key=np.eye(2)[i], content=f"note {i}", task="t") for i in range(2)], namespace="alice"
        )
        yield opened
        assert opened.verify() == []


def receipt(memory: EpisodicMemory, k: int = 1) -> str:
    found = memory.recall([1, 0], namespace="alice", task="t", k=k).receipt_id
    assert found is not None
    return found


def utility(memory: EpisodicMemory, number: int = 1) -> float:
    return memory.get(number, namespace="alice").utility


def test_a_rating_credits_what_was_recalled(memory: EpisodicMemory) -> None:
    done = memory.update_outcome(receipt(memory), namespace="alice", rating=0.5)
    assert (done.applied, done.episode_id, done.gate.signed) == (True, None, 0.5)
    assert utility(memory) == pytest.approx(0.5 / (1 + PRIOR_WEIGHT))
    assert utility(memory, 2) == 0


def test_the_same_feedback_twice_counts_once(memory: EpisodicMemory) -> None:
    first = receipt(memory)
    memory.update_outcome(first, namespace="alice", rating=1, feedback_id="tap")
    before = memory.get(1, namespace="alice").utility
    again = memory.update_outcome(first, namespace="alice", rating=-1, feedback_id="tap")
    assert (again.applied, again.receipt_id, utility(memory)) == (False, first, before)
    memory.update_outcome(first, namespace="alice", rating=-1, feedback_id="second thought")
    assert utility(memory) == 0  # the mean rating is 0


def test_late_feedback_comes_in_any_order(memory: EpisodicMemory) -> None:
    receipts = [receipt(memory) for _ in range(4)]
    for number in (3, 0, 2, 1):
        memory.update_outcome(receipts[number], namespace="alice", reward=float(number))
    assert memory.get(1, namespace="alice").uses == 2  # two had no outcome before theirs
    assert utility(memory) > 0


def test_outcomes_are_compared_with_those_of_their_task(memory: EpisodicMemory) -> None:
    for _ in range(5):
        memory.update_outcome(receipt(memory), namespace="alice", rating=1)
    # from the second on, it goes as it always goes
    assert utility(memory) == pytest.approx(1 / (5 + PRIOR_WEIGHT))
    other = memory.recall([1, 0], namespace="alice").receipt_id
    assert other is not None
    assert memory.update_outcome(other, namespace="alice", rating=-1).gate.polarity == -1


def test_one_feedback_moves_a_utility_by_a_step_at_most(memory: EpisodicMemory) -> None:
    for reward in (0.0, 1.0, 0.0):
        memory.update_outcome(receipt(memory, 2), namespace="alice", reward=reward)
    before = utility(memory)
    memory.update_outcome(receipt(memory), namespace="alice", reward=1e12)
    assert abs(utility(memory) - before) <= 2 * LIMIT / (1 + PRIOR_WEIGHT)


def test_an_agent_that_praises_itself_gains_little(memory: EpisodicMemory) -> None:
    memory.update_outcome(receipt(memory), namespace="alice", rating=1, source="agent")
    assert utility(memory) == pytest.approx(SELF_RATING_LIMIT / (1 + PRIOR_WEIGHT))
    for _ in range(300):
        memory.update_outcome(receipt(memory), namespace="alice", rating=1, source="agent")
    assert utility(memory) <= SELF_RATING_LIMIT


def test_of_an_episode_the_episode_hears_it(memory: EpisodicMemory, draft: Callable[..., EpisodeDraft]) -> None:
    episode = memory.commit_episode(draft(task="t"))
    found = memory.recall([1, 0], namespace="alice", task="t", episode_id=episode.episode_id, k=1)
    assert found.receipt_id is not None
    done = memory.update_outcome(found.receipt_id, namespace="alice", rating=-1)
    assert (done.episode_id, done.receipt_id) == (episode.episode_id, found.receipt_id)
    assert memory.episode(episode.episode_id, namespace="alice").rating == -1
    assert utility(memory) < 0


def test_a_receipt_of_another_namespace_is_not_there(memory: EpisodicMemory) -> None:
    for name in ("bob", "Alice"):
        with pytest.raises(NotFoundError, match="has no receipt"):
            memory.update_outcome(receipt(memory), namespace=name, rating=1)
    with pytest.raises(NotFoundError, match="has no receipt 'gone'; a recall returns its id"):
        memory.update_outcome("gone", namespace="alice", rating=1)
    with pytest.raises(ValueError, match="feedback needs a rating, a reward, or both"):
        memory.update_outcome(receipt(memory), namespace="alice")
    assert utility(memory) == 0
