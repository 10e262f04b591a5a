"""How much memory one training step of a contender takes, measured in a process of its own.

The process is started as ``python -m evals.benches.peak_memory JSON``, with the sizes and the entries, and prints a
JSON line for each entry as it goes. The profiler, which counts every allocation of torch, writes what it likes to the
standard error of that process. What is held before the step (weights, their gradients, the filled memory) does not
count, and neither does what is allocated past torch.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from ..peers.contender import Contender, LayerSizes
from .layer_lineup import Entry
from .quiet import quiet
from .stopwatch import one_thread


def peak_megabytes(entries: Sequence[Entry], sizes: LayerSizes) -> Iterator[tuple[str, float | None]]:
    """Yield for each entry, in order, its name and the peak of a training step in MB; None where it failed."""
    asked = json.dumps({"sizes": asdict(sizes), "entries": [asdict(entry) for entry in entries]})
    process = subprocess.Popen(
        [sys.executable, "-m", "evals.benches.peak_memory", asked],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        found = (json.loads(line) for line in process.stdout)
        for entry in entries:
            yield entry.name, next(found, {"megabytes": None})["megabytes"]


def peak_of(call: Callable[[], Any], device: str) -> float:
    """Return the most memory that a call holds at a time, over what was held before it, in MB."""
    call()
    if device != "cpu":
        torch.cuda.synchronize()
        held = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        call()
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - held) / 1e6
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        call()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace.json")
        profiled.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    return highest([(each["ts"], each["args"]["Bytes"]) for each in events if each.get("name") == "[memory]"]) / 1e6


def highest(changes: Sequence[tuple[float, int]]) -> int:
    """Return the largest sum of the changes up to any time, 0 at the start.

    Args:
        changes: a time and the bytes that were taken then, negative where they were given back.
    """
    held = most = 0
    for _, change in sorted(changes, key=lambda each: each[0]):
        held += change
        most = max(most, held)
    return most


def answer(asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield ``{"name", "megabytes"}`` for each entry that is asked about; None where its step fails."""
    sizes = LayerSizes(**asked["sizes"])
    for entry in (Entry(**each) for each in asked["entries"]):
        try:
            with quiet(), one_thread():
                contender: Contender = entry.build(sizes)
                megabytes = None if contender.train is None else peak_of(contender.train, sizes.device)
        except Exception:  # the bench itself tells what is wrong with it
            megabytes = None
        yield {"name": entry.name, "megabytes": megabytes}


if __name__ == "__main__":
    for line in answer(json.loads(sys.argv[1])):
        print(json.dumps(line), flush=True)
