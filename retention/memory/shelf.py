"""A shelf: the templates of one namespace in memory, ready to be searched. A cache, kept true by the revision.

The table is the truth. Before each search the shelf takes in what changed since, whoever wrote it, and what was removed
leaves it; what it finds is read from the table again.
"""

from __future__ import annotations

from itertools import compress
from typing import final

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from . import removals, word_codes
from .background import Background, counted_in, sample
from .growing import Growing
from .scope import Scope
from .templates import TRANSITION
from .transition_rows import current_revision
from .vector_rows import VectorRows, highest
from .vectors import from_blobs
from .word_index import WordIndex

_CHUNK = 4096
_GONE = 10_000  # so many places of what is gone are kept at least, before all is read anew


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
        self._clear()

    def _clear(self) -> None:
        self._revision = 0
        self._ids, self._there = Growing(np.int64), Growing(np.bool_)
        self._groups: dict[tuple[str, str], int] = {}
        self._group = Growing(np.int32)
        self._names: dict[str, int] = {}
        self._encoder, self._width, self._row = Growing(np.int32), Growing(np.int32), Growing(np.int64)
        self.vectors: dict[int, VectorRows] = {}
        self._places: dict[int, Growing] = {}
        self.words = WordIndex()
        self._by_id: NDArray[np.int64] = np.zeros(0, np.int64)
        self._sorted_ids: NDArray[np.int64] = np.zeros(0, np.int64)
        self._losses = 0  # how often something that was there was lost, or came back
        self._backgrounds: dict[int, tuple[int, tuple[int, int], Background]] = {}
        self._order: NDArray[np.int64] | None = None
        self._position: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def ids(self) -> NDArray[np.int64]:
        """The template at each place, of shape (n,)."""
        return self._ids.rows

    @property
    def there(self) -> NDArray[np.bool_]:
        """Whether it may be recalled, of shape (n,)."""
        return self._there.rows

    @property
    def group(self) -> NDArray[np.int32]:
        """The number of its task and kind, of shape (n,)."""
        return self._group.rows

    @property
    def encoder(self) -> NDArray[np.int32]:
        """The number of what made its vector, of shape (n,); see :meth:`number_of`."""
        return self._encoder.rows

    @property
    def width(self) -> NDArray[np.int32]:
        """The width of its vector, of shape (n,)."""
        return self._width.rows

    def cosines(self, query: NDArray[np.float32], places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the cosines of a query of length 1 with what is at some places, nan where the width is another.

        Args:
            query: of shape (d,); there are vectors of this width.
            places: of shape (m,).
        """
        held = self.vectors[len(query)]
        found: NDArray[np.float32] = np.full(len(places), np.nan, np.float32)
        alike = self.width[places] == len(query)
        rows = self._row.rows[places[alike]]
        found[alike] = held.cosines(query, rows) if 4 * len(rows) < len(held) else held.cosines(query)[rows]
        return found

    def background(self, width: int) -> Background:
        """Return what the vectors of a width have in common, of those that are there.

        It is made of the first of them by id, so that it does not depend on how the shelf came to hold them.
        """
        known = self._backgrounds.get(width)
        if known is not None and known[0] == self._revision:
            return known[2]
        line = self.order[self.width[self.order] == width]
        size = counted_in(len(line))
        if known is not None and known[1] == (size, self._losses):
            made = known[2]
        else:
            made = Background(self.vectors[width].rows[self._row.rows[line[:size][sample(size)]]])
        self._backgrounds[width] = (self._revision, (size, self._losses), made)
        return made

    def nearest(self, query: NDArray[np.float32], k: int, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return about k of the chosen places with the greatest cosine with a query of length 1, in no order.

        Where few are chosen, what lies farther off may be missing; they are not fewer than k unless there are no more.
        """
        held, asked = self.vectors[len(query)], k
        places: NDArray[np.int64] = self._places[len(query)].rows
        while asked < len(held) // 16:
            found = places[held.nearest(query, asked)]
            found = found[chosen[found]]
            if len(found) >= k // 2:
                return found
            asked *= 8
        cosines = np.where(chosen[places], held.cosines(query), np.float32(-np.inf))
        return places[highest(cosines, k)]

    def with_those_beside(self, places: NDArray[np.int64], reach: int) -> NDArray[np.int64]:
        """Return places, ascending, and those that were written up to so many before and after each."""
        position = self._positions[places]
        near = (position[:, None] + np.arange(-reach, reach + 1)).clip(0, len(self.order) - 1)
        return np.unique(np.concatenate([places, self.order[near.ravel()]]))

    def runs(self, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the order in which some places were written, and the run of neighbours each is in.

        Returns:
            The numbers of the places in that order, and the number of the run of each place, both of shape (m,). Two
            that follow each other in one run were written one after the other, in one task and kind.
        """
        position = self._positions[places]
        order = np.argsort(position, kind="stable")
        group, position = self.group[places[order]], position[order]
        begins = (np.diff(position, prepend=-2) != 1) | (np.diff(group, prepend=-1) != 0)
        runs = np.empty(len(places), np.int32)
        runs[order] = np.cumsum(begins)
        return order, runs

    @property
    def _positions(self) -> NDArray[np.int64]:
        """Where each place stands in :attr:`order`; 0 for what is not there."""
        if self._position is None:
            self._position = np.zeros(len(self), np.int64)
            self._position[self.order] = np.arange(len(self.order))
        return self._position

    def refresh(self, db: Database) -> None:
        """Take in what changed since the last time; where that is broken off, all is read anew the next time."""
        revision = current_revision(db)
        if revision == self._revision:
            return
        try:
            self._take_changes(db)
        except BaseException:
            self._clear()
            raise
        self._revision, self._order, self._position = revision, None, None

    def _take_changes(self, db: Database) -> None:
        if len(self) - np.count_nonzero(self.there) > max(_GONE, len(self) // 2):
            self._clear()
        dropped = self._revision and removals.latest(db, self._scope) > self._revision
        for task, kind in self._tasks_and_kinds(db):
            scope = Scope(self._scope.namespace, task, kind)
            cursor = db.conn.execute(
                "SELECT id, encoder, key, ifnull(words, x''), status = 'active' FROM templates "
                f"WHERE {scope.where} AND revision > :after",
                scope.bind(after=self._revision),
            )
            group = self._groups.setdefault((task, kind), len(self._groups))
            while rows := cursor.fetchmany(_CHUNK):
                self._take(rows, group)
        self._sort_by_id()
        if dropped:
            self._drop_absent(db)

    def chosen(self, task: str | None, kinds: frozenset[str] | None, below: bool = False) -> NDArray[np.bool_]:
        """Return which places are there and of a task, or one below it, and of certain kinds, bool of shape (n,)."""
        if task is None and kinds is None:
            return self.there
        wanted = [
            number
            for (of_task, kind), number in self._groups.items()
            if (task in (None, of_task) or (below and of_task.startswith(f"{task}.")))
            and (kinds is None or kind in kinds)
        ]
        return self.there & np.isin(self.group, wanted)

    @property
    def order(self) -> NDArray[np.int64]:
        """The places that are there, in the order in which the templates were written."""
        if self._order is None:
            self._order = self._by_id[self.there[self._by_id]]
        return self._order

    def number_of(self, encoder: str) -> int:
        """Return the number of an encoder in :attr:`encoder`; -1 if no template here has it."""
        return self._names.get(encoder, -1)

    def _tasks_and_kinds(self, db: Database) -> list[tuple[str, str]]:
        """Return what tasks and kinds there are, by leaps through the index: the rows are not looked at."""
        query = f"SELECT task, kind FROM templates WHERE {self._scope.where} AND {{}} ORDER BY task, kind LIMIT 1"
        # One leap to the next kind of the task, else one to the next task: a comparison of the pair would be a walk.
        leaps = [query.format("task = :last_task AND kind > :last_kind"), query.format("task > :last_task")]
        found = []
        last: tuple[str, str] | None = ("", "")
        while last is not None:
            values = self._scope.bind(last_task=last[0], last_kind=last[1])
            rows = (db.conn.execute(leap, values).fetchone() for leap in leaps)
            last = next((row for row in rows if row is not None), None)
            if last is not None and (last[1] == TRANSITION) == self._transitions:
                found.append(last)
        return found

    def _take(self, rows: list[tuple[int, str, bytes, bytes, int]], group: int) -> None:
        ids, names, keys, words, active = zip(*rows, strict=True)
        encoder = np.array([self._names.setdefault(name, len(self._names)) for name in names], np.int32)
        fresh = np.array(active, np.bool_)
        place = self._find(np.array(ids, np.int64))
        if (known := place >= 0).any():
            same = known.copy()
            same[known] = self.encoder[place[known]] == encoder[known]  # else it was encoded anew
            stays = fresh[known] & same[known]
            self._losses += bool((self.there[place[known]] != stays).any())
            self.there[place[known]] = stays
            fresh &= ~same
        if not fresh.all():
            keys, words = tuple(compress(keys, fresh)), tuple(compress(words, fresh))
            ids, encoder = tuple(compress(ids, fresh)), encoder[fresh]
        start, row = len(self), np.zeros(len(keys), np.int64)
        widths = np.array([len(key) // 4 for key in keys], np.int32)
        for width in np.unique(widths).tolist():
            at = np.flatnonzero(widths == width)
            some = keys if len(at) == len(keys) else [keys[i] for i in at]
            held = self.vectors.setdefault(width, VectorRows(width))
            row[at] = np.arange(len(held), len(held) + len(at))
            held.add(from_blobs(some))
            self._places.setdefault(width, Growing(np.int64)).extend(start + at)
        self.words.add(*word_codes.from_blobs(words))
        self._ids.extend(np.array(ids, np.int64))
        self._there.extend(np.ones(len(ids), np.bool_))
        self._group.extend(np.full(len(ids), group, np.int32))
        self._encoder.extend(encoder)
        self._width.extend(widths)
        self._row.extend(row)

    def _find(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the latest place of each template among those that were here before; -1 where it has none."""
        if not len(self._by_id):
            return np.full(len(ids), -1, np.int64)
        at = (np.searchsorted(self._sorted_ids, ids, side="right") - 1).clip(min=0)
        return np.where(self._sorted_ids[at] == ids, self._by_id[at], -1)

    def _sort_by_id(self) -> None:
        """Bring the places of :attr:`_by_id` up to date: mostly the new ones have the highest ids."""
        known, ids = len(self._by_id), self.ids
        more = known + np.argsort(ids[known:], kind="stable")
        self._by_id = np.concatenate([self._by_id, more])
        if known and len(more) and ids[more[0]] < ids[self._by_id[known - 1]]:
            self._by_id = self._by_id[np.argsort(ids[self._by_id], kind="stable")]
            self._losses += 1
        self._sorted_ids = ids[self._by_id]

    def _drop_absent(self, db: Database) -> None:
        query = f"SELECT id FROM templates WHERE {self._scope.where}"
        left = np.array([row[0] for row in db.conn.execute(query, self._scope.bind())], np.int64)
        self._there.rows[:] &= np.isin(self.ids, left)
        self._losses += 1
