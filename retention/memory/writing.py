"""Texts in the tables: written many at a time, the same and nearly the same ones merged."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from . import word_codes
from .episode_rows import find as find_episode
from .episode_rows import gained_by, refuses_texts
from .forgetting import delete, purge_expired
from .gate import FeedbackGate
from .merge_key import of_content, of_words
from .receipts import credit_found, found_for
from .scope import Scope
from .sealing import Seal, is_ours
from .settings import as_json
from .templates import ROLLED_BACK, TemplateDraft
from .transition_rows import next_revision
from .vectors import from_blobs, to_blobs
from .words import words

NEAR = 0.9
"""The least cosine at which texts of nearly the same words are one template."""

# SQLite before 3.32 takes at most 999 parameters.
_CHUNK = 500

_NEAR_INDEX = "INDEXED BY templates_by_near_key"

_COLUMNS = (
    "id",
    "namespace",
    "task",
    "kind",
    "merge_key",
    "key",
    "content",
    "metadata",
    "source",
    "encoder",
    "near_key",
    "words",
    "expires",
    "pinned",
    "status",
    "seal",
    "episode_id",
    "episode_id",
    "created",
    "revision",
)
_values = itemgetter(*_COLUMNS)

_INSERT = """
INSERT INTO templates (
    id, namespace, task, kind, merge_key, key, content, metadata, source, encoder, near_key, words, expires, pinned,
    status, seal, first_episode_id, last_episode_id, created, revision, count
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
"""

# Seen once more: who wrote it first stays, a pin stays, and the longer time holds. What was kept from use is freed only
# by an episode that went well: to say it again is no evidence. What was rolled back makes way for a new one.
_SEEN_AGAIN = """
UPDATE templates SET
    count = count + 1,
    pinned = max(pinned, :pinned),
    status = CASE WHEN :earned AND held IS NULL THEN 'active' ELSE status END,
    expires = CASE WHEN expires IS NULL OR :expires IS NULL THEN NULL ELSE max(expires, :expires) END,
    last_episode_id = :episode_id,
    revision = :revision
WHERE id = :id
"""


@final
@dataclass(frozen=True, kw_only=True)
class WriteReport:
    """What a memory made of what it was offered.

    Attributes:
        ids: the template of each draft, in order.
        offered: how many drafts.
        kept: how many became new templates.
        merged: how many were there already, in these words or nearly; ``kept + merged`` is ``offered``.
        quarantined: how many of those kept are not recalled, since the gate refuses the episode they came from.
    """

    ids: tuple[int, ...]
    offered: int
    kept: int
    merged: int
    quarantined: int = 0

    @classmethod
    def of(cls, parts: Iterable[WriteReport]) -> WriteReport:
        """Return several reports as one."""
        parts = list(parts)
        return cls(
            ids=tuple(number for part in parts for number in part.ids),
            offered=sum(part.offered for part in parts),
            kept=sum(part.kept for part in parts),
            merged=sum(part.merged for part in parts),
            quarantined=sum(part.quarantined for part in parts),
        )


class _Known:
    """What the table and this call hold of one task and kind: ids by merge key, ids and vectors by near key."""

    def __init__(self, db: Database, scope: Scope, rows: Sequence[dict[str, Any]]) -> None:
        self.same: dict[bytes, int] = {}
        self.near: dict[bytes, list[tuple[int, bytes, str]]] = {}
        self.rolled_back: dict[bytes, int] = {}
        # The same words have the same near key, so that most texts are looked for by it alone.
        bare = [row for row in rows if row["near_key"] is None]
        for column, index, some in (("merge_key", "", bare), ("near_key", _NEAR_INDEX, rows)):
            keys = list({row[column] for row in some} - {None})
            for start in range(0, len(keys), _CHUNK):
                chunk = {f"k{i}": key for i, key in enumerate(keys[start : start + _CHUNK])}
                marks = ", ".join(f":{name}" for name in chunk)
                query = (
                    "SELECT id, merge_key, near_key, CAST(key AS BLOB) AS key, encoder, held "
                    f"FROM templates {index} WHERE {scope.where} AND {column} IN ({marks})"
                )
                for row in db.query(query, scope.bind(**chunk)):
                    if row["held"] == ROLLED_BACK:
                        self.rolled_back[row["merge_key"]] = row["id"]
                    else:
                        self.add(row)

    def add(self, row: dict[str, Any]) -> None:
        self.same[row["merge_key"]] = row["id"]
        if row["near_key"] is not None:
            held = self.near.setdefault(row["near_key"], [])
            if all(number != row["id"] for number, _, _ in held):
                held.append((row["id"], row["key"], row["encoder"]))

    def find(self, row: dict[str, Any]) -> int | None:
        number = self.same.get(row["merge_key"])
        if number is None and row["near_key"] is not None:
            alike = [
                (cosine, number)
                for number, key, encoder in self.near.get(row["near_key"], ())
                if encoder == row["encoder"] and (cosine := _cosine(key, row["key"])) >= NEAR
            ]
            number = max(alike, key=lambda found: (found[0], -found[1]))[1] if alike else None
        return number


def write(
    db: Database,
    namespace: str,
    drafts: Sequence[TemplateDraft],
    gate: FeedbackGate,
    seal: Seal | None = None,
    *,
    pending: bool = False,
) -> WriteReport:
    """Write templates, each with its key, in the order they come; what a refused episode noted is kept from use.

    Args:
        db: the memory.
        namespace: whose they are.
        drafts: the templates.
        gate: decides on the episodes they are from.
        seal: what they are sealed with, if anything.
        pending: whether new ones are kept from use until later, and nothing of those that are there changes.
    """
    if seal is not None:
        is_ours(db, seal)  # else what is written would look tampered with
    revision, now = next_revision(db), time.time()
    purge_expired(db, Scope(namespace))
    told = {draft.episode_id for draft in drafts if draft.episode_id is not None}
    episodes = {episode_id: find_episode(db, Scope(namespace), episode_id) for episode_id in told}
    refused: dict[str | None, bool] = {
        name: refuses_texts(episode.gate, episode.rating, gate) for name, episode in episodes.items()
    }
    places = {(draft.task or "", draft.kind): Scope(namespace, draft.task or "", draft.kind) for draft in drafts}
    scopes = [places[draft.task or "", draft.kind] for draft in drafts]
    rows = [
        _row(draft, scope, revision, now, pending or refused.get(draft.episode_id), seal)
        for draft, scope in zip(drafts, scopes, strict=True)
    ]
    known = {}
    for scope in dict.fromkeys(scopes):
        members = [row for row, at in zip(rows, scopes, strict=True) if at == scope]
        check_widths(db, scope, members)
        known[scope] = _Known(db, scope, members)
    (latest,) = db.conn.execute("SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'templates'").fetchone()
    ids, fresh, again, replaced = [], [], [], []
    for scope, row in zip(scopes, rows, strict=True):
        number = known[scope].find(row)
        if number is None:
            latest = number = latest + 1
            row["id"] = number
            fresh.append(row)
            known[scope].add(row)
            if row["merge_key"] in known[scope].rolled_back:
                replaced.append(known[scope].rolled_back[row["merge_key"]])
        else:
            again.append(row | {"id": number})
        ids.append(number)
    delete(db, namespace, replaced)
    db.conn.executemany(_INSERT, map(_values, fresh))
    db.conn.executemany(_SEEN_AGAIN, [] if pending else again)
    for number, row in zip(ids, rows, strict=True):
        if row["episode_id"] is not None:
            found_for(db, namespace, row["episode_id"], number, row["task"])
    for episode_id, episode in episodes.items():
        credit_found(db, episode_id, gained_by(db, episode))
    kept_back = sum(row["status"] != "active" for row in fresh)
    return WriteReport(ids=tuple(ids), offered=len(drafts), kept=len(fresh), merged=len(again), quarantined=kept_back)


def check_widths(db: Database, scope: Scope, rows: Sequence[dict[str, Any]]) -> None:
    """Raise ``ValueError`` if keys of one encoder have several widths, here or with those that are there."""
    widths: dict[str, int] = {}
    for row in rows:
        width = len(row["key"]) // 4
        if widths.setdefault(row["encoder"], width) != width:
            raise ValueError(f"keys of task {scope.task!r} and kind {scope.kind!r} must have one width")
    query = f"SELECT length(key) / 4 FROM templates WHERE content IS NOT NULL AND encoder = :encoder AND {scope.where}"
    for encoder, width in widths.items():
        held = db.conn.execute(f"{query} LIMIT 1", scope.bind(encoder=encoder)).fetchone()
        if held is not None and held[0] != width:
            raise ValueError(
                f"keys must have width {held[0]}, as the templates of task {scope.task!r} and kind {scope.kind!r}, "
                f"got {width}"
            )


def _row(
    draft: TemplateDraft, scope: Scope, revision: int, now: float, refused: bool | None, seal: Seal | None
) -> dict[str, Any]:
    assert draft.key is not None, "the store gives every draft its key"
    (key,) = to_blobs(draft.key[None])
    found = words(draft.content)
    return {
        "namespace": scope.namespace,
        "task": scope.task,
        "kind": scope.kind,
        "merge_key": of_content(key, draft.content.encode()),
        "near_key": of_words(found),
        "key": key,
        "content": draft.content,
        "words": word_codes.to_blob(found),
        "metadata": as_json(dict(draft.metadata), "metadata") if draft.metadata else "{}",
        "source": draft.source,
        "encoder": draft.encoder,
        "episode_id": draft.episode_id,
        "expires": draft.ttl and now + draft.ttl,
        "pinned": draft.pinned,
        "status": "quarantined" if refused else "active",
        "seal": seal and seal.of(scope.namespace, draft.source, draft.content),
        "earned": refused is False,
        "created": now,
        "revision": revision,
    }


def _cosine(one: bytes, other: bytes) -> float:
    if one == other:
        return 1.0
    if len(one) != len(other):
        return -1.0
    pair: NDArray[np.float64] = from_blobs([one, other]).astype(np.float64)
    norms = np.linalg.norm(pair, axis=1)
    return float(pair[0] @ pair[1] / norms.prod()) if norms.all() else 0.0
