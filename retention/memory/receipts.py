"""Receipts in the tables: what was recalled for an episode or an answer, and the credit its outcome gives."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import final

from sqlite_utils import Database

from ..errors import NotFoundError
from .credit import FOUND_WEIGHT, Evidence, Place, credited_anew, exposures
from .scope import Scope

# SQLite before 3.32 takes at most 999 parameters.
_CHUNK = 500


@final
@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The record of what was recalled for an episode or an answer, and of how that turned out.

    Attributes:
        receipt_id: its id.
        task: the task it was recalled for; ``None`` for none.
        episode_id: the episode it was recalled for; ``None`` where it is not known.
        outcome: what is said of an answer by now, rewards and rating together; ``None`` before that, and where there is
            an episode, which has its own.
        advantage: by how much the outcome was better than the task's usual, in spreads; ``None`` while it is not known.
        created: when it was written, in seconds since 1970.
        exposures: how much each template that was shown had to do with it, in (0, 1], by template id.
        credits: what each was credited with, in spreads, by template id.
        withheld: the ids of those that were kept back at random.
        weight: for how many recalls the outcome counts: 1, or more where an episode wrote the template itself.
        run_id: the run of an agent that it belongs to; ``None`` for none.
    """

    receipt_id: str
    task: str | None
    episode_id: str | None
    outcome: float | None
    advantage: float | None
    created: float
    exposures: Mapping[int, float]
    credits: Mapping[int, float]
    withheld: tuple[int, ...]
    weight: float
    run_id: str | None = None


_PLACES = """
SELECT template_id, exposure, credit, verdict, utility_sum, utility_square, utility_weight
FROM receipt_templates JOIN templates ON templates.id = template_id WHERE receipt_id = ? AND NOT withheld
"""


def present(db: Database, namespace: str, masses: Mapping[int, float]) -> dict[int, float]:
    """Return those of the templates that the namespace has: another process may have discarded some meanwhile."""
    scope, ids = Scope(namespace), [int(number) for number in masses]
    known: set[int] = set()
    for start in range(0, len(ids), _CHUNK):
        marks = ", ".join(map(str, ids[start : start + _CHUNK]))
        query = f"SELECT id FROM templates NOT INDEXED WHERE id IN ({marks}) AND {scope.there}"
        known.update(row[0] for row in db.conn.execute(query, scope.bind()))
    return {number: mass for number, mass in masses.items() if int(number) in known}


def store_receipt(
    db: Database,
    namespace: str,
    masses: Mapping[int, float],
    episode_id: str | None,
    task: str = "",
    withheld: Collection[int] = (),
    weight: float = 1.0,
    run_id: str | None = None,
    created: float | None = None,
) -> str:
    """Write which templates were recalled, with each one's exposure, and return the receipt's id.

    Args:
        db: the memory.
        namespace: whose they are.
        masses: attention by template id; each is there.
        episode_id: the episode they were recalled for, if it is known.
        task: the task they were recalled for; ``""`` for none.
        withheld: templates that would have been recalled, but were kept back to learn what they are worth.
        weight: for how many recalls its outcome counts.
        run_id: the run they were recalled in, if any: its outcome credits them.
        created: the time to put on it; ``None`` for now.

    Raises:
        ValueError: if a mass is negative or not finite.
    """
    receipt_id = uuid.uuid4().hex
    receipt = db.conn.execute(
        "INSERT INTO receipts (receipt_id, namespace, task, episode_id, weight, run_id, created) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (receipt_id, namespace, task, episode_id, weight, run_id, time.time() if created is None else created),
    ).lastrowid
    shown = exposures(masses)
    total = sum(shown.values())
    rows = [(receipt, number, exposure / total, exposure, 0) for number, exposure in shown.items()]
    rows += [(receipt, number, 0.0, 0.0, 1) for number in withheld if number not in shown]
    db.conn.executemany(
        "INSERT INTO receipt_templates (receipt_id, template_id, share, exposure, withheld) VALUES (?, ?, ?, ?, ?)",
        rows,
    )
    return receipt_id


