"""What it costs to find slots among many: each tier of holdfast, and the libraries that are installed.

One engine at a time, on one thread. Times are CPU time of this process, so that a busy machine disturbs them less.
"""

from __future__ import annotations

import ctypes
import importlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .index_engines import OURS, PEERS, Engine
from .index_vectors import KINDS, Floats, draw_vectors, nearest
from .stopwatch import one_thread

K = 32
SIZES = (1_000, 10_000, 100_000, 1_000_000)
HUGE = 10_000_000

_QUERIES = 256
_CHANGES = 24
_PATIENCE = 3.0  # seconds after which no more single queries are asked


def measure(
    sizes: Sequence[int] = SIZES,
    *,
    kinds: Sequence[str] = KINDS,
    peers: bool = True,
    queries: int = _QUERIES,
    on_start: Callable[[str], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """Measure every engine on vectors of 64 numbers, and yield a row for each.

    A row is ``slots``, ``data``, ``engine``; ``build_s``; the median of single additions and deletions ``add_us`` and
    ``delete_us``; of queries asked one by one ``p50_us`` and ``p99_us``, asked together ``batch_us`` for each; the
    recall of the nearest ``recall_1`` and of the nearest 32 ``recall_32``; ``memory_mb`` by which the process grew; and
    ``error``, None where all went well. What an engine cannot do, or did not come to, is None.

    Args:
        sizes: numbers of vectors.
        kinds: of ``KINDS``.
        peers: whether to measure other libraries; one that is not installed has no row.
        queries: how many queries.
        on_start: is called with what is measured next.

    Raises:
        ValueError: a size is below 1,000, or ``queries`` below 1.
    """
    if min(sizes) < 1000 or queries < 1:
        raise ValueError(f"sizes must be at least 1000 and queries at least 1, got {list(sizes)} and {queries}")
    with all_on_one_thread():
        for size in sizes:
            for kind in kinds:
                vectors, asked = draw_vectors(kind, size, queries)
                wanted = nearest(vectors, asked, K)
                for name, engine in engines(peers).items():
                    if on_start is not None:
                        on_start(f"{name}, {size:,} {kind}")
                    yield {
                        "slots": size,
                        "data": kind,
                        "engine": name,
                        **measure_engine(engine, vectors, asked, wanted),
                    }


def engines(peers: bool) -> Mapping[str, Callable[[], Engine]]:
    """Return the engines by their names: ours, and the peers whose libraries are installed."""
    if not peers:
        return OURS
    found = {}
    for name, engine in PEERS.items():
        with suppress(ImportError):
            engine()
            found[name] = engine
    return OURS | found


def measure_engine(
    make: Callable[[], Engine], vectors: Floats, queries: Floats, wanted: NDArray[np.int64]
) -> dict[str, Any]:
    """Measure one engine; an error ends it and is told in its row.

    Args:
        make: makes the engine.
        vectors: ``[count, dim]``.
        queries: ``[n, dim]``.
        wanted: the true nearest, ``[n, K]``.
    """
    names = ("build_s", "add_us", "delete_us", "p50_us", "p99_us", "batch_us", "recall_1", "recall_32", "memory_mb")
    row: dict[str, Any] = dict.fromkeys((*names, "error"))
    try:
        engine = make()
        before = resident_mb()
        row["build_s"] = _seconds(lambda: engine.build(vectors))
        after = resident_mb()
        row["memory_mb"] = None if before is None or after is None else after - before
        found = engine.search(queries, K)
        row["recall_1"] = float((found[:, 0] == wanted[:, 0]).mean())
        row["recall_32"] = recall(found, wanted)
        row["batch_us"] = 1e6 * median(_batches(engine, queries)) / len(queries)
        singles = _singles(engine, queries)
        row["p50_us"], row["p99_us"] = 1e6 * median(singles), 1e6 * float(np.quantile(singles, 0.99))
        positions = np.random.default_rng(1).choice(len(vectors), _CHANGES, replace=False).tolist()
        if engine.removes:
            row["delete_us"] = 1e6 * median([_seconds(partial(engine.delete, at)) for at in positions])
            adding = [_seconds(partial(engine.add, at, vectors[at : at + 1])) for at in positions]
            row["add_us"] = 1e6 * median(adding)
    except Exception as error:  # whatever a library raises is its result
        row["error"] = f"{type(error).__name__}: {error}"
    return row


def recall(found: NDArray[np.int64], wanted: NDArray[np.int64]) -> float:
    """Return the mean share of the wanted positions of a query that were found."""
    return float((found[:, :, None] == wanted[:, None, :]).any(axis=1).mean())


def resident_mb() -> float | None:
    """Return the memory that this process holds, in MB, after giving back what it can; None where that is not told."""
    with suppress(OSError, AttributeError):  # a C library without malloc_trim keeps what it has
        ctypes.CDLL(None).malloc_trim(0)
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1e3


@contextmanager
def all_on_one_thread() -> Iterator[None]:
    """Keep torch to one thread, and faiss where it is installed."""
    faiss: Any = None
    with suppress(ImportError):
        faiss = importlib.import_module("faiss")
    threads = faiss.omp_get_max_threads() if faiss else 0
    with one_thread():
        if faiss:
            faiss.omp_set_num_threads(1)
        try:
            yield
        finally:
            if faiss:
                faiss.omp_set_num_threads(threads)


def _singles(engine: Engine, queries: Floats) -> list[float]:
    """Return seconds of single queries, until all were asked or patience is over."""
    seconds: list[float] = []
    for number in range(len(queries)):
        seconds.append(_seconds(partial(engine.search, queries[number : number + 1], K)))
        if sum(seconds) > _PATIENCE:
            break
    return seconds


def _batches(engine: Engine, queries: Floats) -> list[float]:
    """Return seconds of all queries together, three times, or until patience is over."""
    seconds: list[float] = []
    while len(seconds) < 3 and sum(seconds) <= _PATIENCE:
        seconds.append(_seconds(lambda: engine.search(queries, K)))
    return seconds


def _seconds(act: Callable[[], object]) -> float:
    started = time.process_time()
    act()
    return time.process_time() - started
