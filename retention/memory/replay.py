"""Replay: a history gone through again, outcome by outcome, as it came: the utilities and credits that it leaves.

The order counts, since what an outcome credits is measured against what was known of the templates by then. It is the
order in which things were said; fitting by ridge regression is not gone through again.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, final

from .credit import Evidence, Place, advantage, credited_anew
from .gate import EARLIER_LIMIT
from .hearing import Heard, gained_by_answer, heard
from .history import EpisodeRow, History, PlaceRow, SaidRow, shown_exposure

_NOTHING = Evidence(0.0, 0.0, 0.0)


class Told(NamedTuple):
    """What a history says of an episode.

    Attributes:
        said: what was said of it after its outcome.
        outcome: its return and the rewards that came late, in the units of the task.
        earlier: the returns of the task's episodes before it, oldest first.
    """

    said: Heard
    outcome: float
    earlier: list[float]

    @property
    def gained(self) -> float | None:
        """Its advantage, in spreads."""
        return advantage(self.outcome, self.earlier, self.said.rating, self.said.self_rating)


class Replayed(NamedTuple):
    """What a history leaves.

    Attributes:
        sums: the evidence of each template that was credited.
        credits: what each place of a receipt was credited with, by the receipt's number and the template's.
        advantages: of each receipt that has one, by number.
        outcomes: of each answer that has one, by the number of its receipt.
    """

    sums: dict[int, Evidence]
    credits: dict[tuple[int, int], float]
    advantages: dict[int, float]
    outcomes: dict[int, float]


def told(history: History, episodes: Iterable[str]) -> dict[str, Told]:
    """Return what a history says of some of its episodes, by their ids."""
    earlier = _returns(history)
    return {name: _told(history.episodes[name], history.outcomes.get(name, []), earlier[name]) for name in episodes}


def told_of(said: Iterable[SaidRow]) -> Heard:
    """Return what was said of an episode after its outcome, or of an answer, taken together."""
    return heard((row.source, row.reward, row.rating) for row in said if row.kind == "feedback")


def _told(episode: EpisodeRow, said: list[SaidRow], earlier: list[float]) -> Told:
    found = told_of(said)
    return Told(found, episode.return_ + (found.reward or 0.0), earlier)


def _returns(history: History) -> dict[str, list[float]]:
    """Return for each episode the returns of its task before it, as many as it is compared with."""
    of_task: dict[str, list[float]] = {}
    earlier = {}
    for name, row in history.episodes.items():
        before = of_task.setdefault(row.task, [])
        earlier[name] = before[-EARLIER_LIMIT:]
        before.append(row.return_)
    return earlier


def replay(history: History) -> Replayed:
    """Go through a history and return what it leaves."""
    at = _Replay(history)
    for _, _, happen in sorted(at.events(), key=lambda event: event[:2]):
        happen()
    return Replayed(
        {number: sums for number, sums in at.sums.items() if sums.weight > 0},
        at.credits,
        at.advantages,
        {number: outcome for outcomes in at.answers.values() for number, outcome in outcomes},
    )


@final
class _Replay:
    def __init__(self, history: History) -> None:
        self.history = history
        self.sums: dict[int, Evidence] = {}
        self.credits: dict[tuple[int, int], float] = {}
        self.advantages: dict[int, float] = {}
        self.answers: dict[str, list[tuple[int, float]]] = {}  # by task: numbers of receipts and their outcomes
        self._earlier = _returns(history)
        self._now: dict[str, Told] = {}  # by episode, as far as it was gone through
        self._of_runs = {run.episode_id for run in history.runs.values()}
        self._of_episode: dict[str, list[int]] = {}
        for receipt in history.receipts.values():
            if receipt.episode_id is not None:
                self._of_episode.setdefault(receipt.episode_id, []).append(receipt.id)
        self._places: dict[int, list[PlaceRow]] = {
            # Before a verdict with a time each template had what the recall gave it.
            number: [
                row if row.judged is None else row._replace(exposure=shown_exposure(row, rows), verdict=0.0)
                for row in rows
            ]
            for number, rows in history.places.items()
        }

    def events(self) -> Iterator[tuple[float, int, Callable[[], None]]]:
        """Give what happened, with when; what has the same time, in the order it is given in."""
        for order, (time, happen) in enumerate(self._events()):
            yield time, order, happen

    def _events(self) -> Iterator[tuple[float, Callable[[], None]]]:
        receipts = {row.receipt_id: row for row in self.history.receipts.values()}
        for name, row in self.history.episodes.items():
            said, time = self.history.outcomes.get(name, []), row.created
            first = self._told_at_once(name, said) if said else 0
            for count in range(1, len(said) + 1):
                time = max(time, said[count - 1].created)
                if count >= first:
                    yield time, self._episode(name, said[:count], time)
        for receipt in self.history.receipts.values():
            if receipt.is_found and receipt.episode_id is not None:
                yield receipt.created, self._found(receipt.id, receipt.episode_id)
        for name, said in self.history.answers.items():
            for count in range(1, len(said) + 1 if name in receipts else 0):
                yield said[count - 1].created, self._answer(receipts[name].id, receipts[name].task, said[:count])
        judged = (row for rows in self.history.places.values() for row in rows if row.judged is not None)
        for place in judged:
            yield place.judged or 0.0, self._verdict(place)

    def _told_at_once(self, episode_id: str, said: list[SaidRow]) -> int:
        """Return how many outcomes of an episode came with it: what its run's agent had said by then, and a rating."""
        row = self.history.episodes[episode_id]
        count = 1
        while count < len(said) and said[count].created < row.created:
            count += 1
        rated_first = episode_id in self._of_runs and said[0].feedback_id is None and count < len(said)
        return count + 1 if rated_first else count

    def _episode(self, episode_id: str, said: list[SaidRow], time: float) -> Callable[[], None]:
        def happen() -> None:
            row = self.history.episodes[episode_id]
            now = self._now[episode_id] = _told(row, said, self._earlier[episode_id])
            for number in self._of_episode.get(episode_id, []):
                if self.history.receipts[number].created <= time:
                    self._credit(number, now.gained)

        return happen

    def _found(self, receipt: int, episode_id: str) -> Callable[[], None]:
        def happen() -> None:
            if episode_id in self._now and receipt not in self.advantages:
                self._credit(receipt, self._now[episode_id].gained)

        return happen

    def _answer(self, receipt: int, task: str, said: list[SaidRow]) -> Callable[[], None]:
        def happen() -> None:
            outcomes = self.answers.setdefault(task, [])
            at = bisect_left(outcomes, (receipt,))
            earlier = [outcome for _, outcome in outcomes[max(0, at - EARLIER_LIMIT) : at]]
            if at < len(outcomes) and outcomes[at][0] == receipt:
                del outcomes[at]
            found = told_of(said)
            if found.outcome is not None:
                insort(outcomes, (receipt, found.outcome))
            self._credit(receipt, gained_by_answer(found, earlier))

        return happen

    def _verdict(self, place: PlaceRow) -> Callable[[], None]:
        def happen() -> None:
            gained = self.advantages.get(place.receipt)
            self._credit(place.receipt, None)
            rows = self._places[place.receipt]
            at = next(number for number, row in enumerate(rows) if row.template == place.template)
            rows[at] = place
            self._credit(place.receipt, gained)

        return happen

    def _credit(self, receipt: int, gained: float | None) -> None:
        rows = self._places.get(receipt, [])
        places = [
            Place(
                row.exposure,
                self.credits.get((receipt, row.template)),
                row.verdict,
                self.sums.get(row.template, _NOTHING),
            )
            for row in rows
        ]
        after, now = credited_anew(places, self.history.receipts[receipt].weight, gained)
        for row, sums, credit in zip(rows, after, now, strict=True):
            self.sums[row.template] = sums
            if credit is None:
                self.credits.pop((receipt, row.template), None)
            else:
                self.credits[receipt, row.template] = credit
        if gained is None:
            self.advantages.pop(receipt, None)
        else:
            self.advantages[receipt] = gained
