"""What SQLite reports, as the errors a caller can act on."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import tenacity

from ..errors import ForeignFileError, MemoryFileError, MemoryLockedError, MemoryWriteError

logger = logging.getLogger(__name__)

SAY_AFTER_S = 5.0
"""After how many seconds of waiting it is logged, and again whenever these have doubled."""

P = ParamSpec("P")
T = TypeVar("T")

# SQLite's primary result codes (https://www.sqlite.org/rescode.html), and the words by which Python 3.10, which does
# not pass the codes on, can be told what happened.
_PERM, _BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _PROTOCOL, _NOTADB = (
    *(3, 5, 6, 8, 10, 11),
    *(13, 14, 15, 26),
)
_WORDS = {
    "permission denied": _PERM,
    "locking protocol": _PROTOCOL,
    "locked": _BUSY,
    "readonly": _READONLY,
    "i/o error": _IOERR,
    "malformed": _CORRUPT,
    "could not decode": _CORRUPT,
    "is full": _FULL,
    "unable to open": _CANTOPEN,
    "not a database": _NOTADB,
}
# Another connection is at it: it writes, or it won the race for the log's index too often.
_HELD = (_BUSY, _LOCKED, _PROTOCOL)


def primary_code(error: sqlite3.Error) -> int | None:
    """Return SQLite's primary result code of an error, or ``None`` when it tells none."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF
    text = str(error).lower()
    return next((code for words, code in _WORDS.items() if words in text), None)


def is_busy(error: BaseException) -> bool:
    """Say whether waiting may help: another connection holds the file."""
    return isinstance(error, sqlite3.OperationalError) and primary_code(error) in _HELD


def as_memory_error(error: sqlite3.Error, name: str) -> MemoryFileError | None:
    """Return the error a caller can act on, or ``None`` if the fault is in our own code.

    Args:
        error: what SQLite raised.
        name: the file, as the user knows it.
    """
    code = primary_code(error)
    if code in _HELD:
        return MemoryLockedError(
            f"{name}: another process holds it for writing; close that process, or try again when it has finished"
        )
    if code in (_CORRUPT, _NOTADB):
        return ForeignFileError(f"{name}: the file is damaged ({error}); restore a copy, or name another file")
    if code == _FULL:
        return MemoryWriteError(
            f"{name}: the disk is full; free some space there, nothing that was kept before is lost"
        )
    if code == _READONLY:
        return MemoryWriteError(f"{name}: the file cannot be written; make it writable, or open it read-only")
    if code in (_PERM, _IOERR, _CANTOPEN):
        return MemoryWriteError(f"{name}: {error}; check that its folder exists, can be written and has space")
    return None


@contextmanager
def reported(name: str) -> Iterator[None]:
    """Turn SQLite's errors into those a caller can act on."""
    try:
        yield
    except sqlite3.Error as error:
        known = as_memory_error(error, name)
        if known is None:
            raise
        raise known from error


def patiently(name: str, seconds: float, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function, again and again while another connection holds the file, and return its result.

    It is tried often, for one that writes batch after batch lets go of the file for moments only. Who waits long finds
    it in the log.

    Args:
        name: the file, as the user knows it.
        seconds: for how long; then the last error is raised.
        work: what to call.
        args: what with.
        kwargs: what with, by name.
    """
    said = 0.0

    def say(state: tenacity.RetryCallState) -> None:
        nonlocal said
        waited = state.seconds_since_start or 0.0
        if waited >= max(SAY_AFTER_S, 2 * said):
            said = waited
            logger.warning(
                "%s: another process holds it for writing; waiting since %.0f s, at most %.0f s",
                name,
                waited,
                seconds,
            )

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_busy),
        stop=tenacity.stop_after_delay(seconds),
        wait=tenacity.wait_random(0.001, 0.01),
        before_sleep=say,
        reraise=True,
    )
    return retrying(work, *args, **kwargs)
