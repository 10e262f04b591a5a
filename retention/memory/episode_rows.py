"""Episodes in the tables: committing one, reading them, and the feedback that comes later."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean
from typing import Any

import numpy as np
from sqlite_utils import Database

from ..errors import NotFoundError
from .credit import advantage
from .episodes import AGENT, CommittedEpisode, Episode, EpisodeDraft, Feedback, Opinion
from .gate import EARLIER_LIMIT, FeedbackGate, Gate
from .note_rows import settle, went_well
from .receipts import credit_episode, present, store_receipt
from .removals import announce
from .scope import Scope
from .templates import TRANSITION
from .transition_rows import discard, merge, next_revision
from .transitions import Transitions

_NEWEST = 2**63 - 1

_SAID = """
FROM outcomes WHERE outcomes.episode_id = episodes.episode_id AND kind = 'feedback' AND outcomes.void IS NULL AND
"""
_SELECT = f"""
SELECT *,
    (SELECT avg(voice) FROM (SELECT avg(rating) AS voice {_SAID} source <> 'agent' GROUP BY source)) AS rating,
    (SELECT avg(ifnull(rating, max(-1.0, min(1.0, reward)))) {_SAID} source = 'agent') AS self_rating,
    (SELECT total(reward) {_SAID} source <> 'agent') AS late_reward
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
    _insert_outcome(db, episode_id, "return", Opinion(reward=draft.return_))
    if there := present(db, draft.namespace, recalled):
        store_receipt(db, draft.namespace, there, episode_id, draft.task, created=now)
        credit_episode(db, episode_id, advantage(draft.return_, earlier))
    if void_up_to:
        discard(db, scope, void_up_to, revision)
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


def feedback(db: Database, scope: Scope, episode_id: str, said: Opinion, gate: FeedbackGate) -> Feedback:
    """Write what is said of an episode, let the gate decide anew, and credit what was recalled for it."""
    before = find(db, scope, episode_id)
    said = said.named()
    known = "SELECT 1 FROM outcomes WHERE episode_id = ? AND feedback_id = ?"
    if db.conn.execute(known, (episode_id, said.feedback_id)).fetchone():
        return Feedback(feedback_id=said.feedback_id, episode_id=episode_id, applied=False, gate=before.gate)
    _insert_outcome(db, episode_id, "feedback", said)
    revision = next_revision(db)
    if said.source != AGENT:
        _note_on_last_template(db, before, said, revision)
    now = reconsider(db, scope, episode_id, gate, revision)
    return Feedback(feedback_id=said.feedback_id, episode_id=episode_id, applied=True, gate=now.gate)


def reconsider(db: Database, scope: Scope, episode_id: str, gate: FeedbackGate, revision: int) -> Episode:
    """Decide on an episode with all that was said of it so far: its gate, its texts and notes, and its credit."""
    episode = find(db, scope, episode_id)
    outcome, earlier = _outcome_and_earlier(db, episode)
    decision = gate.decide(outcome, earlier, episode.success, episode.rating)
    db.conn.execute(
        "UPDATE episodes SET polarity = ?, weight = ? WHERE episode_id = ?",
        (decision.polarity, decision.weight, episode_id),
    )
    episode = replace(episode, gate=decision)
    _quarantine_or_free(db, episode, decision, gate, revision)
    well = went_well(episode.rating, episode.success, decision, outcome, earlier)
    settle(db, episode, well, revision)
    credit_episode(db, episode_id, advantage(outcome, earlier, episode.rating, episode.self_rating))
    return episode


def gained_by(db: Database, episode: Episode) -> float | None:
    """Return the advantage of an episode with all that was said of it so far; ``None`` where it cannot be compared."""
    return advantage(*_outcome_and_earlier(db, episode), episode.rating, episode.self_rating)


def _outcome_and_earlier(db: Database, episode: Episode) -> tuple[float, list[float]]:
    (number,) = db.conn.execute("SELECT id FROM episodes WHERE episode_id = ?", (episode.episode_id,)).fetchone()
    earlier = _earlier_returns(db, Scope(episode.namespace, episode.task), number)
    return episode.return_ + episode.late_reward, earlier


