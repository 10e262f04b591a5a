"""What a meta-trained policy has noted of one task: slots for its network, templates for the episodic memory."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from retention import Transitions

from .pages import COLUMNS, Pages, blank_pages, copy_pages
from .reader import Reader, felt
from .weights import Array

_FIRST_CAPACITY = 64
LARGEST = float(np.finfo(np.float32).max)
"""The largest reward that a note holds."""

Identity = tuple[bytes, int, float]


@final
class Notebook:
    """Notes of one task: an observation, the action where it counts, and what that earned.

    Another outcome of the same is another note, so that what used to be right stays told apart from what is right now.
    The same again merges: its count grows and it becomes the most recent. A full notebook gives up, first, what a
    better outcome of the same observation has superseded; then what earned least; then what is oldest.

    As a template, a note has its reward in every place of the next key: that is what makes another outcome another
    template.

    Attributes:
        size: how many notes there are.
        noted: what never changes in the keys and values of each, from :meth:`Reader.noted`.
    """

    _reward: Array
    _rank: Array
    _leans: Array
    _keys: Array
    _values: Array
    _count: NDArray[np.int64]
    _episode: NDArray[np.int64]
    _order: NDArray[np.int64]
    _id: NDArray[np.int64]
    _symbol: NDArray[np.int64]

    def __init__(self, reader: Reader, *, capacity: int | None = None) -> None:
        """Start empty.

        Args:
            reader: projects keys and values.
            capacity: the most notes; None for no limit.

        Raises:
            ValueError: the capacity is below 1.
        """
        if capacity is not None and capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self._reader, self._capacity = reader, capacity
        self.size = 0
        self._identity: list[Identity] = []
        self._row_of: dict[Identity, int] = {}
        self._number_of: dict[bytes, int] = {}
        self.noted: list[Array] = []
        vars(self).update(blank_pages(reader.shape, _FIRST_CAPACITY))
        self._leaning: Array | None = None  # what scores lean by beside likeness; None if it is to be computed
        self._clock = self._numbered = 0
        self._age_of = -1  # the episode for which keys and values were projected
        self._stale: set[int] = set()

    def __len__(self) -> int:
        """Return how many notes there are."""
        return self.size

    def note(self, key: Array, action: int, reward: float, episode: int) -> Identity:
        """Note one outcome, and return what names it.

        Args:
            key: of the observation, ``[key width]``.
            action: what was done; 0 where it does not count.
            reward: what it earned.
            episode: the number of the episode.
        """
        identity = (key.tobytes(), action, reward)
        row = self._row_of.get(identity)
        if row is None:
            row = self._add(identity, key)
        self._clock += 1
        self._count[row] += 1
        self._episode[row], self._order[row] = episode, self._clock
        rank = self._rank[: self.size]
        rank += rank < rank[row]
        rank[row] = 0.0
        self._stale.add(row)
        return identity

    def load(self, transitions: Transitions, unstored: Mapping[Identity, int] | None = None) -> None:
        """Take in templates of the episodic memory; one that is noted already takes the memory's count, reward and id.

        A note is named by what was noted, as the next key holds it: ratings and late rewards change what it earned. A
        late reward counts for the visits that it came for: later ones of the same note that earn none lower its mean.

        Args:
            transitions: the templates.
            unstored: how often each note was made that is here and not yet in the memory.
        """
        unstored = unstored or {}
        for row in np.lexsort((transitions.id, transitions.value, transitions.episode)):
            key, action, episode = transitions.key[row], int(transitions.action[row]), int(transitions.episode[row])
            identity = (key.tobytes(), action, float(transitions.next_key[row, 0]))
            place = self._row_of.get(identity)
            if place is None or episode > self._episode[place]:
                self.note(key, action, identity[2], episode)
                place = self._row_of[identity]
            self._count[place] = transitions.count[row] + unstored.get(identity, 0)
            self._earned(place, float(transitions.reward[row] + transitions.rating[row]))
            self._id[place] = transitions.id[row]
            self._stale.add(place)

    def scores(self, key: Array, episode: int) -> tuple[Array, Array]:
        """Score the actions at an observation.

        Args:
            key: of the observation, ``[key width]``.
            episode: the number of the present episode, from which ages are counted.

        Returns:
            Logits, ``[actions]``, and the attention that each note drew, ``[notes]``.
        """
        self.bring_up_to_date(episode)
        rows = self.size + 1
        return self._reader.scores(
            self._reader.asked(key), self._keys[:, :, :rows], self._values[:, :, :rows], self._leaned()
        )

    def several(self, keys: Sequence[Array], episode: int, *, attention: bool) -> tuple[Array, Array | None]:
        """Do what :meth:`scores` does for several observations at once, to rounding.

        Logits may be NaN: those are to be had from :meth:`scores` alone. The attention is None unless it is wanted.
        """
        self.bring_up_to_date(episode)
        rows = self.size + 1
        return self._reader.batch.scores(
            [self._reader.asked(key).row for key in keys],
            self._keys[None, :, :, :rows],
            self._values[None, :, :, :rows],
            self._leaned()[None],
            [rows],
            attention=attention,
        )

    def bring_up_to_date(self, episode: int) -> None:
        """Project what was noted since the last time; in a new episode everything, as every note has aged."""
        stale = self.stale(episode)
        if not stale and episode == self._age_of:
            return
        if stale:
            rows = np.array(stale)
            age = np.maximum(episode - self._episode[rows], 0)
            noted, slots = [self.noted[row] for row in stale], rows + 1
            both = self._reader.project(noted, self._count[rows], age, self._leans[1, slots])
            for own, each in zip((self._keys, self._values), both, strict=True):
                own[:, :, slots] = each.transpose(1, 2, 0, 3)
        np.log1p(self._rank[: self.size], out=self._leans[0, 1 : self.size + 1])
        self.is_up_to_date(episode)

    def stale(self, episode: int) -> Sequence[int]:
        """Return the rows whose keys and values are not those of an episode."""
        return list(self._stale) if episode == self._age_of else range(self.size)

    def is_up_to_date(self, episode: int) -> None:
        """Take notice that all rows are projected, and the logarithms of their ranks taken."""
        self._age_of, self._leaning = episode, None
        self._stale.clear()

    def _leaned(self) -> Array:
        if self._leaning is None:
            self._leaning = self._reader.leaning(self._leans[:, : self.size + 1])
        return self._leaning

    def ids(self) -> NDArray[np.int64]:
        """Return the template's id of each note, 0 where it is not stored, ``[notes]``."""
        return self._id[: self.size]

    def order(self) -> NDArray[np.int64]:
        """Return for each note a number that is larger the later it was noted last, ``[notes]``."""
        return self._order[: self.size]

    def bind(self, identity: Identity, template: int) -> None:
        """Note the id under which the episodic memory keeps a note, if it is still here."""
        row = self._row_of.get(identity)
        if row is not None:
            self._id[row] = template

    @property
    def latest_episode(self) -> int:
        """The highest number of an episode that noted anything; 0 where none did."""
        return int(self._episode[: self.size].max(initial=0))

    def __deepcopy__(self, memo: dict[int, Any]) -> Notebook:
        """Copy the notes; the weights are shared."""
        return self.copied_to(blank_pages(self._reader.shape, self.rows))

    def copied_to(self, pages: Pages) -> Notebook:
        """Return a copy of the notes that lies on other pages; the weights are shared."""
        twin = copy.copy(self)
        for name in ("_identity", "_row_of", "_number_of", "noted", "_stale"):
            setattr(twin, name, getattr(self, name).copy())
        twin.move_to(pages)
        return twin

    def move_to(self, pages: Pages) -> None:
        """Lie on other pages, of :attr:`rows` rows or more, from now on."""
        copy_pages({name: getattr(self, name) for name in pages}, pages, self.size)
        vars(self).update(pages)

    @property
    def rows(self) -> int:
        """For how many notes there is room; it grows when it must."""
        return len(self._order)

    def _add(self, identity: Identity, key: Array) -> int:
        if self.size == self._capacity:
            self._remove(self._least())
        row = self.size
        if row == self.rows:
            self.move_to(blank_pages(self._reader.shape, 2 * row))
        symbol, action, reward = identity
        if symbol not in self._number_of:
            self._number_of[symbol] = self._numbered = self._numbered + 1
        self._identity.append(identity)
        self._row_of[identity] = row
        self._symbol[row] = self._number_of[symbol]
        self.noted.append(self._reader.noted(key, action))
        self._count[row], self._id[row] = 0, 0
        self._earned(row, reward)
        self._rank[row] = row
        self.size += 1
        return row

    def _earned(self, row: int, reward: float) -> None:
        self._reward[row] = min(max(reward, -LARGEST), LARGEST)
        self._leans[1, 1 + row] = felt(reward)

    def _least(self) -> int:
        """Return the note that a full notebook gives up."""
        n = self.size
        reward = self._reward[:n]
        names, place = np.unique(self._symbol[:n], return_inverse=True)
        best = np.full(len(names), -np.inf, np.float32)
        np.maximum.at(best, place, reward)
        return int(np.lexsort((self._order[:n], reward, best[place] <= reward))[0])

    def _remove(self, row: int) -> None:
        """Take a note out; the last one takes its place."""
        last = self.size - 1
        symbol, _, _ = gone = self._identity[row]
        del self._row_of[gone]
        rank = self._rank[: self.size]
        rank -= rank > rank[row]
        if np.count_nonzero(self._symbol[: self.size] == self._symbol[row]) == 1:
            del self._number_of[symbol]
        self._stale.discard(last)
        if row != last:
            for name in COLUMNS:
                column = getattr(self, name)
                column[row] = column[last]
            self._leans[1, 1 + row] = self._leans[1, 1 + last]
            self._identity[row], self.noted[row] = self._identity[last], self.noted[last]
            self._row_of[self._identity[row]] = row
            self._stale.add(row)
        self._identity.pop()
        self.noted.pop()
        self.size = last


def as_transitions(visits: Sequence[Identity], width: int) -> Transitions:
    """Return visits as the episodic memory takes them, one row each.

    Args:
        visits: what names the notes.
        width: of a key.
    """
    key = np.array([np.frombuffer(symbol, np.float32) for symbol, _, _ in visits], np.float32).reshape(-1, width)
    reward = np.array([reward for _, _, reward in visits], np.float64)
    return Transitions(
        key=key,
        action=np.array([action for _, action, _ in visits], np.int64),
        reward=reward,
        next_key=np.repeat(reward[:, None], width, axis=1).astype(np.float32),
        terminated=np.zeros(len(visits), np.bool_),
        value=np.arange(len(visits), dtype=np.float64),  # the order within the episode, for the next session
    )
