"""Who takes part in `holdfast bench layer`: the yardstick, our layer in many sizes, and the peers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from ..peers.contender import Contender, LayerSizes
from ..reference import load

VANILLA = "vanilla"
SLOTS = (64, 256, 1024, 4096, 16384, 65536)


@final
@dataclass(frozen=True, kw_only=True)
class Entry:
    """One that takes part.

    Attributes:
        name: what its row is called.
        reference: ``"module:attribute"`` of what builds its contender.
        settings: keyword arguments of it.
    """

    name: str
    reference: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def build(self, sizes: LayerSizes) -> Contender:
        """Build the contender."""
        contender: Contender = load(self.reference)(sizes, **self.settings)
        return contender


def lineup(sizes: LayerSizes, *, most_slots: int = SLOTS[-1]) -> list[Entry]:
    """Return all that take part, the yardstick first.

    Args:
        sizes: narrow reads are a quarter of its width.
        most_slots: our layer takes part with so many slots at most.
    """
    slots = [each for each in SLOTS if each <= most_slots]
    narrow = sizes.width // 4
    return [
        Entry(name=VANILLA, reference="evals.peers.vanilla:contender"),
        *(_ours(f"read {read}", each, read_width=read) for read in (narrow, sizes.width) for each in slots),
        *(_ours(f"read {narrow}, 1 head", each, read_width=narrow, heads=1) for each in slots if each <= 4096),
        *(
            _ours(f"indexed, read {narrow}, 1 head", each, read_width=narrow, heads=1, indexed=True)
            for each in slots
            if each > 4096
        ),
        _ours("as published", min(1024, most_slots), paper=True),
        Entry(name="titans-pytorch", reference="evals.peers.titans:contender"),
        Entry(
            name=f"titans-pytorch, {sizes.heads} heads",
            reference="evals.peers.titans:contender",
            settings={"heads": sizes.heads},
        ),
        Entry(name="recurrent-memory-transformer", reference="evals.peers.rmt:contender"),
        Entry(name="infini-transformer", reference="evals.peers.infini:contender"),
        Entry(name="memorizing-transformers", reference="evals.peers.memorizing:contender"),
        Entry(name="product-key-memory", reference="evals.peers.product_keys:contender"),
        Entry(name="dnc", reference="evals.peers.dnc:contender"),
    ]


def _ours(form: str, slots: int, **settings: Any) -> Entry:
    return Entry(
        name=f"retention {form}, {slots} slots",
        reference="evals.peers.ours:contender",
        settings={"slots": slots, **settings},
    )
