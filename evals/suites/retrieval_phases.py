"""What happens in each process of the suite ``retrieval``."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any, final

import numpy as np

from retention import EpisodicMemory, HoldfastError, RankingConfig, default_encoder

from ..conversations import CATEGORIES, UNANSWERABLE, Conversation, Question, Style, Turn, generate
from ..metrics import probability_of_improvement
from ..stores import STORES, left_out, open_store
from ..stores.ours import NAMESPACE, OurStore
from ..stores.store import Floats, Store
from ..suite import Case
from .retrieval import OURS

Answer = Mapping[str, Any]
Found = list[tuple[str, float]]
_TOP = 10
_BATCH = 64


def measure(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Search with every system that is there; ``missing`` says of each other one why it is not."""
    conversations = _conversations(case)
    vectors = encoded(conversations)
    stores = [name for name in STORES if name != "holdfast"]
    missing = {name: reason for name in stores if (reason := left_out(name)) is not None}
    measured = []
    for task, shuffled in case.settings["orders"].items():
        lined = [_shuffled(each) if shuffled else each for each in conversations]
        # to the others the order of the turns is nothing
        for system in (*OURS, *(name for name in stores if name not in missing and not shuffled)):
            try:
                tally = _tally(system, lined, vectors, folder / task.replace(" ", "-"))
            except HoldfastError as error:
                missing[system] = f"{system} is left out: {error}"
                continue
            measured.append({"task": task, "system": system, "metrics": tally.metrics()})
    return {"measured": measured, "missing": missing}


def encoded(conversations: Sequence[Conversation]) -> dict[str, Floats]:
    """Return the vectors, float32 of shape (d,) and length 1, of all turns and questions, masked ones too."""
    texts = {turn.text for each in conversations for turn in each.turns}
    for each in conversations:
        for question in each.questions:
            texts |= {question.text, each.masked(question)}
    encoder, ordered = default_encoder(), sorted(texts, key=lambda text: (len(text), text))
    found: dict[str, Floats] = {}
    for start in range(0, len(ordered), _BATCH):
        batch = ordered[start : start + _BATCH]
        found.update(zip(batch, np.asarray(encoder.encode(batch), np.float32), strict=True))
    return found


