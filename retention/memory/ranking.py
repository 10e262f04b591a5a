"""Ranking: how relevant each template is to what is asked, from its words, its vector and its neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import final

import numpy as np
from numpy.typing import NDArray

from .credit import LIMIT
from .templates import Template
from .words import terms

_SAME = 0.9  # the share of words in common, in their order, from which on texts say the same


@final
@dataclass(frozen=True, kw_only=True)
class RankingConfig:
    """Settings of recall by text.

    Attributes:
        words: the weight of the words beside that of the vectors, in [0, 1].
        neighbours: the share of its better neighbour's relevance that a template gains, in [0, 1]. Neighbours are those
            written before and after it in the same task and kind, as the turns of a conversation are.
        floor: the least relevance of what is returned, in [0, 1].
        utility: by how much of its relevance utility may move a score, in [0, 1].
        withhold: with what probability a template is kept back, in [0, 1), to learn what the others are worth without
            it; pinned ones never are. 0 outside of learning, 0.1 to 0.15 in it.
    """

    words: float = 0.4
    neighbours: float = 0.25
    floor: float = 0.15
    utility: float = 0.2
    withhold: float = 0.0

    def __post_init__(self) -> None:
        for name in ("words", "neighbours", "floor", "utility"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)!r}")
        if not 0 <= self.withhold < 1:
            raise ValueError(f"withhold must lie in [0, 1), got {self.withhold!r}")


def fused(
    words: NDArray[np.float32], whole: float, cosines: NDArray[np.float32], common: float, weight: float
) -> NDArray[np.float32]:
    """Return the relevance of templates, in [0, 1].

    Words count by the share of the query's information that they carry: the BM25 score over what a text of common
    length with each word of the query would have. Vectors count by their cosine above what the query has in common with
    all templates.

    Args:
        words: BM25 scores of shape (n,).
        whole: the score that says it all; 0 if the query has no words.
        cosines: of shape (n,); nan where a template has no vector that can be compared.
        common: the cosine of the query with the mean of all templates.
        weight: the weight of the words, in [0, 1]; where one of both is missing the other counts alone.
    """
    by_words = (words / whole).clip(0, 1) if whole > 0 else np.full_like(words, np.nan)
    by_vector = ((cosines - common) / max(1 - common, 1e-6)).clip(0, 1)
    both = weight * by_words + (1 - weight) * by_vector
    found = np.where(np.isnan(by_vector), by_words, np.where(np.isnan(by_words), by_vector, both))
    return np.nan_to_num(found, nan=0.0).astype(np.float32)


def with_neighbours(
    relevance: NDArray[np.float32], groups: NDArray[np.int32], order: NDArray[np.int64], share: float
) -> NDArray[np.float32]:
    """Return relevance with a share of the better neighbour's added, in [0, 1].

    Args:
        relevance: of shape (n,); minus infinity for what does not count.
        groups: which templates may be neighbours: those of one number, of shape (n,).
        order: the templates in the order they were written in, of shape (n,).
        share: of the neighbour's relevance.
    """
    if share == 0 or len(order) < 2:
        return relevance
    lined, group = relevance[order].clip(0, None), groups[order]
    beside = np.zeros_like(lined)
    together = group[1:] == group[:-1]
    beside[1:] = np.where(together, lined[:-1], 0)
    beside[:-1] = np.maximum(beside[:-1], np.where(together, lined[1:], 0))
    found = relevance.copy()
    found[order] = (found[order] + share * beside) / (1 + share)
    return found


def scored(relevance: float, template: Template, weight: float) -> float:
    """Return relevance moved by what is sure of the utility: its bound that is nearer to zero, bounded by a weight."""
    sure = max(0.0, abs(template.utility) - (template.utility_error or 0.0))
    moved = weight * math.tanh(math.copysign(sure, template.utility) * 3 / LIMIT)
    return relevance + moved * max(relevance, 0.0)


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
