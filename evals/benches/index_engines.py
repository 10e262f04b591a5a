"""What finds vectors: holdfast's own tables and, where they are installed, libraries to hold them against."""

from __future__ import annotations

import importlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from retention import DenseTable, ScanTable, TrainedTable, VectorTable

Floats = NDArray[np.float32]
Positions = NDArray[np.int64]

_RESCORED = 128  # candidates of an engine that compresses hard


class Engine(ABC):
    """One way to find vectors.

    Attributes:
        removes: whether vectors can be taken out.
    """

    removes: bool = True

    @abstractmethod
    def build(self, vectors: Floats) -> None:
        """Take in vectors; position ``i`` is row ``i``."""

    @abstractmethod
    def search(self, queries: Floats, k: int) -> Positions:
        """Return ``k`` positions for each query."""

    @abstractmethod
    def add(self, position: int, vector: Floats) -> None:
        """Take in a vector ``[1, dim]`` at a position that was deleted."""

    @abstractmethod
    def delete(self, position: int) -> None:
        """Take a vector out; only where ``removes``."""


@final
class TableEngine(Engine):
    """A table of holdfast."""

    def __init__(self, table: Callable[[int, int], VectorTable]) -> None:
        """Prepare a table; ``table`` makes an empty one of a capacity and a dim."""
        self._make = table

    def build(self, vectors: Floats) -> None:
        """Put all, and search once: a trained table is trained by that."""
        self._vectors = vectors
        self._table = self._make(*vectors.shape)
        self._table.put(np.arange(len(vectors)), vectors)
        self._table.search(vectors[:1], 1, vectors)

    def search(self, queries: Floats, k: int) -> Positions:
        """Search the table."""
        return self._table.search(queries, k, self._vectors)[1]

    def add(self, position: int, vector: Floats) -> None:
        """Put one."""
        self._table.put(np.array([position]), vector)

    def delete(self, position: int) -> None:
        """Drop one."""
        self._table.drop(np.array([position]))


@final
class FaissEngine(Engine):
    """An index of faiss, by its factory string."""

    def __init__(self, spec: str) -> None:
        """Prepare the index that ``faiss.index_factory`` makes of ``spec``."""
        self._faiss: Any = importlib.import_module("faiss")
        self._spec = spec
        self.removes = "HNSW" not in spec

    def build(self, vectors: Floats) -> None:
        """Add all with their positions as ids."""
        self._index = self._faiss.index_factory(vectors.shape[1], self._spec, self._faiss.METRIC_INNER_PRODUCT)
        if "HNSW" in self._spec:
            graph = self._faiss.downcast_index(self._index.index).hnsw
            graph.efConstruction, graph.efSearch = 128, 64
        self._index.add_with_ids(vectors, np.arange(len(vectors)))

    def search(self, queries: Floats, k: int) -> Positions:
        """Search the index."""
        found: Positions = self._index.search(queries, k)[1]
        return found

    def add(self, position: int, vector: Floats) -> None:
        """Add one."""
        self._index.add_with_ids(vector, np.array([position]))

    def delete(self, position: int) -> None:
        """Remove one."""
        self._index.remove_ids(np.array([position]))


@final
class UsearchEngine(Engine):
    """A graph of usearch."""

    def __init__(self, dtype: str) -> None:
        """Prepare a graph of vectors kept as ``dtype``."""
        self._usearch: Any = importlib.import_module("usearch.index")
        self._dtype = dtype

    def build(self, vectors: Floats) -> None:
        """Add all."""
        settings = {"connectivity": 16, "expansion_add": 128, "expansion_search": 64}
        self._index = self._usearch.Index(ndim=vectors.shape[1], metric="ip", dtype=self._dtype, **settings)
        self._index.add(np.arange(len(vectors)), vectors, threads=1)

    def search(self, queries: Floats, k: int) -> Positions:
        """Search the graph."""
        found: Positions = self._index.search(queries, k, threads=1).keys.astype(np.int64)
        return found.reshape(len(queries), -1)

    def add(self, position: int, vector: Floats) -> None:
        """Add one."""
        self._index.add(np.array([position]), vector, threads=1)

    def delete(self, position: int) -> None:
        """Remove one."""
        self._index.remove(position)


@final
class HnswlibEngine(Engine):
    """A graph of hnswlib."""

    def __init__(self) -> None:
        """Prepare the graph."""
        self._hnswlib: Any = importlib.import_module("hnswlib")

    def build(self, vectors: Floats) -> None:
        """Add all."""
        self._index = self._hnswlib.Index(space="ip", dim=vectors.shape[1])
        self._index.init_index(len(vectors), M=16, ef_construction=128, allow_replace_deleted=True)
        self._index.set_num_threads(1)
        self._index.set_ef(64)
        self._index.add_items(vectors, np.arange(len(vectors)))

    def search(self, queries: Floats, k: int) -> Positions:
        """Search the graph."""
        found: Positions = self._index.knn_query(queries, k)[0].astype(np.int64)
        return found

    def add(self, position: int, vector: Floats) -> None:
        """Add one, in the place of one that is marked as deleted."""
        self._index.add_items(vector, np.array([position]), replace_deleted=True)

    def delete(self, position: int) -> None:
        """Mark one as deleted."""
        self._index.mark_deleted(position)


@final
class TurbovecEngine(Engine):
    """Codes of four bits of turbovec; 128 candidates are scored again with the vectors."""

    def __init__(self) -> None:
        """Prepare the index."""
        os.environ.setdefault("RAYON_NUM_THREADS", "1")
        self._turbovec: Any = importlib.import_module("turbovec")

    def build(self, vectors: Floats) -> None:
        """Add all."""
        self._vectors = vectors
        self._index = self._turbovec.IdMapIndex(dim=vectors.shape[1], bit_width=4)
        self._index.add_with_ids(vectors, np.arange(len(vectors), dtype=np.uint64))
        self._index.search(vectors[:1], 1)

    def search(self, queries: Floats, k: int) -> Positions:
        """Search the codes, and score again."""
        candidates = self._index.search(queries, min(_RESCORED, len(self._vectors)))[1].astype(np.int64)
        scores = np.matmul(self._vectors[candidates], queries[:, :, None])[..., 0]
        return np.take_along_axis(candidates, np.argsort(-scores, axis=1)[:, :k], axis=1)

    def add(self, position: int, vector: Floats) -> None:
        """Add one."""
        self._index.add_with_ids(vector, np.array([position], dtype=np.uint64))

    def delete(self, position: int) -> None:
        """Remove one."""
        self._index.remove(position)


OURS: dict[str, Callable[[], Engine]] = {
    "holdfast dense": lambda: TableEngine(DenseTable),
    "holdfast scan": lambda: TableEngine(ScanTable),
    "holdfast trained": lambda: TableEngine(TrainedTable),
}

PEERS: dict[str, Callable[[], Engine]] = {
    "faiss Flat": lambda: FaissEngine("IDMap2,Flat"),
    "faiss HNSW16": lambda: FaissEngine("IDMap2,HNSW16"),
    "usearch f32": lambda: UsearchEngine("f32"),
    "usearch i8": lambda: UsearchEngine("i8"),
    "hnswlib": HnswlibEngine,
    "turbovec": TurbovecEngine,
}
