"""The Recurrent Memory Transformer as a recaller: memory tokens that one segment writes and the next one reads.

Package: recurrent-memory-transformer-pytorch. Its optional Transformer-XL cache, which would carry the keys and values
of the segment itself over, is switched off: only the memory tokens go on.
"""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from .contender import Contender, LayerSizes, run_back
from .peer_package import PeerPackage
from .recaller import Recaller, RecallerConfig
from .state_bytes import bytes_of

PACKAGE = PeerPackage(
    module="recurrent_memory_transformer_pytorch", requirement="recurrent-memory-transformer-pytorch==0.7.0"
)


@final
class RecurrentMemory(nn.Module):
    """The peer's whole model, of two layers; its state is the memory tokens, None before the first segment."""

    def __init__(self, config: RecallerConfig, *, memory_tokens: int = 16) -> None:
        super().__init__()
        self.answers = config.answers
        self.model = PACKAGE.load().RecurrentMemoryTransformer(
            config.width,
            num_tokens=config.tokens,
            depth=2,
            num_memory_tokens=memory_tokens,
            seq_len=config.longest,
            dim_head=config.width // config.heads,
            heads=config.heads,
            use_xl_memories=False,
        )

    def empty(self, batch: int) -> Tensor | None:
        """Have no memory tokens yet."""
        return None

    def tell(self, facts: Tensor, state: Tensor | None) -> Tensor:
        """Read a segment and keep the memory tokens that it leaves."""
        memory: Tensor = self.model(facts, state)[1]
        return memory

    def ask(self, queries: Tensor, state: Tensor | None) -> Tensor:
        """Answer with the memory tokens in front."""
        logits: Tensor = self.model(queries, state)[0]
        return logits[..., -self.answers :]

    def state_bytes(self, state: Any) -> int:
        """Count the memory tokens."""
        return 0 if state is None else bytes_of(state) // len(state)


def make_recaller(config: RecallerConfig) -> Recaller:
    """Build the peer's own model of the same width and depth, with 16 memory tokens."""
    return RecurrentMemory(config)


def contender(sizes: LayerSizes) -> Contender:
    """Build the peer's whole model with one layer, 16 memory tokens and 256 token ids."""
    model = sizes.place(
        PACKAGE.load().RecurrentMemoryTransformer(
            sizes.width,
            num_tokens=256,
            depth=1,
            num_memory_tokens=16,
            seq_len=max(sizes.time, sizes.steps),
            dim_head=sizes.width // sizes.heads,
            heads=sizes.heads,
            use_xl_memories=False,
        )
    )
    x, row = sizes.tokens(sizes.batch, sizes.time), sizes.tokens(1, sizes.steps)
    with torch.no_grad():
        many, one = model(x)[1], model(row)[1]

    @torch.inference_mode()
    def forward() -> None:
        model(x, many)

    @torch.inference_mode()
    def step() -> None:
        for place in range(sizes.steps):
            model(row[:, : place + 1], one)

    return Contender(
        forward=forward,
        read=None,
        train=lambda: run_back(model, list(model(x, many)[:2])),
        step=step,
        step_written=None,
        state_bytes=bytes_of(one),
        note="a whole model; a step runs the segment so far again, as its own generation does",
    )
