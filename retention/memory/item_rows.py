"""Items in the tables: put, found by key, listed in the order they were put in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from . import word_codes
from .forgetting import delete, purge_expired
from .items import Item, ItemDraft, as_place, from_row, place_now, to_metadata
from .merge_key import of_content, of_item
from .scope import Scope
from .sealing import Seal, is_ours
from .templates import ITEM, ITEM_PART
from .transition_rows import next_revision
from .vectors import to_blobs
from .words import words
from .writing import check_widths

_GREATEST = 2**63 - 1
_CHUNK = 256

_COLUMNS = (
    "namespace",
    "task",
    "kind",
    "merge_key",
    "digest",
    "key",
    "content",
    "words",
    "seal",
    "metadata",
    "source",
    "encoder",
    "expires",
    "pinned",
    "created",
    "revision",
)
_INSERT = (
    f"INSERT INTO templates ({', '.join(_COLUMNS)}, count) VALUES ({', '.join(f':{name}' for name in _COLUMNS)}, 1)"
)
_SAME_TEXT = "UPDATE templates SET metadata = :metadata, expires = :expires, revision = :revision WHERE id = :id"


@final
@dataclass
class _Putting:
    """What a call changes, gathered before anything is changed."""

    gone: list[int] = field(default_factory=list)
    stays: list[dict[str, Any]] = field(default_factory=list)
    fresh: list[dict[str, Any]] = field(default_factory=list)
    born: dict[str, str] = field(default_factory=dict)


def put(
    db: Database,
    namespace: str,
    drafts: Iterable[ItemDraft],
    vectors: Mapping[str, NDArray[np.float32]],
    encoder: str,
    seal: Seal | None = None,
) -> int:
    """Put items or delete them, of one key the last, and return how many were deleted.

    Where an item says what it said, its template stays, with what is known of its use; else a new one takes its place.

    Args:
        db: the memory.
        namespace: whose they are.
        drafts: the items.
        vectors: of each of their texts.
        encoder: what made the vectors.
        seal: what the texts are sealed with, if anything.
    """
    if seal is not None:
        is_ours(db, seal)  # else what is written would look tampered with
    purge_expired(db, Scope(namespace))
    revision, now, change, deleted = next_revision(db), time.time(), _Putting(), 0
    for draft in {(draft.path, draft.key): draft for draft in drafts}.values():
        task = ".".join(draft.path)
        rows = _rows_of(db, namespace, task, draft)
        if draft.value is None:
            change.gone += [row["id"] for row in rows.values()]
            deleted += 0 in rows
            continue
        texts: list[str | None] = [*dict.fromkeys(draft.texts)] or [None]
        at = place_now()
        place = (
            json.loads(rows[0]["metadata"])["place"] if 0 in rows else _new_place(db, namespace, task, at, change.born)
        )
        common = {
            "namespace": namespace,
            "task": task,
            "metadata": to_metadata(draft, place, len(texts), at / 1e9),
            "source": draft.source,
            "expires": draft.ttl and now + draft.ttl,
            "pinned": rows[0]["pinned"] if 0 in rows else False,
            "created": now,
            "revision": revision,
        }
        for part, text in enumerate(texts):
            old, made_by = rows.pop(part, None), "" if text is None else encoder
            if old is not None and old["held"] is None and (old["content"], old["encoder"]) == (text, made_by):
                change.stays.append(common | {"id": old["id"]})
                continue
            if old is not None:
                change.gone.append(old["id"])
            said = _said(draft.key, part, text, vectors)
            mark = None if seal is None or text is None else seal.of(namespace, draft.source, text)
            change.fresh.append(common | said | {"encoder": made_by, "seal": mark})
        change.gone += [row["id"] for row in rows.values()]
    for task, kind in dict.fromkeys((row["task"], row["kind"]) for row in change.fresh):
        members = [row for row in change.fresh if (row["task"], row["kind"]) == (task, kind)]
        check_widths(db, Scope(namespace, task, kind), members)
    delete(db, namespace, change.gone)
    db.conn.executemany(_SAME_TEXT, change.stays)
    db.conn.executemany(_INSERT, change.fresh)
    return deleted


def find(db: Database, namespace: str, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Item]:
    """Return those of the items that are there, by task and key."""
    found = {}
    for task, key in dict.fromkeys(wanted):
        scope = Scope(namespace, task, ITEM)
        query = f"SELECT id, metadata FROM templates WHERE {scope.usable} AND merge_key = :merge_key"
        row = db.conn.execute(query, scope.bind(merge_key=of_item(key, 0))).fetchone()
        if row is not None:
            found[task, key] = from_row(row[0], task, row[1])
    return found


def select(
    db: Database,
    namespace: str,
    task: str,
    where: Callable[[Mapping[str, Any]], bool] | None,
    limit: int,
    offset: int,
    *,
    below: bool = True,
    without_text: bool = False,
) -> list[Item]:
    """Return the items of a path and of those below it, in the order the paths and then the items began to be.

    Args:
        db: the memory.
        namespace: whose they are.
        task: the path; ``""`` for all.
        where: says of a value whether it counts.
        limit: how many at most.
        offset: how many to pass over.
        below: whether those below the path count.
        without_text: whether those alone that have no text.
    """
    scope = Scope(namespace, kind=ITEM)
    query = (
        f"SELECT id, task, metadata FROM templates WHERE {scope.usable} AND {_below(task) if below else 'task = :task'}"
        f"{' AND content IS NULL' if without_text else ''} ORDER BY metadata LIMIT :limit OFFSET :offset"
    )
    limit, offset = min(limit, _GREATEST), min(offset, _GREATEST)
    bounds = {"limit": limit, "offset": offset} if where is None else {"limit": -1, "offset": 0}
    cursor = db.conn.execute(query, scope.bind(task=task, **bounds))
    if where is None:
        return [from_row(*row) for row in cursor]
    found: list[Item] = []
    passed = 0
    while len(found) < limit and (rows := cursor.fetchmany(_CHUNK)):
        for item in (from_row(*row) for row in rows):
            if len(found) < limit and where(item.value):
                passed += 1
                if passed > offset:
                    found.append(item)
    return found


def paths(db: Database, namespace: str, task: str) -> list[tuple[str, ...]]:
    """Return the paths that hold items, of a path and of those below it, sorted."""
    scope = Scope(namespace, kind=ITEM)
    query = f"SELECT DISTINCT task FROM templates WHERE {scope.usable} AND {_below(task)}"
    return sorted(tuple(row[0].split(".")) for row in db.conn.execute(query, scope.bind(task=task)))


def renew(db: Database, namespace: str, items: Sequence[Item]) -> None:
    """Let the time of items begin anew; those that are gone by now stay gone."""
    now = time.time()
    for item in items:
        if item.ttl is None:
            continue
        scope = Scope(namespace, ".".join(item.path))
        rows = _rows_of(db, namespace, scope.task or "", item)
        ids = ", ".join(str(row["id"]) for row in rows.values())
        query = f"UPDATE templates SET expires = :expires WHERE id IN ({ids}) AND {scope.there} AND expires IS NOT NULL"
        db.conn.execute(query, scope.bind(expires=now + item.ttl))


def _rows_of(db: Database, namespace: str, task: str, item: ItemDraft | Item) -> dict[int, dict[str, Any]]:
    """Return the templates of an item by the number of their text, whatever was forgotten of them."""
    rows: dict[int, dict[str, Any]] = {}
    part, least = 0, len(item.texts) if isinstance(item, ItemDraft) else 1
    while True:
        scope = Scope(namespace, task, ITEM_PART if part else ITEM)
        columns = "id, content, encoder, metadata, pinned, held"
        query = f"SELECT {columns} FROM templates WHERE {scope.where} AND merge_key = :key"
        row = next(iter(db.query(query, scope.bind(key=of_item(item.key, part)))), None)
        if row is not None:
            rows[part] = row
            least = max(least, json.loads(row["metadata"])["parts"])
        part += 1
        if part >= max(least, 1):
            return rows


def _new_place(db: Database, namespace: str, task: str, since: int, born: dict[str, str]) -> str:
    """Return the place of an item that is new in its path, which may be new itself."""
    if task not in born:
        scope = Scope(namespace, task, ITEM)
        query = f"SELECT metadata FROM templates WHERE {scope.where} LIMIT 1"
        row = db.conn.execute(query, scope.bind()).fetchone()
        born[task] = str(since) if row is None else json.loads(row[0])["place"].split("/")[0]
    return as_place(born[task], since)


def _said(key: str, part: int, text: str | None, vectors: Mapping[str, NDArray[np.float32]]) -> dict[str, Any]:
    """Return the columns of one text of an item; one without a text has a vector that nothing is like."""
    vector = np.zeros(1, np.float32) if text is None else vectors[text]
    (blob,) = to_blobs(vector[None])
    return {
        "kind": ITEM_PART if part else ITEM,
        "merge_key": of_item(key, part),
        "digest": of_content(blob, (text or "").encode()),
        "key": blob,
        "content": text,
        "words": None if text is None else word_codes.to_blob(words(text)),
    }


def _below(task: str) -> str:
    """Return the predicate for a task and those below it; the range is what the index is for."""
    if not task:
        return "TRUE"
    return (
        "task >= :task AND task < :task || '/' AND (task = :task OR substr(task, 1, length(:task) + 1) = :task || '.')"
    )
