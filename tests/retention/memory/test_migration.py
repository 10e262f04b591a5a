"""Files of earlier versions, as they were written: brought up to date with a copy kept, or left as they were."""

from __future__ import annotations

import logging
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlite_utils import Database, Migrations

from retention import EpisodicMemory, MemoryWriteError, TemplateDraft
from retention.memory import opening, schema
from retention.memory.credit import LIMIT, PRIOR_WEIGHT
from retention.memory.schema import SCHEMA_VERSION

KEYS = np.array([[1, 0], [0, 1], [1, 1]], "<f4")
COPY = "memory.db.v1.backup"

EPISODE = """
INSERT INTO episodes (episode_id, namespace, task, number, return_, length, seconds, polarity, weight, baseline,
    last_template_id, created)
VALUES (?, 'alice', 'corridor', ?, ?, 3, 0.5, 1, 0.5, ?, ?, 1000)
"""
TEMPLATE = """
INSERT INTO templates (namespace, task, kind, merge_key, key, action, next_key, terminated, content, metadata, source,
    encoder, count, reward_sum, value, utility_sum, utility_square, utility_weight, first_episode_id, last_episode_id,
    created, revision)
VALUES ('alice', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 2, 3.0, 0.25, ?, ?, ?, ?, ?, 1000, ?)
"""


