"""Long changes that die before any statement of SQL: nothing is lost, the next one to open is told, and goes on."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retention import EpisodicMemory, TemplateDraft
from retention.memory import opening
from retention.memory.encoder import FunctionEncoder

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the driver forks what it kills")

KILLS = int(os.environ.get("HOLDFAST_SOAK", "20")) // 4
TEXTS = 200
KEPT = {f"kept {i}" for i in range(TEXTS)}

# Imports once and forks a worker for each line it reads: what to do, where, and before which statement it kills itself;
# 0 for none. It says how the worker ended, and how many statements there were.
DRIVER = """
import json, os, signal, sqlite3, sys, time
import numpy as np
from retention import EpisodicMemory, TemplateDraft
from retention.memory.encoder import FunctionEncoder

def work(what, path, other, statement):
    connect, count = sqlite3.connect, [0]
    def counted(sql):
        count[0] += 1
        if count[0] == statement:
            os.kill(os.getpid(), signal.SIGKILL)
    def traced(*args, **kwargs):
        connection = connect(*args, **kwargs)
        connection.set_trace_callback(counted)
        return connection
    sqlite3.connect = traced
    with EpisodicMemory.open(path) as memory:
        if what == "reembed":
            memory.reembed(FunctionEncoder(lambda texts: np.full((len(texts), 3), 2.0), "new"), progress=False)
        elif what == "compact":
            memory.compact()
        elif what == "import":
            memory.import_file(other)
        elif what == "export":
            memory.export(other, overwrite=True)
        elif what == "write_many":
            drafts = [TemplateDraft(content=f"more {i}", key=np.ones(3)) for i in range(200)]
            memory.write_many(drafts, namespace="more", batch=20, progress=False)
        elif what == "roll_back":
            memory.roll_back(float(other), namespace="all")
    return count[0]

for line in sys.stdin:
    what, path, other, statement = json.loads(line)
    ours, theirs = os.pipe()
    worker = os.fork()
    if not worker:
        try:
            os.write(theirs, str(work(what, path, other, statement)).encode())
        except BaseException as error:
            os.write(theirs, repr(error).encode())
        os._exit(0)
    os.close(theirs)
    _, status = os.waitpid(worker, 0)
    told = os.read(ours, 10_000).decode()
    os.close(ours)
    print(json.dumps([os.waitstatus_to_exitcode(status), told]), flush=True)
