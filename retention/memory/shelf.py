"""A shelf: the templates of one namespace in memory, ready to be searched. A cache, kept true by the revision.

The table is the truth. Before each search the shelf takes in what changed since, whoever wrote it, and what was removed
leaves it; what it finds is read from the table again.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from . import removals
from .scope import Scope
from .templates import TRANSITION
from .transition_rows import current_revision
from .vector_rows import VectorRows
from .vectors import from_blobs
from .word_index import WordIndex

_CHUNK = 4096


@final
class Shelf:
    """Either the transitions of a namespace or its other templates. A place is the number of a template here.

    Args:
        namespace: whose they are.
        transitions: whether it holds the transitions, or all the others.
    """

    def __init__(self, namespace: str, *, transitions: bool) -> None:
        self._scope = Scope(namespace)
        self._transitions = transitions
        self._revision = self._worded = 0
        self.ids: NDArray[np.int64] = np.zeros(0, np.int64)
        self.there: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._groups: dict[tuple[str, str], int] = {}
        self.group: NDArray[np.int32] = np.zeros(0, np.int32)
        self._names: dict[str, int] = {}
        self.encoder: NDArray[np.int32] = np.zeros(0, np.int32)
        self.width: NDArray[np.int32] = np.zeros(0, np.int32)
        self.row: NDArray[np.int64] = np.zeros(0, np.int64)
        self.vectors: dict[int, VectorRows] = {}
        self.places: dict[int, NDArray[np.int64]] = {}
        self._place_of: dict[int, int] = {}
        self._words = WordIndex()
        self._order: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def refresh(self, db: Database) -> None:
        """Take in what changed since the last time."""
        revision = current_revision(db)
        if revision == self._revision:
            return
        for task, kind in self._tasks_and_kinds(db):
            scope = Scope(self._scope.namespace, task, kind)
            cursor = db.conn.execute(
                f"SELECT id, encoder, key, status = 'active' FROM templates WHERE {scope.where} AND revision > :after",
                scope.bind(after=self._revision),
            )
            while rows := cursor.fetchmany(_CHUNK):
                self._take(rows, self._groups.setdefault((task, kind), len(self._groups)))
        if self._revision and removals.latest(db, self._scope) > self._revision:
            self._drop_absent(db)
        self._revision, self._order = revision, None

    def chosen(self, task: str | None, kinds: frozenset[str] | None) -> NDArray[np.bool_]:
        """Return which places are there and of a task and of certain kinds, bool of shape (n,)."""
        if task is None and kinds is None:
            return self.there
        wanted = [
            number
            for (of_task, kind), number in self._groups.items()
            if task in (None, of_task) and (kinds is None or kind in kinds)
        ]
        return self.there & np.isin(self.group, wanted)

    @property
    def order(self) -> NDArray[np.int64]:
        """The places that are there, in the order in which the templates were written."""
        if self._order is None:
            alive = np.flatnonzero(self.there)
            self._order = alive[np.argsort(self.ids[alive], kind="stable")]
        return self._order

    def number_of(self, encoder: str) -> int:
        """Return the number of an encoder in :attr:`encoder`; -1 if no template here has it."""
        return self._names.get(encoder, -1)

    def words(self, db: Database) -> WordIndex:
        """Return the index of words, with every place in it."""
        while self._worded < len(self):
            some = self.ids[self._worded : self._worded + _CHUNK]
            marks = ", ".join(map(str, some.tolist()))
            query = f"SELECT id, content FROM templates NOT INDEXED WHERE id IN ({marks})"
            content = dict(db.conn.execute(query).fetchall())
            self._words.add([content.get(number) or "" for number in some.tolist()])
            self._worded += len(some)
        return self._words

    def _tasks_and_kinds(self, db: Database) -> list[tuple[str, str]]:
        """Return what tasks and kinds there are, by leaps through the index: the rows are not looked at."""
        found = []
        query = (
            f"SELECT task, kind FROM templates WHERE {self._scope.where} AND (task, kind) > (:last_task, :last_kind) "
            "ORDER BY task, kind LIMIT 1"
        )
        last: tuple[str, str] | None = ("", "")
        while last is not None:
            values = self._scope.bind(last_task=last[0], last_kind=last[1])
            last = db.conn.execute(query, values).fetchone()
            if last is not None and (last[1] == TRANSITION) == self._transitions:
                found.append(last)
        return found

    def _take(self, rows: list[tuple[int, str, bytes, bool]], group: int) -> None:
        fresh = []
        for number, name, key, active in rows:
            encoder = self._names.setdefault(name, len(self._names))
            place = self._place_of.get(number)
            if place is not None:
                same = bool(self.encoder[place] == encoder)  # else it was encoded anew
                self.there[place] = active and same
                active = active and not same
            if active:
                fresh.append((number, encoder, key))
        if not fresh:
            return
        start, count = len(self), len(fresh)
        ids, encoders, keys = zip(*fresh, strict=True)
        widths = np.array([len(key) // 4 for key in keys], np.int32)
        row = np.zeros(count, np.int64)
        for width in set(widths.tolist()):
            at = np.flatnonzero(widths == width)
            held = self.vectors.setdefault(width, VectorRows(width))
            row[at] = np.arange(len(held), len(held) + len(at))
            held.add(from_blobs([keys[i] for i in at]))
            known = self.places.get(width, np.zeros(0, np.int64))
            self.places[width] = np.concatenate([known, start + at])
        self._place_of.update(zip(ids, range(start, start + count), strict=True))
        self.ids = np.concatenate([self.ids, np.array(ids, np.int64)])
        self.there = np.concatenate([self.there, np.ones(count, np.bool_)])
        self.group = np.concatenate([self.group, np.full(count, group, np.int32)])
        self.encoder = np.concatenate([self.encoder, np.array(encoders, np.int32)])
        self.width = np.concatenate([self.width, widths])
        self.row = np.concatenate([self.row, row])

    def _drop_absent(self, db: Database) -> None:
        query = f"SELECT id FROM templates WHERE {self._scope.where}"
        left = np.array([row[0] for row in db.conn.execute(query, self._scope.bind())], np.int64)
        self.there &= np.isin(self.ids, left)
