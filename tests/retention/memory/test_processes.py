"""Several threads and processes on one file, and processes that die."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from retention import EpisodeDraft, EpisodicMemory, MemoryFileError, MemoryLockedError, TemplateDraft, Transitions
from retention.memory import opening
from retention.memory.encoder import FunctionEncoder

Draft = Callable[..., EpisodeDraft]
Steps = Callable[..., Transitions]

# Commits episodes on transitions that all writers share, and says each one's id as soon as it is kept.
WRITER = """
import itertools, sys
import numpy as np
from retention import EpisodeDraft, EpisodicMemory, Transitions

path, episodes, rows = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
at = np.arange(rows, dtype=np.float32)[:, None]
visits = Transitions(
    key=at, action=np.zeros(rows, np.int64), reward=np.ones(rows), next_key=at + 1, terminated=np.zeros(rows, np.bool_)
)
with EpisodicMemory.open(path) as memory:
    print("ready", flush=True)
    for number in range(1, episodes + 1) if episodes else itertools.count(1):
        draft = EpisodeDraft(
            namespace="alice", task="corridor", number=number, seed=1, return_=1.0, length=1, success=None, seconds=0
        )
        print(memory.commit_episode(draft, visits).episode_id, flush=True)
"""


def start(root: Path, path: Path, episodes: int, rows: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(episodes), str(rows)],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_lose_nothing(root: Path, path: Path) -> None:
    """Both open a file that is not there yet, and write the same templates at the same time."""
    writers = [start(root, path, episodes=40, rows=20) for _ in range(2)]
    outputs = [writer.communicate(timeout=60) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], outputs
    said = [line for output, _ in outputs for line in output.split() if line != "ready"]
    with EpisodicMemory.open(path) as memory:
        assert memory.verify() == []
        assert {episode.episode_id for episode in memory.episodes(namespace="alice")} == set(said)
        assert len(said) == 80
        rows, _ = memory.transitions(namespace="alice", task="corridor")
        assert rows.count.tolist() == [80] * 20
        assert rows.reward.tolist() == [1.0] * 20


def test_a_killed_writer_leaves_all_that_it_reported(root: Path, path: Path) -> None:
    said: list[str] = []
    moments = random.Random(0)
    for _ in range(4):
        writer = start(root, path, episodes=0, rows=200)
        assert writer.stdout is not None
        assert writer.stderr is not None
        assert writer.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0.01, 0.25))
        writer.kill()
        said += writer.stdout.read().split()
        writer.stdout.close()
        writer.stderr.close()
        writer.wait()
        with EpisodicMemory.open(path) as memory:
            assert memory.verify() == []
            kept = [episode.episode_id for episode in memory.episodes(namespace="alice")]
            assert set(said) <= set(kept)
            rows, _ = memory.transitions(namespace="alice", task="corridor")
            assert set(rows.count.tolist()) == {len(kept)}  # each episode is there as a whole
    assert len(said) > 10


def test_threads_share_a_memory(path: Path, draft: Draft, steps: Steps) -> None:
    for place in (path, None):
        with EpisodicMemory.open(place) as memory, ThreadPoolExecutor(4) as pool:
            futures = [pool.submit(memory.commit_episode, draft(), steps(1, 2, 3)) for _ in range(40)]
            found = [future.result().episode_id for future in futures]
            assert {episode.episode_id for episode in memory.episodes(namespace="alice")} == set(found)
            rows, revision = memory.transitions(namespace="alice", task="corridor")
            assert (rows.count.tolist(), revision) == ([40] * 3, 40)


def test_threads_that_ended_leave_no_connection_open(path: Path, draft: Draft) -> None:
    with EpisodicMemory.open(path) as memory:
        for _ in range(30):
            thread = threading.Thread(target=memory.episodes, kwargs={"namespace": "alice"})
            thread.start()
            thread.join()
        assert len(memory._connections._seats) <= 2


def test_changes_of_others_are_noticed(path: Path, draft: Draft) -> None:
    with EpisodicMemory.open(path) as memory, EpisodicMemory.open(path) as other:
        assert not memory.changed_elsewhere()
        memory.commit_episode(draft())
        assert not memory.changed_elsewhere()
        other.commit_episode(draft())
        assert memory.changed_elsewhere()
        assert not memory.changed_elsewhere()
        assert memory.episode_count(namespace="alice", task="corridor") == 2


def fork(work: Callable[[], object]) -> int:
    """Run something in a forked child and return the child's process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def exit_code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 counts the threads of numpy, too
def test_a_forked_child_shares_the_file(path: Path, draft: Draft, steps: Steps) -> None:
    """The child goes on while the parent closes and opens the file again.

    Closing removes the log, unless SQLite sees that another process uses it; in a child that inherited the open file it
    would not, and what the child writes later would go to a log that nobody reads.
    """
    wait_for_commit, committed = os.pipe()
    wait_for_close, closed = os.pipe()
    memory = EpisodicMemory.open(path)
    memory.commit_episode(draft(), steps(1))

    def work() -> None:
        memory.commit_episode(draft(), steps(1))
        os.write(committed, b"x")
        os.read(wait_for_close, 1)
        memory.commit_episode(draft(), steps(1))

    child = fork(work)
    os.close(committed)
    assert os.read(wait_for_commit, 1) == b"x"
    memory.close()
    with EpisodicMemory.open(path) as again:
        again.commit_episode(draft(), steps(1))
        os.write(closed, b"x")
        assert exit_code(child) == 0
        assert again.transitions(namespace="alice", task="corridor")[0].count.tolist() == [4]
        assert again.verify() == []
    for descriptor in (wait_for_commit, wait_for_close, closed):
        os.close(descriptor)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 counts the threads of numpy, too
