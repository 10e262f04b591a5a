"""Notes in the tables: what runs noted, and whether the outcomes of these runs let it be used."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from sqlite_utils import Database

from .episodes import Episode
from .gate import Gate
from .removals import announce
from .runs import Note, NoteRule, has_earned_use
from .scope import Scope

_HOUR_S = 3600.0


def over_limit(db: Database, scope: Scope, run_id: str, source: str, rule: NoteRule) -> str | None:
    """Return which limit one more note would pass, in words; ``None`` for none."""
    of_run = f"SELECT count(*) FROM notes WHERE {scope.where} AND run_id = :run"
    if db.conn.execute(of_run, scope.bind(run=run_id)).fetchone()[0] >= rule.per_run:
        return f"this run has {rule.per_run} notes already, the most that one may have"
    of_source = f"SELECT count(*) FROM notes WHERE {scope.where} AND source = :source AND created > :since"
    values = scope.bind(source=source, since=time.time() - _HOUR_S)
    if db.conn.execute(of_source, values).fetchone()[0] >= rule.per_hour:
        return f"{rule.per_hour} notes of source {source!r} came within the hour, the most that may"
    return None


def insert(db: Database, scope: Scope, run_id: str, template_id: int, source: str, born: bool, rule: NoteRule) -> bool:
    """Write that a run noted a template, once, and say whether that is new."""
    fresh = db.conn.execute(
        "INSERT INTO notes (run_id, namespace, template_id, source, born, needs, rated, apart, flags, created) "
        "VALUES (:run, :namespace, :template, :source, :born, :needs, :rated, :apart, :flags, :now) "
        "ON CONFLICT (run_id, template_id) DO UPDATE SET void = NULL, went_well = NULL, rated_well = NULL "
        "WHERE void IS NOT NULL",
        scope.bind(
            run=run_id,
            template=template_id,
            source=source,
            born=born,
            needs=rule.needs,
            rated=rule.rated,
            apart=rule.apart,
            flags="\n".join(rule.flags),
        ),
    ).rowcount
    return bool(fresh)


def of_template(db: Database, scope: Scope, template_id: int) -> list[Note]:
    """Return the notes of a template, oldest first."""
    query = (
        "SELECT notes.*, (SELECT user FROM runs WHERE runs.run_id = notes.run_id) AS user "
        f"FROM notes WHERE {scope.where} AND template_id = :template AND void IS NULL ORDER BY id"
    )
    return [_note(row) for row in db.query(query, scope.bind(template=template_id))]


def of_episode(db: Database, scope: Scope, episode_id: str) -> list[int]:
    """Return the templates that the run of an episode noted."""
    query = (
        f"SELECT template_id FROM notes WHERE {scope.where} AND void IS NULL AND run_id = "
        "(SELECT run_id FROM runs WHERE episode_id = :episode) ORDER BY id"
    )
    return [row[0] for row in db.conn.execute(query, scope.bind(episode=episode_id))]


def went_well(
    rating: float | None, success: bool | None, decision: Gate, outcome: float, earlier: Sequence[float]
) -> bool:
    """Say whether a run went well, as its notes need it.

    The rating of a person decides, else what was said of success, else the gate and that it was either better than the
    task's earlier ones on average or worth something at all: one failure after many is no success.

    Args:
        rating: the mean of the users' ratings; ``None`` without one.
        success: what was said of success, if anything.
        decision: of the gate, on the episode of the run.
        outcome: its return and the rewards that came late.
        earlier: the task's outcomes before it.
    """
    if rating:
        return rating > 0
    if success is not None:
        return success
    better = bool(earlier) and outcome > fmean(earlier)
    return decision.polarity > 0 and (better or outcome > 0)


def settle(db: Database, episode: Episode, well: bool, revision: int) -> None:
    """Let the outcome of a run, as it is known now, decide on what the run noted; again whenever it changes."""
    scope = Scope(episode.namespace)
    noted = of_episode(db, scope, episode.episode_id)
    if not noted:
        return
    db.conn.execute(
        f"UPDATE notes SET went_well = :well, rated_well = :agrees WHERE {scope.where} AND void IS NULL AND run_id = "
        "(SELECT run_id FROM runs WHERE episode_id = :episode)",
        scope.bind(well=well, agrees=(episode.rating or 0.0) > 0, episode=episode.episode_id),
    )
    for template_id in noted:
        decide(db, scope, template_id, revision)


def decide(db: Database, scope: Scope, template_id: int, revision: int) -> None:
    """Free a template that a note made, or keep it from use, as the outcomes of its notes say."""
    notes = of_template(db, scope, template_id)
    if not any(note.born for note in notes):
        return  # it was there before: what runs say of it moves its utility alone
    status = "active" if has_earned_use(notes) else "quarantined"
    changed = db.conn.execute(
        f"UPDATE templates SET status = :status, revision = :revision WHERE {scope.where} AND id = :id "
        "AND status <> :status AND held IS NULL",
        scope.bind(status=status, revision=revision, id=template_id),
    ).rowcount
    if changed and status == "quarantined":
        announce(db, scope.namespace, revision)


def _note(row: dict[str, Any]) -> Note:
    def known(value: int | None) -> bool | None:
        return None if value is None else bool(value)

    return Note(
        run_id=row["run_id"],
        user=row["user"],
        template_id=row["template_id"],
        source=row["source"],
        born=bool(row["born"]),
        needs=row["needs"],
        rated=bool(row["rated"]),
        apart=bool(row["apart"]),
        flags=tuple(filter(None, row["flags"].split("\n"))),
        went_well=known(row["went_well"]),
        rated_well=known(row["rated_well"]),
        created=row["created"],
    )
