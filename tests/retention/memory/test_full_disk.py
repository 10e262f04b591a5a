"""A disk that is full, a file that may not grow: one clear line, nothing lost, and on it goes when there is space."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlite_utils import Database

from retention import EpisodicMemory, MemoryWriteError, TemplateDraft
from retention.memory import connections, opening

SOAK = "HOLDFAST_SOAK" in os.environ

ACTS = (
    "write",
    "write_many",
    "update_outcome",
    "forget",
    "trim",
    "reembed",
    "compact",
    "import",
    "export",
    "open",
    "migrate",
)

# Does one thing after another on a disk with a little space, too little for most: says what came of it, whether all is
# there on the full disk, and whether the same thing succeeds once there is space. A line of JSON for each.
SCRIPT = """
import json, os, resource, shutil, sqlite3, sys
from contextlib import closing
from pathlib import Path
import numpy as np
from retention import EpisodicMemory, MemoryFileError, TemplateDraft
from retention.memory import schema
from retention.memory.encoder import FunctionEncoder

folder, how, acts, slacks = Path(sys.argv[1]), sys.argv[2], sys.argv[3].split(","), json.loads(sys.argv[4])
home = folder / "home"
ballast = folder / "ballast"
kept = [TemplateDraft(content=f"kept {i}", key=np.full(64, 1.0 + i)) for i in range(300)]
more = [TemplateDraft(content=f"more {i}", key=np.ones(64)) for i in range(600)]
wide = FunctionEncoder(lambda texts: np.full((len(texts), 128), 2.0), "wide")

def fill(slack):
    if how == "rlimit":
        largest = max(file.stat().st_size for file in home.rglob("*") if file.is_file())
        resource.setrlimit(resource.RLIMIT_FSIZE, (slack * 1024 + (0 if slack < 200 else largest), -1))
        return
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
        file.truncate(max(0, file.tell() - slack * 1024))

def free():
    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
    ballast.unlink(missing_ok=True)

def contents(memory, namespace="all"):
    return {each.content for each in memory.templates(namespace=namespace)}

def whole(memory):
    return memory.verify() == [] and contents(memory) == {draft.content for draft in kept}

for act in acts:
    for slack in slacks:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        path, other = home / "memory.db", folder / "other.jsonl"
        with EpisodicMemory.open(None) as memory:
            memory.write(more, namespace="more")
            memory.export(other, overwrite=True)
        with EpisodicMemory.open(path) as memory:
            memory.write(kept, namespace="all")
            receipt = memory.recall(np.ones(64), namespace="all").receipt_id
            doomed = memory.write(more[:300], namespace="doomed")
        if act == "migrate":
            shutil.copy(sys.argv[5], path)

        def do(memory):
            if act == "write":
                memory.write(more, namespace="more")
            elif act == "write_many":
                memory.write_many(more, namespace="more", batch=50)
            elif act == "update_outcome":
                for name in "xyz":
                    memory.update_outcome(receipt, namespace="all", rating=1, feedback_id=name)
            elif act == "forget":
                memory.forget(doomed, namespace="doomed")
            elif act == "trim":
                memory.trim(0, namespace="doomed")
            elif act == "reembed":
                memory.reembed(wide, progress=False)
            elif act == "compact":
                memory.compact()
            elif act == "import":
                memory.import_file(other)
            elif act == "export":
                memory.export(home / "export.jsonl", overwrite=True)

        told = {"act": act, "slack": slack, "error": None, "fault": None}
        memory = None
        try:
            fill(slack)
            try:
                memory = EpisodicMemory.open(home / "new.db" if act == "open" else path)
                do(memory)
            except MemoryFileError as error:
                told["error"] = f"{type(error).__name__}: {error}"
            if memory is not None and act != "open":
                told["whole on the full disk"] = whole(memory)
                told["more"] = len(contents(memory, "more"))
                told["doomed"] = len(contents(memory, "doomed"))
            free()
            if memory is None:
                memory = EpisodicMemory.open(home / "new.db" if act == "open" else path)
            do(memory)  # the same memory goes on
            told["whole"] = act == "open" or whole(memory)
            memory.close()
            for mode in ("ro", "rw"):
                with EpisodicMemory.open(path, mode=mode) as again:
                    told["whole"] &= whole(again)
                    told["unfinished"] = again.unfinished()
                    told["finished"] = len(contents(again, "more"))
            told["files"] = sorted(file.name for file in home.iterdir())
        except BaseException as error:
            told["fault"] = repr(error)
        finally:
            free()
            if memory is not None:
                memory.close()
        print(json.dumps(told), flush=True)
