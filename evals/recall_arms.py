"""Builds what is compared on recall tasks: our layer with each way of writing, and every peer by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from retention import (
    AppendWrite,
    BlendWrite,
    ChunkPool,
    MergeWrite,
    RetentionConfig,
    RetentionLayer,
    SlotState,
    WriteRule,
)

from .peers import make_recaller
from .peers.recaller import Recaller, RecallerConfig
from .peers.stack import Mechanism, MemoryStack
from .peers.state_bytes import bytes_of

RULES: dict[str, WriteRule] = {
    "append": AppendWrite(),
    "blend": BlendWrite(),
    "merge": MergeWrite(erase=1.0, write=1.0),
}
"""Ours, by the write rule."""

PUBLISHED = "published"
"""Ours, in the paper's form."""


@final
class RetentionMechanism(Mechanism):
    """A retention layer. While it is trained, what is written is blurred, so that keys come to lie far apart.

    Attributes:
        layer: the layer.
        blur: the standard deviation of what is added to each candidate in training; they have about 0.7 themselves.
        select: how a read finds its slots; None reads all.
    """

    def __init__(self, layer: RetentionLayer, *, blur: float) -> None:
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


def make_arm(
    name: str, sizes: RecallerConfig, *, chunk: int, capacity: int, tau: float, blur: float, positions: float
) -> Recaller:
    """Build a recaller, with weights drawn from torch's global generator.

    Args:
        name: one of ``RULES``, ``PUBLISHED``, or the name of a peer.
        sizes: of the model.
        chunk: how many tokens a slot of ours stands for.
        capacity: how many slots ours has.
        tau: the cosine of keys above which a candidate of ours is a duplicate.
        blur: of ours, see ``RetentionMechanism``; the paper's form has none.
        positions: the standard deviation with which the positions of the shared model start. Small ones leave keys
            alike wherever they stand; where positions are what is asked by, they are 1.

    Raises:
        NotFoundError: there is no such peer.
        HoldfastError: the package of the peer is not installed.
    """
    recaller: Recaller
    if name == PUBLISHED:
        published = RetentionConfig.as_published(width=sizes.width, heads=sizes.heads, capacity=capacity)
        recaller = MemoryStack(sizes, RetentionMechanism(RetentionLayer(published), blur=0.0))
    elif name in RULES:
        config = RetentionConfig(
            width=sizes.width,
            heads=sizes.heads,
            capacity=capacity,
            pool=ChunkPool(size=chunk),
            rule=RULES[name],
            tau=tau,
        )
        recaller = MemoryStack(sizes, RetentionMechanism(RetentionLayer(config), blur=blur))
    else:
        recaller = make_recaller(name, sizes)
    if isinstance(recaller, MemoryStack):
        recaller.positions.weight.data.mul_(positions)
    return recaller
