"""What a call through the tools costs beside the memory's own time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from retention import MemoryTools, TemplateDraft, langchain_tools

from ..poisoning.simulation import by_hashed_words

_WORDS = [
    "ward",
    "desk",
    "door",
    "lamp",
    "printer",
    "visitor",
    "invoice",
    "backup",
    "order",
    "token",
    "lift",
    "patient",
    "garden",
    "bus",
    "key",
    "note",
]
_K, _TOKENS = 5, 800


def measure(templates: int = 1000, rounds: int = 300) -> list[dict[str, Any]]:
    """Return what a recall takes, in ms: the memory's own, through the core, and through the LangChain tool.

    The three answer the same queries by turns, on one file, each with a receipt; each query's vector is known. The
    first row is the memory's. ``p50_ms`` is of the clock, ``cpu_ms`` of the processor, which others on the machine
    touch less; ``adds_ms`` is how much more of the processor a call takes than the first row.

    Args:
        templates: how many texts the memory has.
        rounds: how many queries.
    """
    draw = random.Random(0)
    with TemporaryDirectory() as folder, MemoryTools.open(Path(folder) / "memory.db", encoder=by_hashed_words) as tools:
        texts = [" ".join(draw.choices(_WORDS, k=9)) + f" {number}" for number in range(templates)]
        tools.memory.write_many([TemplateDraft(content=text) for text in texts], namespace="bench", progress=False)
        run = tools.begin(namespace="bench")
        named = {tool.name: tool for tool in langchain_tools(tools, caller=run)}
        calls: dict[str, Callable[[str], Any]] = {
            "EpisodicMemory.recall": lambda query: tools.memory.recall(
                query, namespace="bench", k=_K, max_tokens=_TOKENS, run_id=run.run_id
            ),
            "MemoryTools.recall": lambda query: tools.recall(run, query, _K, _TOKENS),
            "memory_recall of LangChain": lambda query: named["memory_recall"].invoke({"query": query, "k": _K}),
        }
        clock: dict[str, list[float]] = {name: [] for name in calls}
        busy: dict[str, list[float]] = {name: [] for name in calls}
        queries = [" ".join(draw.choices(_WORDS, k=3)) for _ in range(rounds // 5)]
        for query in queries:  # caches are filled
            calls["EpisodicMemory.recall"](query)
        for number in range(rounds):
            for name in draw.sample(list(calls), len(calls)):
                start, work = time.perf_counter(), time.thread_time()
                calls[name](queries[number % len(queries)])
                clock[name].append(1000 * (time.perf_counter() - start))
                busy[name].append(1000 * (time.thread_time() - work))
    own = median(busy["EpisodicMemory.recall"])
    return [
        {
            "name": name,
            "p50_ms": round(median(clock[name]), 2),
            "cpu_ms": round(median(busy[name]), 2),
            "adds_ms": round(median(busy[name]) - own, 2),
        }
        for name in calls
    ]
