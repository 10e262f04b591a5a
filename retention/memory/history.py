"""History: what was said in a namespace and whom it credited, as rows in memory, to ask what it would be without some.

A template's utility is a sum, and what went into it cannot be told from it. The rows can: who was recalled for what,
and what was said of that, when and by whom.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, final

from sqlite_utils import Database

from .credit import FOUND_WEIGHT
from .gate import Gate
from .scope import Scope


class EpisodeRow(NamedTuple):
    """An episode that counts; its fields are those of :class:`Episode`."""

    id: int
    episode_id: str
    task: str
    return_: float
    success: int | None
    polarity: int
    weight: float
    last_template_id: int | None
    created: float

    @property
    def gate(self) -> Gate:
        """The gate's decision."""
        return Gate(polarity=1 if self.polarity > 0 else -1, weight=self.weight)

    @property
    def succeeded(self) -> bool | None:
        """Whether it succeeded, if that was said."""
        return None if self.success is None else bool(self.success)


class SaidRow(NamedTuple):
    """An outcome: what somebody said of an episode or of an answer.

    Attributes:
        of: the episode's id, or the receipt's.
        kind: ``"return"`` for what made an episode, else ``"feedback"``.
    """

    id: int
    of: str
    kind: str
    source: str
    reward: float | None
    rating: float | None
    feedback_id: str | None
    created: float


class ReceiptRow(NamedTuple):
    """A receipt; its fields are those of :class:`Receipt`, its id the number that its places go by."""

    id: int
    receipt_id: str
    task: str
    episode_id: str | None
    run_id: str | None
    weight: float
    outcome: float | None
    advantage: float | None
    created: float

    @property
    def is_found(self) -> bool:
        """Whether it says that a text was written for the episode, not that it was recalled."""
        return self.weight == FOUND_WEIGHT


class PlaceRow(NamedTuple):
    """A template that a receipt shows, with the verdict on it there, and who gave that when."""

    receipt: int
    template: int
    share: float
    exposure: float
    credit: float | None
    verdict: float
    judge: str | None
    judged: float | None


class NoteRow(NamedTuple):
    """That a run noted a template; its fields are those of :class:`Note`."""

    id: int
    run_id: str
    template: int
    source: str
    born: bool
    needs: int
    rated: bool
    apart: bool
    went_well: bool | None
    rated_well: bool | None
    created: float


class RunRow(NamedTuple):
    """A run: for whom it was, and the episode that its outcome made."""

    user: str | None
    episode_id: str | None


@final
@dataclass(frozen=True, kw_only=True)
class Void:
    """What is to count no more, by the ids of the rows.

    Attributes:
        templates: templates that are taken out of use.
        episodes: episodes, by ``episode_id``, and with them all that was said of them.
        outcomes: outcomes of episodes.
        answers: outcomes of answers.
        notes: notes.
        receipts: receipts that say that a text was written for an episode.
        verdicts: verdicts, by the receipt's number and the template's.
    """

    templates: Collection[int]
    episodes: Collection[str]
    outcomes: Collection[int]
    answers: Collection[int]
    notes: Collection[int]
    receipts: Collection[int]
    verdicts: Collection[tuple[int, int]]

    @property
    def is_empty(self) -> bool:
        """Whether that is nothing."""
        return not any(vars(self).values())


