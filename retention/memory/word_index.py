"""Words of many texts, searched by BM25: a cache in memory, filled from the table.

Okapi BM25 as in S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009. All
counts are those of the texts at hand, so what one namespace holds does not show in the ranking of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from .words import terms

K1 = 1.2
B = 0.75

_LOOSE = 2000  # how many texts may wait beside the sorted ones, where these are few


@final
class WordIndex:
    """Which texts have which words. A text is known by its place: 0, 1, 2, ... in the order of adding."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._lengths: NDArray[np.int32] = np.zeros(0, np.int32)
        # Sorted by word: the places and counts of word w are those from _starts[w] to _starts[w + 1].
        self._starts: NDArray[np.int64] = np.zeros(1, np.int64)
        self._sorted = _Postings.of([], [])
        self._loose = _Postings.of([], [])
        self._loose_from = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, texts: Sequence[str]) -> None:
        """Add texts at the next places."""
        words: list[int] = []
        lengths = []
        for text in texts:
            found = terms(text)
            lengths.append(len(found))
            words += [self._numbers.setdefault(term, len(self._numbers)) for term in found]
        places = np.repeat(np.arange(len(self), len(self) + len(lengths)), lengths)
        self._loose = self._loose.joined(_Postings.of(words, places))
        self._lengths = np.concatenate([self._lengths, np.array(lengths, np.int32)])
        if len(self) - self._loose_from > max(_LOOSE, self._loose_from // 4):
            self._sort()

    def scores(self, query: str, there: NDArray[np.bool_]) -> tuple[NDArray[np.float32], float]:
        """Return the BM25 score of every text, and what a text of common length with each word once would have.

        Args:
            query: what is looked for.
            there: which places count, bool of shape (n,).

        Returns:
            Scores of shape (n,), 0 where no word is shared; and the sum of the weights of the query's words, 0 if it
            has none.
        """
        scores = np.zeros(len(self), np.float32)
        alive = int(np.count_nonzero(there))
        mean = float(self._lengths[there].mean()) if alive else 0.0
        whole = 0.0
        for term in dict.fromkeys(terms(query)):
            places, counts = self._postings(term)
            kept = there[places]
            places, counts = places[kept], counts[kept]
            weight = float(np.log1p((alive - len(places) + 0.5) / (len(places) + 0.5)))
            whole += weight
            if len(places):
                damping = K1 * (1 - B + B * self._lengths[places] / max(mean, 1e-9))
                scores[places] += (weight * (K1 + 1)) * counts / (counts + damping)
        return scores, whole

    def _postings(self, term: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the places that have a term, and how often each has it."""
        number = self._numbers.get(term, -1)
        span = slice(0, 0)
        if 0 <= number < len(self._starts) - 1:
            span = slice(self._starts[number], self._starts[number + 1])
        more = self._loose.word == number
        return (
            np.concatenate([self._sorted.place[span], self._loose.place[more]]),
            np.concatenate([self._sorted.times[span], self._loose.times[more]]),
        )

    def _sort(self) -> None:
        """Sort the loose ones in."""
        whole = self._sorted.joined(self._loose)
        order = np.argsort(whole.word, kind="stable")
        self._sorted = _Postings(whole.word[order], whole.place[order], whole.times[order])
        self._starts = np.searchsorted(self._sorted.word, np.arange(len(self._numbers) + 1))
        self._loose, self._loose_from = _Postings.of([], []), len(self)


class _Postings(NamedTuple):
    """Which word is at which place, and how often: three columns."""

    word: NDArray[np.int64]
    place: NDArray[np.int64]
    times: NDArray[np.float32]

    @classmethod
    def of(cls, words: Sequence[int], places: NDArray[np.int64] | Sequence[int]) -> _Postings:
        """Count words at places; both of shape (n,)."""
        both = np.stack([np.asarray(words, np.int64), np.asarray(places, np.int64)])
        width = int(both[1].max()) + 1 if both.size else 1
        pairs, counts = np.unique(both[0] * width + both[1], return_counts=True)
        return cls(pairs // width, pairs % width, counts.astype(np.float32))

    def joined(self, other: _Postings) -> _Postings:
        """Return the rows of both."""
        return _Postings(
            np.concatenate([self.word, other.word]),
            np.concatenate([self.place, other.place]),
            np.concatenate([self.times, other.times]),
        )
