"""A transformer block with a retention layer: self-attention, retention and feed-forward."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from .config import RetentionConfig
from .forms import Select
from .layer import RetentionLayer
from .read_info import ReadInfo
from .slots import SlotState


@dataclass(frozen=True, kw_only=True)
class BlockConfig:
    """What a block is made of.

    Attributes:
        retention: the retention layer; its ``paper`` decides the placement too.
        heads: heads of the self-attention.
        hidden: width of the feed-forward; None for four times the width.
        causal: whether a position attends only to itself and the positions before it.
    """

    retention: RetentionConfig
    heads: int = 4
    hidden: int | None = None
    causal: bool = True

    def __post_init__(self) -> None:
        """Check sizes."""
        if self.heads < 1 or self.retention.width % self.heads:
            raise ValueError(f"a width of {self.retention.width} does not split into {self.heads} heads")
        if self.hidden is not None and self.hidden < 1:
            raise ValueError(f"hidden must be 1 or more, got {self.hidden}")


class SelfAttention(nn.Module):
    """``Z = W_O softmax(Q K^T / sqrt(d)) V`` over the positions of a call. It knows no positions by itself."""

    def __init__(self, *, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.projections = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(
        self, x: Float[Tensor, "batch time width"], mask: Bool[Tensor, "batch time"] | None = None
    ) -> Float[Tensor, "batch time width"]:
        """Attend; padding, where ``mask`` is False, is not attended to."""
        batch, time, width = x.shape
        split = self.projections(x).reshape(batch, time, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)
        seen = None if mask is None else mask[:, None, None]
        if seen is not None and self.causal:
            seen = seen & torch.ones(time, time, dtype=torch.bool, device=x.device).tril()
        attended = F.scaled_dot_product_attention(
            query, key, value, attn_mask=seen, is_causal=self.causal and seen is None
        )
        output: Tensor = self.output(attended.transpose(1, 2).flatten(2))
        return output


class RetentionBlock(nn.Module):
    """Self-attention ``Z`` and retention ``R`` side by side, then a feed-forward ``F``.

    Ours, pre-norm: ``Y = X + Z(n(X)) + R(X)``, ``Y + F(n(Y))``; the retention layer has its own ``n``.
    The paper's: ``Y = LN(X + Z(X) + R(X))``, ``LN(Y + F(Y))``.

    Reference: arXiv 2501.09166, the integration into the transformer.
    """

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.config = config
        width = config.retention.width
        hidden = 4 * width if config.hidden is None else config.hidden
        self.retention = RetentionLayer(config.retention)
        self.attention = SelfAttention(width=width, heads=config.heads, causal=config.causal)
        self.feed_forward = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.norm = nn.LayerNorm(width)
        self.feed_forward_norm = nn.LayerNorm(width)

    def forward(
        self,
        x: Float[Tensor, "batch time width"],
        state: SlotState,
        *,
        mask: Bool[Tensor, "batch time"] | None = None,
        feedback: Float[Tensor, "*_"] | None = None,
        write: bool = True,
        select: Select | None = None,
    ) -> tuple[Float[Tensor, "batch time width"], SlotState]:
        """Mix, then write what ``x`` offers; arguments, returns and errors as in ``RetentionLayer.forward``."""
        y, info = self.mix(x, state, mask, select)
        if write:
            state = self.retention.commit(x, state, [info], mask=mask, feedback=feedback)
        return y, state

    def mix(
        self,
        x: Float[Tensor, "batch time width"],
        state: SlotState,
        mask: Bool[Tensor, "batch time"] | None = None,
        select: Select | None = None,
    ) -> tuple[Float[Tensor, "batch time width"], ReadInfo]:
        """Run the block without writing.

        Args:
            x: hidden states.
            state: the slots.
            mask: True where a hidden state is real.
            select: which slots to read, as in ``RetentionLayer.read``.

        Returns:
            The next hidden states, and what the read saw.
        """
        recalled, info = self.retention.read(x, state, select)
        y: Tensor
        if self.config.retention.paper:
            y = self.norm(x + self.attention(x, mask) + recalled)
            y = self.feed_forward_norm(y + self.feed_forward(y))
        else:
            y = x + self.attention(self.norm(x), mask) + recalled
            y = y + self.feed_forward(self.feed_forward_norm(y))
        return y, info
