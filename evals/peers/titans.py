"""The neural memory of Titans as a recaller: a small network whose weights are what is remembered.

Package: titans-pytorch. It stores only whole chunks, and a call with a few tokens answers as if nothing were stored;
so facts are stored with a chunk of a few tokens, and queries are answered by the weights after the last one.
"""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor

from .contender import Contender, LayerSizes, run_back
from .peer_package import PeerPackage
from .recaller import Recaller, RecallerConfig
from .stack import Mechanism, MemoryStack
from .state_bytes import bytes_of

PACKAGE = PeerPackage(module="titans_pytorch", requirement="titans-pytorch==0.5.5")


@final
class NeuralMemoryMechanism(Mechanism):
    """The peer's ``NeuralMemory``; its state is the peer's own, None before the first segment."""

    def __init__(self, config: RecallerConfig, *, chunk: int, **settings: Any) -> None:
        super().__init__()
        self.memory = neural_memory(
            config.width, heads=config.heads, chunk_size=(config.longest + 1, chunk), **settings
        )

    def empty(self, batch: int) -> Any:
        """Have no weights but the learned first ones yet."""
        return None

    def write(self, hidden: Tensor, state: Any) -> Any:
        """Store whole chunks, and the rest when it has become one."""
        if state is None:
            return self.memory.store_memories(hidden, return_surprises=False)[1]
        waiting = torch.cat((state.cache_store_segment, hidden), dim=1)
        return self.memory.store_memories(
            waiting, state.weights, state.states, seq_index=state.seq_index, return_surprises=False
        )[1]

    def read(self, hidden: Tensor, state: Any) -> Tensor:
        """Ask the weights that the last whole chunk has left."""
        weights = self.memory.init_weights(len(hidden)) if state is None else state.states[0]
        answer: Tensor = self.memory.retrieve_memories(hidden, weights.apply(lambda each: each[:, None]))
        return answer

    def state_bytes(self, state: Any) -> int:
        """Count weights and momentum of one row, and what waits to be a chunk."""
        if state is None:
            return 0
        rows = len(state.cache_store_segment)
        return (bytes_of(state.states) + bytes_of(state.cache_store_segment)) // rows


def neural_memory(width: int, *, heads: int, **settings: Any) -> Any:
    """Build the peer's ``NeuralMemory``, with first weights that an optimiser can step: the peer's heads share one."""
    memory = PACKAGE.load().NeuralMemory(width, heads=heads, dim_head=width // heads, **settings)
    for each in memory.memory_model_parameters:
        each.data = each.data.contiguous()
    return memory


def make_recaller(config: RecallerConfig) -> Recaller:
    """Build two blocks around a neural memory with the peer's default network for each head."""
    return MemoryStack(config, NeuralMemoryMechanism(config, chunk=16))


def contender(sizes: LayerSizes, *, heads: int = 1) -> Contender:
    """Build the neural memory as the peer's README does, with chunks of 64 tokens."""
    memory = sizes.place(neural_memory(sizes.width, heads=heads, chunk_size=64))
    x, row = sizes.hidden(sizes.batch, sizes.time), sizes.hidden(1, sizes.steps)
    with torch.no_grad():
        many, one = memory(x)[1], memory(row)[1]

    @torch.no_grad()
    def forward() -> None:
        memory(x, state=many)

    @torch.no_grad()
    def read() -> None:
        memory.retrieve_memories(x, many.updates)

    @torch.no_grad()
    def step() -> None:
        state = one
        for place in range(sizes.steps):
            _, state = memory(row[:, place : place + 1], state=state)

    return Contender(
        forward=forward,
        read=read,
        train=lambda: run_back(memory, [memory(x, state=many)[0]]),
        step=step,
        step_written=None,
        state_bytes=bytes_of(one.states),
        note="chunks of 64: a step stores once per 64 tokens",
    )
