"""Forgetting: templates by id, what has run out, the least useful, a whole namespace; verified by reading again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

from sqlite_utils import Database

from ..errors import MemoryFileError
from .credit import PRIOR_WEIGHT
from .removals import announce, announce_everywhere
from .scope import Scope
from .transition_rows import next_revision

# SQLite before 3.32 takes at most 999 parameters; these are numbers of our own, written out.
_CHUNK = 500


@final
@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """What was forgotten, counted before and looked for after.

    Attributes:
        templates: how many templates are gone.
        episodes: how many episodes.
        receipts: how many receipts; of single templates, how many receipts they were taken off.
        outcomes: how many outcomes, of episodes and receipts.
        settings: how many settings.
    """

    templates: int
    episodes: int = 0
    receipts: int = 0
    outcomes: int = 0
    settings: int = 0


@final
@dataclass(frozen=True, kw_only=True)
class Trimmed:
    """What a size limit left.

    Attributes:
        offered: how many templates there were.
        kept: how many there are.
        discarded: the ids of those that are gone, the least useful first.
    """

    offered: int
    kept: int
    discarded: tuple[int, ...]


def forget(db: Database, scope: Scope, ids: Sequence[int]) -> Forgotten:
    """Delete templates of a namespace; ids that it does not have are passed over."""
    wanted = sorted({int(number) for number in ids})
    there: list[int] = []
    for marks in _chunks(wanted):
        query = f"SELECT id FROM templates NOT INDEXED WHERE id IN ({marks}) AND {scope.where}"
        there += [row[0] for row in db.conn.execute(query, scope.bind())]
    receipts = delete(db, scope.namespace, there)
    return Forgotten(templates=len(there), receipts=receipts)


def purge_expired(db: Database, scope: Scope) -> int:
    """Delete the templates of a namespace whose time has run out, and return how many."""
    index = "INDEXED BY templates_by_expiry"  # SQLite would read every row of the namespace
    query = f"SELECT id FROM templates {index} WHERE {scope.where} AND expires <= :now AND NOT pinned"
    gone = [row[0] for row in db.conn.execute(query, scope.bind())]
    delete(db, scope.namespace, gone)
    return len(gone)


def trim(db: Database, scope: Scope, limit: int) -> Trimmed:
    """Delete the least useful templates of a scope until at most so many are left; a pinned one never goes.

    What has run out goes before, and does not count. The least useful have the lowest utility; of equal ones those go
    first that were seen least often, then the oldest.
    """
    purge_expired(db, Scope(scope.namespace))
    worth = f"utility_sum / (utility_weight + {PRIOR_WEIGHT})"
    query = f"SELECT id, pinned FROM templates WHERE {scope.where} ORDER BY {worth}, count, id"
    rows = db.conn.execute(query, scope.bind()).fetchall()
    free = [number for number, pinned in rows if not pinned]
    gone = free[: max(0, len(rows) - limit)]
    delete(db, scope.namespace, gone)
    return Trimmed(offered=len(rows), kept=len(rows) - len(gone), discarded=tuple(gone))


def forget_namespace(db: Database, namespace: str) -> Forgotten:
    """Delete everything of a namespace, its name included."""
    where, values = Scope(namespace).where, {"namespace": namespace}
    episodes = f"episode_id IN (SELECT episode_id FROM episodes WHERE {where})"
    receipts = f"receipt_id IN (SELECT receipt_id FROM receipts WHERE {where})"
    places = f"receipt_id IN (SELECT id FROM receipts WHERE {where})"
    parts = {
        "receipt_templates": places,
        "receipt_outcomes": receipts,
        "outcomes": episodes,
        "notes": where,
        "receipts": where,
        "runs": where,
        "templates": where,
        "episodes": where,
        "settings": where,
        "removals": where,
        "sources": where,
        "rollbacks": where,
    }

    def counts() -> dict[str, int]:
        return {
            table: db.conn.execute(f"SELECT count(*) FROM {table} WHERE {part}", values).fetchone()[0]
            for table, part in parts.items()
        }

    before = counts()
    if not any(before.values()):
        return Forgotten(templates=0)
    with _wiping(db):
        for table, part in parts.items():
            db.conn.execute(f"DELETE FROM {table} WHERE {part}", values)
        announce_everywhere(db, next_revision(db))
    _check_gone(sum(counts().values()))
    return Forgotten(
        templates=before["templates"],
        episodes=before["episodes"],
        receipts=before["receipts"],
        outcomes=before["outcomes"] + before["receipt_outcomes"],
        settings=before["settings"],
    )


def delete(db: Database, namespace: str, ids: Sequence[int]) -> int:
    """Delete templates that are a namespace's, with their places on receipts, and return how many receipts had them."""
    if not ids:
        return 0
    receipts: set[int] = set()
    with _wiping(db):
        for marks in _chunks(ids):
            places = f"FROM receipt_templates WHERE template_id IN ({marks})"
            receipts.update(row[0] for row in db.conn.execute(f"SELECT DISTINCT receipt_id {places}"))
            db.conn.execute(f"DELETE {places}")
            db.conn.execute(f"DELETE FROM notes WHERE template_id IN ({marks})")
            db.conn.execute(f"UPDATE episodes SET last_template_id = NULL WHERE last_template_id IN ({marks})")
            db.conn.execute(f"DELETE FROM templates WHERE id IN ({marks})")
            (left,) = db.conn.execute(f"SELECT count(*) FROM templates WHERE id IN ({marks})").fetchone()
            _check_gone(left)
        announce(db, namespace, next_revision(db))
    return len(receipts)


@contextmanager
def _wiping(db: Database) -> Iterator[None]:
    """Have SQLite write zeros over what is deleted: what is forgotten is not to be read from the file."""
    db.conn.execute("PRAGMA secure_delete = ON").fetchone()
    try:
        yield
    finally:
        db.conn.execute("PRAGMA secure_delete = OFF").fetchone()


def _check_gone(left: int) -> None:
    if left:
        raise MemoryFileError(f"{left} rows are there after they were deleted; run: holdfast memory verify")


def _chunks(ids: Sequence[int]) -> Iterator[str]:
    for start in range(0, len(ids), _CHUNK):
        yield ", ".join(map(str, ids[start : start + _CHUNK]))
