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
from .sealing import Seal, broken
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

    def search(
        self, connections: Connections, asked: Question, namespace: str, seal: Seal | None = None
    ) -> tuple[list[Hit], list[int], list[int]]:
        """Return what is found for a question, the ids of what was kept back at random, and those of broken seals."""
        texts, transitions, lock = self._of(namespace)
        shelves = [] if asked.kinds == frozenset([TRANSITION]) else [texts]
        if asked.text is None and (asked.kinds is None or TRANSITION in asked.kinds):
            shelves.append(transitions)
        if not shelves:
            return [], [], []

        def look(db: Database) -> tuple[list[Hit], list[int]]:
            for shelf in shelves:
                shelf.refresh(db)
            found = search(db, shelves, asked, namespace, self._config)
            return found, [] if seal is None else broken(db, seal, [hit.template.id for hit in found])

        with lock:
            hits, bad = connections.read(look)
        hits = [hit for hit in hits if hit.template.id not in bad]
        withheld = [
            hit.template.id for hit in hits if not hit.template.pinned and self._random.random() < self._config.withhold
        ]
        return [hit for hit in hits if hit.template.id not in withheld], withheld, bad

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
