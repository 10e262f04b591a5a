"""What was measured of a store, and the row of numbers that is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, final

import numpy as np

from .memory_data import Query

Asked = Sequence[Mapping[str, float]]


@final
@dataclass(kw_only=True)
class Run:
    """What was measured of a store so far.

    Attributes:
        store: the name of its row.
        templates: how many it is to hold.
        queries: what is asked.
        held_before: how many another process left in it.
        opened: what it said when it was opened.
        singles: seconds of each single addition to the empty store.
        bulk: how many were added in bulk, and in how many seconds.
        first: the first query, after all was added.
        both: for each round, the answers of queries with words and vector.
        vector: for each round, the answers for the vector alone.
        after: the answers of queries right after an addition.
        full: seconds of each single addition to the filled store.
        peak_mb: by how much its process grew at most.
        size_bytes: of its files, closed.
        cold_open: seconds in which a fresh process opens it.
        cold_first: seconds of the first query there.
        error: what went wrong.
    """

    store: str
    templates: int
    queries: Sequence[Query]
    held_before: int = 0
    opened: Mapping[str, Any] | None = None
    singles: Sequence[float] = ()
    bulk: Mapping[str, float] = field(default_factory=dict)
    first: Asked = ()
    both: list[Asked] = field(default_factory=list)
    vector: list[Asked] = field(default_factory=list)
    after: Asked = ()
    full: Sequence[float] = ()
    peak_mb: float | None = None
    size_bytes: int | None = None
    cold_open: float | None = None
    cold_first: float | None = None
    error: str | None = None

    @property
    def held(self) -> int:
        """How many of the texts it held when it was asked."""
        return self.held_before + len(self.singles) + int(self.bulk.get("added", 0))


def row_of(run: Run, budget: float) -> dict[str, Any]:
    """Return the row of a store; what was not measured is None.

    ``single_per_s``, ``full_per_s`` and ``batch_per_s`` are additions a second: one by one to the empty store and to
    the full one, and in bulk; ``synced`` is whether each single one was on the disk, not with the system alone, before
    the next began. ``recall_*`` is asked with words and vector, ``vector_*`` for the vector alone,
    ``after_*`` right after an addition: ``p50_ms`` the median over the rounds of their medians, ``p99_ms`` over all,
    ``cpu_ms`` of the processor. ``recall_at_10`` is the share of the queries whose text was found, of those whose text
    the store holds. ``cold_s`` is from opening in a fresh process, packages imported, to the first answer.

    Args:
        run: what was measured.
        budget: the seconds of each phase.
    """
    opened = run.opened or {}
    stopped = 0 < run.held < run.templates and bool(run.bulk)
    in_file = run.held + len(run.after) + len(run.full)
    has_file = bool(run.size_bytes) and run.held > 0
    return {
        "templates": run.templates,
        "store": run.store,
        "package": opened.get("name"),
        "durable": opened.get("durable"),
        "synced": opened.get("synced"),
        "held": run.held or None,
        "single_per_s": _per_second(len(run.singles), sum(run.singles)),
        "single_p50_ms": _quantile_ms(run.singles, 0.5),
        "single_p99_ms": _quantile_ms(run.singles, 0.99),
        "full_per_s": _per_second(len(run.full), sum(run.full)),
        "batch_per_s": _per_second(run.bulk.get("added", 0), run.bulk.get("seconds", 0.0)),
        "batch_cpu_us": 1e6 * run.bulk["cpu"] / run.bulk["added"] if run.bulk.get("added") else None,
        "file_mb": run.size_bytes / 1e6 if has_file and run.size_bytes else None,
        "file_bytes_each": run.size_bytes / in_file if has_file and run.size_bytes else None,
        "memory_mb": run.peak_mb,
        "first_s": run.first[0]["seconds"] if run.first else None,
        "asked": sum(map(len, run.both)) or None,
        **_latency("recall", run.both),
        "recall_at_10": _found(run, run.both),
        **_latency("vector", run.vector),
        "vector_at_10": _found(run, run.vector),
        **_latency("after", [run.after] if run.after else []),
        "cold_open_s": run.cold_open,
        "cold_s": None if run.cold_open is None or run.cold_first is None else run.cold_open + run.cold_first,
        "note": f"stopped after {run.held:,}: its {budget:g} s were over" if stopped and not run.error else "",
        "error": run.error,
    }


def _latency(name: str, rounds: Sequence[Asked]) -> dict[str, float | None]:
    if not rounds:
        return dict.fromkeys((f"{name}_p50_ms", f"{name}_p99_ms", f"{name}_cpu_ms"))
    return {
        f"{name}_p50_ms": 1e3 * median(median(each["seconds"] for each in asked) for asked in rounds),
        f"{name}_p99_ms": _quantile_ms([each["seconds"] for asked in rounds for each in asked], 0.99),
        f"{name}_cpu_ms": 1e3 * median(each["cpu"] for asked in rounds for each in asked),
    }


def _found(run: Run, rounds: Sequence[Asked]) -> float | None:
    """Return the share of queries whose text was found, of those whose text is held; None where there are none."""
    ranks = [each["rank"] for asked in rounds for each in asked if run.queries[int(each["query"])].about < run.held]
    return sum(rank >= 0 for rank in ranks) / len(ranks) if ranks else None


def _per_second(count: float, seconds: float) -> float | None:
    return count / seconds if count and seconds > 0 else None


def _quantile_ms(seconds: Sequence[float], share: float) -> float | None:
    return 1e3 * float(np.quantile(seconds, share)) if len(seconds) else None
