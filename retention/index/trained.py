"""A table with a trained index: queries visit a few of many lists of codes (faiss, IVF with scalar quantisation)."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from ..errors import MissingExtraError
from .dense import search_filled
from .rescore import rescore
from .table import Floats, Positions, Vectors, check_sizes, checked_entries, checked_positions, checked_queries

_MARGIN = 0.25  # by which codes reach beyond what they are trained on, on each side, so that what comes later fits
_MOST_LISTS = 4096
_SAMPLE = 64  # vectors that a list is trained on
_QUERIES = 256  # that the number of lists to visit is measured with
_CHUNK = 1 << 16  # vectors handed to faiss at a time
_ENTRY_BYTES = 48  # of an id in its list and in the map that finds it, beside its code


@final
@dataclass(frozen=True, kw_only=True)
class TrainedConfig:
    """How the lists of a ``TrainedTable`` are made and visited.

    Attributes:
        untrained: below so many vectors there are no lists, and the true vectors are searched one by one.
        lists: how many lists; None makes ``2 sqrt(n)`` of ``n`` vectors, at most 4,096.
        probes: how many lists a query visits; None visits as many as reach ``recall``.
        recall: share of the 32 nearest that is to be found, in (0, 1]; measured when the lists are made, with vectors
            of the table as queries. Data without structure is searched more slowly, not less well.
        drift: the lists are made anew when so large a share of the vectors has been replaced or dropped since, or when
            there are twice as many.
        seed: of the samples that are drawn.
    """

    untrained: int = 4096
    lists: int | None = None
    probes: int | None = None
    recall: float = 0.98
    drift: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: a value is out of range.
        """
        for name in ("untrained", "lists", "probes"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if not 0 < self.recall <= 1:
            raise ValueError(f"recall must be in (0, 1], got {self.recall}")
        if not self.drift > 0:
            raise ValueError(f"drift must be positive, got {self.drift}")


@final
class TrainedTable:
    """Sorts codes of the vectors into lists by their nearest centroid, and visits the lists nearest to a query.

    The lists are made from the true vectors by ``train``, or by the first search that finds them missing or drifted:
    that search waits for it. ``put`` and ``drop`` take effect at once, without a mark that is left behind.
    """

    def __init__(self, capacity: int, dim: int, config: TrainedConfig | None = None) -> None:
        """Make an empty table.

        Args:
            capacity: positions are below it.
            dim: the width of a vector.
            config: how lists are made and visited.

        Raises:
            ValueError: a size is below 1, or ``capacity`` is 2**31 or more.
            MissingExtraError: faiss is not installed.
        """
        check_sizes(capacity, dim)
        try:
            self._faiss: Any = importlib.import_module("faiss")
        except ImportError:
            raise MissingExtraError("a trained index", "index") from None
        self._config = config or TrainedConfig()
        self._dim = dim
        self._filled = np.zeros(capacity, dtype=bool)
        self._size = 0
        self._index: Any = None
        self._size_then = 0
        self._gone = 0

    @property
    def nbytes(self) -> int:
        """Bytes that the table holds, about."""
        if self._index is None:
            return self._filled.nbytes
        centroids = 4 * self._dim * self._index.nlist
        return int(self._filled.nbytes + centroids + self._size * (self._index.code_size + _ENTRY_BYTES))

    @property
    def probes(self) -> int:
        """How many lists a query visits; 0 without lists."""
        return 0 if self._index is None else int(self._index.nprobe)

    @property
    def drifted(self) -> bool:
        """Whether the next search makes the lists first."""
        if self._index is None:
            return self._size >= self._config.untrained
        return (
            self._size < self._config.untrained // 2
            or self._size >= 2 * self._size_then
            or self._gone > self._config.drift * self._size_then
        )

    def __len__(self) -> int:
        """Return how many positions are filled."""
        return self._size

    def put(self, positions: Positions, vectors: Floats) -> None:
        """Fill positions; see ``VectorTable.put``."""
        positions, vectors = checked_entries(positions, vectors, self._filled.size, self._dim)
        self._remove(positions)
        self._filled[positions] = True
        self._size += positions.size
        if self._index is not None and positions.size:
            self._index.add_with_ids(vectors, positions)

    def drop(self, positions: Positions) -> None:
        """Empty positions; see ``VectorTable.drop``."""
        self._remove(np.unique(checked_positions(positions, self._filled.size)))

    def search(self, queries: Floats, k: int, vectors: Vectors) -> tuple[Floats, Positions]:
        """Find the best positions; see ``VectorTable.search``. Makes the lists first where ``drifted``."""
        queries = checked_queries(queries, k, self._dim)
        if self.drifted:
            self.train(vectors)
        if self._index is None:
            return search_filled(queries, k, vectors, self._filled)
        wanted = min(k + max(8, k // 4), self._size)
        _, candidates = self._index.search(queries, wanted)
        short = candidates[:, min(k, self._size) - 1] < 0
        if short.any():
            everywhere = self._faiss.SearchParametersIVF(nprobe=self._index.nlist)
            candidates[short] = self._index.search(queries[short], wanted, params=everywhere)[1]
        return rescore(queries, candidates, vectors, k)

    def train(self, vectors: Vectors) -> None:
        """Make the lists anew from the true vectors; there are none while vectors are few.

        Args:
            vectors: the truth.
        """
        self._index, self._size_then, self._gone = None, self._size, 0
        if self._size < self._config.untrained:
            return
        config = self._config
        generator = np.random.default_rng(config.seed)
        positions = np.flatnonzero(self._filled)
        lists = min(config.lists or min(round(2 * self._size**0.5), _MOST_LISTS), self._size)
        index = self._faiss.index_factory(self._dim, f"IVF{lists},SQ8", self._faiss.METRIC_INNER_PRODUCT)
        index.cp.niter, index.cp.seed = 10, config.seed
        index.cp.min_points_per_centroid, index.cp.max_points_per_centroid = 1, _SAMPLE
        index.sq.rangestat_arg = _MARGIN
        index.train(_rows(vectors, _drawn(generator, positions, _SAMPLE * lists)))
        index.set_direct_map_type(self._faiss.DirectMap.Hashtable)
        for start in range(0, positions.size, _CHUNK):
            part = positions[start : start + _CHUNK]
            index.add_with_ids(_rows(vectors, part), part)
        self._index = index
        index.nprobe = min(config.probes or lists, lists)
        if config.probes is None:
            index.nprobe = probes_needed(index, _rows(vectors, _drawn(generator, positions, _QUERIES)), config.recall)

    def _remove(self, positions: Positions) -> None:
        held = positions[self._filled[positions]]
        if not held.size:
            return
        self._filled[held] = False
        self._size -= held.size
        self._gone += held.size
        if self._index is not None:
            self._index.remove_ids(self._faiss.IDSelectorArray(held))


def probes_needed(index: Any, queries: Floats, recall: float, k: int = 32) -> int:
    """Return how many lists a query must visit to find ``recall`` of what it finds in all of them.

    Args:
        index: an IVF index of faiss; its ``nprobe`` is left at what was tried last.
        queries: vectors of the index, ``[n, dim]``; that each finds itself does not count.
        recall: the share of the ``k`` nearest others.
        k: how many nearest others count.
    """
    index.nprobe = index.nlist
    least = index.search(queries, k + 1)[0].min(axis=1)
    probes = 1
    while probes < index.nlist:
        index.nprobe = probes
        found = (index.search(queries, k + 1)[0] >= least[:, None]).sum(axis=1)
        if (found - 1).mean() >= recall * k:
            break
        probes += max(1, probes // 3)
    return min(probes, int(index.nlist))


def _drawn(generator: np.random.Generator, positions: Positions, count: int) -> Positions:
    """Draw ``count`` positions without repetition, in order; all where there are no more."""
    if positions.size <= count:
        return positions
    return np.sort(generator.choice(positions, count, replace=False))


def _rows(vectors: Vectors, positions: Positions) -> Floats:
    return np.ascontiguousarray(vectors[positions], dtype=np.float32)
