"""Audit: what has changed in a memory since a time, by whom and by which run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, final

from sqlite_utils import Database

from .gate import FeedbackGate
from .rollback_plan import Selection, plan
from .scope import Scope
from .templates import TRANSITION


@final
@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """Something that was written or said.

    Attributes:
        namespace: whose it is.
        created: when, in seconds since 1970.
        what: ``"template"`` for a text, ``"note"`` for a run that noted one that was there, ``"outcome"`` for what made
            an episode, ``"feedback"`` for what was said of an episode or an answer later, ``"verdict"`` for what was
            said of a single template, ``"rollback"``.
        id: the template's number, the episode's id or the receipt's; empty for a rollback.
        source: who wrote or said it; of a rollback, whose changes it took back.
        run_id: the run of an agent that it belongs to; ``None`` for none.
        user: for whom that run was done; ``None`` where that is not known.
        says: the text, the numbers, the reason.
        status: of a template ``"active"`` or ``"quarantined"``; of all, ``"rolled back"`` where it no longer counts;
            ``None`` otherwise.
    """

    namespace: str
    created: float
    what: Literal["template", "note", "outcome", "feedback", "verdict", "rollback"]
    id: str
    source: str | None
    run_id: str | None
    user: str | None
    says: str
    status: str | None


@final
@dataclass(frozen=True, kw_only=True)
class Audit:
    """What has changed since a time.

    Attributes:
        as_of: the time, in seconds since 1970.
        entries: what was written and said since, the oldest first; transitions are counted alone.
        transitions: how many transitions are new.
        active_since: the templates that are in use now and would not be without these changes, by number.
        quarantined_since: those that are not in use and would be.
    """

    as_of: float
    entries: tuple[AuditEntry, ...]
    transitions: int
    active_since: tuple[int, ...]
    quarantined_since: tuple[int, ...]


_OF_EPISODE = "(SELECT run_id FROM runs WHERE runs.episode_id = {0}.episode_id)"
_BACK = "CASE WHEN {0}.void IS NOT NULL THEN 'rolled back' END"
_CHANGES = f"""
WITH changes (created, what, id, source, run_id, says, reward, rating, status) AS (
    SELECT created, 'template', id, source,
        coalesce((SELECT run_id FROM notes WHERE notes.template_id = templates.id AND born),
            (SELECT run_id FROM runs WHERE runs.episode_id = first_episode_id)),
        content, NULL, NULL, CASE WHEN held IS NULL THEN status ELSE held END
    FROM templates WHERE {{0}} AND kind <> '{TRANSITION}'
UNION ALL
    SELECT created, 'note', template_id, source, run_id, NULL, NULL, NULL, {_BACK.format("notes")}
    FROM notes WHERE {{0}} AND NOT born
UNION ALL
    SELECT created, CASE kind WHEN 'return' THEN 'outcome' ELSE 'feedback' END, episode_id, source,
        {_OF_EPISODE.format("outcomes")}, reason, reward, rating, {_BACK.format("outcomes")}
    FROM outcomes WHERE episode_id IN (SELECT episode_id FROM episodes WHERE {{0}})
UNION ALL
    SELECT created, 'feedback', receipt_id, source,
        (SELECT run_id FROM receipts WHERE receipts.receipt_id = receipt_outcomes.receipt_id),
        reason, reward, rating, {_BACK.format("receipt_outcomes")}
    FROM receipt_outcomes WHERE receipt_id IN (SELECT receipt_id FROM receipts WHERE {{0}})
UNION ALL
    SELECT judged, 'verdict', (SELECT receipt_id FROM receipts WHERE receipts.id = receipt_templates.receipt_id), judge,
        (SELECT run_id FROM receipts WHERE receipts.id = receipt_templates.receipt_id),
        'template ' || template_id, NULL, verdict, NULL
    FROM receipt_templates WHERE judged IS NOT NULL AND receipt_id IN (SELECT id FROM receipts WHERE {{0}})
UNION ALL
    SELECT created, 'rollback', '', source, run_id, counts, as_of, NULL, NULL FROM rollbacks WHERE {{0}}
)
SELECT changes.*, (SELECT user FROM runs WHERE runs.run_id = changes.run_id) AS user FROM changes
WHERE created > :as_of AND (:source IS NULL OR source = :source) AND (:run IS NULL OR run_id = :run)
ORDER BY created
"""


def audit(db: Database, scope: Scope, wanted: Selection, gate: FeedbackGate) -> Audit:
    """Return what a selection means in a namespace, and what follows from it; nothing is written."""
    values = scope.bind(as_of=wanted.as_of, source=wanted.source, run=wanted.run_id)
    rows = db.query(_CHANGES.format(scope.where), values)
    found = plan(db, scope, wanted, gate)
    fresh = set() if found is None else set(found.void.templates)
    statuses = {} if found is None else found.decisions.statuses
    rows_of_fresh = db.conn.execute(
        f"SELECT id, kind, status FROM templates WHERE {scope.where} AND created > :as_of", values
    ).fetchall()
    active = {number for number, _, status in rows_of_fresh if number in fresh and status == "active"}
    return Audit(
        as_of=wanted.as_of,
        entries=tuple(_entry(scope.namespace, row) for row in rows),
        transitions=sum(kind == TRANSITION for number, kind, _ in rows_of_fresh if number in fresh),
        active_since=tuple(sorted(active | {number for number, now in statuses.items() if now == "quarantined"})),
        quarantined_since=tuple(sorted(number for number, now in statuses.items() if now == "active")),
    )


def _entry(namespace: str, row: dict[str, Any]) -> AuditEntry:
    reward, rating = row.pop("reward"), row.pop("rating")
    says = [] if row["says"] is None else [row["says"]]
    if row["what"] == "rollback":
        since = datetime.fromtimestamp(reward).astimezone().isoformat(timespec="seconds")
        says = [f"as of {since}", *(f"{name} {count}" for name, count in json.loads(row["says"]).items() if count)]
    else:
        said = (("reward", reward), ("verdict" if row["what"] == "verdict" else "rating", rating))
        says = [*(f"{name} {value:+g}" for name, value in said if value is not None), *says]
    row |= {"id": str(row["id"]), "says": "; ".join(says)}
    return AuditEntry(namespace=namespace, **row)
