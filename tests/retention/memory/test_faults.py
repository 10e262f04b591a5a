from __future__ import annotations

import logging
import sqlite3
import time
from types import SimpleNamespace

import pytest

from retention import ForeignFileError, MemoryFileError, MemoryLockedError, MemoryWriteError
from retention.memory.faults import as_memory_error, is_busy, patiently, reported


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("database is locked", MemoryLockedError),
        ("database table is locked: episodes", MemoryLockedError),
        ("locking protocol", MemoryLockedError),
        ("database disk image is malformed", ForeignFileError),
        ("file is not a database", ForeignFileError),
        ("database or disk is full", MemoryWriteError),
        ("attempt to write a readonly database", MemoryWriteError),
        ("disk I/O error", MemoryWriteError),
        ("unable to open database file", MemoryWriteError),
        ("access permission denied", MemoryWriteError),
        ("no such table: episodes", type(None)),
    ],
)
def test_words_tell_what_happened_where_there_is_no_code(words: str, kind: type[MemoryFileError]) -> None:
    """An error made here has no code, as all have none in Python 3.10."""
    error = as_memory_error(sqlite3.OperationalError(words), "m.db")
    assert type(error) is kind
    if error is not None:
        assert str(error).startswith("m.db: ")
        assert "; " in str(error)


def test_the_code_is_stronger_than_the_words() -> None:
    error = sqlite3.OperationalError("locked out")
    vars(error)["sqlite_errorcode"] = 13 | 1 << 8  # an extended code, as SQLite sets it
    assert isinstance(as_memory_error(error, "m.db"), MemoryWriteError)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Time that passes where somebody sleeps, four seconds each time."""
    now = SimpleNamespace(seconds=0.0)

    def sleep(seconds: float) -> None:
        now.seconds += 4

    monkeypatch.setattr("tenacity.nap.time.sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: now.seconds)
    return now


def test_only_a_busy_file_is_tried_again(clock: SimpleNamespace) -> None:
    calls: list[Exception] = []

    def fails(*errors: Exception) -> int:
        if len(calls) < len(errors):
            calls.append(errors[len(calls)])
            raise calls[-1]
        return len(calls)

    busy = sqlite3.OperationalError("database is locked")
    assert patiently("m.db", 300, fails, *[busy] * 70) == 70
    calls.clear()
    with pytest.raises(sqlite3.OperationalError):
        patiently("m.db", 300, fails, *[busy] * 99)
    assert len(calls) == 300 / 4 + 1
    for other in (sqlite3.OperationalError("disk I/O error"), ValueError("locked")):
        calls.clear()
        assert not is_busy(other)
        with pytest.raises(type(other)):
            patiently("m.db", 300, fails, other)
        assert len(calls) == 1


def test_who_waits_is_told(clock: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
    def busy() -> None:
        if clock.seconds < 50:
            raise sqlite3.OperationalError("database is locked")

    with caplog.at_level(logging.WARNING):
        patiently("m.db", 300, busy)
    line = "m.db: another process holds it for writing; waiting since {} s, at most 300 s"
    assert caplog.messages == [line.format(seconds) for seconds in (8, 16, 32)]


def test_faults_in_our_own_code_pass_as_they_are() -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such column"), reported("m.db"):
        raise sqlite3.OperationalError("no such column: x")
