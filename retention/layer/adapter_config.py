"""What an adapter of a frozen language model is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class AdapterConfig:
    """What an adapter is made of.

    Attributes:
        width: of the model's residual stream.
        pool_layer: the decoder layer whose states keys of facts are pooled from, counted from 0.
        key_layers: those whose states keys of slots are made from; the last one is the model's last.
        token_heads: heads of the keys of slots.
        token_dim: width of such a head.
        fact_heads: heads of the keys of facts: what a fact is about, as who and what of them.
        fact_dim: width of such a head.
        top_facts: how many facts a position reads, those whose keys fit best, in use; while training all are.
        floor: the share of the attention that facts must draw in use; a position where the null slot leaves them less
            is left to the model, bit for bit.
        dropout: the share of whitened states that training hides, anew at each use: without it the names and values of
            training are learned by heart.
    """

    width: int
    pool_layer: int
    key_layers: tuple[int, ...]
    token_heads: int = 2
    token_dim: int = 128
    fact_heads: int = 4
    fact_dim: int = 96
    top_facts: int = 32
    floor: float = 0.4
    dropout: float = 0.4

    def __post_init__(self) -> None:
        for name in ("width", "token_heads", "token_dim", "fact_heads", "fact_dim", "top_facts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)!r}")
        if not self.key_layers or list(self.key_layers) != sorted(set(self.key_layers)):
            raise ValueError(f"key_layers must rise, and name at least one layer, got {self.key_layers!r}")
        if self.pool_layer < 0 or self.key_layers[0] < 0:
            raise ValueError(f"layers are counted from 0, got {self.pool_layer!r} and {self.key_layers!r}")
        for name in ("floor", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)!r}")

    @property
    def layers(self) -> tuple[int, ...]:
        """The decoder layers whose states are looked at, rising."""
        return tuple(sorted({self.pool_layer, *self.key_layers}))
