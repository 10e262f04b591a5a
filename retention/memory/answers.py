"""Outcomes of receipts: what is said of an answer that templates were recalled for, at any time after it."""

from __future__ import annotations

import time

from sqlite_utils import Database

from .episode_rows import feedback
from .episodes import AGENT, Feedback, Opinion
from .gate import EARLIER_LIMIT, FeedbackGate
from .hearing import gained_by_answer, heard
from .receipts import credit_receipt, find_receipt
from .run_rows import outcome as run_outcome
from .scope import Scope


def update_outcome(db: Database, scope: Scope, receipt_id: str, said: Opinion, gate: FeedbackGate) -> Feedback:
    """Write what is said of an answer and credit what was recalled for it; of an episode's, of the episode.

    Raises:
        NotFoundError: if the namespace has no such receipt.
    """
    receipt, task, episode_id, run_id = find_receipt(db, scope, receipt_id)
    said = said.named()
    if episode_id is not None or (run_id is not None and said.source != AGENT):
        if run_id is not None:
            told = run_outcome(db, scope, run_id, said, None, gate)
        else:
            told = feedback(db, scope, str(episode_id), said, gate)
        return Feedback(
            feedback_id=told.feedback_id,
            episode_id=told.episode_id,
            applied=told.applied,
            gate=told.gate,
            receipt_id=receipt_id,
        )
    fresh = db.conn.execute(
        "INSERT INTO receipt_outcomes (receipt_id, reward, rating, source, feedback_id, reason, created) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (receipt_id, feedback_id) DO NOTHING",
        (receipt_id, said.reward, said.rating, said.source, said.feedback_id, said.reason, time.time()),
    ).rowcount
    query = "SELECT source, reward, rating FROM receipt_outcomes WHERE receipt_id = ? AND void IS NULL ORDER BY id"
    all_said = heard(db.conn.execute(query, (receipt_id,)).fetchall())
    earlier = _earlier_outcomes(db, Scope(scope.namespace, task), receipt)
    if fresh:
        db.conn.execute("UPDATE receipts SET outcome = ? WHERE id = ?", (all_said.outcome, receipt))
        credit_receipt(db, receipt, gained_by_answer(all_said, earlier))
    decision = gate.decide(all_said.outcome or 0.0, earlier, None, all_said.rating)
    return Feedback(
        feedback_id=said.feedback_id, episode_id=None, applied=bool(fresh), gate=decision, receipt_id=receipt_id
    )


def _earlier_outcomes(db: Database, scope: Scope, before: int) -> list[float]:
    query = (
        f"SELECT outcome FROM receipts WHERE {scope.where} AND outcome IS NOT NULL AND id < :before "
        f"ORDER BY id DESC LIMIT {EARLIER_LIMIT}"
    )
    return [float(row[0]) for row in reversed(db.conn.execute(query, scope.bind(before=before)).fetchall())]
