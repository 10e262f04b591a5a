"""Runs in the tables: begun, given notes, and made an episode by their outcome."""

from __future__ import annotations

import time
import uuid

from sqlite_utils import Database

from ..errors import NotFoundError
from . import episode_rows, note_rows, writing
from .episodes import AGENT, EpisodeDraft, Feedback, Opinion
from .gate import FeedbackGate
from .receipts import found_for
from .runs import Noted, NoteRule, Run, standing
from .scope import Scope
from .sealing import Seal
from .templates import TemplateDraft
from .transition_rows import next_revision

_COLUMNS = "run_id, namespace, task, user, saw, episode_id, created"


def begin(db: Database, scope: Scope, user: str | None, run_id: str | None) -> Run:
    """Begin a run of the scope's task, or go on with the one of that id.

    Raises:
        ValueError: if the run is there and of another task.
    """
    if run_id is None:
        run_id = uuid.uuid4().hex
    db.conn.execute(
        "INSERT INTO runs (run_id, namespace, task, user, created) VALUES (:run, :namespace, :task, :user, :now) "
        "ON CONFLICT (run_id) DO NOTHING",
        scope.bind(run=run_id, user=user),
    )
    run = find(db, Scope(scope.namespace), run_id)
    if (run.task, run.user) != (scope.task, user):
        raise ValueError(f"run {run_id!r} is of task {run.task!r} and user {run.user!r}; begin another one")
    return run


def find(db: Database, scope: Scope, run_id: str) -> Run:
    """Return a run.

    Raises:
        NotFoundError: if the namespace has no such run.
    """
    query = f"SELECT {_COLUMNS} FROM runs WHERE {scope.where} AND run_id = :run"
    row = db.conn.execute(query, scope.bind(run=run_id)).fetchone()
    if row is None:
        raise NotFoundError(f"namespace {scope.namespace!r} has no run {run_id!r}; beginning one returns its id")
    return Run(**dict(zip(_COLUMNS.split(", "), row, strict=True)))


def has_others(db: Database, scope: Scope, user: str | None) -> bool:
    """Say whether runs of a namespace were done for named users other than this one."""
    query = f"SELECT 1 FROM runs WHERE {scope.where} AND user {{}} LIMIT 1"
    # Two ranges of the index; "not equal" would look at every row.
    sides = ["IS NOT NULL"] if user is None else ["< :user", "> :user"]
    return any(db.conn.execute(query.format(side), scope.bind(user=user)).fetchone() for side in sides)


def saw(db: Database, scope: Scope, run_id: str, source: str) -> int:
    """Note the least trusted source that the agent has read in a run."""
    find(db, scope, run_id)
    query = f"UPDATE runs SET saw = :source WHERE {scope.where} AND run_id = :run"
    return db.conn.execute(query, scope.bind(source=source, run=run_id)).rowcount


def note(
    db: Database,
    scope: Scope,
    run_id: str,
    draft: TemplateDraft,
    rule: NoteRule,
    gate: FeedbackGate,
    seal: Seal | None,
) -> Noted:
    """Write what a run notes; it is used once the outcome of the run, or of as many as it needs, was good.

    Raises:
        NotFoundError: if the namespace has no such run.
    """
    run = find(db, scope, run_id)
    over = note_rows.over_limit(db, scope, run_id, draft.source, rule)
    if over is not None:
        return Noted(template_id=None, status="rejected", reason=over)
    report = writing.write(db, scope.namespace, [draft], gate, seal, pending=True)
    template_id, born = report.ids[0], report.kept == 1
    fresh = note_rows.insert(db, scope, run_id, template_id, draft.source, born, rule)
    if run.episode_id is not None and fresh:
        found_for(db, scope.namespace, run.episode_id, template_id, run.task)
        episode_rows.reconsider(db, scope, run.episode_id, gate, next_revision(db))
    return _said_of(db, scope, template_id, born)


