"""How long a call takes: process CPU time, or on an accelerator the wall time until it is idle again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


def seconds(call: Callable[[], Any], device: str, times: int = 1) -> float:
    """Return how long so many calls take together.

    Args:
        call: what is timed.
        device: where it runs; ``"cpu"`` counts the CPU time of this process, which a busy machine changes little.
        times: how often it is called.
    """
    if device == "cpu":
        started = time.process_time()
        for _ in range(times):
            call()
        return time.process_time() - started
    torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(times):
        call()
    torch.cuda.synchronize()
    return time.perf_counter() - started


@contextmanager
def one_thread() -> Iterator[None]:
    """Pin torch to one thread, and give it back what it had."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
