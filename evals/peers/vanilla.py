"""No memory: a transformer whose context is cleared between the segments. It can only guess."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from .contender import Contender, LayerSizes, run_back
from .recaller import Recaller, RecallerConfig
from .stack import Mechanism, MemoryStack


@final
class NoMemory(Mechanism):
    """Keeps nothing and answers zero."""

    def empty(self, batch: int) -> Any:
        """There is nothing to keep."""
        return None

    def write(self, hidden: Tensor, state: Any) -> Any:
        """Drop what is told."""
        return state

    def read(self, hidden: Tensor, state: Any) -> Tensor:
        """Answer zero."""
        return torch.zeros_like(hidden)

    def state_bytes(self, state: Any) -> int:
        """Nothing is held."""
        return 0


def make_recaller(config: RecallerConfig) -> Recaller:
    """Build a transformer of two blocks and no memory."""
    return MemoryStack(config, NoMemory())


def contender(sizes: LayerSizes) -> Contender:
    """Build torch's own encoder layer with a feed-forward of four times the width: the yardstick."""
    layer = sizes.place(
        nn.TransformerEncoderLayer(sizes.width, sizes.heads, 4 * sizes.width, dropout=0.0, batch_first=True)
    )
    run = sizes.compile(layer)
    x, row = sizes.hidden(sizes.batch, sizes.time), sizes.hidden(1, sizes.steps)

    @torch.inference_mode()
    def forward() -> None:
        run(x)

    @torch.inference_mode()
    def step() -> None:
        for place in range(sizes.steps):
            run(row[:, place : place + 1])

    return Contender(
        forward=forward,
        read=None,
        train=lambda: run_back(layer, [run(x)]),
        step=step,
        step_written=None,
        state_bytes=0,
        note="a step sees one token and no context",
    )
