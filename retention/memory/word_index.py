"""Words of many texts, searched by BM25: a cache in memory, filled from the table.

Okapi BM25 as in S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009. All
counts are those of the texts at hand, so what one namespace holds does not show in the ranking of another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from .growing import Growing
from .vector_rows import highest
from .word_codes import of_query

K1 = 1.2
B = 0.75

_AHEAD = 32  # for each of the best
_LOOSE = 20_000  # how many words may wait beside the sorted ones, where these are few


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Term:
    """A word of a query, among the texts that count.

    Attributes:
        places: the texts that have it, ascending, of shape (m,).
        times: how often each has it, of shape (m,).
        lengths: how many words each place has, of shape (n,).
        mean: how many words a text has that counts.
        weight: what it adds to a text of common length that has it once; it never adds more than ``K1 + 1`` times this.
    """

    places: NDArray[np.int32]
    times: NDArray[np.float32]
    lengths: NDArray[np.float32]
    mean: float
    weight: float

    def gains(self, some: slice | NDArray[np.int64] = slice(None)) -> NDArray[np.float32]:
        """Return what the word adds to the score of its texts, or of some of them by their numbers among these."""
        times = self.times[some]
        damping = self.lengths[self.places[some]]
        damping *= K1 * B / max(self.mean, 1e-9)
        damping += K1 * (1 - B)
        damping += times
        np.divide(times, damping, out=damping)
        damping *= self.weight * (K1 + 1)
        return damping


@final
class WordIndex:
    """Which texts have which words. A text is known by its place: 0, 1, 2, ... in the order of adding."""

    def __init__(self) -> None:
        self._lengths = Growing(np.float32)
        # Sorted by word: the places and counts of word _codes[w] are those from _starts[w] to _starts[w + 1].
        self._codes: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._starts: NDArray[np.int64] = np.zeros(1, np.int64)
        self._sorted = _counted(np.zeros(0, np.int32))
        self._loose_codes = Growing(np.uint64)
        self._loose_places = Growing(np.int32)

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, codes: NDArray[np.uint64], lengths: NDArray[np.int64]) -> None:
        """Add texts at the next places.

        Args:
            codes: the words of all of them, one text after the other, of shape (sum of lengths,).
            lengths: how many each has, of shape (n,).
        """
        self._loose_codes.extend(codes)
        self._loose_places.extend(np.repeat(np.arange(len(self), len(self) + len(lengths)), lengths))
        self._lengths.extend(lengths)

    def find(self, query: str, there: NDArray[np.bool_]) -> list[Term]:
        """Return the words of a query, each with the texts that have it.

        Args:
            query: what is looked for.
            there: which places count, bool of shape (n,).
        """
        if len(self._loose_codes) > max(_LOOSE, len(self._sorted.place) // 4):
            self._sort()
        alive = int(np.count_nonzero(there))
        every = alive == len(self)
        lengths = self._lengths.rows
        mean = float(lengths.mean() if every else lengths.mean(where=there)) if alive else 0.0
        found = []
        for code in of_query(query):
            places, times = self._postings(code)
            if not every:
                kept = there[places]
                places, times = places[kept], times[kept]
            weight = float(np.log1p((alive - len(places) + 0.5) / (len(places) + 0.5)))
            found.append(Term(places=places, times=times, lengths=lengths, mean=mean, weight=weight))
        return found

    def _postings(self, code: int) -> _Postings:
        """Return the places that have a word, ascending, and how often each has it."""
        number = int(np.searchsorted(self._codes, np.uint64(code)))
        span = slice(0, 0)
        if number < len(self._codes) and self._codes[number] == code:
            span = slice(self._starts[number], self._starts[number + 1])
        loose = _counted(self._loose_places.rows[self._loose_codes.rows == np.uint64(code)])
        known = _Postings(self._sorted.place[span], self._sorted.times[span])
        return known if not len(loose.place) else known.joined(loose)

    def _sort(self) -> None:
        """Sort the loose ones in."""
        if not len(self._loose_codes):
            return
        known = np.repeat(self._codes, np.diff(self._starts))
        codes = self._loose_codes.rows
        order = np.argsort(codes, kind="stable")
        codes, places = codes[order], self._loose_places.rows[order]
        first = np.concatenate([[True], (codes[1:] != codes[:-1]) | (places[1:] != places[:-1])])
        times = np.diff(np.flatnonzero(first), append=len(codes)).astype(np.float32)
        whole = self._sorted.joined(_Postings(places[first], times))
        codes = np.concatenate([known, codes[first]])
        order = np.argsort(codes, kind="stable")
        codes = codes[order]
        self._sorted = _Postings(whole.place[order], whole.times[order])
        starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
        self._codes, self._starts = codes[starts], np.append(starts, len(codes))
        self._loose_codes, self._loose_places = Growing(np.uint64), Growing(np.int32)


def best_places(terms: list[Term], size: int, k: int) -> NDArray[np.int64]:
    """Return the k texts with the highest scores above 0, in no order.

    Words that so many texts have that they cannot lift one of their own above the k best, which rarer words found, are
    looked up for what those found alone: the rule of H. Turtle and J. Flood, "Query evaluation: strategies and
    optimizations", 1995, a word at a time. Where very many could still be among the best, those that are ahead are
    taken.

    Args:
        terms: the words of the query.
        size: how many texts there are.
        k: how many are wanted.
    """
    scores = np.zeros(size, np.float32)
    rare_first = sorted(terms, key=lambda term: len(term.places))
    left = sum((K1 + 1) * term.weight for term in terms)
    for number, term in enumerate(rare_first):
        if number and len(term.places) > k:
            met = np.flatnonzero(scores)
            if len(met) >= k and (least := _kth(scores[met], k)) >= left:
                met = met[scores[met] >= least - left]
                if len(met) > _AHEAD * k:
                    met = np.sort(met[highest(scores[met], _AHEAD * k)])
                return met[highest(scores[met] + scores_at(rare_first[number:], met, size), k)]
        scores[term.places] += term.gains()
        left -= (K1 + 1) * term.weight
    met = np.flatnonzero(scores)
    return met[highest(scores[met], k)]


def _kth(scores: NDArray[np.float32], k: int) -> float:
    """Return the k-th highest of at least k scores."""
    return float(np.partition(scores, len(scores) - k)[len(scores) - k])


def scores_at(terms: list[Term], places: NDArray[np.int64], size: int) -> NDArray[np.float32]:
    """Return the BM25 scores of some texts, of shape (m,).

    Args:
        terms: the words of the query.
        places: the texts, ascending.
        size: how many texts there are in all.
    """
    if len(places) > size // 8:
        every = np.zeros(size, np.float32)
        for term in terms:
            every[term.places] += term.gains()
        found: NDArray[np.float32] = every[places]
        return found
    scores = np.zeros(len(places), np.float32)
    for term in terms:
        if len(term.places):
            at = np.searchsorted(term.places, places).clip(max=len(term.places) - 1)
            scores += np.where(term.places[at] == places, term.gains(at), np.float32(0))
    return scores


class _Postings(NamedTuple):
    """At which places a word is, and how often: two columns."""

    place: NDArray[np.int32]
    times: NDArray[np.float32]

    def joined(self, other: _Postings) -> _Postings:
        """Return the rows of both."""
        return _Postings(np.concatenate([self.place, other.place]), np.concatenate([self.times, other.times]))


def _counted(places: NDArray[np.int32]) -> _Postings:
    """Count places, each named as often as it has the word."""
    place, times = np.unique(places, return_counts=True)
    return _Postings(place, times.astype(np.float32))