def _said_of(db: Database, scope: Scope, template_id: int, born: bool) -> Noted:
    (status,) = db.conn.execute("SELECT status FROM templates WHERE id = ?", (template_id,)).fetchone()
    notes = note_rows.of_template(db, scope, template_id)
    if status == "active":
        return Noted(template_id=template_id, status="stored" if born else "merged")
    stands, reason = standing(notes)
    return Noted(template_id=template_id, status=stands, reason=reason)


def outcome(
    db: Database,
    scope: Scope,
    run_id: str,
    said: Opinion,
    success: bool | None,
    gate: FeedbackGate,
) -> Feedback:
    """Write how a run went: the first outcome makes it an episode, later ones are feedback on that.

    Raises:
        NotFoundError: if the namespace has no such run.
        ValueError: if the agent itself says it, or success is said of a run that has its outcome.
    """
    run, said = find(db, scope, run_id), said.named()
    if run.episode_id is not None:
        if success is not None and not _is_known(db, run.episode_id, said.feedback_id):
            raise ValueError("success is for a run's first outcome, and this run has it; give a rating or a reward")
        return episode_rows.feedback(db, scope, run.episode_id, said, gate)
    if said.source == AGENT:
        raise ValueError("an agent does not say how its own run went: the outcome comes from the application or a user")
    episode_id = _commit(db, run, said, success, gate)
    if said.rating is not None:
        rated = Opinion(rating=said.rating, feedback_id=said.feedback_id, source=said.source, reason=said.reason)
        return episode_rows.feedback(db, scope, episode_id, rated, gate)
    db.conn.execute(
        "UPDATE outcomes SET feedback_id = ?, source = ?, reason = ? WHERE episode_id = ? AND kind = 'return'",
        (said.feedback_id, said.source, said.reason, episode_id),
    )
    episode = episode_rows.reconsider(db, scope, episode_id, gate, next_revision(db))
    return Feedback(feedback_id=said.feedback_id, episode_id=episode_id, applied=True, gate=episode.gate)


def _commit(db: Database, run: Run, said: Opinion, success: bool | None, gate: FeedbackGate) -> str:
    """Make an episode of a run, with its receipts, what the agent said of them, and its notes."""
    of_task, values = Scope(run.namespace, run.task), {"run": run.run_id}
    (length,) = db.conn.execute(
        "SELECT (SELECT count(*) FROM receipts WHERE run_id = :run) + (SELECT count(*) FROM notes WHERE run_id = :run)",
        values,
    ).fetchone()
    earned = said.reward if said.reward is not None else said.rating
    if earned is None:
        earned = 1.0 if success else 0.0
    draft = EpisodeDraft(
        namespace=run.namespace,
        task=run.task,
        number=episode_rows.count(db, of_task) + 1,
        seed=None,
        return_=earned,
        length=length,
        success=success,
        seconds=max(0.0, time.time() - run.created),
    )
    episode_id = episode_rows.commit(db, draft, None, {}, gate).episode_id
    values["episode"] = episode_id
    db.conn.execute("UPDATE runs SET episode_id = :episode WHERE run_id = :run", values)
    db.conn.execute("UPDATE receipts SET episode_id = :episode WHERE run_id = :run", values)
    db.conn.execute(
        "INSERT OR IGNORE INTO outcomes (episode_id, kind, reward, rating, feedback_id, source, reason, created) "
        "SELECT :episode, 'feedback', reward, rating, feedback_id, source, reason, created FROM receipt_outcomes "
        "WHERE void IS NULL AND receipt_id IN (SELECT receipt_id FROM receipts WHERE run_id = :run) ORDER BY id",
        values,
    )
    for template_id in note_rows.of_episode(db, Scope(run.namespace), episode_id):
        found_for(db, run.namespace, episode_id, template_id, run.task)
    return episode_id


def _is_known(db: Database, episode_id: str, feedback_id: str) -> bool:
    known = "SELECT 1 FROM outcomes WHERE episode_id = ? AND feedback_id = ?"
    return db.conn.execute(known, (episode_id, feedback_id)).fetchone() is not None
