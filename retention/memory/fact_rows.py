"""Facts in the tables: texts that a frozen language model reads as slots, and a cache of the slots it wrote of them."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlite_utils import Database

from .removals import announce
from .scope import Scope
from .sealing import SEAL_BYTES, Seal, told_apart
from .transition_rows import current_revision, next_revision

CARRIED = 0.5
"""What part of the greatest mass on a receipt a fact must have drawn for a rating of the answer to decide on it."""

# SQLite before 3.32 takes at most 999 parameters; these are numbers of our own, written out.
_CHUNK = 500

# What an episode or a run wrote is theirs to decide on.
_OF_NOBODY = """
first_episode_id IS NULL AND held IS NULL
AND NOT EXISTS (SELECT 1 FROM notes WHERE notes.template_id = templates.id AND born)
"""


class FactRow(NamedTuple):
    """A fact and the slots of it.

    Attributes:
        id: its template.
        content: what it says.
        slots: its slots as bytes; ``None`` where they are not in the cache, or not of this text.
    """

    id: int
    content: str
    slots: bytes | None


class Standing(NamedTuple):
    """Which facts are in use.

    Attributes:
        ids: their templates, in order.
        revision: the memory's revision that says so.
        until: when the next one of them runs out, in seconds since 1970; ``None`` for never.
    """

    ids: list[int]
    revision: int
    until: float | None


def standing(db: Database, scope: Scope) -> Standing:
    """Return which facts of a scope are in use."""
    query = (
        "SELECT id, CASE WHEN pinned THEN NULL ELSE expires END FROM templates "
        f"WHERE {scope.usable} AND content IS NOT NULL ORDER BY id"
    )
    rows = db.conn.execute(query, scope.bind()).fetchall()
    until = min((expires for _, expires in rows if expires is not None), default=None)
    return Standing([number for number, _ in rows], current_revision(db), until)


def load(db: Database, scope: Scope, adapter: str, ids: Collection[int], seal: Seal | None) -> list[FactRow]:
    """Return facts with the slots that an adapter has in the cache, by id, in one query where they are many."""
    wanted, few = set(ids), len(ids) <= _CHUNK
    query = (
        "SELECT id, content, CAST(slots AS BLOB) FROM templates "
        "LEFT JOIN cached_slots ON template_id = id AND adapter = :adapter "
        f"WHERE {scope.usable} AND content IS NOT NULL"
    )
    if few:
        query += f" AND id IN ({', '.join(map(str, sorted(wanted)))})"
    return [
        FactRow(number, content, _opened(held, number, adapter, content, seal))
        for number, content, held in db.conn.execute(f"{query} ORDER BY id", scope.bind(adapter=adapter))
        if number in wanted
    ]


def store(db: Database, scope: Scope, adapter: str, rows: Iterable[FactRow], seal: Seal | None) -> int:
    """Put slots of facts into the cache, in place of what is there, and return how many facts are still there."""
    query = (
        "INSERT OR REPLACE INTO cached_slots (template_id, adapter, slots) "
        f"SELECT id, :adapter, :slots FROM templates WHERE id = :id AND content = :content AND {scope.there}"
    )
    stored = 0
    for row in rows:
        if row.slots is not None:
            closed = _check(row.slots, row.id, adapter, row.content, seal) + row.slots
            values = scope.bind(adapter=adapter, slots=closed, id=row.id, content=row.content)
            stored += db.conn.execute(query, values).rowcount
    return stored


def carriers(db: Database, scope: Scope, receipt_id: str) -> list[int]:
    """Return the facts that drew the most mass on a receipt, or at least half as much."""
    query = (
        "SELECT template_id FROM receipt_templates JOIN receipts ON receipts.id = receipt_templates.receipt_id "
        f"WHERE {scope.where} AND receipts.receipt_id = :receipt AND exposure >= :least AND NOT withheld"
    )
    return [row[0] for row in db.conn.execute(query, scope.bind(receipt=receipt_id, least=CARRIED))]


def put_in_use(db: Database, scope: Scope, ids: Collection[int], usable: bool) -> list[int]:
    """Put facts in use that no episode and no run decides on, or keep them from use; return those that changed."""
    status, changed = ("active" if usable else "quarantined"), []
    wanted = sorted({int(number) for number in ids})
    for start in range(0, len(wanted), _CHUNK):
        marks = ", ".join(map(str, wanted[start : start + _CHUNK]))
        query = (
            f"SELECT id FROM templates WHERE id IN ({marks}) AND {scope.there} AND status <> :status AND {_OF_NOBODY}"
        )
        changed += [row[0] for row in db.conn.execute(query, scope.bind(status=status))]
    if changed:
        revision = next_revision(db)
        db.conn.executemany(
            "UPDATE templates SET status = ?, revision = ? WHERE id = ?",
            [(status, revision, number) for number in changed],
        )
        if not usable:
            announce(db, scope.namespace, revision)
    return changed


def _check(slots: bytes, number: int, adapter: str, content: str, seal: Seal | None) -> bytes:
    """Return what binds slots to the text they are of: who can change the file alone cannot make a text say another."""
    parts = (b"slots", str(number).encode(), adapter.encode(), content.encode(), slots)
    return (
        hashlib.blake2b(told_apart(*parts), digest_size=SEAL_BYTES).digest() if seal is None else seal.of_parts(*parts)
    )


def _opened(held: bytes | None, number: int, adapter: str, content: str, seal: Seal | None) -> bytes | None:
    if held is None:
        return None
    check, slots = held[:SEAL_BYTES], held[SEAL_BYTES:]
    return slots if hmac.compare_digest(check, _check(slots, number, adapter, content, seal)) else None
