"""Damage that SQLite itself cannot see is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from retention import EpisodeDraft, EpisodicMemory, TemplateDraft, Transitions


@pytest.fixture
def kept(path: Path, draft: Callable[..., EpisodeDraft], steps: Callable[..., Transitions]) -> Path:
    """A memory with something in every table."""
    with EpisodicMemory.open(path) as memory:
        memory.commit_episode(draft(), steps(1, 2))
        done = memory.commit_episode(draft(), steps(3), recalled={1: 1.0})
        memory.commit_episode(draft(namespace="bob"), steps(1))
        memory.write([TemplateDraft(key=np.ones(3), content="a")], namespace="alice")
        memory.feedback(done.episode_id, namespace="alice", rating=1)
        memory.save_setting("scale", 1, namespace="alice", task="corridor")
        assert memory.verify() == []
    return path


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE templates SET key = x'010203' WHERE id = 1", "key is not a row of float32: 1"),
        ("UPDATE templates SET next_key = x'01020304' WHERE id = 2", "transitions that lack a part: 2"),
        ("UPDATE templates SET key = zeroblob(16), next_key = zeroblob(16) WHERE id = 2", "of another width"),
        ("UPDATE templates SET count = 0 WHERE id = 1", "never seen: 1"),
        ("UPDATE outcomes SET rating = x'0000803f' WHERE kind = 'feedback'", "1 rows of outcomes that hold something"),
        ("UPDATE templates SET rating_sum = 5 WHERE id = 1", "impossible ratings: 1"),
        ("UPDATE revision SET value = 1", "newer than the memory"),
        ("UPDATE templates SET action = 7 WHERE id = 1", "content was changed: 1"),
        ("UPDATE templates SET content = 'b' WHERE content = 'a'", "content was changed"),
        ("UPDATE episodes SET namespace = 'bob' WHERE id = 1", "from an episode of another namespace: 1"),
        ("UPDATE episodes SET last_template_id = 99 WHERE id = 1", "ended on a template of another task, or none: 1"),
        ("UPDATE receipts SET namespace = 'bob'", "reach into another namespace"),
        ("DELETE FROM outcomes WHERE kind = 'return'", "3 episodes without their outcome: 1, 2, 3"),
        ("DELETE FROM templates WHERE id = 1", "points at a row of templates that is not there"),
    ],
)
def test_each_law_is_checked(kept: Path, damage: str, found: str) -> None:
    with closing(sqlite3.connect(kept)) as connection, connection:
        assert connection.execute(damage).rowcount > 0
    with EpisodicMemory.open(kept, mode="ro") as memory:
        lines = memory.verify()
    assert any(found in line for line in lines), lines


@pytest.mark.parametrize("column", ["namespace", "task", "kind", "source", "first_episode_id", "merge_key"])
def test_where_a_template_comes_from_never_changes(kept: Path, column: str) -> None:
    with (
        closing(sqlite3.connect(kept)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="identity and source of a template never change"),
    ):
        connection.execute(f"UPDATE templates SET {column} = 'x' WHERE id = 1")
