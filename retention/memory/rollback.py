"""Rollback: what was written and said since a time is taken back, and all that follows from the rest is counted anew.

Nothing is deleted. Templates are kept from use, what was said is marked and no longer heard, and what can be computed
from what stays (credits, utilities, gates, the counters of notes) becomes what it would be had the rest never come.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, final

from sqlite_utils import Database

from .credit import Evidence
from .gate import FeedbackGate
from .removals import announce
from .replay import replay
from .rollback_plan import Plan, Selection, plan
from .scope import Scope
from .templates import ROLLED_BACK
from .transition_rows import next_revision


@final
@dataclass(frozen=True, kw_only=True)
class RolledBack:
    """What a rollback took back.

    Attributes:
        quarantined: how many templates are no longer in use, those written since and those that were freed since.
        freed: how many templates are in use again that were quarantined since.
        episodes: how many episodes no longer count.
        outcomes: how many outcomes and ratings, of episodes and answers.
        verdicts: how many verdicts on single templates.
        notes: how many notes of runs.
        utilities: how many templates have another utility.
    """

    quarantined: int
    freed: int
    episodes: int
    outcomes: int
    verdicts: int
    notes: int
    utilities: int

    @classmethod
    def of(cls, parts: Iterable[RolledBack]) -> RolledBack:
        """Return several as one."""
        parts = list(parts)
        return cls(**{each.name: sum(getattr(part, each.name) for part in parts) for each in fields(cls)})


def roll_back(db: Database, scope: Scope, wanted: Selection, gate: FeedbackGate) -> RolledBack:
    """Take back what a selection means in a namespace, and keep a record of it; where that is nothing, do nothing."""
    found = plan(db, scope, wanted, gate)
    if found is None:
        return RolledBack.of(())
    now, revision = time.time(), next_revision(db)
    _take_off_last_templates(db, found, revision)
    _mark(db, found, now)
    utilities = _write_credits(db, scope, found)
    _write_decisions(db, found, revision)
    _hold(db, found.void.templates, revision)
    announce(db, scope.namespace, revision)
    statuses = list(found.decisions.statuses.values())
    done = RolledBack(
        quarantined=len(found.void.templates) + statuses.count("quarantined"),
        freed=statuses.count("active"),
        episodes=len(found.void.episodes),
        outcomes=len(found.void.outcomes) + len(found.void.answers),
        verdicts=len(found.void.verdicts),
        notes=len(found.void.notes),
        utilities=utilities,
    )
    db.conn.execute(
        "INSERT INTO rollbacks (namespace, as_of, source, run_id, counts, created) "
        "VALUES (:namespace, :as_of, :source, :run, :counts, :created)",
        scope.bind(
            as_of=wanted.as_of,
            source=wanted.source,
            run=wanted.run_id,
            counts=json.dumps(asdict(done)),
            created=now,
        ),
    )
    return done


def _take_off_last_templates(db: Database, found: Plan, revision: int) -> None:
    """Take late rewards and ratings off the transitions that they went to; see :func:`.episode_rows.feedback`."""
    for said, number in found.late:
        db.conn.execute(
            "UPDATE templates SET reward_sum = reward_sum - ?, rating_sum = rating_sum - ?, "
            "rating_count = rating_count - ?, revision = ? WHERE id = ?",
            (said.reward or 0.0, said.rating or 0.0, said.rating is not None, revision, number),
        )


def _mark(db: Database, found: Plan, now: float) -> None:
    void = found.void
    for table, column, ids in (
        ("episodes", "episode_id", void.episodes),
        ("outcomes", "id", void.outcomes),
        ("receipt_outcomes", "id", void.answers),
        ("notes", "id", void.notes),
        ("receipts", "id", void.receipts),
    ):
        marks: Iterable[tuple[Any, ...]] = [(now, each) for each in ids]
        db.conn.executemany(f"UPDATE {table} SET void = ? WHERE {column} = ?", marks)
    # A run that had its outcome since has none now, and may get another.
    gone = [(each,) for each in void.episodes]
    db.conn.executemany("UPDATE receipts SET episode_id = NULL WHERE episode_id = ? AND run_id IS NOT NULL", gone)
    db.conn.executemany("UPDATE runs SET episode_id = NULL WHERE episode_id = ?", gone)
    for receipt, template in void.verdicts:
        (place,) = (row for row in found.left.places[receipt] if row.template == template)
        db.conn.execute(
            "UPDATE receipt_templates SET exposure = ?, verdict = 0, judge = NULL, judged = NULL "
            "WHERE receipt_id = ? AND template_id = ?",
            (place.exposure, receipt, template),
        )


def _write_credits(db: Database, scope: Scope, found: Plan) -> int:
    """Write the credits that are others now, and return how many templates have another utility."""
    left = replay(found.left)
    rows = db.conn.execute(
        f"SELECT id, outcome, advantage FROM receipts WHERE {scope.where} AND "
        "(outcome IS NOT NULL OR advantage IS NOT NULL OR void IS NULL)",
        scope.bind(),
    ).fetchall()
    db.conn.executemany(
        "UPDATE receipts SET outcome = ?, advantage = ? WHERE id = ?",
        [
            (left.outcomes.get(number), left.advantages.get(number), number)
            for number, *before in rows
            if not _is_about((left.outcomes.get(number), left.advantages.get(number)), before)
        ],
    )
    rows = db.conn.execute(
        "SELECT receipt_id, template_id, credit FROM receipt_templates WHERE NOT withheld "
        f"AND receipt_id IN (SELECT id FROM receipts WHERE {scope.where})",
        scope.bind(),
    ).fetchall()
    db.conn.executemany(
        "UPDATE receipt_templates SET credit = ? WHERE receipt_id = ? AND template_id = ?",
        [
            (left.credits.get((receipt, template)), receipt, template)
            for receipt, template, before in rows
            if not _is_about([left.credits.get((receipt, template))], [before])
        ],
    )
    rows = db.conn.execute(
        f"SELECT id, utility_sum, utility_square, utility_weight FROM templates WHERE {scope.where}", scope.bind()
    ).fetchall()
    changed = [
        (*sums, number)
        for number, *before in rows
        if not _is_about(sums := left.sums.get(number, Evidence(0.0, 0.0, 0.0)), before)
    ]
    db.conn.executemany(
        "UPDATE templates SET utility_sum = ?, utility_square = ?, utility_weight = ? WHERE id = ?", changed
    )
    return len(changed)


def _is_about(one: Iterable[float | None], other: Iterable[float | None]) -> bool:
    """Say whether numbers are the same but for the rounding of sums, or the same are missing."""
    pairs = zip(one, other, strict=True)
    return all(a is b or (a is not None and b is not None and abs(a - b) <= 1e-9) for a, b in pairs)


def _write_decisions(db: Database, found: Plan, revision: int) -> None:
    db.conn.executemany(
        "UPDATE episodes SET polarity = ?, weight = ? WHERE episode_id = ?",
        [(gate.polarity, gate.weight, name) for name, gate in found.decisions.gates.items()],
    )
    db.conn.executemany(
        "UPDATE notes SET went_well = ?, rated_well = ? WHERE id = ?",
        [(*went, number) for number, went in found.decisions.notes.items()],
    )
    db.conn.executemany(
        "UPDATE templates SET status = ?, revision = ? WHERE id = ?",
        [(status, revision, number) for number, status in found.decisions.statuses.items()],
    )
    db.conn.executemany(
        "UPDATE templates SET last_episode_id = ? WHERE id = ?",
        [(name, number) for number, name in found.decisions.last_episodes.items()],
    )


def _hold(db: Database, ids: Iterable[int], revision: int) -> None:
    """Keep templates from use, pinned ones too, until what they say is written anew."""
    db.conn.executemany(
        "UPDATE templates SET status = 'quarantined', held = ?, revision = ? WHERE id = ?",
        [(ROLLED_BACK, revision, number) for number in ids],
    )
