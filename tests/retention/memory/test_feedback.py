from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from retention import (
    EpisodeDraft,
    EpisodicMemory,
    FeedbackGate,
    Gate,
    GateConfig,
    NotFoundError,
    TemplateDraft,
    Transitions,
)

Draft = Callable[..., EpisodeDraft]
Steps = Callable[..., Transitions]


def test_late_feedback_opens_the_gate_again(draft: Draft, steps: Steps, path: Path) -> None:
    with EpisodicMemory.open(path) as memory:
        episodes = [memory.commit_episode(draft(float(i)), steps(i)) for i in range(5)]
    assert episodes[-1].gate == Gate(polarity=1, weight=1)
    with EpisodicMemory.open(path) as memory:  # sessions later
        done = memory.feedback(episodes[-1].episode_id, namespace="alice", rating=-0.4)
        assert (done.applied, done.gate) == (True, Gate(polarity=-1, weight=0.4))
        found = memory.episode(episodes[-1].episode_id, namespace="alice")
        assert (found.gate, found.rating, found.return_) == (done.gate, -0.4, 4)
        rows, revision = memory.transitions(namespace="alice", task="corridor", after=episodes[-1].revision)
        assert rows.id.tolist() == [episodes[-1].template_ids[-1]]
        assert rows.rating.tolist() == [-0.4]
        assert revision > episodes[-1].revision
        # the mean of the ratings decides
        done = memory.feedback(episodes[-1].episode_id, namespace="alice", rating=1)
        assert done.gate.signed == pytest.approx(0.3)


def test_each_source_has_one_voice(draft: Draft) -> None:
    with EpisodicMemory.open(None) as memory:
        done = memory.commit_episode(draft(0.0))
        (note,) = memory.write([TemplateDraft(content="a note", key=np.ones(2))], namespace="alice")
        receipt = memory.recall(np.ones(2), namespace="alice").receipt_id
        assert note and receipt
        for name, rating in (("user", 1.0), ("mallory", -1.0), ("mallory", -1.0), ("mallory", -1.0), ("nurse", 0.6)):
            memory.feedback(done.episode_id, namespace="alice", rating=rating, source=name)
            told = memory.update_outcome(receipt, namespace="alice", rating=rating, source=name)
        assert memory.episode(done.episode_id, namespace="alice").rating == pytest.approx(0.2)
        assert told.gate.signed == pytest.approx(0.2)
        assert memory.verify() == []


def test_the_gate_is_decided_anew_with_what_came_before_the_episode(draft: Draft) -> None:
    with EpisodicMemory.open(None) as memory:
        first = memory.commit_episode(draft(-1.0))
        for _ in range(3):
            memory.commit_episode(draft(10.0))
        done = memory.feedback(first.episode_id, namespace="alice", reward=2)
        assert done.gate == Gate(polarity=1, weight=0.5)  # a return of 1, and nothing before it
        second = memory.commit_episode(draft(5.0))
        assert second.gate == Gate(polarity=-1, weight=0.5)  # -1, 10, 10, 10: late rewards are no returns


def test_the_same_feedback_twice_counts_once(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None) as memory:
        memory.commit_episode(draft(0.0), steps(1))
        done = memory.commit_episode(draft(1.0), steps(2), recalled={1: 1.0})
        first = memory.feedback(done.episode_id, namespace="alice", rating=-1, reward=3, feedback_id="tap")

        def state() -> object:
            templates = [memory.get(number, namespace="alice") for number in (1, 2)]
            return (
                memory.episode(done.episode_id, namespace="alice"),
                [(t.rating, t.rating_count, t.reward, t.utility, t.utility_error, t.revision) for t in templates],
            )

        before = state()
        again = memory.feedback(done.episode_id, namespace="alice", rating=1, reward=9, feedback_id="tap")
        assert (first.applied, again.applied) == (True, False)
        assert again.gate == first.gate
        assert state() == before
        # another episode may have feedback of that name
        other = memory.commit_episode(draft(1.0))
        assert memory.feedback(other.episode_id, namespace="alice", rating=1, feedback_id="tap").applied


def test_a_late_reward_goes_to_the_step_the_episode_ended_on(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None) as memory:
        memory.commit_episode(draft(), steps(1, 2, reward=1.0))
        done = memory.commit_episode(draft(), steps(2, 1, reward=1.0))
        memory.feedback(done.episode_id, namespace="alice", reward=5)
        rows, _ = memory.transitions(namespace="alice", task="corridor")
        assert dict(zip(rows.key[:, 0].tolist(), rows.reward.tolist(), strict=True)) == {1: (1 + 1 + 5) / 2, 2: 1}
        assert rows.count.tolist() == [2, 2]
        episode = memory.episode(done.episode_id, namespace="alice")
        assert (episode.late_reward, episode.rating) == (5, None)