@pytest.fixture
def old(path: Path) -> Path:
    """A memory of version 1: two transitions and a text, two episodes, a receipt with its credit, a rating."""
    from retention.memory.merge_key import of_content, of_transition

    first, second = KEYS[0].tobytes(), KEYS[1].tobytes()
    with closing(sqlite3.connect(path)) as connection:
        db = Database(connection)
        version_1 = Migrations("holdfast.memory")
        version_1(name="m001_create_tables")(schema.m001_create_tables)
        version_1.apply(db)
        run = connection.execute
        run(EPISODE, ("e" * 32, 1, 0.0, None, 2))
        run(EPISODE, ("f" * 32, 2, 4.0, 0.0, 1))
        steps = ("corridor", "transition")
        run(TEMPLATE, (*steps, of_transition(0, False, first, second), first, 0, second, 0, None, None, "episode",
                       3.0, 12.0, 0.75, "e" * 32, "f" * 32, 2))  # fmt: skip
        run(TEMPLATE, (*steps, of_transition(1, True, second, first), second, 1, first, 1, None, None, "episode",
                       1.0, 4.0, 0.25, "e" * 32, "e" * 32, 1))  # fmt: skip
        run(TEMPLATE, ("", "text", of_content(first, b"the door is locked"), first, None, None, None,
                       "the door is locked", '{"by": 1}', "user", 0.0, 0.0, 0.0, None, None, 3))  # fmt: skip
        for episode in "ef":
            run(
                "INSERT INTO outcomes (episode_id, kind, reward, created) VALUES (?, 'return', 1, 1000)",
                (episode * 32,),
            )
        run("INSERT INTO outcomes (episode_id, kind, rating, feedback_id, created) "
            "VALUES (?, 'feedback', 0.5, 'x', 1000)", ("f" * 32,))  # fmt: skip
        run(
            "INSERT INTO receipts (namespace, episode_id, advantage, created) VALUES ('alice', ?, 4.0, 1000)",
            ("f" * 32,),
        )
        run("INSERT INTO receipt_templates VALUES (1, 1, 0.75), (1, 2, 0.25)")
        run("INSERT INTO settings VALUES ('alice', 'corridor', 'scale', '[1.0]')")
        run("UPDATE revision SET value = 3")
        run(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        run("PRAGMA user_version = 1")
        connection.commit()
    return path


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_a_file_of_version_1_is_brought_up_to_date(old: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = old.read_bytes()
    with pytest.raises(MemoryWriteError, match=f"version 1, {SCHEMA_VERSION} is needed; open it for writing once"):
        EpisodicMemory.open(old, mode="ro")
    assert old.read_bytes() == before
    with caplog.at_level(logging.WARNING), EpisodicMemory.open(old) as memory:
        assert memory.verify() == []
        rows, revision = memory.transitions(namespace="alice", task="corridor")
        assert (rows.id.tolist(), rows.count.tolist(), revision) == ([1, 2], [2, 2], 3)
        assert rows.reward.tolist() == [1.5, 1.5]
        assert rows.value.tolist() == [0.25, 0.25]
        assert [episode.return_ for episode in memory.episodes(namespace="alice")] == [0, 4]
        assert memory.episode("f" * 32, namespace="alice").rating == 0.5
        assert memory.setting("scale", namespace="alice", task="corridor") == [1.0]
        text = memory.get(3, namespace="alice")
        assert (text.content, text.metadata, text.pinned, text.expires) == (
            "the door is locked",
            {"by": 1},
            False,
            None,
        )
        # an advantage of 4 where returns are 2 apart
        assert memory.get(1, namespace="alice").utility == pytest.approx(2 / (1 + PRIOR_WEIGHT))
        assert memory.get(2, namespace="alice").uses == pytest.approx(1 / 3)
        memory.feedback("f" * 32, namespace="alice", rating=-1)
        assert memory.get(1, namespace="alice").utility < 0
        assert memory.verify() == []
    assert version(old) == SCHEMA_VERSION
    (line,) = caplog.messages
    assert line.endswith(f"brought from schema version 1 to {SCHEMA_VERSION}; as it was before, it is kept in {COPY}")
    copy = old.with_name(COPY)
    assert version(copy) == 1
    assert stat.S_IMODE(copy.stat().st_mode) & 0o077 == 0
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM templates").fetchone() == (3,)
    with EpisodicMemory.open(old):  # nothing is left to do
        pass
    assert sorted(file.name for file in old.parent.iterdir()) == ["memory.db", COPY]


def test_an_outlier_among_old_advantages_is_bounded(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("UPDATE receipts SET advantage = -1e9")
    with EpisodicMemory.open(old) as memory:
        assert memory.get(1, namespace="alice").utility == -LIMIT / (1 + PRIOR_WEIGHT)


def test_a_migration_that_fails_leaves_the_file_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = Migrations("holdfast.memory")

    @later()
    def m002_fails(db: Database) -> None:
        db.execute("DROP TABLE settings")
        raise RuntimeError("planted")

    monkeypatch.setattr(opening, "migrations", later)
    with pytest.raises(RuntimeError, match="planted"):
        EpisodicMemory.open(old)
    assert version(old) == 1
    monkeypatch.undo()
    with EpisodicMemory.open(old) as memory:
        assert memory.setting("scale", namespace="alice", task="corridor") == [1.0]


def test_no_copy_no_migration(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the disk is full: the copy cannot be written."""

    def refuse(self: Path, target: Any) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(
        MemoryWriteError, match=r"No space left on device\); free some space there, the file is as it was"
    ):
        EpisodicMemory.open(old)
    assert version(old) == 1
    assert [file for file in old.parent.iterdir() if file.suffix == ".part"] == []


def test_two_that_open_it_at_once_migrate_it_once(old: Path) -> None:
    with EpisodicMemory.open(old) as one, EpisodicMemory.open(old) as other:
        assert one.stats()["schema_version"] == other.stats()["schema_version"] == SCHEMA_VERSION


def test_a_file_of_version_3_gets_runs_and_seals(old: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Brought to version 3 first, as it was then; what it holds stays, and counts from then on as what was written."""
    with closing(sqlite3.connect(old)) as connection:
        db = Database(connection)
        version_3 = Migrations("holdfast.memory")
        for step in (schema.m001_create_tables, schema.m002_text_memories, schema.m003_words_and_sources):
            version_3(name=step.__name__)(step)
        version_3.apply(db)
        (receipt,) = connection.execute("SELECT receipt_id FROM receipts").fetchone()
        connection.execute("PRAGMA user_version = 3")
        connection.commit()
    with caplog.at_level(logging.WARNING), EpisodicMemory.open(old) as memory:
        assert memory.verify() == []
        text = memory.get(3, namespace="alice")
        assert (text.content, text.status, text.held) == ("the door is locked", "active", None)
        assert memory.notes(3, namespace="alice") == []
        kept = memory.receipt(receipt, namespace="alice")
        assert (kept.run_id, kept.episode_id, len(kept.exposures)) == (None, "f" * 32, 2)
        before = memory.get(1, namespace="alice").utility
        memory.update_outcome(receipt, namespace="alice", rating=-1.0)
        assert memory.get(1, namespace="alice").utility < before
        run = memory.begin_run(namespace="alice", task="chat").run_id
        assert memory.recall(KEYS[0], namespace="alice", run_id=run).hits
        assert memory.seal() == 1
        assert memory.verify() == []
    assert version(old) == SCHEMA_VERSION
    assert f"brought from schema version 3 to {SCHEMA_VERSION}; as it was before, it is kept in " in caplog.text
    assert version(old.with_name("memory.db.v3.backup")) == 3


def test_a_file_of_version_4_gets_a_cache_of_slots(old: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Brought to version 4 first, as it was then; from then on slots go with the texts they are of."""
    with closing(sqlite3.connect(old)) as connection:
        db = Database(connection)
        version_4 = Migrations("holdfast.memory")
        steps = (schema.m001_create_tables, schema.m002_text_memories, schema.m003_words_and_sources)
        for step in (*steps, schema.m004_runs_and_seals):
            version_4(name=step.__name__)(step)
        version_4.apply(db)
        connection.execute("PRAGMA user_version = 4")
        connection.commit()
    with caplog.at_level(logging.WARNING), EpisodicMemory.open(old) as memory:
        assert memory.verify() == []
        assert memory.get(3, namespace="alice").content == "the door is locked"
        fact = TemplateDraft(content="The gate is open.", key=KEYS[0], kind="fact")
        (number,) = memory.write([fact], namespace="alice")
        (row,) = memory.load_facts([number], namespace="alice", adapter="a")
        assert memory.cache_slots([row._replace(slots=b"made")], namespace="alice", adapter="a") == 1
        assert memory.load_facts([number], namespace="alice", adapter="a") == [row._replace(slots=b"made")]
        assert memory.verify() == []
    assert version(old) == SCHEMA_VERSION
    assert (
        f"brought from schema version 4 to {SCHEMA_VERSION}; as it was before, it is kept in memory.db.v4.backup"
        in caplog.text
    )
    assert version(old.with_name("memory.db.v4.backup")) == 4
