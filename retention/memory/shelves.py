"""The shelves of a memory: one pair for each namespace that was asked, the latest few kept."""

from __future__ import annotations

import random
import threading
from collections import OrderedDict
from typing import final

from sqlite_utils import Database

from .connections import Connections
from .ranking import RankingConfig
from .recall import Hit, Question, search
from .shelf import Shelf
from .templates import TRANSITION

NAMESPACES = 64
"""Of how many namespaces templates are held in memory."""


@final
class Shelves:
    """What recall reads: caches of the table, which take in what others wrote before each search.

    Args:
        config: the settings of recall.
    """

    def __init__(self, config: RankingConfig) -> None:
        self._config = config
        self._held: OrderedDict[str, tuple[Shelf, Shelf, threading.Lock]] = OrderedDict()
        self._lock = threading.Lock()
        self._random = random.Random()

    def search(self, connections: Connections, asked: Question, namespace: str) -> tuple[list[Hit], list[int]]:
        """Return what is found for a question, and the ids of what was kept back at random."""
        texts, transitions, lock = self._of(namespace)
        shelves = [] if asked.kinds == frozenset([TRANSITION]) else [texts]
        if asked.text is None and (asked.kinds is None or TRANSITION in asked.kinds):
            shelves.append(transitions)
        if not shelves:
            return [], []

        def look(db: Database) -> list[Hit]:
            for shelf in shelves:
                shelf.refresh(db)
            return search(db, shelves, asked, namespace, self._config)

        with lock:
            hits = connections.read(look)
        withheld = [
            hit.template.id for hit in hits if not hit.template.pinned and self._random.random() < self._config.withhold
        ]
        return [hit for hit in hits if hit.template.id not in withheld], withheld

    def clear(self) -> None:
        """Let go of everything that is held; it is read again when it is needed."""
        with self._lock:
            self._held.clear()

    def _of(self, namespace: str) -> tuple[Shelf, Shelf, threading.Lock]:
        with self._lock:
            if namespace not in self._held:
                pair = (Shelf(namespace, transitions=False), Shelf(namespace, transitions=True))
                self._held[namespace] = (*pair, threading.Lock())
            self._held.move_to_end(namespace)
            while len(self._held) > NAMESPACES:
                self._held.popitem(last=False)
            return self._held[namespace]
