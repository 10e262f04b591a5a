"""News of removals: when templates of a namespace or of one of its tasks were last taken out of use.

A reader that holds what it read before learns of new templates by their revision. One that is gone has none: so the
revision of the latest removal is kept, and a reader that is older than it compares its ids with those that are there.
"""

from __future__ import annotations

from sqlite_utils import Database

from .scope import Scope
from .settings import SWEPT

_EVERYWHERE = ""


def announce(db: Database, namespace: str, revision: int, task: str = "") -> None:
    """Note that templates of a task, or of any task, are out of use since a revision; values swept over them fall."""
    db.conn.execute(
        "INSERT INTO removals VALUES (?, ?, ?) "
        "ON CONFLICT (namespace, task) DO UPDATE SET revision = excluded.revision",
        (namespace, task, revision),
    )
    db.conn.execute(
        "DELETE FROM settings WHERE name = ? AND namespace = ? AND ? IN ('', task)", (SWEPT, namespace, task)
    )


def announce_everywhere(db: Database, revision: int) -> None:
    """Note a removal without a word of which namespace it was."""
    announce(db, _EVERYWHERE, revision)


def latest(db: Database, scope: Scope) -> int:
    """Return the revision of the latest removal that may concern a scope; 0 if there was none."""
    within = "" if scope.task is None else " AND task IN ('', :task)"
    query = f"SELECT max(revision) FROM removals WHERE namespace = '' OR (namespace = :namespace{within})"
    (revision,) = db.conn.execute(query, scope.bind()).fetchone()
    return int(revision or 0)
