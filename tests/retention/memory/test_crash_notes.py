"""An import or a compaction that dies leaves nothing behind but a note, which the next one to open is told."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from retention import EpisodicMemory, ForeignFileError, TemplateDraft

# Kills itself before the first statement that begins as is said.
DYING = """
import os, signal, sqlite3, sys
from retention import EpisodicMemory

path, what, other, statement = sys.argv[1:]
connect = sqlite3.connect

def traced(*args, **kwargs):
    connection = connect(*args, **kwargs)
    connection.set_trace_callback(lambda sql: sql.startswith(statement) and os.kill(os.getpid(), signal.SIGKILL))
    return connection

sqlite3.connect = traced
with EpisodicMemory.open(path) as memory:
    memory.compact() if what == "compact" else memory.import_file(other)
"""


@pytest.fixture
def kept(path: Path) -> Path:
    with EpisodicMemory.open(path) as memory:
        memory.write([TemplateDraft(content=f"kept {i}", key=np.ones(2)) for i in range(30)], namespace="all")
        memory.export(path.with_name("other.jsonl"))
    return path


def die(root: Path, path: Path, what: str, statement: str) -> None:
    other = path.with_name("other.jsonl")
    done = subprocess.run([sys.executable, "-c", DYING, str(path), what, str(other), statement], cwd=root)
    assert done.returncode == -9


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
@pytest.mark.parametrize(
    ("what", "statement", "left"),
    [
        ("compact", "VACUUM", "the file is as it was"),
        ("import", "INSERT INTO templates", "nothing of it was kept"),
        ("import", "COMMIT", "nothing of it was kept"),
    ],
)
def test_the_next_to_open_is_told(
    what: str, statement: str, left: str, root: Path, kept: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = kept.with_name("other.jsonl")
    path = kept if what == "compact" else kept.with_name("new.db")
    if statement == "COMMIT":
        with EpisodicMemory.open(path):  # its first COMMIT is then that of the note
            pass
        die(root, path, what, "DELETE FROM unfinished")
    else:
        die(root, path, what, statement)
    job = "compact" if what == "compact" else f"import of {other}"
    with EpisodicMemory.open(path, mode="ro") as memory:
        (line,) = memory.unfinished()
        assert line.startswith(f"{job}: begun at ")
        assert line.endswith(f" and not finished; unless a process is at it still, {left}")
    caplog.clear()
    with caplog.at_level(logging.WARNING), EpisodicMemory.open(path) as memory:
        assert caplog.messages == [f"{path}: {line}; the same call again goes on with it"]
        assert len(memory.templates(namespace="all")) == (30 if what == "compact" else 0)
        assert memory.verify() == []
        memory.compact() if what == "compact" else memory.import_file(other)
        assert memory.unfinished() == []
        assert len(memory.templates(namespace="all")) == 30


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_compacting_takes_back_what_nobody_goes_on_with(root: Path, kept: Path) -> None:
    path = kept.with_name("new.db")
    die(root, path, "import", "INSERT INTO templates")
    with EpisodicMemory.open(path) as memory:
        assert len(memory.unfinished()) == 1
        memory.compact()
        assert memory.unfinished() == []


def test_an_import_that_fails_is_not_unfinished(path: Path) -> None:
    other = path.with_name("other.jsonl")
    other.write_text("dear diary\n")
    with EpisodicMemory.open(path) as memory:
        with pytest.raises(ForeignFileError, match="is no export"):
            memory.import_file(other)
        assert memory.unfinished() == []
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM unfinished").fetchone() == (0,)
