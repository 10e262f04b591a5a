"""Deciding anew: the gates of episodes, what stands of notes, and which templates are in use, once some is void."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, final

from sqlite_utils import Database

from .episode_rows import refuses_texts
from .gate import FeedbackGate, Gate
from .history import History, NoteRow, Void
from .note_rows import went_well
from .replay import Told, told, told_of
from .runs import Note, has_earned_use
from .scope import Scope
from .templates import TRANSITION


@final
@dataclass(frozen=True, kw_only=True)
class Decisions:
    """What is decided otherwise than before.

    Attributes:
        gates: the decisions on episodes.
        notes: how the runs of notes went: whether well, and whether a person rated them so; ``None`` where that is not
            known any more.
        statuses: the templates that come into use or out of it.
        last_episodes: the episodes that texts were last found by.
    """

    gates: dict[str, Gate] = field(default_factory=dict)
    notes: dict[int, tuple[bool | None, bool | None]] = field(default_factory=dict)
    statuses: dict[int, str] = field(default_factory=dict)
    last_episodes: dict[int, str | None] = field(default_factory=dict)


def decide_anew(
    db: Database, scope: Scope, history: History, left: History, void: Void, gate: FeedbackGate
) -> Decisions:
    """Decide on what is left of a history as it would have been decided had the rest never come."""
    at = _Deciding(db, scope, left, gate)
    at.decide_on_episodes(_touched_episodes(history, left, void))
    touched = {row.template for row in history.notes if row.id in void.notes}
    touched |= {row.template for number in void.receipts for row in history.places.get(number, ())}
    touched |= at.see_notes()
    at.decide_on_templates(touched - set(void.templates))
    return at.found


def _touched_episodes(history: History, left: History, void: Void) -> list[str]:
    """Return the episodes that something void was said of, or that were compared with one that is void."""
    since: dict[str, int] = {}
    for name in void.episodes:
        row = history.episodes[name]
        since[row.task] = min(row.id, since.get(row.task, row.id))
    said_of = {row.of for rows in history.outcomes.values() for row in rows if row.id in void.outcomes}
    return [name for name, row in left.episodes.items() if name in said_of or row.id > since.get(row.task, row.id)]


@final
class _Deciding:
    def __init__(self, db: Database, scope: Scope, left: History, gate: FeedbackGate) -> None:
        self._db, self._scope, self._left, self._gate = db, scope, left, gate
        self.found = Decisions()
        self._decided: dict[str, Told] = {}
        self._notes: dict[int, list[NoteRow]] = {}
        self._finders: dict[int, list[str]] = {}
        for receipt in left.receipts.values():
            if receipt.is_found and receipt.episode_id is not None:
                for place in left.places.get(receipt.id, ()):
                    self._finders.setdefault(place.template, []).append(receipt.episode_id)

    def decide_on_episodes(self, names: Iterable[str]) -> None:
        self._decided = told(self._left, names)
        for name, now in self._decided.items():
            row = self._left.episodes[name]
            decision = self._gate.decide(now.outcome, now.earlier, row.succeeded, now.said.rating)
            if decision != row.gate:
                self.found.gates[name] = decision

    def see_notes(self) -> set[int]:
        """See how the runs of notes went, and return the templates of those that are seen otherwise."""
        touched = set()
        for note in self._left.notes:
            went = self._went(note)
            if went != (note.went_well, note.rated_well):
                self.found.notes[note.id] = went
                touched.add(note.template)
            now = note._replace(went_well=went[0], rated_well=went[1])
            self._notes.setdefault(note.template, []).append(now)
        return touched

    def _went(self, note: NoteRow) -> tuple[bool | None, bool | None]:
        name = self._left.runs[note.run_id].episode_id
        if name is None:
            return None, None
        if name not in self._decided:
            return note.went_well, note.rated_well
        now, success = self._decided[name], self._left.episodes[name].succeeded
        well = went_well(now.said.rating, success, self._decision(name), now.outcome, now.earlier)
        return well, (now.said.rating or 0.0) > 0

    def decide_on_templates(self, touched: set[int]) -> None:
        """Decide on the templates that an episode alone supports which was decided on, and on others that are named."""
        for name in self._decided:
            for row in self._rows("first_episode_id = :name AND ifnull(last_episode_id, :name) = :name", name=name):
                refused = self._refused(name, row["kind"])
                # Said again by nobody's episode, but not when: before, and it was decided then; or since.
                if refused or row["last_episode_id"] is not None:
                    self._set(row, active=not refused)
        for number in touched:
            for row in self._rows("id = :id", id=number):
                self._decide_on_text(row)

    def _rows(self, where: str, **values: Any) -> list[dict[str, Any]]:
        columns = "id, kind, status, first_episode_id, last_episode_id"
        query = f"SELECT {columns} FROM templates WHERE {self._scope.where} AND held IS NULL AND {where}"
        return list(self._db.query(query, self._scope.bind(**values)))

    def _decide_on_text(self, row: dict[str, Any]) -> None:
        first, last, notes = row["first_episode_id"], row["last_episode_id"], self._notes.get(row["id"], [])
        supports = [name for name in (first, *self._finders.get(row["id"], ())) if name is not None]
        if last is not None and last not in supports:
            self.found.last_episodes[row["id"]] = supports[-1] if supports else None
        noted = {self._left.runs[note.run_id].episode_id for note in notes}
        supported = any(not self._refused(name, row["kind"]) for name in supports if name == first or name not in noted)
        if any(note.born for note in notes):
            self._set(row, active=supported or has_earned_use([self._as_note(note) for note in notes]))
        elif first is not None and row["id"] in self.found.last_episodes:
            self._set(row, active=supported)

    def _refused(self, name: str, kind: str) -> bool:
        if name not in self._left.episodes:
            return True
        if kind == TRANSITION:
            return not self._gate.admits(self._decision(name))
        return refuses_texts(self._decision(name), told_of(self._left.outcomes.get(name, ())).rating, self._gate)

    def _decision(self, name: str) -> Gate:
        return self.found.gates.get(name, self._left.episodes[name].gate)

    def _set(self, row: dict[str, Any], *, active: bool) -> None:
        self.found.statuses.pop(row["id"], None)
        wanted = "active" if active else "quarantined"
        if wanted != row["status"]:
            self.found.statuses[row["id"]] = wanted

    def _as_note(self, row: NoteRow) -> Note:
        known = row._asdict() | {name: bool(getattr(row, name)) for name in ("born", "rated", "apart")}
        del known["id"]
        template = known.pop("template")
        return Note(**known, template_id=template, user=self._left.runs[row.run_id].user, flags=())
