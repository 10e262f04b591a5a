"""A table that scans codes of one byte a number, with torch's integer product."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .rescore import best, rescore
from .table import Floats, Positions, Vectors, check_sizes, checked_entries, checked_positions, checked_queries

_Product = Callable[[Tensor, Tensor], Tensor]
_BLOCK = 32  # rows that share one maximum
_CANDIDATES = 4  # for each one asked for
_QUERIES = 32  # at a time
_PUT = 1 << 16  # vectors encoded at a time


@final
class ScanTable:
    """Scans a code of every vector, then scores four candidates for each one asked for with the true vectors.

    A code is the vector divided by a scale of its own, rounded to whole numbers in [-127, 127]. Nothing is trained:
    ``put`` and ``drop`` cost what they are given, and no data is bad data. The codes lie in rows without gaps; the last
    row moves where one is dropped.

    A search keeps the maximum over each 32 rows. The rows with the ``c`` largest products are in the blocks with the
    ``c`` largest maxima, so that only those are looked at again.
    """

    def __init__(self, capacity: int, dim: int, *, chunk: int = 1 << 18) -> None:
        """Make an empty table.

        Args:
            capacity: positions are below it.
            dim: the width of a vector.
            chunk: how many products are held at a time, about.

        Raises:
            ValueError: a size is below 1, or ``capacity`` is 2**31 or more.
        """
        check_sizes(capacity, dim)
        if chunk < 1:
            raise ValueError(f"chunk must be at least 1, got {chunk}")
        self._dim = dim
        self._chunk = chunk
        self._row = np.full(capacity, -1, dtype=np.int32)
        self._position = np.empty(0, dtype=np.int32)
        self._codes = torch.empty(0, _BLOCK, dim, dtype=torch.int8)
        self._scale = torch.empty(0, _BLOCK)
        self._size = 0

    @property
    def nbytes(self) -> int:
        """Bytes that the table holds."""
        return self._row.nbytes + self._position.nbytes + self._codes.nbytes + self._scale.nbytes

    def __len__(self) -> int:
        """Return how many positions are filled."""
        return self._size

    def put(self, positions: Positions, vectors: Floats) -> None:
        """Fill positions; see ``VectorTable.put``."""
        positions, vectors = checked_entries(positions, vectors, self._row.size, self._dim)
        rows = self._row[positions]
        new = rows < 0
        rows[new] = np.arange(self._size, self._size + np.count_nonzero(new), dtype=np.int32)
        self._make_room(self._size + int(np.count_nonzero(new)))
        self._size += int(np.count_nonzero(new))
        self._row[positions] = rows
        self._position[rows] = positions
        for start in range(0, rows.size, _PUT):
            part = rows[start : start + _PUT]
            self._codes_by_row()[part], self._scale_by_row()[part] = encoded(vectors[start : start + _PUT])

    def drop(self, positions: Positions) -> None:
        """Empty positions; see ``VectorTable.drop``."""
        positions = checked_positions(positions, self._row.size)
        rows = np.unique(self._row[positions])
        rows = rows[rows >= 0]
        size = self._size - rows.size
        last = np.ones(rows.size, dtype=bool)
        last[rows[rows >= size] - size] = False
        moved, holes = size + np.flatnonzero(last), rows[rows < size]
        self._row[positions] = -1
        self._position[holes] = self._position[moved]
        self._row[self._position[holes]] = holes
        self._codes_by_row()[holes] = self._codes_by_row()[moved]
        self._scale_by_row()[holes] = self._scale_by_row()[moved]
        self._size = size

    def search(self, queries: Floats, k: int, vectors: Vectors) -> tuple[Floats, Positions]:
        """Find the best positions; see ``VectorTable.search``."""
        queries = checked_queries(queries, k, self._dim)
        wanted = min(_CANDIDATES * k, self._size)
        if not wanted or not len(queries):
            nothing = np.empty((len(queries), 0), dtype=np.float32)
            return best(nothing, nothing.astype(np.int64), k)
        parts = []
        for start in range(0, len(queries), _QUERIES):
            some = queries[start : start + _QUERIES]
            with _one_thread() if len(queries) == 1 else nullcontext():
                rows = self._nearest(torch.from_numpy(encoded(some)[0]), wanted)
            parts.append(rescore(some, self._position[rows].astype(np.int64), vectors, k))
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def _nearest(self, queries: Tensor, wanted: int) -> NDArray[np.int64]:
        """Return the ``wanted`` rows whose codes have the largest products with each query's, in no order."""
        blocks = -(-self._size // _BLOCK)
        if wanted < blocks:
            peaks, top = self._block_maxima(queries, blocks).topk(wanted, dim=1, sorted=False)
            floor = peaks.amin(dim=1)
        else:
            top = torch.arange(blocks).expand(len(queries), blocks)
            floor = torch.full((len(queries),), -torch.inf)
        product = integer_product()
        nearest = torch.empty(len(queries), wanted, dtype=torch.int64)
        for number, query in enumerate(queries):
            codes = self._codes.index_select(0, top[number]).view(-1, self._dim)
            scores = product(codes, query[:, None])[:, 0] * self._scale.index_select(0, top[number]).view(-1)
            high = (scores >= floor[number]).nonzero()[:, 0]
            rows = top[number, high // _BLOCK] * _BLOCK + high % _BLOCK
            high_scores = scores[high].masked_fill_(rows >= self._size, -torch.inf)
            nearest[number] = rows[high_scores.topk(wanted, sorted=False).indices]
        return nearest.numpy()

    def _block_maxima(self, queries: Tensor, blocks: int) -> Tensor:
        """Return the largest product of each query with the codes of each block, ``[queries, blocks]``."""
        product = integer_product()
        step = max(1, self._chunk // (_BLOCK * len(queries)))
        maxima = torch.empty(blocks, len(queries))
        turned = queries.T.contiguous()
        for start in range(0, blocks, step):
            stop = min(start + step, blocks)
            products = product(self._codes[start:stop].view(-1, self._dim), turned)
            scores = products * self._scale[start:stop].view(-1, 1)
            scores[self._size - start * _BLOCK :] = -torch.inf
            torch.amax(scores.view(stop - start, _BLOCK, len(queries)), dim=1, out=maxima[start:stop])
        return maxima.T.contiguous()

    def _codes_by_row(self) -> NDArray[np.int8]:
        return self._codes.view(-1, self._dim).numpy()

    def _scale_by_row(self) -> Floats:
        return self._scale.view(-1).numpy()

    def _make_room(self, rows: int) -> None:
        """Grow to hold ``rows`` rows: by half at least, so that growing costs little on the whole."""
        have = len(self._codes)
        wanted = -(-rows // _BLOCK)
        if wanted <= have:
            return
        more = max(wanted, min(have + have // 2, -(-self._row.size // _BLOCK))) - have
        self._position = np.concatenate((self._position, np.empty(more * _BLOCK, dtype=np.int32)))
        self._codes = torch.cat((self._codes, torch.empty(more, _BLOCK, self._dim, dtype=torch.int8)))
        self._scale = torch.cat((self._scale, torch.empty(more, _BLOCK)))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Have torch work alone: one query is a few milliseconds, and on a busy machine threads wait for each other longer.

    At 100,000 vectors it took 2 ms with one thread and 45 to 90 ms with two while other processes used both cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def encoded(vectors: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Return codes ``[n, dim]`` and scales ``[n]``: a vector is about its code times its scale."""
    scale = np.abs(vectors).max(axis=1) / np.float32(127)
    codes = np.rint(vectors / np.where(scale > 0, scale, 1)[:, None])
    return codes.clip(-127, 127).astype(np.int8), scale


@lru_cache(maxsize=1)
def integer_product() -> _Product:
    """Return the product of two matrices of int8: torch's own where there is one that is right, else in float32."""
    left = torch.arange(-64, 64, dtype=torch.int8).view(8, 16)
    try:
        right = bool((torch._int_mm(left, left.T.contiguous()) == float_product(left, left.T)).all())
    except (AttributeError, RuntimeError):  # a build of torch without it
        right = False
    return torch._int_mm if right else float_product


def float_product(left: Tensor, right: Tensor) -> Tensor:
    """Multiply matrices of int8 in floats that hold every sum exactly."""
    dtype = torch.float32 if left.shape[1] <= 1040 else torch.float64
    return left.to(dtype) @ right.to(dtype)
