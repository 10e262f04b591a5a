"""Ranking: how relevant each template is to what is asked, from its words, its vector and its neighbours."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import final

import numpy as np
from numpy.typing import NDArray

from .word_index import Term
from .words import terms

_WORDS_BY_CHANCE = 0.15  # the share of a query's information that unrelated texts have in common with it
_ALL_WORDS = 0.7  # of a query's information: what a text has, of up to twice the usual length, that has all its words
_COMMON_SHARE, _COMMON_LEAST = 0.1, 10  # a name is common that so many of the texts have, and at least so many
_WORD = re.compile(r"[^\W_]+(?:['\N{RIGHT SINGLE QUOTATION MARK}][^\W_]+)*")
_UTILITY_GAIN = 6.0  # a tenth of a spread, as one clear outcome makes it, moves a score by half of the weight
_SAME = 0.9  # the share of words in common, in their order, from which on texts say the same


@final
@dataclass(frozen=True, kw_only=True)
class RankingConfig:
    """Settings of recall by text. What each of them is worth stands in docs/retrieval.md.

    Attributes:
        words: the weight of the words beside that of the vectors, in [0, 1].
        neighbours: the share of its better neighbour's relevance that a template gains, in [0, 1], and half of it of
            the better one of those two away. Neighbours are those written before and after it in the same task and
            kind, as the turns of a conversation are.
        names: what part of its relevance a template loses, in [0, 1], that has none of the query's common names: words
            with a capital that one template in ten has or more. In a conversation these are the names of who speaks.
        floor: the least relevance of what is returned, in [0, 1]; 0 to return whatever there is.
        chance: recall abstains where nothing is so many times as relevant as the best of as many templates that have
            nothing to do with the query, at least 0. More abstains more often.
        utility: by how much of its relevance utility may move a score, in [0, 1].
        withhold: with what probability a template is kept back, in [0, 1), to learn what the others are worth without
            it; pinned ones never are. 0 outside of learning, 0.1 to 0.15 in it.
    """

    words: float = 0.4
    neighbours: float = 0.25
    names: float = 0.3
    floor: float = 0.05
    chance: float = 1.0
    utility: float = 0.2
    withhold: float = 0.0

    def __post_init__(self) -> None:
        for name in ("words", "neighbours", "names", "floor", "utility"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)!r}")
        if not 0 <= self.chance < math.inf:
            raise ValueError(f"chance must be finite and not negative, got {self.chance!r}")
        if not 0 <= self.withhold < 1:
            raise ValueError(f"withhold must lie in [0, 1), got {self.withhold!r}")

    def level(self, alike: float | None) -> float:
        """Return how relevant the best template must be, or recall abstains.

        Args:
            alike: how alike the best of as many templates is by chance; ``None`` where there are no vectors.
        """
        if self.floor == 0:
            return 0.0
        by_chance = _WORDS_BY_CHANCE if alike is None else (1 - self.words) * alike
        # In a space of few dimensions chance makes everything alike; what has all the words is no chance.
        by_chance = min(by_chance, _ALL_WORDS * self.words) if self.words else by_chance
        return self.chance * by_chance / (1 + 1.5 * self.neighbours)


def fused(words: NDArray[np.float32], whole: float, alike: NDArray[np.float32], weight: float) -> NDArray[np.float32]:
    """Return the relevance of templates, in [0, 1].

    Words count by the share of the query's information that they carry: the BM25 score over what a text of common
    length with each word of the query would have. Vectors count by their likeness to the query above what all have in
    common (:mod:`retention.memory.background`).

    Args:
        words: BM25 scores of shape (n,).
        whole: the score that says it all; 0 if the query has no words.
        alike: the likeness of each vector to the query's, of shape (n,); nan where a template has no vector that can be
            compared.
        weight: the weight of the words, in [0, 1]; where one of both is missing the other counts alone.
    """
    by_words = (words / whole).clip(0, 1) if whole > 0 else np.full_like(words, np.nan)
    by_vector = alike.clip(0, 1)
    both = weight * by_words + (1 - weight) * by_vector
    found = np.where(np.isnan(by_vector), by_words, np.where(np.isnan(by_words), by_vector, both))
    return np.nan_to_num(found, nan=0.0).astype(np.float32)


def with_neighbours(
    relevance: NDArray[np.float32], groups: NDArray[np.int32], order: NDArray[np.int64], share: float
) -> NDArray[np.float32]:
    """Return relevance with a share of the better neighbour's added, in [0, 1].

    Half of the share is added of the better one of those two away: in a conversation that is where the same person
    went on about it.

    Args:
        relevance: of shape (n,); minus infinity for what does not count.
        groups: which templates may be neighbours: those of one number that follow each other, of shape (n,).
        order: the templates in the order they were written in, of shape (n,).
        share: of the neighbour's relevance.
    """
    if share == 0 or len(order) < 2:
        return relevance
    lined, group = relevance[order].clip(0, None), groups[order]
    gained = np.zeros_like(lined)
    for steps in (1, 2):
        beside = np.zeros_like(lined)
        together = group[steps:] == group[:-steps]
        beside[steps:] = np.where(together, lined[:-steps], 0)
        beside[:-steps] = np.maximum(beside[:-steps], np.where(together, lined[steps:], 0))
        gained += share / steps * beside
    found = relevance.copy()
    found[order] = (found[order] + gained) / (1 + 1.5 * share)
    return found


def names_in(text: str) -> str:
    """Return the words of a text that begin with a capital and do not begin the text, as names do."""
    return " ".join(word for word in _WORD.findall(text)[1:] if word[0].isupper())


def common_names(terms: Sequence[Term], count: int, places: NDArray[np.int64], size: int) -> NDArray[np.float32] | None:
    """Return what share of the common ones among names each text has, of shape (m,); ``None`` if none is common.

    Args:
        terms: the names in the query.
        count: how many texts count.
        places: the texts.
        size: how many texts there are in all.
    """
    common = [term for term in terms if len(term.places) >= max(_COMMON_LEAST, _COMMON_SHARE * count)]
    if not common or not len(places):
        return None
    every = np.zeros(size, np.float32)
    for term in common:
        every[term.places] += np.float32(1 / len(common))
    found: NDArray[np.float32] = every[places]
    return found


def preferring(relevance: NDArray[np.float32], has: NDArray[np.float32] | None, part: float) -> NDArray[np.float32]:
    """Return relevance less a part of it for what has none of the query's common names.

    Args:
        relevance: of shape (n,).
        has: the share of these names that each has (:func:`common_names`), of shape (n,); ``None`` if there are none.
        part: how much is taken off, in [0, 1].
    """
    return relevance if has is None else relevance * (1 - part * (1 - has)).astype(np.float32)


def scored(relevance: float, utility: float, weight: float) -> float:
    """Return relevance moved by a share of it: by the utility, and by no more than a weight.

    Not by what is sure of the utility alone: of many templates that are much alike each has few outcomes, and nothing
    is sure of any; in the suite drift that cost a third of the success. Caution is in the utility, which is drawn to
    zero as by ten outcomes, and in the weight.
    """
    return relevance + weight * math.tanh(_UTILITY_GAIN * utility) * max(relevance, 0.0)


def says_the_same(one: str, other: str) -> bool:
    """Say whether two texts have nearly the same words in one order, and differ neither in number nor negation."""
    ours, theirs = terms(one), terms(other)
    differ = set(ours) ^ set(theirs)
    if any(term in ("no", "not", "never") or any(map(str.isdigit, term)) for term in differ):
        return False
    return ours == theirs or SequenceMatcher(None, ours, theirs, autojunk=False).ratio() >= _SAME


def tokens(text: str) -> int:
    """Return about how many tokens a text has for a language model: one for every four bytes, and one to end it."""
    return len(text.encode()) // 4 + 1
