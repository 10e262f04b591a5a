"""Vectors of one width in memory, of length 1, searched by cosine: a cache, filled from the table."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingExtraError
from ..index.choose import choose_tier, new_table
from ..index.table import VectorTable
from .growing import Growing

SCAN_FROM = 32_768
"""From how many rows on an index finds the nearest, not a product with every row: it needs torch, seconds to import."""

TRAINED_FROM = 4_000_000
"""From how many rows on that index is a trained one, where faiss is installed: making it takes minutes."""


@final
class VectorRows:
    """Rows of float32 that grow. A row is known by its number: 0, 1, 2, ... in the order of adding.

    Args:
        width: how many numbers a row has.
    """

    def __init__(self, width: int) -> None:
        self._rows = Growing(np.float32, (width,))
        self._table: VectorTable | None = None
        self._room = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> NDArray[np.float32]:
        """All rows, of shape (n, width), of length 1 or 0: a view, to be asked for anew after an addition."""
        return self._rows.rows

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Add rows of shape (n, width), made to length 1; one without a direction stays zero."""
        self._rows.extend(unit(vectors))

    def nearest(self, query: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """Return the numbers of about the k rows with the greatest cosine with a query of length 1, in no order.

        Of many rows an index proposes them: the tiers that the retention layer uses too. It is made when it is first
        asked and follows what is added.
        """
        if len(self) < SCAN_FROM:
            return highest(self.cosines(query), k)
        table = self._current_table()
        _, found = table.search(query[None], k, self.rows)
        rows: NDArray[np.int64] = found[0][found[0] >= 0]
        return rows

    def _current_table(self) -> VectorTable:
        """Return the index with every row in it; one for twice as many rows is made when it is full."""
        if self._table is None or self._room < len(self):
            self._room, width = 2 * len(self), self.rows.shape[1]
            tier = choose_tier(len(self), dense_below=SCAN_FROM, trained_from=TRAINED_FROM)
            try:
                self._table = new_table(tier, self._room, width)
            except MissingExtraError:
                self._table = new_table("scan", self._room, width)
        if len(self._table) < len(self):
            fresh = np.arange(len(self._table), len(self))
            self._table.put(fresh, self.rows[fresh[0] :])
        return self._table

    def cosines(self, query: NDArray[np.float32], some: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Return the cosines of a query of length 1 with all rows, or with some of them by their numbers."""
        rows = self.rows if some is None else self.rows[some]
        # Not "@": its threads are no faster here, and on a busy machine they wait for each other ten times longer.
        found: NDArray[np.float32] = np.einsum("nd,d->n", rows, query)
        np.clip(found, -1, 1, out=found)
        return found


def highest(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the places of the k highest scores above minus infinity, the highest first; ties by place."""
    k = min(k, len(scores))
    if k == 0:
        return np.zeros(0, np.int64)
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    some = np.flatnonzero(scores >= least)
    some = some[scores[some] > -np.inf]
    found: NDArray[np.int64] = some[np.lexsort((some, -scores[some]))][:k]
    return found


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors made to length 1, whatever their length was; a zero vector stays zero."""
    wide = vectors.astype(np.float64)
    wide /= np.maximum(np.abs(wide).max(axis=-1, keepdims=True), np.finfo(np.float64).tiny)
    norms = np.linalg.norm(wide, axis=-1, keepdims=True)
    found: NDArray[np.float32] = np.divide(wide, norms, out=np.zeros_like(wide), where=norms > 0).astype(np.float32)
    return found
