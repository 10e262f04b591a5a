"""Values for real keys: what is foreseen at every slot is kept, and backed up where it matters most."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from .columns import Columns, grown
from .foresight import Foresight, Worth, action_values
from .near import NearModel

_READERS = 48  # slots that a slot remembers as reading its value
_HEARD = 0.02  # the weight from which a reader is remembered
_BATCH = 256  # slots backed up at a time
_LONGEST_QUEUE = 4096
_ROWS = 1024  # slots foreseen at a time where many are
_KEPT = ("support", "reward", "rating", "live", "unknown", "index", "weight")


@final
class _Rows:
    """What is foreseen at some slots: the columns of a :class:`Foresight` that values need."""

    def __init__(self, columns: dict[str, NDArray[Any]], rows: NDArray[np.int64]) -> None:
        for name in _KEPT:
            setattr(self, name, columns[name][rows])


@final
class Plan:
    """The state value of every slot: ``V = max_b q(key, b)``, by prioritised sweeping.

    What is foreseen at a slot is worked out when the slot comes and when slots come near it. Its value is backed up
    when a value that it reads has moved, the largest move first (A. W. Moore and C. G. Atkeson, 1993, "Prioritized
    sweeping"). Both are bounded per step, whatever the number of slots.
    """

    def __init__(self, model: NearModel, actions: int, neighbours: int) -> None:
        """Start empty on a model of ``actions`` actions that reads ``neighbours`` slots."""
        self.model = model
        shape = (256, actions)
        self._columns: dict[str, NDArray[Any]] = {name: np.zeros(shape, np.float32) for name in _KEPT[:5]}
        self._columns["index"] = np.zeros((*shape, neighbours), np.int32)
        self._columns["weight"] = np.zeros((*shape, neighbours), np.float32)
        self._foreseen = np.zeros(256, bool)
        self._pending = np.zeros(256, np.float32)
        self._queued = np.zeros(256, bool)
        self._mark = np.zeros(256, np.int64)
        self._readers = np.zeros((256, _READERS), np.int32)
        self._heard = np.zeros((256, _READERS), np.float32)
        self._reader_count = np.zeros(256, np.int64)
        self._queue = np.zeros(0, np.int64)
        self._turn = 0

    def grow(self, size: int) -> None:
        """Make room for slots."""
        for name, column in self._columns.items():
            self._columns[name] = grown(column, size)
        for name in ("_foreseen", "_pending", "_queued", "_mark", "_readers", "_heard", "_reader_count"):
            setattr(self, name, grown(getattr(self, name), size))

    def foresee(self, slots: NDArray[np.int64], columns: Columns, worth: Worth) -> None:
        """Work out anew what is foreseen at some slots, and let their values be backed up."""
        for start in range(0, len(slots), _ROWS):
            rows = slots[start : start + _ROWS]
            seen = self.model.foresee(columns.key[rows], columns)
            for name in _KEPT:
                self._columns[name][rows] = getattr(seen, name)
            self._listen(rows, seen, worth.discount)
            self._foreseen[rows] = True
            self._pending[rows] = np.inf
            self._enqueue(rows)

    def _listen(self, rows: NDArray[np.int64], seen: Foresight, discount: float) -> None:
        """Let slots remember who reads them; the oldest reader makes room."""
        share = discount * seen.support * seen.live * (1.0 - seen.unknown)
        heard = np.abs(seen.weight) * share[..., None]
        who, action, place = np.nonzero(heard > _HEARD)
        said = seen.index[who, action, place]
        order = np.argsort(said, kind="stable")
        said, who, weight = said[order], rows[who[order]], heard[who, action, place][order]
        first = np.flatnonzero(np.r_[True, said[1:] != said[:-1]]) if len(said) else np.zeros(0, np.int64)
        times = np.diff(np.r_[first, len(said)])
        nth = np.arange(len(said)) - np.repeat(first, times)
        at = (self._reader_count[said] + nth) % _READERS
        self._readers[said, at], self._heard[said, at] = who, weight
        self._reader_count[said[first]] += times

    def _enqueue(self, slots: NDArray[np.int64]) -> None:
        """Put slots into the queue that are not in it; they may be named more than once."""
        new = slots[~self._queued[slots]]
        if not len(new):
            return
        place = np.arange(len(new))
        self._mark[new] = place
        new = new[self._mark[new] == place]
        self._queued[new] = True
        self._queue = np.concatenate([self._queue, new])

    def back_up(self, budget: int, columns: Columns, worth: Worth, tolerance: float) -> None:
        """Back up at most about ``budget`` slots, those first that what they read moved most."""
        while budget > 0 and len(self._queue):
            priority = self._pending[self._queue]
            rest = self._queue[:0]
            batch = self._queue
            if len(batch) > _BATCH:
                order = np.argpartition(-priority, _BATCH)
                batch, rest = self._queue[order[:_BATCH]], self._queue[order[_BATCH:]]
                if len(rest) > _LONGEST_QUEUE:
                    rest = self._shortened(rest)
            self._queue = rest
            self._queued[batch], self._pending[batch] = False, 0.0
            budget -= len(batch)
            move = self._move(batch, columns, worth)
            told = np.flatnonzero(move > tolerance)
            if not len(told):
                continue
            readers = self._readers[batch[told]]
            moved = self._heard[batch[told]] * move[told, None]
            there = moved > tolerance
            readers, moved = readers[there], moved[there]
            np.add.at(self._pending, readers, moved.astype(np.float32))
            self._enqueue(readers.astype(np.int64))

    def _shortened(self, queue: NDArray[np.int64]) -> NDArray[np.int64]:
        """Let the least moved slots out of the queue; what they have pending stays until they are told again."""
        order = np.argpartition(-self._pending[queue], _LONGEST_QUEUE)
        self._queued[queue[order[_LONGEST_QUEUE:]]] = False
        return queue[order[:_LONGEST_QUEUE]]

    def _move(self, slots: NDArray[np.int64], columns: Columns, worth: Worth) -> NDArray[np.float64]:
        """Back up some slots at once and return how far each value moved."""
        known = slots[self._foreseen[slots]]
        after = action_values(_Rows(self._columns, known), columns.value, worth).max(axis=1)
        move = np.zeros(len(slots))
        move[self._foreseen[slots]] = np.abs(after - columns.value[known])
        columns.value[known] = after
        return move

    def sweep(self, times: int, columns: Columns, worth: Worth, tolerance: float) -> float:
        """Back up every slot that is foreseen, at most ``times`` times; return the largest move of the last time."""
        slots = np.flatnonzero(self._foreseen[: columns.size])
        largest = 0.0
        for _ in range(times if len(slots) else 0):
            largest = 0.0
            for start in range(0, len(slots), _ROWS):
                largest = max(largest, float(self._move(slots[start : start + _ROWS], columns, worth).max()))
            if largest <= tolerance:
                break
        return largest

    def reconsider(self, change: float, tolerance: float, size: int) -> None:
        """Let the value of the unknown have changed: slots that rely on it are backed up."""
        unknown = 1.0 - self._columns["support"][:size] * (1.0 - self._columns["unknown"][:size])
        moved = np.where(self._foreseen[:size], np.abs(change) * unknown.max(axis=1), 0.0).astype(np.float32)
        self._pending[:size] += moved
        self._enqueue(np.flatnonzero(moved > tolerance))

    def turn(self, most: int, size: int) -> NDArray[np.int64]:
        """Return the next slots, in turn, at which to foresee anew whatever happened: none is forgotten for ever."""
        slots = (self._turn + np.arange(min(most, size))) % size
        self._turn = int(slots[-1] + 1) % size if len(slots) else 0
        return slots

    def renumber(self, heirs: NDArray[np.int64], kept: NDArray[np.int64]) -> None:
        """Follow the slots to their new numbers; who read a slot that is gone reads its heir.

        Args:
            heirs: for each slot before, the number of its heir now, ``[slots before]``.
            kept: the slots that are still there, by their numbers before, ascending.
        """
        before, size = len(heirs), len(kept)
        self.grow(before)
        for column in self._columns.values():
            column[:size] = column[kept]
            column[size:before] = 0
        self._columns["index"][:size] = heirs[self._columns["index"][:size]]
        for column in (self._foreseen, self._pending, self._reader_count, self._readers, self._heard):
            column[:size] = column[kept]
            column[size:before] = 0
        self._readers[:size] = heirs[self._readers[:size]]
        self._queue = np.zeros(0, np.int64)
        self._queued[:before] = False
        self._turn = 0
        self._enqueue(np.flatnonzero(self._pending[:size] > 0.0))