@final
@dataclass(frozen=True, kw_only=True)
class History:
    """All that counts in a namespace.

    Attributes:
        episodes: by ``episode_id``, oldest first.
        outcomes: what was said of each episode, in the order it came.
        receipts: by number, oldest first.
        answers: what was said of each answer, by ``receipt_id``, in the order it came.
        places: what each receipt shows, by its number.
        notes: oldest first.
        runs: by ``run_id``.
    """

    episodes: Mapping[str, EpisodeRow]
    outcomes: Mapping[str, list[SaidRow]]
    receipts: Mapping[int, ReceiptRow]
    answers: Mapping[str, list[SaidRow]]
    places: Mapping[int, list[PlaceRow]]
    notes: tuple[NoteRow, ...]
    runs: Mapping[str, RunRow]

    def without(self, void: Void) -> History:
        """Return what would be there had that never been said."""
        runs = {
            name: row._replace(episode_id=None) if row.episode_id in void.episodes else row
            for name, row in self.runs.items()
        }
        receipts = {
            number: row._replace(episode_id=None) if row.episode_id in void.episodes else row
            for number, row in self.receipts.items()
            if number not in void.receipts
        }
        return replace(
            self,
            episodes={name: row for name, row in self.episodes.items() if name not in void.episodes},
            outcomes=_grouped(row for rows in self.outcomes.values() for row in rows if row.id not in void.outcomes),
            receipts=receipts,
            answers=_grouped(row for rows in self.answers.values() for row in rows if row.id not in void.answers),
            places={number: [_unsaid(row, void, rows) for row in rows] for number, rows in self.places.items()},
            notes=tuple(row for row in self.notes if row.id not in void.notes),
            runs=runs,
        )


def read_history(db: Database, scope: Scope) -> History:
    """Read all that counts in a namespace."""
    of_episodes = f"episode_id IN (SELECT episode_id FROM episodes WHERE {scope.where} AND void IS NULL)"
    of_receipts = f"(SELECT {{}} FROM receipts WHERE {scope.where} AND void IS NULL)"

    def rows(columns: str, table: str, where: str, order: str = "id") -> list[Any]:
        query = f"SELECT {columns} FROM {table} WHERE {where} ORDER BY {order}"
        return db.conn.execute(query, scope.bind()).fetchall()

    counted = f"{scope.where} AND void IS NULL"
    said = "kind, source, reward, rating, feedback_id, created"
    episodes = map(EpisodeRow._make, rows(", ".join(EpisodeRow._fields), "episodes", counted))
    receipts = map(ReceiptRow._make, rows(", ".join(ReceiptRow._fields), "receipts", counted))
    places: dict[int, list[PlaceRow]] = {}
    shown = f"NOT withheld AND receipt_id IN {of_receipts.format('id')}"
    columns = "receipt_id, template_id, share, exposure, credit, verdict, judge, judged"
    for place in map(PlaceRow._make, rows(columns, "receipt_templates", shown, "receipt_id, template_id")):
        places.setdefault(place.receipt, []).append(place)
    of_answers = f"void IS NULL AND receipt_id IN {of_receipts.format('receipt_id')}"
    answers = rows(f"id, receipt_id, {said.replace('kind', repr('feedback'))}", "receipt_outcomes", of_answers)
    notes = rows(", ".join(NoteRow._fields).replace("template", "template_id"), "notes", counted)
    return History(
        episodes={row.episode_id: row for row in episodes},
        outcomes=_grouped(
            map(SaidRow._make, rows(f"id, episode_id, {said}", "outcomes", f"void IS NULL AND {of_episodes}"))
        ),
        receipts={row.id: row for row in receipts},
        answers=_grouped(map(SaidRow._make, answers)),
        places=places,
        notes=tuple(map(NoteRow._make, notes)),
        runs={row[0]: RunRow(*row[1:]) for row in rows("run_id, user, episode_id", "runs", scope.where)},
    )


def _grouped(said: Iterable[SaidRow]) -> dict[str, list[SaidRow]]:
    found: dict[str, list[SaidRow]] = {}
    for row in said:
        found.setdefault(row.of, []).append(row)
    return found


def _unsaid(place: PlaceRow, void: Void, beside: list[PlaceRow]) -> PlaceRow:
    """Return a place without its verdict where that is void: then its exposure is what the recall gave it."""
    if (place.receipt, place.template) not in void.verdicts:
        return place
    return place._replace(exposure=shown_exposure(place, beside), verdict=0.0, judge=None, judged=None)


def shown_exposure(place: PlaceRow, beside: Iterable[PlaceRow]) -> float:
    """Return the exposure that a recall gave a template, whatever was said of it later: its share over the greatest."""
    return place.share / max(row.share for row in beside)