def test_a_rating_moves_the_credit_of_what_was_recalled(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None) as memory:
        memory.commit_episode(draft(0.0), steps(1))
        done = memory.commit_episode(draft(4.0), recalled={1: 0.2})
        assert memory.get(1, namespace="alice").utility == 1 / 11
        memory.feedback(done.episode_id, namespace="alice", rating=-0.5)
        template = memory.get(1, namespace="alice")
        assert (template.utility, template.utility_error) == (-1 / 11, math.sqrt(1 / 11))


def test_a_receipt_of_a_recall_is_credited_by_feedback(draft: Draft) -> None:
    with EpisodicMemory.open(None) as memory:
        ids = memory.write([TemplateDraft(key=np.eye(3)[i], content=f"note {i}") for i in range(3)], namespace="alice")
        done = memory.commit_episode(draft(1.0))
        found = memory.recall([1, 1, 0], namespace="alice", k=2, episode_id=done.episode_id)
        assert found.receipt_id is not None
        memory.feedback(done.episode_id, namespace="alice", rating=1)
        utilities = [memory.get(number, namespace="alice").utility for number in ids]
        assert utilities == [pytest.approx(1 / 11), pytest.approx(1 / 11), 0]
        assert memory.verify() == []


def test_what_a_refused_episode_alone_supports_is_quarantined(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None, gate=FeedbackGate(GateConfig(admit="success"))) as memory:
        memory.commit_episode(draft(1.0), steps(1))
        done = memory.commit_episode(draft(1.0), steps(1, 2))
        memory.feedback(done.episode_id, namespace="alice", rating=-1)
        rows, _ = memory.transitions(namespace="alice", task="corridor")
        assert rows.key[:, 0].tolist() == [1]
        assert [hit.template.key[0] for hit in memory.recall([1, 1], namespace="alice").hits] == [1]
        assert [t.status for t in memory.templates(namespace="alice")] == ["active", "quarantined"]
        assert memory.stats()["tasks"][0]["quarantined"] == 1
        memory.feedback(done.episode_id, namespace="alice", rating=1)
        memory.feedback(done.episode_id, namespace="alice", rating=1)  # mean 1/3: admitted again
        rows, _ = memory.transitions(namespace="alice", task="corridor")
        assert rows.key[:, 0].tolist() == [1, 2]


def test_what_others_found_too_stays(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None, gate=FeedbackGate(GateConfig(admit="success"))) as memory:
        done = memory.commit_episode(draft(1.0), steps(1, 2))
        memory.commit_episode(draft(1.0), steps(2))
        memory.feedback(done.episode_id, namespace="alice", rating=-1)
        assert memory.transitions(namespace="alice", task="corridor")[0].key[:, 0].tolist() == [2]


def test_an_admitted_visit_frees_what_was_quarantined(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None, gate=FeedbackGate(GateConfig(admit="success"))) as memory:
        done = memory.commit_episode(draft(1.0), steps(1))
        memory.feedback(done.episode_id, namespace="alice", rating=-1)
        assert len(memory.transitions(namespace="alice", task="corridor")[0]) == 0
        memory.commit_episode(draft(1.0), steps(1))
        assert memory.transitions(namespace="alice", task="corridor")[0].count.tolist() == [2]


def test_failures_stay_where_both_are_admitted(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None) as memory:
        done = memory.commit_episode(draft(1.0), steps(1))
        memory.feedback(done.episode_id, namespace="alice", rating=-1)
        assert memory.transitions(namespace="alice", task="corridor")[0].rating.tolist() == [-1]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "feedback needs a rating, a reward, or both"),
        ({"rating": 1.5}, r"rating must lie in \[-1, 1\], got 1.5"),
        ({"rating": math.nan}, "rating must lie in .* got nan"),
        ({"reward": math.inf}, "reward must be finite, got inf"),
        ({"reward": -1e31}, r"reward must lie in \[-1e\+30, 1e\+30\], got -1e\+31: scale it"),
        ({"rating": 1, "feedback_id": ""}, "feedback_id must have 1 to 200 characters"),
    ],
)
def test_wrong_feedback_is_refused(draft: Draft, said: dict[str, float], message: str) -> None:
    with EpisodicMemory.open(None) as memory:
        done = memory.commit_episode(draft())
        with pytest.raises(ValueError, match=message):
            memory.feedback(done.episode_id, namespace="alice", **said)


def test_feedback_on_no_episode(draft: Draft) -> None:
    with (
        EpisodicMemory.open(None) as memory,
        pytest.raises(NotFoundError, match="namespace 'alice' has no episode 'gone'"),
    ):
        memory.feedback("gone", namespace="alice", rating=1)
