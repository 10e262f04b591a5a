"""Outcomes of receipts: what is said of an answer that templates were recalled for, at any time after it."""

from __future__ import annotations

import time

from sqlite_utils import Database

from .credit import advantage
from .episode_rows import feedback
from .episodes import AGENT, Feedback, Opinion
from .gate import EARLIER_LIMIT, FeedbackGate
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
    # Each source has one voice, however often it speaks.
    reward, rating, self_rating = db.conn.execute(
        "SELECT sum(reward), avg(voice) FILTER (WHERE source <> :agent), avg(voice) FILTER (WHERE source = :agent) "
        "FROM (SELECT source, sum(reward) AS reward, avg(rating) AS voice FROM receipt_outcomes "
        "WHERE receipt_id = :receipt GROUP BY source)",
        {"agent": AGENT, "receipt": receipt_id},
    ).fetchone()
    outcome = None if reward is None and rating is None else (reward or 0.0) + (rating or 0.0)
    earlier = _earlier_outcomes(db, Scope(scope.namespace, task), receipt)
    if fresh:
        db.conn.execute("UPDATE receipts SET outcome = ? WHERE id = ?", (outcome, receipt))
        # Ratings alone are compared with the task's earlier ones: a thumb that is always up tells nothing apart.
        decisive = rating if reward is not None or not earlier else None
        gained = advantage(outcome or 0.0, [] if outcome is None else earlier, decisive, self_rating)
        credit_receipt(db, receipt, gained)
    decision = gate.decide(outcome or 0.0, earlier, None, rating)
    return Feedback(
        feedback_id=said.feedback_id, episode_id=None, applied=bool(fresh), gate=decision, receipt_id=receipt_id
    )


def _earlier_outcomes(db: Database, scope: Scope, before: int) -> list[float]:
    query = (
        f"SELECT outcome FROM receipts WHERE {scope.where} AND outcome IS NOT NULL AND id < :before "
        f"ORDER BY id DESC LIMIT {EARLIER_LIMIT}"
    )
    return [float(row[0]) for row in reversed(db.conn.execute(query, scope.bind(before=before)).fetchall())]