@final
@dataclass
class Tally:
    """What was found for the questions that one system was asked.

    Attributes:
        ranks: for each question with an answer its category, the ranks of its evidence from 1 (0 where it was not
            found), and whether nothing at all was returned.
        tops: the best scores, by what was asked: ``"answered"``, ``"unanswered"``, ``"own"``, ``"elsewhere"``, and of
            the last two those that name a detail again as ``"own specific"`` and ``"elsewhere specific"``.
        refused: whether nothing was returned, by the same.
        seconds: what each search took.
    """

    ranks: list[tuple[str, list[int]]] = field(default_factory=list)
    tops: dict[str, list[float]] = field(default_factory=dict)
    refused: dict[str, list[bool]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def note(self, what: str, found: Found, scored: Found, *, specific: bool = False) -> None:
        """Note what a question got, with the floor and without."""
        if specific:
            self.note(f"{what} specific", found, scored)
        self.refused.setdefault(what, []).append(not found)
        self.tops.setdefault(what, []).append(scored[0][1] if scored else 0.0)

    def metrics(self) -> dict[str, float | None]:
        """Return the numbers; see :mod:`evals.suites.retrieval`."""
        parts = {"": self.ranks} | {
            f" of {category}": [each for each in self.ranks if each[0] == category] for category in CATEGORIES
        }
        ranks = parts[""]
        return {
            "recall_at_5": _recall(ranks, 5),
            "recall_at_10": _recall(ranks, 10),
            "mrr": fmean(max((1 / rank for rank in each if rank), default=0.0) for _, each in ranks),
            "auroc_unanswered": self._auroc("answered", "unanswered"),
            "auroc_elsewhere": self._auroc("own", "elsewhere"),
            "auroc_elsewhere_specific": self._auroc("own specific", "elsewhere specific"),
            "refused": fmean(self.refused["answered"]),
            "refused_unanswered": fmean(self.refused["unanswered"]),
            "refused_own": fmean(self.refused["own"]),
            "refused_elsewhere": fmean(self.refused["elsewhere"]),
            "milliseconds": 1000 * median(self.seconds),
            **{f"recall_at_10{part}": _recall(some, 10) if some else None for part, some in parts.items() if part},
        }

    def _auroc(self, higher: str, lower: str) -> float:
        return probability_of_improvement(self.tops[higher], self.tops[lower])


def _recall(ranks: Sequence[tuple[str, list[int]]], top: int) -> float:
    """Return the share of evidence among the first ``top``, a mean over questions."""
    return fmean(fmean(0 < rank <= top for rank in each) for _, each in ranks)


def _conversations(case: Case) -> list[Conversation]:
    count = case.settings["conversations"]
    if not case.settings["drawn"]:
        return generate(case.seed, conversations=count)
    return [
        generate(case.seed, conversations=count, style=Style.drawn(count * case.seed + number))[number]
        for number in range(count)
    ]


def _shuffled(conversation: Conversation) -> Conversation:
    turns = list(conversation.turns)
    random.Random(conversation.name).shuffle(turns)
    return Conversation(
        name=conversation.name,
        speakers=conversation.speakers,
        turns=tuple(turns),
        questions=conversation.questions,
    )


def _tally(system: str, conversations: Sequence[Conversation], vectors: Mapping[str, Floats], folder: Path) -> Tally:
    """Ask one system about every conversation, of its own and of the next one."""
    ours = system in OURS
    tally = Tally()
    stores: list[Store] = []
    try:
        for number, each in enumerate(conversations):
            place = folder / system.replace(" ", "-") / str(number)
            place.mkdir(parents=True, exist_ok=True)
            store = OurStore(place) if ours else open_store(system, place)
            stores.append(store)
            _fill(store, each.turns, vectors)
            with closing(_Scored(store, place, system)) as asked:
                _ask(tally, asked, each, conversations[number - 1], vectors)
    finally:
        for store in stores:
            store.close()
    return tally


def _fill(store: Store, turns: Sequence[Turn], vectors: Mapping[str, Floats]) -> None:
    texts = [turn.text for turn in turns]
    store.add([turn.id for turn in turns], texts, np.stack([vectors[text] for text in texts]))


def _ask(tally: Tally, asked: _Scored, own: Conversation, other: Conversation, vectors: Mapping[str, Floats]) -> None:
    for question in own.questions:
        started = time.process_time()
        found = asked.search(question.text, vectors[question.text])
        tally.seconds.append(time.process_time() - started)
        scored = asked.unfloored(question.text, vectors[question.text], found)
        if question.category == UNANSWERABLE:
            tally.note("unanswered", found, scored)
            continue
        tally.note("answered", found, scored)
        tally.ranks.append((question.category, _ranks(question, found)))
        tally.note("own", *asked.both(own.masked(question), vectors), specific=question.specific)
    for question in other.questions:
        if question.category != UNANSWERABLE:
            tally.note("elsewhere", *asked.both(other.masked(question), vectors), specific=question.specific)


def _ranks(question: Question, found: Found) -> list[int]:
    order = [name for name, _ in found]
    return [order.index(number) + 1 if number in order else 0 for number in question.evidence]


@final
class _Scored:
    """A store that is asked, and in the case of ours also the same memory without a floor."""

    def __init__(self, store: Store, folder: Path, system: str) -> None:
        self._store, self._system = store, system
        self._bare: EpisodicMemory | None = None
        if system in OURS:
            config = RankingConfig(floor=0)
            self._bare = EpisodicMemory.open(folder / "memory.db", mode="ro", recall=config)

    def search(self, text: str, vector: Floats) -> Found:
        """Return the first ten."""
        if self._system == OURS[1]:
            return self._store.search(text, None, _TOP)
        return self._store.search("" if self._system == OURS[2] else text, vector, _TOP)

    def unfloored(self, text: str, vector: Floats, found: Found) -> Found:
        """Return the best one without a floor; for a store that has none, what it found."""
        if self._bare is None or self._system == OURS[2]:
            return found
        given = None if self._system == OURS[1] else vector
        hits = self._bare.recall(text, vector=given, namespace=NAMESPACE, k=1).hits
        return [(hit.template.metadata["id"], hit.relevance) for hit in hits]

    def both(self, text: str, vectors: Mapping[str, Floats]) -> tuple[Found, Found]:
        """Return what is found with the floor and without."""
        found = self.search(text, vectors[text])
        return found, self.unfloored(text, vectors[text], found)

    def close(self) -> None:
        """Close what was opened here."""
        if self._bare is not None:
            self._bare.close()
