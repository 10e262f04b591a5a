"""What a rollback would change: what was written and said since a time, and all that followed from that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from sqlite_utils import Database

from .episodes import AGENT
from .gate import FeedbackGate
from .history import History, ReceiptRow, SaidRow, Void, read_history
from .redeciding import Decisions, decide_anew
from .scope import Scope


@final
@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which changes of a namespace are meant.

    Attributes:
        as_of: those after this time, in seconds since 1970.
        source: of this source alone; ``None`` for any.
        run_id: of this run of an agent alone; ``None`` for any.
    """

    as_of: float
    source: str | None = None
    run_id: str | None = None

    def takes(self, created: float, source: str | None, of_run: bool) -> bool:
        """Say whether a change is meant, by when it came, who made it, and whether it is of the run."""
        return created > self.as_of and self.source in (None, source) and (self.run_id is None or of_run)


@final
@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a rollback would change.

    Attributes:
        void: what no longer counts.
        left: the history without it.
        decisions: what is decided otherwise then.
        late: what was said of episodes that also went to the template they ended on, and that template.
    """

    void: Void
    left: History
    decisions: Decisions
    late: tuple[tuple[SaidRow, int], ...]


def plan(db: Database, scope: Scope, wanted: Selection, gate: FeedbackGate) -> Plan | None:
    """Find out what a rollback would change in a namespace, but for credits; ``None`` where that is nothing."""
    history = read_history(db, scope)
    void = _choose(db, scope, history, wanted)
    if void.is_empty:
        return None
    left = history.without(void)
    return Plan(
        void=void,
        left=left,
        decisions=decide_anew(db, scope, history, left, void, gate),
        late=tuple(_late(history, void)),
    )


def _late(history: History, void: Void) -> Iterator[tuple[SaidRow, int]]:
    for name, rows in history.outcomes.items():
        number = history.episodes[name].last_template_id
        for row in rows:
            if number is not None and row.id in void.outcomes and row.kind == "feedback" and row.source != AGENT:
                yield row, number


def _choose(db: Database, scope: Scope, history: History, wanted: Selection) -> Void:
    run = None if wanted.run_id is None else history.runs.get(wanted.run_id)
    of_run = None if run is None else run.episode_id
    receipts = {row.receipt_id for row in history.receipts.values() if row.run_id == wanted.run_id}
    said = [row for rows in history.outcomes.values() for row in rows]
    outcomes = {row.id for row in said if wanted.takes(row.created, row.source, row.of == of_run)}
    # With the outcome that made an episode goes all that was said of it after.
    episodes = {row.of for row in said if row.kind == "return" and row.id in outcomes}
    notes = [row for row in history.notes if wanted.takes(row.created, row.source, row.run_id == wanted.run_id)]
    templates = _fresh_templates(db, scope, wanted, of_run)
    noted = {(history.runs[row.run_id].episode_id, row.template) for row in notes}
    shown = {number: [row.template for row in rows] for number, rows in history.places.items()}

    everything = wanted.source is None and wanted.run_id is None
    # What was recalled since for an episode that stays: what is said of the episode later does not reach it.
    recalled = {
        row.id
        for row in history.receipts.values()
        if everything and not row.is_found and row.created > wanted.as_of and row.run_id is None and row.episode_id
        if row.episode_id not in episodes
    }

    def goes(row: ReceiptRow) -> bool:
        """Say whether it is void that a text was written for an episode: with either of them, or with the note."""
        if row.episode_id in episodes or row.created <= wanted.as_of:
            return row.episode_id in episodes
        if everything:
            return True
        return any(each in templates or (row.episode_id, each) in noted for each in shown.get(row.id, ()))

    return Void(
        templates=templates,
        episodes=episodes,
        outcomes={row.id for row in said if row.id in outcomes or row.of in episodes},
        answers={
            row.id
            for rows in history.answers.values()
            for row in rows
            if wanted.takes(row.created, row.source, row.of in receipts)
        },
        notes={row.id for row in notes},
        receipts={row.id for row in history.receipts.values() if row.is_found and goes(row)} | recalled,
        verdicts={
            (row.receipt, row.template)
            for rows in history.places.values()
            for row in rows
            if row.judged is not None
            and wanted.takes(row.judged, row.judge, history.receipts[row.receipt].run_id == wanted.run_id)
        },
    )


def _fresh_templates(db: Database, scope: Scope, wanted: Selection, episode_id: str | None) -> set[int]:
    """Return the templates that are meant; those that are held already stay as they are."""
    query = (
        f"SELECT id FROM templates WHERE {scope.where} AND created > :as_of AND held IS NULL "
        "AND (:source IS NULL OR source = :source) AND (:run IS NULL OR first_episode_id = :episode "
        "OR id IN (SELECT template_id FROM notes WHERE run_id = :run AND born))"
    )
    values = scope.bind(as_of=wanted.as_of, source=wanted.source, run=wanted.run_id, episode=episode_id)
    return {row[0] for row in db.conn.execute(query, values)}
