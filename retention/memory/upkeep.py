"""Keeping a file in order: jobs noted until they are finished, what has run out deleted, the file made small."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, final

from sqlite_utils import Database

from ..errors import MemoryFileError
from .connections import Connections
from .forgetting import purge_expired
from .opening import read_pragma
from .scope import Scope

COMPACT = "compact"
"""The name of the job that writes a file anew, while it is not finished."""

IMPORT = "import of "
"""How the names of jobs begin that take in an export; its name follows."""

# What a job that was cut off leaves; any other one says itself how far it is.
_LEFT = {COMPACT: "the file is as it was", IMPORT: "nothing of it was kept"}


@final
@dataclass(frozen=True, kw_only=True)
class Compacted:
    """What compacting did.

    Attributes:
        expired: how many templates were deleted because their time had run out.
        bytes_before: the size of the file before.
        bytes_after: its size after.
    """

    expired: int
    bytes_before: int
    bytes_after: int


def begin(db: Database, job: str, **details: Any) -> None:
    """Note that a job was begun."""
    db.conn.execute("INSERT OR REPLACE INTO unfinished VALUES (?, ?, ?)", (job, json.dumps(details), time.time()))


def end(db: Database, job: str) -> None:
    """Take back the note of a job."""
    db.conn.execute("DELETE FROM unfinished WHERE job = ?", (job,))


@contextmanager
def noted(connections: Connections, job: str) -> Iterator[None]:
    """Note a job in a transaction of its own, so that after a crash the next one to open the file is told.

    Whoever does the job takes the note back with its last change; here that is done where it fails.
    """
    connections.write(lambda db: begin(db, job))
    try:
        yield
    except BaseException:
        with suppress(MemoryFileError):  # as on a full disk: the note stays, and is right
            connections.write(lambda db: end(db, job))
        raise


def unfinished(db: Database) -> list[str]:
    """Return the jobs that were begun and not finished, a line each, the oldest first."""
    lines = []
    for job, details, created in db.conn.execute("SELECT job, details, created FROM unfinished ORDER BY created, job"):
        begun = time.strftime("%Y-%m-%d %H:%M", time.localtime(created))
        left = next((left for name, left in _LEFT.items() if job.startswith(name)), None)
        if left is None:
            lines.append(f"{job}: not all texts have the vectors of {json.loads(details)['encoder']!r} yet")
        else:
            lines.append(f"{job}: begun at {begun} and not finished; unless a process is at it still, {left}")
    return lines


def compact(connections: Connections) -> Compacted:
    """Delete what has run out, in every namespace, and write the file anew without gaps."""
    with noted(connections, COMPACT):
        expired = connections.write(purge_all)
        before, after = connections.maintain(vacuum)
    connections.write(_tidied)
    connections.checkpoint()
    return Compacted(expired=expired, bytes_before=before, bytes_after=after)


def purge_all(db: Database) -> int:
    """Delete what has run out, in every namespace, and return how many templates that were."""
    names = db.conn.execute("SELECT DISTINCT namespace FROM templates WHERE expires IS NOT NULL").fetchall()
    return sum(purge_expired(db, Scope(name)) for (name,) in names)


def _tidied(db: Database) -> None:
    """Take back the notes that nobody can go on with: an import that was cut off left nothing."""
    db.conn.execute("DELETE FROM unfinished WHERE job = ? OR job LIKE ? || '%'", (COMPACT, IMPORT))


def size(db: Database) -> int:
    """Return the bytes of a file."""
    return read_pragma(db, "page_count") * read_pragma(db, "page_size")


def vacuum(db: Database) -> tuple[int, int]:
    """Write the file anew without gaps, and return its size before and after. A crash leaves it as it was."""
    before = size(db)
    db.conn.execute("VACUUM")
    return before, size(db)
