"""What is forgotten is gone: from every table, from the bytes of the file, and for those who read it before."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from retention import EpisodeDraft, EpisodicMemory, FeedbackGate, GateConfig, NotFoundError, TemplateDraft, Transitions
from retention.memory.forgetting import Forgotten

Draft = Callable[..., EpisodeDraft]
Steps = Callable[..., Transitions]

TABLES = ("episodes", "templates", "outcomes", "receipts", "receipt_templates", "receipt_outcomes", "settings")


@pytest.fixture
def kept(path: Path, draft: Draft, steps: Steps) -> Path:
    """A memory in which alice and bob have something in every table."""
    with EpisodicMemory.open(path) as memory:
        for name in ("alice", "bob"):
            memory.commit_episode(draft(namespace=name), steps(1, 2))
            memory.write([TemplateDraft(key=np.ones(2), content=f"the secret of {name}")], namespace=name)
            done = memory.commit_episode(
                draft(namespace=name), steps(3), recalled={memory.templates(namespace=name)[0].id: 1}
            )
            memory.feedback(done.episode_id, namespace=name, rating=1)
            receipt = memory.recall([1, 1], namespace=name).receipt_id
            assert receipt is not None
            memory.update_outcome(receipt, namespace=name, rating=1)
            memory.save_setting("scale", 1, namespace=name, task="corridor")
    return path


def rows(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as connection:
        return {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


def test_forgetting_templates(kept: Path) -> None:
    with EpisodicMemory.open(kept) as memory:
        secret = next(t.id for t in memory.templates(namespace="alice") if t.content)
        before = memory.transitions(namespace="alice", task="corridor")[1]
        assert not memory.removed_since(before, namespace="alice")
        done = memory.forget([secret, secret, 9999, 5], namespace="alice")  # 5 is bob's
        assert done == Forgotten(templates=1, receipts=1)
        assert memory.removed_since(before, namespace="alice")
        assert memory.removed_since(before, namespace="alice", task="corridor")
        assert not memory.removed_since(before, namespace="bob")
        with pytest.raises(NotFoundError):
            memory.get(secret, namespace="alice")
        assert memory.get(5, namespace="bob").id == 5
        assert memory.verify() == []
        assert memory.forget([secret], namespace="alice") == Forgotten(templates=0)
        assert memory.forget([], namespace="alice") == Forgotten(templates=0)
        assert memory.write([TemplateDraft(key=np.ones(2), content="new")], namespace="alice") != [secret]
        files = b"".join(file.read_bytes() for file in kept.parent.iterdir())
    assert b"secret of bob" in files
    assert b"secret of alice" not in files


def test_forgetting_a_namespace(kept: Path) -> None:
    before = rows(kept)
    with EpisodicMemory.open(kept) as memory, EpisodicMemory.open(kept) as other:
        held = other.transitions(namespace="alice", task="corridor")[1]
        bobs = memory.stats(namespace="bob")
        done = memory.forget_namespace("alice")
        assert done == Forgotten(templates=4, episodes=2, receipts=2, outcomes=4, settings=1)
        assert memory.namespaces() == ["bob"]
        assert memory.stats(namespace="bob") == bobs
        assert other.removed_since(held, namespace="alice", task="corridor")
        assert memory.verify() == []
        assert memory.forget_namespace("alice") == Forgotten(templates=0)
        assert memory.forget_namespace("nobody") == Forgotten(templates=0)
    assert rows(kept) == {table: count // 2 for table, count in before.items()}
    assert b"alice" not in kept.read_bytes()


def test_the_last_step_of_an_episode_may_be_forgotten(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None) as memory:
        done = memory.commit_episode(draft(), steps(1))
        memory.forget(done.template_ids.tolist(), namespace="alice")
        memory.feedback(done.episode_id, namespace="alice", rating=1)
        assert memory.episode(done.episode_id, namespace="alice").last_template_id is None
        assert memory.verify() == []


def test_removals_of_other_tasks_are_no_news_for_a_task(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None) as memory:
        done = memory.commit_episode(draft(), steps(1))
        memory.commit_episode(draft(task="other"), steps(1))
        memory.commit_episode(draft(), steps(2), void_up_to=done.revision)
        assert memory.removed_since(done.revision, namespace="alice", task="corridor")
        assert memory.removed_since(done.revision, namespace="alice")
        assert not memory.removed_since(done.revision, namespace="alice", task="other")
        assert not memory.removed_since(done.revision, namespace="bob")


def test_what_is_quarantined_is_announced(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None, gate=FeedbackGate(GateConfig(admit="success"))) as memory:
        done = memory.commit_episode(draft(), steps(1))
        memory.feedback(done.episode_id, namespace="alice", rating=-1)
        assert memory.removed_since(done.revision, namespace="alice", task="corridor")


def test_a_thumbs_down_quarantines_what_the_episode_noted_and_a_thumbs_up_frees_it(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None) as memory:
        done = memory.commit_episode(draft(), steps(1))
        note = TemplateDraft(key=np.ones(2), content="a note", episode_id=done.episode_id)
        memory.write([note], namespace="alice")

        def statuses() -> list[str]:
            return [template.status for template in memory.templates(namespace="alice")]

        memory.feedback(done.episode_id, namespace="alice", rating=-1, source="agent")
        assert statuses() == ["active", "active"]
        memory.feedback(done.episode_id, namespace="alice", rating=-0.5)
        assert statuses() == ["active", "quarantined"]  # a step that failed is evidence, and stays
        assert [hit.template.id for hit in memory.recall([1, 1], namespace="alice").hits] == [1]
        memory.feedback(done.episode_id, namespace="alice", rating=1)
        assert statuses() == ["active", "active"]
