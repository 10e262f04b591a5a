"""Episodes in the tables: committing one, reading them, and the feedback that comes later."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from statistics import fmean
from typing import Any

import numpy as np
from sqlite_utils import Database

from ..errors import NotFoundError
from .episodes import CommittedEpisode, Episode, EpisodeDraft, Feedback
from .gate import EARLIER_LIMIT, FeedbackGate, Gate
from .receipts import credit_episode, present, store_receipt
from .scope import Scope
from .transition_rows import discard, merge, next_revision
from .transitions import Transitions

_NEWEST = 2**63 - 1

_SELECT = """
SELECT *,
    (SELECT avg(rating) FROM outcomes WHERE outcomes.episode_id = episodes.episode_id) AS rating,
    (SELECT total(reward) FROM outcomes WHERE outcomes.episode_id = episodes.episode_id AND kind = 'feedback')
        AS late_reward
FROM episodes WHERE
"""


def commit(
    db: Database,
    draft: EpisodeDraft,
    transitions: Transitions | None,
    recalled: Mapping[int, float],
    gate: FeedbackGate,
    void_up_to: int = 0,
) -> CommittedEpisode:
    """Write an episode, its outcome, its gate, its templates and its receipt, and credit what was recalled."""
    scope = Scope(draft.namespace, draft.task)
    earlier = _earlier_returns(db, scope, _NEWEST)
    decision = gate.decide(draft.return_, earlier, draft.success)
    episode_id, now, revision = uuid.uuid4().hex, time.time(), next_revision(db)
    _insert_episode(db, draft, episode_id, decision, fmean(earlier) if earlier else None, now)
    _insert_outcome(db, episode_id, "return", reward=draft.return_, rating=None, feedback_id=None)
    if there := present(db, draft.namespace, recalled):
        store_receipt(db, draft.namespace, there, episode_id)
        credit_episode(db, episode_id, outcome=draft.return_, rating=None)
    if void_up_to:
        discard(db, scope, void_up_to)
    rows = 0 if transitions is None else len(transitions)
    ids, written, merged = np.zeros(rows, np.int64), 0, 0
    if transitions is not None and rows and gate.admits(decision):
        ids, written = merge(db, scope, transitions, episode_id, revision)
        merged = rows - written
        db.conn.execute(
            "UPDATE episodes SET written = ?, merged = ?, last_template_id = ? WHERE episode_id = ?",
            (written, merged, int(ids[-1]), episode_id),
        )
    return CommittedEpisode(
        episode_id=episode_id, gate=decision, written=written, merged=merged, template_ids=ids, revision=revision
    )


def feedback(
    db: Database,
    scope: Scope,
    episode_id: str,
    rating: float | None,
    reward: float | None,
    feedback_id: str | None,
    gate: FeedbackGate,
) -> Feedback:
    """Write what a user says of an episode and let the gate decide anew."""
    before = find(db, scope, episode_id)
    feedback_id = feedback_id or uuid.uuid4().hex
    known = "SELECT 1 FROM outcomes WHERE episode_id = ? AND feedback_id = ?"
    if db.conn.execute(known, (episode_id, feedback_id)).fetchone():
        return Feedback(feedback_id=feedback_id, episode_id=episode_id, applied=False, gate=before.gate)
    _insert_outcome(db, episode_id, "feedback", reward=reward, rating=rating, feedback_id=feedback_id)
    episode = find(db, scope, episode_id)
    outcome = episode.return_ + episode.late_reward
    (number,) = db.conn.execute("SELECT id FROM episodes WHERE episode_id = ?", (episode_id,)).fetchone()
    earlier = _earlier_returns(db, Scope(episode.namespace, episode.task), number)
    decision = gate.decide(outcome, earlier, episode.success, episode.rating)
    db.conn.execute(
        "UPDATE episodes SET polarity = ?, weight = ? WHERE episode_id = ?",
        (decision.polarity, decision.weight, episode_id),
    )
    revision = next_revision(db)
    db.conn.execute(
        "UPDATE templates SET reward_sum = reward_sum + ?, rating_sum = rating_sum + ?, "
        "rating_count = rating_count + ?, revision = ? WHERE id = ?",
        (reward or 0.0, rating or 0.0, rating is not None, revision, episode.last_template_id),
    )
    # What other episodes found too is not this one's to take back.
    status = "active" if gate.admits(decision) else "quarantined"
    db.conn.execute(
        "UPDATE templates SET status = :status, revision = :revision "
        "WHERE first_episode_id = :episode AND last_episode_id = :episode AND status <> :status",
        {"status": status, "revision": revision, "episode": episode_id},
    )
    credit_episode(db, episode_id, outcome=outcome, rating=episode.rating)
    return Feedback(feedback_id=feedback_id, episode_id=episode_id, applied=True, gate=decision)


def find(db: Database, scope: Scope, episode_id: str) -> Episode:
    """Return an episode.

    Raises:
        NotFoundError: if the namespace has no such episode.
    """
    for row in db.query(f"{_SELECT} {scope.where} AND episode_id = :episode_id", scope.bind(episode_id=episode_id)):
        return _episode(row)
    raise NotFoundError(
        f"namespace {scope.namespace!r} has no episode {episode_id!r}; list them with: holdfast memory list"
    )


def select(db: Database, scope: Scope, limit: int | None) -> list[Episode]:
    """Return the episodes of a scope, oldest first; with a limit, the latest so many."""
    query = f"{_SELECT} {scope.where} ORDER BY id DESC LIMIT :limit"
    rows = list(db.query(query, scope.bind(limit=-1 if limit is None else limit)))
    return [_episode(row) for row in reversed(rows)]


def count(db: Database, scope: Scope) -> int:
    """Return how many episodes a scope has."""
    (number,) = db.conn.execute(f"SELECT count(*) FROM episodes WHERE {scope.where}", scope.bind()).fetchone()
    return int(number)


def _earlier_returns(db: Database, scope: Scope, before: int) -> list[float]:
    query = f"SELECT return_ FROM episodes WHERE {scope.where} AND id < :before ORDER BY id DESC LIMIT {EARLIER_LIMIT}"
    return [float(row[0]) for row in reversed(db.conn.execute(query, scope.bind(before=before)).fetchall())]


def _insert_episode(
    db: Database, draft: EpisodeDraft, episode_id: str, gate: Gate, baseline: float | None, now: float
) -> None:
    db.conn.execute(
        "INSERT INTO episodes (episode_id, namespace, task, number, seed, return_, length, success, seconds, "
        "polarity, weight, baseline, created) "
        "VALUES (:episode_id, :namespace, :task, :number, :seed, :return_, :length, :success, :seconds, "
        ":polarity, :weight, :baseline, :created)",
        Scope(draft.namespace, draft.task).bind(
            episode_id=episode_id,
            number=draft.number,
            seed=draft.seed,
            return_=draft.return_,
            length=draft.length,
            success=draft.success,
            seconds=draft.seconds,
            polarity=gate.polarity,
            weight=gate.weight,
            baseline=baseline,
            created=now,
        ),
    )


def _insert_outcome(
    db: Database, episode_id: str, kind: str, *, reward: float | None, rating: float | None, feedback_id: str | None
) -> None:
    db.conn.execute(
        "INSERT INTO outcomes (episode_id, kind, reward, rating, feedback_id, created) VALUES (?, ?, ?, ?, ?, ?)",
        (episode_id, kind, reward, rating, feedback_id, time.time()),
    )


def _episode(row: dict[str, Any]) -> Episode:
    gate = Gate(polarity=row.pop("polarity"), weight=row.pop("weight"))
    success = row.pop("success")
    del row["id"], row["baseline"]
    return Episode(gate=gate, success=None if success is None else bool(success), **row)
