"""``BM25Okapi`` of rank-bm25: words alone, in memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from ..peers.peer_package import PeerPackage
from .store import Floats

PACKAGE = PeerPackage(module="rank_bm25", requirement="rank-bm25==0.2.2")
_WORD = re.compile(r"\w+")


@final
class BM25Store:
    """It takes no additions: all is counted anew at the first search after one."""

    name = "rank-bm25"
    durable = False
    synced = False
    finds_words = True
    finds_vectors = False

    def __init__(self, folder: Path) -> None:
        """Make an empty store."""
        self._package = PACKAGE.load()
        self._ids: list[str] = []
        self._words: list[list[str]] = []
        self._counted: Any = None

    def add(self, ids: Sequence[str], texts: Sequence[str], vectors: Floats) -> None:
        """Take in the words of many."""
        self._ids += ids
        self._words += [_WORD.findall(text.lower()) for text in texts]
        self._counted = None

    def add_one(self, id: str, text: str, vector: Floats) -> None:
        """Take in the words of one."""
        self.add([id], [text], vector[None])

    def search(self, text: str, vector: Floats | None, k: int) -> list[tuple[str, float]]:
        """Score all; what has no word of the query scores 0 and is not found."""
        asked = _WORD.findall(text.lower())
        if not asked or not any(self._words):
            return []
        if self._counted is None:
            self._counted = self._package.BM25Okapi(self._words)
        scores = self._counted.get_scores(asked)
        sharing = np.flatnonzero(scores)
        best = sharing[np.argsort(-scores[sharing], kind="stable")[:k]].tolist()
        return [(self._ids[place], float(scores[place])) for place in best]

    def size_bytes(self) -> int:
        """Return 0."""
        return 0

    def close(self) -> None:
        """Forget all."""
        self._ids, self._words, self._counted = [], [], None