"""


@pytest.fixture(scope="module")
def driver(root: Path) -> Iterator[Callable[..., str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def run(what: str, path: Path, other: Path | float, statement: int = 0) -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([what, str(path), str(other), statement]) + "\n")
        process.stdin.flush()
        code, told = json.loads(process.stdout.readline())
        assert code == (-9 if statement else 0), told
        return str(told)

    with process:
        yield run
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=60) == 0


@contextmanager
def opened(path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[tuple[EpisodicMemory, list[str]]]:
    """Open a memory, and say what it logged meanwhile."""
    caplog.clear()
    with caplog.at_level("WARNING"), EpisodicMemory.open(path) as memory:
        yield memory, list(caplog.messages)


def contents(memory: EpisodicMemory, namespace: str = "all") -> set[str | None]:
    return {each.content for each in memory.templates(namespace=namespace)}


def fill(path: Path) -> None:
    with EpisodicMemory.open(path) as memory:
        drafts = [TemplateDraft(content=content, key=np.full(3, 1.0 + i)) for i, content in enumerate(sorted(KEPT))]
        gone = [TemplateDraft(content=f"gone {i}", key=np.ones(3)) for i in range(300)]
        memory.forget(memory.write(gone, namespace="all"), namespace="all")
        memory.write(drafts, namespace="all")
        found = memory.recall([1, 2, 3], namespace="all")
        assert found.receipt_id is not None
        memory.update_outcome(found.receipt_id, namespace="all", rating=1)


def check(path: Path, memory: EpisodicMemory) -> None:
    assert memory.verify() == []
    assert contents(memory) == KEPT
    sides = {"", "-wal", "-shm"}
    assert {file.name.removeprefix(path.name) for file in path.parent.iterdir() if file.name != "export.jsonl"} <= sides


@pytest.mark.parametrize("what", ["reembed", "compact", "import", "write_many"])
def test_a_change_that_dies_at_a_statement(
    what: str, tmp_path: Path, driver: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    away.mkdir()
    path, other = home / "memory.db", away / "other.jsonl"
    with EpisodicMemory.open(None) as memory:
        drafts = [TemplateDraft(content=f"more {i}", key=np.ones(3)) for i in range(200)]
        memory.write(drafts, namespace="more")
        memory.export(other)
    fill(path)
    fresh = path.read_bytes()
    statements = int(driver(what, path, other))
    assert statements > 20
    moments = random.Random(3)
    told = 0
    for statement in [*range(statements - 4, statements), *(moments.randint(1, statements) for _ in range(KILLS))]:
        path.write_bytes(fresh)
        driver(what, path, other, statement)
        with EpisodicMemory.open(path, mode="ro") as memory:
            begun = memory.unfinished()
            check(path, memory)
        with opened(path, caplog) as (memory, lines):
            check(path, memory)
            # What was begun is said by the next to open it, for reading or for writing.
            assert [line.removeprefix(f"{path}: ") for line in lines] == [
                f"{line}; the same call again goes on with it" for line in begun
            ]
            told += len(begun)
            more = contents(memory, "more")
            assert len(more) in ((0, 200) if what == "import" else range(0, 201, 20))
            if what == "reembed":
                have = {each.encoder for each in memory.templates(namespace="all")}
                assert bool(begun) or len(have) == 1
        driver(what, path, other)
        with opened(path, caplog) as (memory, lines):
            assert (lines, memory.unfinished()) == ([], [])
            check(path, memory)
            assert len(contents(memory, "more")) == (200 if what in ("import", "write_many") else 0)
            if what == "reembed":
                assert {each.encoder for each in memory.templates(namespace="all")} == {"new"}
    assert told > 0 or what != "reembed"


def test_an_export_that_dies_at_a_statement(tmp_path: Path, driver: Callable[..., str]) -> None:
    path, other = tmp_path / "memory.db", tmp_path / "export.jsonl"
    fill(path)
    statements = int(driver("export", path, other))
    whole = other.read_bytes()
    for statement in range(1, statements, 5):
        other.write_bytes(b"the one before")
        driver("export", path, other, statement)
        assert other.read_bytes() in (b"the one before", whole)
        part = other.with_name("export.jsonl.part")
        part.touch(mode=0o644)
        with EpisodicMemory.open(path, mode="ro") as memory:
            memory.export(other, overwrite=True)
        assert other.read_bytes() == whole
        assert other.stat().st_mode & 0o077 == 0
        assert not part.exists()


def test_a_rollback_that_dies_at_a_statement(tmp_path: Path, driver: Callable[..., str]) -> None:
    path = tmp_path / "memory.db"
    fill(path)
    then = time.time()
    with EpisodicMemory.open(path) as memory:
        memory.write([TemplateDraft(content=f"poison {i}", key=np.ones(3)) for i in range(5)], namespace="all")
        for rating in (1.0, -1.0, -0.5):
            found = memory.recall([1, 1, 1], namespace="all", k=4)
            assert found.receipt_id is not None
            memory.update_outcome(found.receipt_id, namespace="all", rating=rating)
            memory.judge(found.receipt_id, {found.hits[0].template.id: -1.0}, namespace="all")
    fresh = path.read_bytes()

    def seen() -> list[Any]:
        with EpisodicMemory.open(path) as memory:
            assert memory.verify() == []
            told = [(entry.what, entry.status) for entry in memory.audit(then, namespace="all").entries]
            templates = memory.templates(namespace="all")
            return [told, [(each.id, each.status, each.held, each.utility, each.uses) for each in templates]]

    before = seen()
    statements = int(driver("roll_back", path, then))
    after = seen()
    assert ("rollback", None) in after[0]
    ends = {repr(before): 0, repr(after): 0}
    moments = random.Random(5)
    for statement in [*range(statements - 3, statements + 1), *(moments.randint(1, statements) for _ in range(KILLS))]:
        path.write_bytes(fresh)
        driver("roll_back", path, then, statement)
        ends[repr(seen())] += 1
        driver("roll_back", path, then)
        assert seen() == after
    assert ends[repr(before)] > 0


def test_an_encoder_that_fails_at_once_changes_nothing(path: Path) -> None:
    fill(path)

    def broken(texts: list[str]) -> Any:
        raise OSError("no such model")

    with EpisodicMemory.open(path) as memory:
        with pytest.raises(OSError, match="no such model"):
            memory.reembed(FunctionEncoder(broken, "broken"), progress=False)
        assert memory.unfinished() == []


def older(path: Path, version: int) -> None:
    """Make the file one of an older version."""
    import sqlite3
    from contextlib import closing

    from sqlite_utils import Database, Migrations

    from retention.memory import schema
    from retention.memory.merge_key import of_content

    with closing(sqlite3.connect(path)) as connection:
        db = Database(connection)
        migrations = Migrations("holdfast.memory")
        for step in list(schema.migrations.pending(db))[:version]:
            migrations(name=step.name)(step.fn)
        migrations.apply(db)
        key = np.ones(3, "<f4").tobytes()
        connection.executemany(
            "INSERT INTO templates (namespace, task, kind, merge_key, key, content, source, encoder, count, created, "
            "revision) VALUES ('all', '', 'text', ?, ?, ?, 'user', '', 1, 1000, 1)",
            [(of_content(key, content.encode()), key, content) for content in sorted(KEPT)],
        )
        connection.execute("UPDATE revision SET value = 1")
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
        connection.execute("PRAGMA journal_mode = WAL")


@pytest.mark.parametrize("version", range(1, opening.SCHEMA_VERSION))
def test_a_migration_that_dies_at_a_statement(
    version: int, tmp_path: Path, driver: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    path = home / "memory.db"
    older(path, version)
    fresh, copy = path.read_bytes(), home / f"memory.db.v{version}.backup"
    statements = int(driver("open", path, path))
    moments = random.Random(4)
    said = 0
    for statement in [*range(5, 20, 3), *(moments.randint(20, statements - 1) for _ in range(KILLS))]:
        for file in home.iterdir():
            file.unlink()
        path.write_bytes(fresh)
        driver("open", path, path, statement)
        with opened(path, caplog) as (memory, lines):
            assert memory.verify() == []
            assert contents(memory) == KEPT
            for line in lines:
                assert f"brought from schema version {version} to {opening.SCHEMA_VERSION}" in line
                said += ", which was begun before and cut off; " in line
        assert sorted(file.name for file in home.iterdir()) == [path.name, copy.name]
        with opened(path, caplog) as (memory, lines):
            assert lines == []
    assert said > 0