def find_receipt(db: Database, scope: Scope, receipt_id: str) -> tuple[int, str, str | None, str | None]:
    """Return a receipt's number, its task, its episode and its run.

    Raises:
        NotFoundError: if the namespace has no such receipt.
    """
    where = Scope(scope.namespace).where
    query = (
        f"SELECT id, task, episode_id, run_id FROM receipts WHERE {where} AND receipt_id = :receipt AND void IS NULL"
    )
    row = db.conn.execute(query, scope.bind(receipt=receipt_id)).fetchone()
    if row is None:
        raise NotFoundError(f"namespace {scope.namespace!r} has no receipt {receipt_id!r}; a recall returns its id")
    return int(row[0]), str(row[1]), row[2], row[3]


def read_receipt(db: Database, scope: Scope, receipt_id: str) -> Receipt:
    """Return a receipt with what is on it.

    Raises:
        NotFoundError: if the namespace has no such receipt.
    """
    number, task, episode_id, run_id = find_receipt(db, scope, receipt_id)
    outcome, advantage, created, weight = db.conn.execute(
        "SELECT outcome, advantage, created, weight FROM receipts WHERE id = ?", (number,)
    ).fetchone()
    places = db.conn.execute(
        "SELECT template_id, exposure, credit, withheld FROM receipt_templates WHERE receipt_id = ? "
        "ORDER BY withheld, exposure DESC, template_id",
        (number,),
    ).fetchall()
    return Receipt(
        receipt_id=receipt_id,
        task=task or None,
        episode_id=episode_id,
        outcome=outcome,
        advantage=advantage,
        created=created,
        exposures={place[0]: place[1] for place in places if not place[3]},
        credits={place[0]: place[2] for place in places if place[2] is not None},
        withheld=tuple(place[0] for place in places if place[3]),
        weight=weight,
        run_id=run_id,
    )


def credit_episode(db: Database, episode_id: str, gained: float | None) -> None:
    """Credit the templates on an episode's receipts with its advantage, in place of what they had for it before."""
    query = "SELECT id FROM receipts WHERE episode_id = ? AND void IS NULL"
    for (receipt,) in db.conn.execute(query, (episode_id,)).fetchall():
        credit_receipt(db, receipt, gained)


def credit_found(db: Database, episode_id: str, gained: float | None) -> None:
    """Credit the texts that were just written for an episode with its advantage."""
    fresh = "SELECT id FROM receipts WHERE episode_id = ? AND weight = ? AND advantage IS NULL AND void IS NULL"
    for (receipt,) in db.conn.execute(fresh, (episode_id, FOUND_WEIGHT)).fetchall():
        credit_receipt(db, receipt, gained)


def found_for(db: Database, namespace: str, episode_id: str, template_id: int, task: str) -> bool:
    """Write that a text is about an episode, whose outcome credits it from now on, and say whether that is new."""
    known = (
        "SELECT 1 FROM receipts JOIN receipt_templates ON receipt_templates.receipt_id = receipts.id "
        "WHERE episode_id = ? AND template_id = ? AND weight = ? AND void IS NULL"
    )
    if db.conn.execute(known, (episode_id, template_id, FOUND_WEIGHT)).fetchone():
        return False
    store_receipt(db, namespace, {template_id: 1.0}, episode_id, task, weight=FOUND_WEIGHT)
    return True


def credit_receipt(db: Database, receipt: int, gained: float | None) -> None:
    """Credit the templates on a receipt: what it gave before is taken back first, so an outcome counts once."""
    rows = db.conn.execute(_PLACES, (receipt,)).fetchall()
    (weight,) = db.conn.execute("SELECT weight FROM receipts WHERE id = ?", (receipt,)).fetchone()
    places = [Place(exposure, given, verdict, Evidence(*sums)) for _, exposure, given, verdict, *sums in rows]
    evidence, now = credited_anew(places, weight, gained)
    db.conn.executemany(
        "UPDATE templates SET utility_sum = ?, utility_square = ?, utility_weight = ? WHERE id = ?",
        [(*sums, row[0]) for row, sums in zip(rows, evidence, strict=True)],
    )
    db.conn.executemany(
        "UPDATE receipt_templates SET credit = ? WHERE receipt_id = ? AND template_id = ?",
        [(credit, receipt, row[0]) for row, credit in zip(rows, now, strict=True)],
    )
    db.conn.execute("UPDATE receipts SET advantage = ? WHERE id = ?", (gained, receipt))
