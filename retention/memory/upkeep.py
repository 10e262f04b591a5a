"""Upkeep of a file: making it as small as what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from sqlite_utils import Database

from .forgetting import purge_expired
from .opening import read_pragma
from .scope import Scope


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


def purge_all(db: Database) -> int:
    """Delete what has run out, in every namespace, and return how many templates that were."""
    names = db.conn.execute("SELECT DISTINCT namespace FROM templates WHERE expires IS NOT NULL").fetchall()
    return sum(purge_expired(db, Scope(name)) for (name,) in names)


def size(db: Database) -> int:
    """Return the bytes of a file."""
    return read_pragma(db, "page_count") * read_pragma(db, "page_size")


def vacuum(db: Database) -> tuple[int, int]:
    """Write the file anew without gaps, and return its size before and after. A crash leaves it as it was."""
    before = size(db)
    db.conn.execute("VACUUM")
    return before, size(db)
