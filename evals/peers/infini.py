"""The Infini-Transformer as a recaller: a matrix per head and layer that linear attention writes and reads.

Package: infini-transformer-pytorch. Its gate begins all but closed to memory (``sigmoid(10)`` on the segment itself),
which is left as it is.
"""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from .contender import Contender, LayerSizes, run_back
from .peer_package import PeerPackage
from .recaller import Recaller, RecallerConfig
from .state_bytes import bytes_of

PACKAGE = PeerPackage(module="infini_transformer_pytorch", requirement="infini-transformer-pytorch==0.2.1")


@final
class InfiniMemory(nn.Module):
    """The peer's whole model, of two layers, with the delta rule; its state is the peer's own, None at first."""

    def __init__(self, config: RecallerConfig) -> None:
        super().__init__()
        self.answers = config.answers
        self.model = PACKAGE.load().InfiniTransformer(
            num_tokens=config.tokens,
            dim=config.width,
            depth=2,
            dim_head=config.width // config.heads,
            heads=config.heads,
            use_mem_delta_rule=True,
        )

    def empty(self, batch: int) -> Any:
        """Have no matrices yet."""
        return None

    def tell(self, facts: Tensor, state: Any) -> Any:
        """Read a segment and compress its keys and values into the matrices."""
        return self.model(facts, past_memories=state, return_new_memories=True).past_memories

    def ask(self, queries: Tensor, state: Any) -> Tensor:
        """Answer with the matrices as they are."""
        logits: Tensor = self.model(queries, past_memories=state).logits
        return logits[..., -self.answers :]

    def state_bytes(self, state: Any) -> int:
        """Count the matrices of one row."""
        return 0 if state is None else bytes_of(state) // len(state[0][0])


def make_recaller(config: RecallerConfig) -> Recaller:
    """Build the peer's own model of the same width and depth."""
    return InfiniMemory(config)


def contender(sizes: LayerSizes) -> Contender:
    """Build the peer's whole model with one layer, the delta rule and 256 token ids."""
    model = sizes.place(
        PACKAGE.load().InfiniTransformer(
            num_tokens=256,
            dim=sizes.width,
            depth=1,
            dim_head=sizes.width // sizes.heads,
            heads=sizes.heads,
            use_mem_delta_rule=True,
        )
    )
    x, row = sizes.tokens(sizes.batch, sizes.time), sizes.tokens(1, sizes.steps)
    with torch.no_grad():
        many = model(x, return_new_memories=True).past_memories
        one = model(row, return_new_memories=True).past_memories

    @torch.inference_mode()
    def forward() -> None:
        model(x, past_memories=many, return_new_memories=True)

    @torch.inference_mode()
    def read() -> None:
        model(x, past_memories=many)

    def train() -> None:
        answered = model(x, past_memories=many, return_new_memories=True)
        run_back(model, [answered.logits, *answered.past_memories[0]])

    @torch.inference_mode()
    def step() -> None:
        cache = None
        for place in range(sizes.steps):
            last = place == sizes.steps - 1
            done = model(row[:, place : place + 1], past_memories=one, cached_kv=cache, return_new_memories=last)
            cache = done.cached_kvs

    return Contender(
        forward=forward,
        read=read,
        train=train,
        step=step,
        step_written=None,
        state_bytes=bytes_of(one),
        note=f"a whole model; a step stores once per {sizes.steps} tokens",
    )
