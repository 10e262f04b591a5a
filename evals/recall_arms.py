"""Builds what is compared on recall tasks: our layer with each way of writing, and every peer by its name."""

from __future__ import annotations

from retention import (
    AppendWrite,
    BlendWrite,
    ChunkPool,
    MergeWrite,
    RetentionConfig,
    RetentionLayer,
    WriteRule,
)

from .peers import make_recaller
from .peers.ours import RetentionMechanism
from .peers.recaller import Recaller, RecallerConfig
from .peers.stack import MemoryStack

RULES: dict[str, WriteRule] = {
    "append": AppendWrite(),
    "blend": BlendWrite(),
    "merge": MergeWrite(erase=1.0, write=1.0),
}
"""Ours, by the write rule."""

PUBLISHED = "published"
"""Ours, in the paper's form."""


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
