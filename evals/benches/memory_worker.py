"""The side of a bench of memories that holds one store, in a process of its own, and does what it is told.

So what a store holds in memory is told apart from the others', and one that fails, or is killed, harms nobody.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, final

from ..stores import open_store
from ..stores.store import Store
from .memory_data import Sample, english_texts
from .quiet import quiet

K = 10

_FIRST, _MOST = 100, 5000  # texts of the first bulk call, and of any
_CALL_SECONDS = 1.0  # a bulk call is as long as this at most, so that a budget can end it


def serve(connection: Connection, log: str) -> None:
    """Answer what is asked until the other side is gone; what a package prints goes to a file.

    A question is the name of a method of :class:`Worker` and its arguments; the answer is a pair of what it returned
    and None, or of None and what went wrong.
    """
    _print_to(log)
    worker = Worker()
    with suppress(EOFError, KeyboardInterrupt):
        while True:
            name, settings = connection.recv()
            answer: tuple[Any, str | None]
            try:
                with quiet():
                    answer = (getattr(worker, name)(**settings), None)
            except Exception as error:  # whatever a package raises is its result
                answer = (None, " ".join(f"{type(error).__name__}: {error}".split())[:300])
            connection.send(answer)


@final
class Worker:
    """One store, and how long it takes: seconds of the clock, and of the processor, by all threads of this process."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._store: Store
        self._sample: Sample

    def open(self, name: str, folder: str, sample: str, **settings: Any) -> dict[str, Any]:
        """Open a store, its package imported, and return what it is and how long that took."""
        self._sample = Sample(Path(sample))
        self._vectors = self._sample.query_vectors()
        _forget_peak()
        self._before = _status_mb("VmRSS")
        started = time.perf_counter()
        self._store = open_store(name, Path(folder), **settings)
        store = self._store
        return {
            "seconds": time.perf_counter() - started,
            "name": store.name,
            "durable": store.durable,
            "synced": store.synced,
            "finds_words": store.finds_words,
            "finds_vectors": store.finds_vectors,
        }

    def add_singles(self, start: int, stop: int, budget: float | None) -> list[float]:
        """Add one by one, until the budget is spent, and return the seconds of each."""
        ids, vectors = self._sample.ids(start, stop), self._sample.vectors(start, stop)
        texts = self._sample.texts[start:stop]
        taken: list[float] = []
        spent = 0.0
        for id, text, vector in zip(ids, texts, vectors, strict=True):
            began = time.perf_counter()
            self._store.add_one(id, text, vector)
            taken.append(time.perf_counter() - began)
            spent += taken[-1]
            if budget is not None and spent > budget:
                break
        return taken

    def add_many(self, start: int, stop: int, budget: float | None) -> dict[str, float]:
        """Add in bulk, until the budget is spent, and return how many in how many seconds."""
        done, seconds, processor, chunk = start, 0.0, 0.0, _FIRST
        while done < stop and (budget is None or seconds < budget):
            until = min(stop, done + chunk)
            ids, vectors = self._sample.ids(done, until), self._sample.vectors(done, until)
            texts = self._sample.texts[done:until]
            began, used = time.perf_counter(), time.process_time()
            self._store.add(ids, texts, vectors)
            taken = time.perf_counter() - began
            seconds, processor = seconds + taken, processor + time.process_time() - used
            chunk = min(_MOST, max(1, int((until - done) * _CALL_SECONDS / max(taken, 1e-9))))
            done = until
        return {"added": done - start, "seconds": seconds, "cpu": processor}

    def search(self, queries: list[int], budget: float | None, words: bool = True) -> list[dict[str, float]]:
        """Ask queries, until the budget is spent.

        Args:
            queries: their places.
            budget: seconds; None for as many as it takes.
            words: whether to ask with the words too, or for the vector alone.

        Returns:
            For each: ``query``; ``seconds`` and ``cpu``; and ``rank``, the place from 0 of the text that it is about
            among the ``K`` that were found, -1 where it is none of them.
        """
        taken: list[dict[str, float]] = []
        spent = 0.0
        for number in queries:
            taken.append(self._ask(number, words))
            spent += taken[-1]["seconds"]
            if budget is not None and spent > budget:
                break
        return taken

    def search_after_adding(self, queries: list[int], start: int, budget: float | None) -> list[dict[str, float]]:
        """Ask queries as :meth:`search` does, each right after a text was added, which does not count."""
        taken: list[dict[str, float]] = []
        began = time.perf_counter()
        for place, number in enumerate(queries, start=start):
            self.add_singles(place, place + 1, None)
            taken.append(self._ask(number, True))
            if budget is not None and time.perf_counter() - began > budget:
                break
        return taken

    def peak_mb(self) -> float | None:
        """Return by how much memory this process grew at most since before the store was opened, in MB."""
        after = _status_mb("VmHWM")
        return None if after is None or self._before is None else after - self._before

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def encode(self, seed: int, count: int, seconds: float) -> dict[str, float]:
        """Return how many texts the default encoder encodes in a second, one by one and 64 at a time.

        Raises:
            MissingExtraError: the extra that has it is not installed.
        """
        from retention import default_encoder

        encoder, texts = default_encoder(), english_texts(count, seed)
        encoder.encode(texts[:1])
        return {
            "single_per_s": _per_second(lambda start: encoder.encode(texts[start : start + 1]), 1, count, seconds),
            "batch_per_s": _per_second(lambda start: encoder.encode(texts[start : start + 64]), 64, count, seconds),
        }

    def _ask(self, number: int, words: bool) -> dict[str, float]:
        query = self._sample.queries[number]
        text, vector = query.text if words else "", self._vectors[number]
        began, used = time.perf_counter(), time.process_time()
        hits = self._store.search(text, vector, K)
        taken, processor = time.perf_counter() - began, time.process_time() - used
        found = [id for id, _ in hits]
        wanted = f"t{query.about}"
        rank = found.index(wanted) if wanted in found else -1
        return {"query": number, "seconds": taken, "cpu": processor, "rank": rank}


def _per_second(act: Callable[[int], object], step: int, count: int, seconds: float) -> float:
    began = time.perf_counter()
    done = 0
    for start in range(0, count - step + 1, step):
        act(start)
        done += step
        if time.perf_counter() - began > seconds:
            break
    return done / (time.perf_counter() - began)


def _print_to(log: str) -> None:
    """Send standard output and error to a file, also what is not written by Python."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        stream.flush()
        os.dup2(file, number)
    os.close(file)


def _status_mb(name: str) -> float | None:
    """Return a line of what the system tells of this process, in MB; None where it tells nothing."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    lines = status.read_text().splitlines()
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith(f"{name}:")), None)


def _forget_peak() -> None:
    """Let the peak of memory begin anew; where the system does not allow that, it goes on from the import."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
