"""Recall: the templates that are most relevant to a text or nearest to a vector."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from .background import Background
from .pool import pool
from .ranking import (
    RankingConfig,
    common_names,
    fused,
    names_in,
    preferring,
    says_the_same,
    scored,
    tokens,
    with_neighbours,
)
from .scope import Scope
from .shelf import Shelf
from .template_rows import find_many, utilities
from .templates import Template
from .vector_rows import highest, unit
from .word_index import scores_at

K_LIMIT = 1000
"""The most templates that one recall returns."""

_REORDERED = 64  # among so many, at least, utility may move the order
_CHUNK = 16  # templates that are read from the table at a time
_WINDOW = 3  # for each one asked for


@final
@dataclass(frozen=True, kw_only=True)
class Hit:
    """A template that was recalled; its utility, uses and provenance are on it.

    Attributes:
        template: the template.
        score: what it is ranked by: its relevance, moved by its utility within bounds.
        relevance: how well it fits: of a text in [0, 1], of a vector the cosine in [-1, 1].
        age: for how long it has been there, in seconds.
    """

    template: Template
    score: float
    relevance: float
    age: float


@final
@dataclass(frozen=True, kw_only=True)
class Recall:
    """What was recalled.

    Attributes:
        receipt_id: the record of it, which an outcome credits; ``None`` where nothing was found or may be written.
        hits: the templates, the best first; of equals the older first.
        withheld: the ids of those that were kept back at random, to learn what the others are worth without them.
    """

    receipt_id: str | None
    hits: tuple[Hit, ...]
    withheld: tuple[int, ...] = ()

    @property
    def abstained(self) -> bool:
        """Whether there was nothing relevant enough."""
        return not self.hits


@final
@dataclass(frozen=True, kw_only=True)
class Question:
    """What is looked for.

    Attributes:
        text: the words of it; ``None`` to compare vectors alone.
        vector: its vector, float32 of shape (d,); ``None`` to compare words alone.
        encoder: the fingerprint of what made the vector; ``None`` to compare it with all of its width.
        task: of this task alone.
        kinds: of these kinds alone.
        where: what the metadata must hold, or what says of a template whether it counts.
        k: how many at most.
        max_tokens: how long the texts may be together.
        below: whether tasks count, too, whose names begin with the task's and a dot.
        same: says of two templates whether the better alone is shown; ``None`` to show all.
    """

    text: str | None
    vector: NDArray[np.float32] | None
    encoder: str | None
    task: str | None
    kinds: frozenset[str] | None
    where: Mapping[str, Any] | Callable[[Template], bool]
    k: int
    max_tokens: int | None
    below: bool = False
    same: Callable[[Template, Template], bool] | None = None

    def chosen(self, shelf: Shelf) -> NDArray[np.bool_]:
        """Return which places of a shelf count, bool of shape (n,)."""
        return shelf.chosen(self.task, self.kinds, self.below)


def search(db: Database, shelves: list[Shelf], asked: Question, namespace: str, config: RankingConfig) -> list[Hit]:
    """Return what is found on the shelves of a namespace, each read from the table again.

    Raises:
        ValueError: if only a vector is given, and there are templates but none of its width.
    """
    hits, more = _search(db, shelves, asked, namespace, config, everywhere=False)
    if more and len(hits) < min(asked.k, K_LIMIT):
        hits, _ = _search(db, shelves, asked, namespace, config, everywhere=True)
    return hits


def _search(
    db: Database, shelves: list[Shelf], asked: Question, namespace: str, config: RankingConfig, *, everywhere: bool
) -> tuple[list[Hit], bool]:
    """Return what is found, and whether there may be more that was not looked at."""
    ids, relevance = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    size = 0
    for shelf in shelves:
        chosen = asked.chosen(shelf)
        places = pool(shelf, asked.text, asked.vector, chosen, everywhere)
        ids.append(shelf.ids[places])
        relevance.append(_relevance(shelf, chosen, places, asked, config))
        size += int(np.count_nonzero(chosen))
    numbers, relevant = np.concatenate(ids), np.concatenate(relevance)
    if asked.text is None and asked.encoder is None and size and not (relevant > -np.inf).any():
        _refuse_width(shelves, asked)
    floor = -np.inf if asked.text is None else max(config.floor, 1e-6)
    relevant[relevant < floor] = -np.inf
    more = len(numbers) < size and bool((relevant > -np.inf).all())
    hits: list[Hit] = []
    left = asked.max_tokens
    for hit in _candidates(db, numbers, relevant, asked, namespace, config):
        content = hit.template.content or ""
        if asked.same is not None and any(asked.same(hit.template, shown.template) for shown in hits):
            continue
        if left is not None:
            if tokens(content) > left:
                continue
            left -= tokens(content)
        hits.append(hit)
        if len(hits) == min(asked.k, K_LIMIT):
            break
    return hits, more


def _refuse_width(shelves: list[Shelf], asked: Question) -> None:
    found = [shelf.width[asked.chosen(shelf)] for shelf in shelves]
    widths = np.unique(np.concatenate(found)).tolist()
    got = 0 if asked.vector is None else len(asked.vector)
    raise ValueError(f"vector must have the width of the templates, {widths}, got {got}")


def _relevance(
    shelf: Shelf, chosen: NDArray[np.bool_], places: NDArray[np.int64], asked: Question, config: RankingConfig
) -> NDArray[np.float32]:
    """Return the relevance of what is at some places of a shelf; minus infinity for what cannot be compared.

    Where nothing is as relevant to a text as the best would be by chance, that is minus infinity for all.
    """
    alike = np.full(len(places), np.nan, np.float32)
    background: Background | None = None
    if asked.vector is not None and len(asked.vector) in shelf.vectors:
        query, nothing, scale = unit(asked.vector), 0.0, 1.0
        if asked.text is not None:
            background = shelf.background(len(query))
            query, nothing, scale = background.direction(query)
        alike = (shelf.cosines(query, places) - np.float32(nothing)) / np.float32(scale)
        if asked.encoder is not None:
            alike[shelf.encoder[places] != shelf.number_of(asked.encoder)] = np.nan
    if asked.text is None:
        return np.nan_to_num(alike, nan=-np.inf)
    terms, count = shelf.words.find(asked.text, chosen), int(np.count_nonzero(chosen))
    words, whole = scores_at(terms, places, len(shelf)), sum(term.weight for term in terms)
    order, runs = shelf.runs(places)
    relevance = with_neighbours(fused(words, whole, alike, config.words), runs, order, config.neighbours)
    names = shelf.words.find(names_in(asked.text), chosen)
    relevance = preferring(relevance, common_names(names, count, places, len(shelf)), config.names)
    by_chance = None if background is None or np.isnan(alike).all() else background.best_by_chance(count)
    if len(places) and relevance.max() < config.level(by_chance):
        relevance[:] = -np.inf
    return relevance


def _candidates(
    db: Database,
    ids: NDArray[np.int64],
    relevance: NDArray[np.float32],
    asked: Question,
    namespace: str,
    config: RankingConfig,
) -> Iterator[Hit]:
    """Give the most relevant templates, those of each window by score, read from the table when they are asked for."""
    scope, now, taken, size = Scope(namespace), time.time(), 0, max(_REORDERED, _WINDOW * min(asked.k, K_LIMIT))
    while True:
        order = highest(relevance, taken + size)[taken:]
        worth = utilities(db, scope, ids[order].tolist())
        ranked = []
        for number, relevant in zip(ids[order].tolist(), relevance[order].tolist(), strict=True):
            if number in worth:
                ranked.append((-scored(relevant, worth[number], config.utility), number, relevant))
        ranked.sort()
        for start in range(0, len(ranked), _CHUNK):
            some = ranked[start : start + _CHUNK]
            found = find_many(db, scope, [number for _, number, _ in some])
            for score, number, relevant in some:
                template = found.get(number)
                if template is not None and _has(template, asked.where):
                    age = max(0.0, now - template.created)
                    yield Hit(template=template, score=-score, relevance=relevant, age=age)
        if len(order) < size:
            return
        taken, size = taken + size, 4 * size


def _has(template: Template, where: Mapping[str, Any] | Callable[[Template], bool]) -> bool:
    if callable(where):
        return where(template)
    absent = object()
    return all(template.metadata.get(name, absent) == value for name, value in where.items())


def repeats(template: Template, shown: Template) -> bool:
    """Say whether two templates say the same."""
    return says_the_same(template.content or "", shown.content or "")
