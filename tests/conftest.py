"""What all tests share."""

from __future__ import annotations

import os

# Before torch and matplotlib are imported: one thread, so that runs repeat and workers do not fight; no screen.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "Agg"

import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent

# A shell that starts the tests in the background has them ignore Ctrl-C, and so would all processes they start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def close_databases(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what a test leaves open: an unclosed database is a warning, and so an error, from Python 3.13 on."""
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def tracked(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = connect(*args, **kwargs)
        opened.append(connection)
        return connection

    monkeypatch.setattr(sqlite3, "connect", tracked)
    yield
    for connection in opened:
        with suppress(sqlite3.ProgrammingError):  # it belongs to a thread of its own
            connection.close()


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder that holds pyproject.toml."""
    return ROOT


@pytest.fixture
def clean_environment() -> dict[str, str]:
    """The environment for a process of its own: this Python's commands first, and nothing of the caller's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST_", "PYTHON"))}
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}


@pytest.fixture
def as_someone_without_rights() -> Callable[[Path], AbstractContextManager[None]]:
    """A context in which a folder belongs to a user for whom file modes count, also where the tests run as root."""

    @contextmanager
    def become(folder: Path) -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
        nobody = 65534
        for entry in [folder, *folder.iterdir()]:
            os.chown(entry, nobody, nobody)
        os.seteuid(nobody)
        try:
            yield
        finally:
            os.seteuid(0)

    return become
