"""The nearest of a growing set of keys: a tree over most of them, a plain scan over the newest."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from .columns import grown

_WIDEST_TREE = 16  # numbers in a key: beyond, a tree looks at nearly everything and a scan is faster
_SMALLEST_TREE = 512
_TAIL_SHARE, _LONGEST_TAIL = 8, 2048  # a tree is built anew when an eighth is new, or so many
_SCAN = 4_000_000  # distances at a time


@final
class NearestKeys:
    """Exact Euclidean neighbours, with keys added one after another.

    A k-d tree (J. L. Bentley, 1975) answers in a time that hardly grows with the keys. It cannot be extended, so the
    newest keys are scanned until they are enough for a new tree. Wide keys are always scanned.

    Attributes:
        size: how many keys there are; they are numbered from 0 in the order in which they came.
    """

    def __init__(self, width: int) -> None:
        """Start empty with keys of a width."""
        self.size = 0
        self._points = np.zeros((256, width))
        self._norms = np.zeros(256)
        self._tree: Any = None
        self._treed = 0

    @property
    def points(self) -> NDArray[np.float64]:
        """All keys, ``[size, width]``."""
        return self._points[: self.size]

    def add(self, points: NDArray[np.float64]) -> None:
        """Add keys, ``[new, width]``."""
        first, self.size = self.size, self.size + len(points)
        self._points, self._norms = grown(self._points, self.size), grown(self._norms, self.size)
        self._points[first : self.size] = points
        self._norms[first : self.size] = np.square(points).sum(axis=1)
        tail = self.size - self._treed
        wide = self._points.shape[1] > _WIDEST_TREE
        if not wide and self.size >= _SMALLEST_TREE and tail > min(self._treed // _TAIL_SHARE, _LONGEST_TAIL):
            # Here, because it costs time to import and few templates need none.
            from scipy.spatial import cKDTree

            self._tree, self._treed = cKDTree(self.points), self.size

    def nearest(
        self, queries: NDArray[np.float64], k: int, *, groups: int = 1
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the ``k`` nearest keys of each query, nearest first.

        Args:
            queries: ``[queries, width]``.
            k: how many.
            groups: queries come in so many groups of one size; each is answered, to the bit, as if it were asked alone.

        Returns:
            Squared distances and the numbers of the keys, both ``[queries, k]``. Where there are fewer keys the
            distance is infinite and the number that of the nearest one.
        """
        squared, index = self._scanned(queries, k, groups)
        if self._tree is not None:
            distance, place = self._tree.query(queries, k)
            distance, place = distance.reshape(-1, k), place.reshape(-1, k)
            squared, index = np.hstack([squared, np.square(distance)]), np.hstack([index, place])
        if squared.shape[1] > k or self._tree is None:
            order = squared.argsort(axis=1, kind="stable")[:, :k]
            row = np.arange(len(queries))[:, None]
            squared, index = squared[row, order], index[row, order]
        missing = k - squared.shape[1]
        if missing > 0:
            squared = np.pad(squared, ((0, 0), (0, missing)), constant_values=np.inf)
            index = np.pad(index, ((0, 0), (0, missing)))
        if self.size < k:
            index = np.where(np.isfinite(squared), index, index[:, :1])
        return squared, index

    def _scanned(
        self, queries: NDArray[np.float64], k: int, groups: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the ``k`` nearest (or all, if fewer) of the keys that no tree holds, in no order."""
        tail = self.points[self._treed :]
        if not len(tail) or not len(queries):
            return np.zeros((len(queries), 0)), np.zeros((len(queries), 0), np.int64)
        rows = max(1, _SCAN // len(tail))
        if len(queries) <= rows:
            return self._scan(queries, tail, k, groups)
        if groups > 1:
            parts = [self._scanned(group, k, 1) for group in np.split(queries, groups)]
        else:
            parts = [self._scan(queries[start : start + rows], tail, k, 1) for start in range(0, len(queries), rows)]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def _scan(
        self, queries: NDArray[np.float64], tail: NDArray[np.float64], k: int, groups: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        # A product of many rows rounds otherwise than that of each group: so they are stacked, and not joined.
        squared = (queries.reshape(groups, -1, queries.shape[1]) @ tail.T).reshape(len(queries), -1)
        squared *= -2.0
        squared += self._norms[self._treed : self.size]
        squared += np.einsum("qd,qd->q", queries, queries)[:, None]
        np.maximum(squared, 0.0, out=squared)
        if len(tail) <= k:
            return squared, np.broadcast_to(np.arange(self._treed, self.size), squared.shape)
        place = np.argpartition(squared, k - 1, axis=1)[:, :k]
        return squared[np.arange(len(queries))[:, None], place], place + self._treed