def refuses_texts(decision: Gate, rating: float | None, gate: FeedbackGate) -> bool:
    """Say whether what an episode noted is kept from use, by the decision on it and the rating of its users.

    A failed step is evidence, a text is not: where users rate the episode badly, that is enough.
    """
    return not gate.admits(decision) or (bool(rating) and decision.polarity < 0)


def _note_on_last_template(db: Database, episode: Episode, said: Opinion, revision: int) -> None:
    db.conn.execute(
        "UPDATE templates SET reward_sum = reward_sum + ?, rating_sum = rating_sum + ?, "
        "rating_count = rating_count + ?, revision = ? WHERE id = ?",
        (said.reward or 0.0, said.rating or 0.0, said.rating is not None, revision, episode.last_template_id),
    )


def _quarantine_or_free(db: Database, episode: Episode, decision: Gate, gate: FeedbackGate, revision: int) -> None:
    # What other episodes found too is not this one's to take back.
    texts_refused = refuses_texts(decision, episode.rating, gate)
    for is_transition, refused in ((True, not gate.admits(decision)), (False, texts_refused)):
        changed = db.conn.execute(
            "UPDATE templates SET status = :status, revision = :revision WHERE first_episode_id = :episode "
            "AND last_episode_id = :episode AND (kind = :transition) = :is_transition AND status <> :status "
            "AND held IS NULL",
            {
                "status": "quarantined" if refused else "active",
                "revision": revision,
                "episode": episode.episode_id,
                "transition": TRANSITION,
                "is_transition": is_transition,
            },
        ).rowcount
        if changed:
            announce(db, episode.namespace, revision)


def find(db: Database, scope: Scope, episode_id: str) -> Episode:
    """Return an episode.

    Raises:
        NotFoundError: if the namespace has no such episode, or it was rolled back.
    """
    for row in db.query(f"{_SELECT} {scope.where} AND episode_id = :episode_id", scope.bind(episode_id=episode_id)):
        if row["void"] is not None:
            raise NotFoundError(f"episode {episode_id!r} was rolled back, and counts no more; what comes after it does")
        return _episode(row)
    raise NotFoundError(
        f"namespace {scope.namespace!r} has no episode {episode_id!r}; list them with: holdfast memory list"
    )


def select(db: Database, scope: Scope, limit: int | None) -> list[Episode]:
    """Return the episodes of a scope, oldest first; with a limit, the latest so many."""
    query = f"{_SELECT} {scope.where} AND void IS NULL ORDER BY id DESC LIMIT :limit"
    rows = list(db.query(query, scope.bind(limit=-1 if limit is None else limit)))
    return [_episode(row) for row in reversed(rows)]


def count(db: Database, scope: Scope) -> int:
    """Return how many episodes a scope has."""
    query = f"SELECT count(*) FROM episodes WHERE {scope.where} AND void IS NULL"
    return int(db.conn.execute(query, scope.bind()).fetchone()[0])


def _earlier_returns(db: Database, scope: Scope, before: int) -> list[float]:
    where = f"{scope.where} AND id < :before AND void IS NULL"
    query = f"SELECT return_ FROM episodes WHERE {where} ORDER BY id DESC LIMIT {EARLIER_LIMIT}"
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


def _insert_outcome(db: Database, episode_id: str, kind: str, said: Opinion) -> None:
    db.conn.execute(
        "INSERT INTO outcomes (episode_id, kind, reward, rating, feedback_id, source, reason, created) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (episode_id, kind, said.reward, said.rating, said.feedback_id or None, said.source, said.reason, time.time()),
    )


def _episode(row: dict[str, Any]) -> Episode:
    gate = Gate(polarity=row.pop("polarity"), weight=row.pop("weight"))
    success = row.pop("success")
    del row["id"], row["baseline"], row["void"]
    return Episode(gate=gate, success=None if success is None else bool(success), **row)
