"""Our retention layer as a recaller: its default form, with one candidate for each fact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import final

import torch
from torch import Tensor

from retention import ChunkPool, RetentionConfig, RetentionLayer, SlotIndex, SlotState

from .contender import Contender, LayerSizes, run_back
from .recaller import Recaller, RecallerConfig
from .stack import Mechanism, MemoryStack
from .state_bytes import bytes_of


@final
class RetentionMechanism(Mechanism):
    """A retention layer. While it is trained, what is written is blurred, so that keys come to lie far apart.

    Attributes:
        layer: the layer.
        blur: the standard deviation of what is added to each candidate in training; they have about 0.7 themselves.
        select: how a read finds its slots; None reads all.
    """

    def __init__(self, layer: RetentionLayer, *, blur: float = 0.0) -> None:
        super().__init__()
        self.layer, self.blur = layer, blur
        self.select: Callable[[Tensor, SlotState], Tensor | None] | None = None

    def empty(self, batch: int) -> SlotState:
        """Make empty slots."""
        return self.layer.init_state(batch)

    def write(self, hidden: Tensor, state: SlotState) -> SlotState:
        """Write what the hidden states offer."""
        candidates, real = self.layer.candidates(hidden)
        if self.training and self.blur:
            candidates = candidates + self.blur * torch.randn_like(candidates)
        return self.layer.write(state, candidates, mask=real)[0]

    def read(self, hidden: Tensor, state: SlotState) -> Tensor:
        """Ask the slots."""
        return self.layer.read(hidden, state, self.select)[0]

    def state_bytes(self, state: SlotState) -> int:
        """Count every tensor of the slots, filled or not."""
        return bytes_of(state) // state.batch


def make_recaller(config: RecallerConfig) -> Recaller:
    """Build two blocks around a retention layer with a slot for each fact, a key and a value, that is told."""
    layer = RetentionLayer(
        RetentionConfig(width=config.width, heads=config.heads, capacity=config.told, pool=ChunkPool(size=2))
    )
    return MemoryStack(config, RetentionMechanism(layer))


def contender(
    sizes: LayerSizes,
    *,
    slots: int,
    heads: int | None = None,
    read_width: int | None = None,
    paper: bool = False,
    indexed: bool = False,
) -> Contender:
    """Build our layer with every slot filled: a write evicts, and an index takes in what it changed."""
    heads = sizes.heads if heads is None else heads
    if paper:
        config = RetentionConfig.as_published(width=sizes.width, heads=heads, capacity=slots)
    else:
        config = RetentionConfig(width=sizes.width, heads=heads, read_width=read_width, capacity=slots)
    layer = sizes.place(RetentionLayer(config))
    forward_call, read_call = sizes.compile(layer), sizes.compile(layer.read)
    x, row = sizes.hidden(sizes.batch, sizes.time), sizes.hidden(1, sizes.steps)
    with torch.no_grad():
        many, one = filled(layer, sizes.batch), filled(layer, 1)
    indices = [SlotIndex() if indexed else None for _ in range(4)]
    latest, last = [many], [one, one]

    @torch.inference_mode()
    def forward() -> None:
        _, latest[0] = forward_call(x, latest[0], select=indices[0])

    @torch.inference_mode()
    def read() -> None:
        read_call(x, many, indices[1])

    def train() -> None:
        candidates, real = layer.candidates(x)
        state, _ = layer.write(many, candidates, mask=real)
        run_back(layer, [layer.read(x, state)[0]])

    @torch.inference_mode()
    def step() -> None:
        for place in range(sizes.steps):
            read_call(row[:, place : place + 1], last[0], indices[2])
        candidates, real = layer.candidates(row)
        last[0], _ = layer.write(last[0], candidates, mask=real)

    @torch.inference_mode()
    def step_written() -> None:
        for place in range(sizes.steps):
            _, last[1] = forward_call(row[:, place : place + 1], last[1], select=indices[3])

    item, tokens = x.element_size(), sizes.batch * sizes.time
    projections = (3 if not config.paper else 1) * config.width * config.reads
    return Contender(
        forward=forward,
        read=read,
        train=None if indexed else train,
        step=step,
        step_written=step_written,
        state_bytes=bytes_of(one),
        read_bytes=0
        if indexed
        else item * (2 * sizes.batch * slots * config.reads + 2 * tokens * config.width + projections),
        read_flops=2 * tokens * (2 * slots * config.reads + projections),
        note=f"a step writes once per {sizes.steps} tokens",
    )


def filled(layer: RetentionLayer, batch: int) -> SlotState:
    """Make a state whose every slot holds a vector of its own."""
    state = layer.init_state(batch)
    state = replace(
        state,
        id=torch.arange(state.capacity, device=state.id.device).expand_as(state.id).contiguous(),
        occupied=torch.ones_like(state.occupied),
        count=torch.ones_like(state.count),
        next_id=torch.full_like(state.next_id, state.capacity),
    )
    return layer.refresh(state, torch.randn_like(state.u))