def test_a_memory_without_a_file_stays_in_its_process(draft: Draft) -> None:
    with EpisodicMemory.open(None) as memory:

        def work() -> None:
            with pytest.raises(MemoryFileError, match="does not cross a fork"):
                memory.commit_episode(draft())

        assert exit_code(fork(work)) == 0
        memory.commit_episode(draft())
        assert memory.episode_count(namespace="alice", task="corridor") == 1


# Writes one text, and closes the file.
VISITOR = """
import sys
import numpy as np
from retention import EpisodicMemory, TemplateDraft

with EpisodicMemory.open(sys.argv[1]) as memory:
    memory.write([TemplateDraft(content=sys.argv[2], key=np.ones(2))], namespace="alice")
"""


@pytest.mark.parametrize("mode", ["rw", "ro"])
def test_a_file_that_is_opened_twice_here_is_still_held(root: Path, path: Path, mode: Literal["rw", "ro"]) -> None:
    """What is read of a file's header before SQLite opens it must not cost this process its locks.

    Without them a process that closes the file takes itself for the last one, and deletes the log that we write to.
    """

    def visit(content: str) -> None:
        subprocess.run([sys.executable, "-c", VISITOR, str(path), content], cwd=root, check=True)

    with EpisodicMemory.open(path) as memory:
        memory.write([TemplateDraft(content="one", key=np.ones(2))], namespace="alice")
        link = path.with_name("link.db")
        link.symlink_to(path)
        for name in (path, link):
            EpisodicMemory.open(name, mode=mode).close()
        visit("two")
        assert path.with_name(path.name + "-wal").exists()
        memory.write([TemplateDraft(content="three", key=np.ones(2))], namespace="alice")
        visit("four")
        kept = [template.content for template in memory.templates(namespace="alice")]
        assert kept == ["one", "two", "three", "four"]
    with EpisodicMemory.open(path) as memory:
        assert [template.content for template in memory.templates(namespace="alice")] == kept
        assert memory.verify() == []


def test_an_interrupt_while_waiting_leaves_no_transaction_open(
    path: Path, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interpreter raises it when SQLite returns: the transaction has begun by then."""
    with EpisodicMemory.open(path) as memory, EpisodicMemory.open(path) as other:
        with memory._connections._seat() as (_, db):
            connection = db.conn

            class Interrupted:
                def execute(self, sql: str, *values: object) -> object:
                    done = connection.execute(sql, *values)
                    if sql.startswith("BEGIN"):
                        raise KeyboardInterrupt
                    return done

                def __getattr__(self, name: str) -> object:
                    return getattr(connection, name)

        monkeypatch.setattr(opening, "BUSY_TIMEOUT_S", 0.2)
        monkeypatch.setattr(db, "conn", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            memory.commit_episode(draft())
        monkeypatch.setattr(db, "conn", connection)
        other.commit_episode(draft())
        memory.commit_episode(draft())
        assert memory.episode_count(namespace="alice", task="corridor") == 2


def test_a_busy_file_is_not_read_as_one_that_nobody_changes(
    path: Path, draft: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    EpisodicMemory.open(path).close()
    monkeypatch.setattr(opening, "BUSY_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(MemoryLockedError, match="another process holds it"):
            EpisodicMemory.open(path, mode="ro")
        other.execute("ROLLBACK")


# Does one long change to a file after another, and says so when each begins.
CHANGER = """
import sys
import numpy as np
from retention import EpisodicMemory
from retention.memory.encoder import FunctionEncoder

path, out, what = sys.argv[1:]
with EpisodicMemory.open(path) as memory:
    for round in range(1000):
        encoder = FunctionEncoder(lambda texts: np.ones((len(texts), 8)), str(round))
        act = {
            "reembed": lambda: memory.reembed(encoder, progress=False),
            "compact": memory.compact,
            "import": lambda: (memory.forget_namespace("alice"), memory.import_file(out)),
        }[what]
        print(round, flush=True)
        act()
"""


@pytest.mark.parametrize("what", ["reembed", "compact", "import"])
def test_a_long_change_that_is_killed_loses_nothing(root: Path, path: Path, what: str) -> None:
    with EpisodicMemory.open(path) as memory:
        notes = [TemplateDraft(content=f"note {i}", key=np.full(8, i)) for i in range(1500)]
        memory.write(notes, namespace="alice")
        memory.write(notes[:10], namespace="bob")
        memory.export(out := path.with_name("out.jsonl"), namespace="alice")
    moments = random.Random(1)
    for _ in range(3):
        changer = subprocess.Popen(
            [sys.executable, "-c", CHANGER, str(path), str(out), what], cwd=root, stdout=subprocess.PIPE, text=True
        )
        assert changer.stdout is not None
        assert changer.stdout.readline() == "0\n"
        time.sleep(moments.uniform(0.02, 0.4))
        changer.kill()
        changer.communicate()
        with EpisodicMemory.open(path) as memory:
            assert memory.verify() == []
            assert {t.content for t in memory.templates(namespace="bob")} == {note.content for note in notes[:10]}
            kept = {t.content for t in memory.templates(namespace="alice")}
            assert len(kept) in ((1500, 0) if what == "import" else (1500,))
            if what == "reembed":
                done = memory.reembed(FunctionEncoder(lambda texts: np.ones((len(texts), 8)), "last"), progress=False)
                assert done.encoded + done.known == 1510
                assert memory.unfinished() == []
