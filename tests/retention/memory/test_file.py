"""The file: made with care, never wiped, and refused with a clear line when it cannot be used."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest

from retention import (
    EpisodeDraft,
    EpisodicMemory,
    ForeignFileError,
    MemoryFileError,
    MemoryLockedError,
    MemoryWriteError,
    NewerFileError,
    NotFoundError,
    Transitions,
)
from retention.memory import opening, schema
from retention.memory.schema import SCHEMA_VERSION

Draft = Callable[..., EpisodeDraft]
Steps = Callable[..., Transitions]

Rights = Callable[[Path], AbstractContextManager[None]]
posix = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")


def count(path: Path, mode: Any = "ro") -> int:
    with EpisodicMemory.open(path, mode=mode) as memory:
        return memory.episode_count(namespace="alice", task="corridor")


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


@pytest.fixture
def kept(path: Path, draft: Draft, steps: Steps) -> Path:
    """A memory of one episode."""
    with EpisodicMemory.open(path) as memory:
        memory.commit_episode(draft(), steps(1, 2, 3))
    return path


@posix
def test_a_file_that_is_deleted_or_replaced_while_it_is_open_takes_nothing_more(
    kept: Path, draft: Draft, steps: Steps
) -> None:
    other = kept.with_name("other.db")
    with EpisodicMemory.open(other) as memory:
        memory.commit_episode(draft(), steps(1))
    for change in (kept.unlink, lambda: other.replace(kept)):
        with EpisodicMemory.open(kept) as memory:
            memory.commit_episode(draft(), steps(1))
            change()
            with pytest.raises(MemoryFileError, match="was deleted or replaced while it was in use"):
                memory.commit_episode(draft(), steps(1))
    assert count(kept) == 1


def test_what_is_kept_is_there_next_time(kept: Path) -> None:
    for _ in range(2):
        assert count(kept, "rw") == 1
    assert count(kept, "ro") == 1


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_only_the_owner_may_read(path: Path, umask: int, draft: Draft) -> None:
    before = os.umask(umask)
    try:
        with EpisodicMemory.open(path) as memory:
            memory.commit_episode(draft())
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {name: 0o600 for name in ("memory.db", "memory.db-wal", "memory.db-shm")}


def test_closing_leaves_one_file_with_everything_in_it(kept: Path) -> None:
    assert list(kept.parent.iterdir()) == [kept]
    moved = kept.with_name("moved.db")
    shutil.copy(kept, moved)
    assert count(moved) == 1


def test_closing_moves_everything_into_the_file_while_others_have_it_open(path: Path, draft: Draft) -> None:
    with EpisodicMemory.open(path):
        with EpisodicMemory.open(path) as memory:
            memory.commit_episode(draft())
        moved = path.with_name("moved.db")
        shutil.copy(path, moved)
        assert count(moved) == 1


def test_the_header_says_what_it_is(kept: Path) -> None:
    header = kept.read_bytes()[:100]
    assert header[68:72] == b"HOLD"
    assert int.from_bytes(header[60:64], "big") == schema.SCHEMA_VERSION


def test_an_empty_file_becomes_a_memory(path: Path) -> None:
    path.touch()
    with pytest.raises(NotFoundError, match="the file is empty"):
        count(path, "ro")
    assert count(path, "rw") == 0


def test_an_sqlite_file_without_tables_becomes_a_memory(path: Path) -> None:
    execute(path, "PRAGMA user_version = 0")
    execute(path, "VACUUM")
    assert path.stat().st_size > 0
    assert count(path, "rw") == 0


@pytest.mark.parametrize("name", ["with space.db", "per%20cent.db", "què?#.db", "file:memory.db"])
def test_any_file_name_will_do(tmp_path: Path, name: str, draft: Draft) -> None:
    with EpisodicMemory.open(str(tmp_path / name)) as memory:
        memory.commit_episode(draft())
        assert memory.path == tmp_path / name
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert count(tmp_path / name) == 1


def test_a_relative_path_stays_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draft: Draft) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with EpisodicMemory.open("memory.db") as memory:
        monkeypatch.chdir(tmp_path / "elsewhere")
        memory.commit_episode(draft())
        assert memory.stats()["bytes"] > 0
        thread = threading.Thread(target=memory.commit_episode, args=(draft(),))  # opens a connection of its own
        thread.start()
        thread.join()
    assert count(tmp_path / "memory.db") == 2


# -- files of others


def text(path: Path) -> None:
    path.write_text("dear diary\n" * 100)


def few_bytes(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\x00")


def other_application(path: Path) -> None:
    execute(path, "CREATE TABLE photos (id INTEGER)")


def other_application_id(path: Path) -> None:
    execute(path, "PRAGMA application_id = 1234")


def other_application_with_a_log(path: Path) -> None:
    execute(path, "PRAGMA journal_mode = WAL")
    execute(path, "CREATE TABLE photos (id INTEGER)")


@pytest.mark.parametrize(
    "make", [text, few_bytes, other_application, other_application_id, other_application_with_a_log]
)
@pytest.mark.parametrize("mode", ["rw", "ro"])
def test_a_file_of_something_else_is_left_as_it_is(path: Path, make: Callable[[Path], None], mode: Any) -> None:
    make(path)
    os.utime(path, (1, 1))
    before = path.read_bytes()
    with pytest.raises(ForeignFileError, match=r"memory\.db: is .*; name another file") as raised:
        EpisodicMemory.open(path, mode=mode)
    assert "\n" not in str(raised.value)
    assert path.read_bytes() == before
    assert path.stat().st_mtime == 1
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    for mode in ("rw", "ro"):
        with pytest.raises(ForeignFileError, match="is not a file"):
            count(tmp_path, mode)


@pytest.mark.parametrize("mode", ["rw", "ro"])
def test_a_newer_file_is_left_as_it_is(kept: Path, mode: Any) -> None:
    execute(kept, "PRAGMA user_version = 99")
    before = kept.read_bytes()
    with pytest.raises(NewerFileError, match=f"version 99, this holdfast knows up to {SCHEMA_VERSION}; upgrade"):
        count(kept, mode)
    assert kept.read_bytes() == before


# -- files that cannot be read or written


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"gone\.db: no such file"):
        count(tmp_path / "gone.db", "ro")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(MemoryWriteError, match=r"the folder .*gone does not exist; create it first"):
        count(tmp_path / "gone" / "memory.db", "rw")


def test_read_only_means_it(kept: Path, draft: Draft) -> None:
    before = kept.read_bytes()
    with EpisodicMemory.open(kept, mode="ro") as memory:
        (episode,) = memory.episodes(namespace="alice")
        for write in (
            lambda: memory.commit_episode(draft()),
            lambda: memory.feedback(episode.episode_id, namespace="alice", rating=1),
            lambda: memory.write([], namespace="alice"),
            lambda: memory.save_values([1], [1.0], namespace="alice", task="t", revision=1),
            lambda: memory.save_setting("scale", 1, namespace="alice", task="corridor"),
        ):
            with pytest.raises(MemoryWriteError, match=r"memory\.db: is open read-only; open it with mode='rw'"):
                write()
        found = memory.recall([1, 1], namespace="alice")
        assert (found.receipt_id, len(found.hits)) == (None, 3)
    assert kept.read_bytes() == before
    assert list(kept.parent.iterdir()) == [kept]


def test_reading_leaves_the_side_files_of_a_writer_alone(kept: Path, draft: Draft) -> None:
    with EpisodicMemory.open(kept) as writer:
        with EpisodicMemory.open(kept, mode="ro") as memory:
            writer.commit_episode(draft())
            assert len(memory.episodes(namespace="alice")) == 2
        with EpisodicMemory.open(kept, mode="ro") as memory:
            assert len(memory.episodes(namespace="alice")) == 2
        writer.commit_episode(draft())
    assert list(kept.parent.iterdir()) == [kept]
    assert count(kept) == 3


@posix
def test_a_read_only_file_in_a_read_only_folder(kept: Path, draft: Draft, as_someone_without_rights: Rights) -> None:
    folder = Path(tempfile.mkdtemp())  # tmp_path lies in a folder that only its owner may enter
    try:
        copy = folder / "memory.db"
        shutil.copy(kept, copy)
        copy.chmod(0o400)
        folder.chmod(0o500)
        with as_someone_without_rights(folder):
            assert count(copy, "ro") == 1
            with EpisodicMemory.open(copy, mode="ro") as memory:
                assert memory.verify() == []
            with pytest.raises(MemoryWriteError, match=r"memory\.db: the file cannot be written; make it writable"):
                EpisodicMemory.open(copy)
            with pytest.raises(MemoryWriteError, match=r"new\.db: cannot be created \(Permission denied\)"):
                EpisodicMemory.open(folder / "new.db")
        assert list(folder.iterdir()) == [copy]
        # with changes that only the log has, the file alone would be an old state
        folder.chmod(0o700)
        (folder / "memory.db-wal").write_bytes(b"x" * 100)
        folder.chmod(0o500)
        with (
            as_someone_without_rights(folder),
            pytest.raises(MemoryWriteError, match=r"latest changes are in memory\.db-wal"),
        ):
            EpisodicMemory.open(copy, mode="ro")
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


def test_a_full_disk(kept: Path, draft: Draft, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect

    def small(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = connect(*args, **kwargs)
        connection.execute("PRAGMA max_page_count = 60")
        return connection

    monkeypatch.setattr(sqlite3, "connect", small)
    done = []
    with EpisodicMemory.open(kept) as memory:
        with pytest.raises(MemoryWriteError, match=r"memory\.db: the disk is full; free some space") as raised:
            for start in range(100):
                done.append(memory.commit_episode(draft(), steps(*range(start * 100, start * 100 + 100))))
        assert "\n" not in str(raised.value)
        assert len(memory.episodes(namespace="alice")) == 1 + len(done)
    monkeypatch.undo()
    with EpisodicMemory.open(kept) as memory:
        assert memory.verify() == []
        assert [e.episode_id for e in memory.episodes(namespace="alice")][1:] == [e.episode_id for e in done]
        memory.commit_episode(draft(), steps(1))


@pytest.mark.parametrize("mode", ["rw", "ro"])
def test_a_truncated_file_is_damaged(kept: Path, mode: Any) -> None:
    with kept.open("r+b") as file:
        file.truncate(kept.stat().st_size // 2)
    before = kept.read_bytes()
    with pytest.raises(ForeignFileError, match=r"memory\.db: the file is damaged .*; restore a copy") as raised:
        count(kept, mode)
    assert "\n" not in str(raised.value)
    assert kept.read_bytes() == before


def test_garbage_in_the_middle_is_damage(kept: Path) -> None:
    with EpisodicMemory.open(kept) as memory:
        assert memory.verify() == []
    data = bytearray(kept.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page : page + 200] = b"\xa5" * 200
    kept.write_bytes(data)
    with pytest.raises(ForeignFileError, match="the file is damaged"), EpisodicMemory.open(kept) as memory:
        assert memory.verify() != []
        memory.transitions(namespace="alice", task="corridor")


@pytest.mark.parametrize("garbage", ["x'0000c07f0000c07f'", "x'000000'", "NULL"])
def test_garbage_in_the_rows_is_damage(kept: Path, garbage: str) -> None:
    """SQLite sees nothing wrong here: a vector of nan, one of an odd size, none at all."""
    execute(kept, f"UPDATE templates SET next_key = {garbage} WHERE id = 2")
    with EpisodicMemory.open(kept) as memory:
        with pytest.raises(ForeignFileError, match=r"the file is damaged \(malformed transitions"):
            memory.transitions(namespace="alice", task="corridor")
        assert memory.verify() != []


def test_a_file_that_another_holds(kept: Path, draft: Draft, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "BUSY_TIMEOUT_S", 0.01)
    with closing(sqlite3.connect(kept, isolation_level=None)) as other, EpisodicMemory.open(kept) as memory:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(MemoryLockedError, match=r"memory\.db: another process holds it .*; close that process"):
            memory.commit_episode(draft())
        assert memory.episode_count(namespace="alice", task="corridor") == 1  # readers go on
        other.execute("COMMIT")
        memory.commit_episode(draft())
        assert memory.episode_count(namespace="alice", task="corridor") == 2


@pytest.mark.parametrize(
    ("path", "how", "message"),
    [
        ("m.db", {"mode": "w"}, "mode must be 'rw' or 'ro', got 'w'"),
        (None, {"mode": "ro"}, "a memory without a file cannot be read-only"),
        (":memory:", {}, "for a memory without a file pass None"),
        ("", {}, "path must name a file"),
    ],
)
def test_wrong_arguments(path: Any, how: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EpisodicMemory.open(path, **how)


@pytest.mark.parametrize(("synced", "level"), [(False, 1), (True, 2)])
def test_every_connection_waits_for_the_disk_where_that_is_wanted(path: Path, synced: bool, level: int) -> None:
    def asked(memory: EpisodicMemory) -> int:
        return memory._connections.read(lambda db: int(db.conn.execute("PRAGMA synchronous").fetchone()[0]))

    with EpisodicMemory.open(path, synced=synced) as memory, ThreadPoolExecutor(1) as pool:
        assert asked(memory) == level
        assert pool.submit(asked, memory).result() == level
