"""Product-key memory as a recaller: a large table that only the optimiser writes, so nothing told is kept.

Package: product-key-memory. It is here to show that: between two segments it is no memory.
"""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor

from .contender import Contender, LayerSizes, run_back
from .peer_package import PeerPackage
from .recaller import Recaller, RecallerConfig
from .stack import Mechanism, MemoryStack

PACKAGE = PeerPackage(module="product_key_memory", requirement="product-key-memory==0.3.0")


@final
class ProductKeyMechanism(Mechanism):
    """The peer's ``PKM``, asked at every query; it has no state."""

    def __init__(self, config: RecallerConfig) -> None:
        super().__init__()
        self.memory = PACKAGE.load().PKM(config.width, heads=config.heads, num_keys=32, topk=8)

    def empty(self, batch: int) -> Any:
        """There is nothing to keep."""
        return None

    def write(self, hidden: Tensor, state: Any) -> Any:
        """Drop what is told."""
        return state

    def read(self, hidden: Tensor, state: Any) -> Tensor:
        """Ask the table of weights."""
        answer: Tensor = self.memory(hidden)
        return answer

    def state_bytes(self, state: Any) -> int:
        """Nothing is held but weights."""
        return 0


def make_recaller(config: RecallerConfig) -> Recaller:
    """Build two blocks around a table of 1024 values."""
    return MemoryStack(config, ProductKeyMechanism(config))


def contender(sizes: LayerSizes) -> Contender:
    """Build a table of 65536 values with the peer's defaults of 4 heads and the 32 best."""
    memory = sizes.place(PACKAGE.load().PKM(sizes.width, heads=sizes.heads, num_keys=256, topk=32))
    x, row = sizes.hidden(sizes.batch, sizes.time), sizes.hidden(1, sizes.steps)

    @torch.inference_mode()
    def read() -> None:
        memory(x)

    @torch.inference_mode()
    def step() -> None:
        for place in range(sizes.steps):
            memory(row[:, place : place + 1])

    return Contender(
        forward=read,
        read=read,
        train=lambda: run_back(memory, [memory(x)]),
        step=step,
        step_written=None,
        state_bytes=0,
        note="65536 values that are weights: only the optimiser writes",
    )