"""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A memory of version 1 with what the script keeps."""
    import sqlite3
    from contextlib import closing

    from sqlite_utils import Migrations

    from retention.memory import schema
    from retention.memory.merge_key import of_content

    path = tmp_path_factory.mktemp("old") / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        db = Database(connection)
        version_1 = Migrations("holdfast.memory")
        version_1(name="m001_create_tables")(schema.m001_create_tables)
        version_1.apply(db)
        rows = []
        for i in range(300):
            key, content = np.full(64, 1.0 + i, "<f4").tobytes(), f"kept {i}"
            rows.append((of_content(key, content.encode()), key, content))
        connection.executemany(
            "INSERT INTO templates (namespace, task, kind, merge_key, key, content, source, encoder, count, created, "
            "revision) VALUES ('all', '', 'text', ?, ?, ?, 'user', '', 1, 1000, 1)",
            rows,
        )
        connection.execute("UPDATE revision SET value = 1")
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.commit()
    return path


def told(folder: Path, root: Path, how: str, old: Path, slacks: list[int], before: list[str]) -> list[dict[str, Any]]:
    """Run the script and return what it says."""
    command = [sys.executable, "-c", SCRIPT, str(folder), how, ",".join(ACTS), json.dumps(slacks), str(old)]
    done = subprocess.run([*before, *command], cwd=root, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        assert row["fault"] is None, row
        assert row.get("whole on the full disk", True), row
        assert row["whole"], row
        assert row["unfinished"] == [], row
        if row["error"] is not None:
            assert row["error"].startswith("MemoryWriteError: "), row
            assert "\n" not in row["error"], row
            assert "; " in row["error"], row
            if row["act"] in ("write", "import"):
                assert row.get("more", 0) == 0, row
            if row["act"] == "write_many":
                assert row.get("more", 0) % 50 == 0, row
        if row["act"] in ("write", "write_many", "import"):
            assert row["finished"] == 600, row
        names = {"memory.db"} | {"export": {"export.jsonl"}, "open": {"new.db"}}.get(row["act"], set())
        if row["act"] == "migrate":
            names.add("memory.db.v1.backup")
        assert set(row["files"]) == names, row
    failed = {row["act"] for row in rows if row["error"] is not None}
    assert failed >= set(ACTS) - {"update_outcome", "forget", "trim"}, failed


def test_a_disk_that_is_full(tmp_path: Path, root: Path, old: Path) -> None:
    before = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=4m none "$0" && exec "$@"', str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run([*before, "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine does not let us mount a small disk")
    check(told(tmp_path, root, "tmpfs", old, [0, 40, 150, 400] if SOAK else [0, 150], before))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_file_that_may_not_grow(tmp_path: Path, root: Path, old: Path) -> None:
    check(told(tmp_path, root, "rlimit", old, [30, 100, 200] if SOAK else [100], []))


@pytest.mark.parametrize("room", [0, 3, 20])
def test_no_more_pages(path: Path, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    drafts = [TemplateDraft(content=f"more {i}", key=np.ones(64)) for i in range(600)]
    with EpisodicMemory.open(path) as memory:
        memory.write(drafts[:200], namespace="all")
    connect = opening.connect

    def limited(path: Path | None, query: str) -> Database:
        db = connect(path, query)
        pages = opening.read_pragma(db, "page_count")
        db.conn.execute(f"PRAGMA max_page_count = {pages + room}").fetchone()
        return db

    monkeypatch.setattr(opening, "connect", limited)
    monkeypatch.setattr(connections, "connect", limited)
    with EpisodicMemory.open(path) as memory:
        wanted = f"{path}: the disk is full; free some space there, nothing that was kept before is lost"
        with pytest.raises(MemoryWriteError, match=wanted):
            memory.write(drafts, namespace="more")
        assert memory.templates(namespace="more") == []
        with pytest.raises(MemoryWriteError, match=wanted):
            memory.write_many(drafts, namespace="more", batch=20)
        assert len(memory.templates(namespace="more")) % 20 == 0
        assert len(memory.templates(namespace="all")) == 200
        assert memory.verify() == []
        monkeypatch.undo()
        memory.forget([each.id for each in memory.templates(namespace="all")[100:]], namespace="all")
        memory.write(drafts[:50], namespace="more")  # in what was forgotten there is space
    with EpisodicMemory.open(path) as memory:
        memory.write(drafts, namespace="more")
        assert len(memory.templates(namespace="more")) == 600
        assert memory.verify() == []
