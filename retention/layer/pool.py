"""Pooling: from the hidden states of a call to the candidates that may be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from .read import attend


@runtime_checkable
class Pool(Protocol):
    """Turns hidden states into candidates for writing."""

    @property
    def queries(self) -> int:
        """How many learned vectors of the layer's width the layer keeps for it; 0 for none."""
        ...

    def __call__(
        self, x: Float[Tensor, "batch time width"], mask: Bool[Tensor, "batch time"], learned: Tensor
    ) -> tuple[Float[Tensor, "batch candidates width"], Bool[Tensor, "batch candidates"]]:
        """Pool.

        Args:
            x: hidden states.
            mask: True where a hidden state is real, not padding.
            learned: the layer's vectors for this pool, ``[queries, width]``.

        Returns:
            The candidates, and which of them stand for at least one real hidden state.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class MeanPool:
    """One candidate, ``u = mean(X)``: the paper's choice, and a bottleneck when a call holds several facts.

    Reference: arXiv 2501.09166, the write operation.
    """

    @property
    def queries(self) -> int:
        """No learned vectors."""
        return 0

    def __call__(
        self, x: Float[Tensor, "batch time width"], mask: Bool[Tensor, "batch time"], learned: Tensor
    ) -> tuple[Float[Tensor, "batch 1 width"], Bool[Tensor, "batch 1"]]:
        """Average the real hidden states."""
        return masked_mean(x[:, None], mask[:, None])


@dataclass(frozen=True, kw_only=True)
class ChunkPool:
    """One candidate per ``size`` hidden states in a row, their mean. The last chunk may be shorter.

    Attributes:
        size: hidden states per candidate; 1 makes each a candidate.
    """

    size: int = 4

    def __post_init__(self) -> None:
        """Check the size."""
        if self.size < 1:
            raise ValueError(f"size must be 1 or more, got {self.size}")

    @property
    def queries(self) -> int:
        """No learned vectors."""
        return 0

    def __call__(
        self, x: Float[Tensor, "batch time width"], mask: Bool[Tensor, "batch time"], learned: Tensor
    ) -> tuple[Float[Tensor, "batch candidates width"], Bool[Tensor, "batch candidates"]]:
        """Average each chunk."""
        short = -x.shape[1] % self.size
        x, mask = F.pad(x, (0, 0, 0, short)), F.pad(mask, (0, short))
        batch, time, width = x.shape
        chunks = (batch, time // self.size, self.size)
        return masked_mean(x.reshape(*chunks, width), mask.reshape(chunks))


@dataclass(frozen=True, kw_only=True)
class QueryPool:
    """One candidate per learned query ``p``: ``u_p = softmax(p X^T / sqrt(width)) X``.

    Attributes:
        queries: how many candidates a call makes.
    """

    queries: int = 4

    def __post_init__(self) -> None:
        """Check the number."""
        if self.queries < 1:
            raise ValueError(f"queries must be 1 or more, got {self.queries}")

    def __call__(
        self, x: Float[Tensor, "batch time width"], mask: Bool[Tensor, "batch time"], learned: Tensor
    ) -> tuple[Float[Tensor, "batch candidates width"], Bool[Tensor, "batch candidates"]]:
        """Attend over the hidden states with the learned queries."""
        scores = learned @ x.transpose(1, 2) / x.shape[-1] ** 0.5
        lowest = torch.finfo(scores.dtype).min
        pooled, _, _ = attend(scores, x[:, None], null_score=lowest, mask=mask[:, None])
        return pooled, mask.any(dim=1, keepdim=True).expand(pooled.shape[:2])


def masked_mean(
    x: Float[Tensor, "batch groups size width"], mask: Bool[Tensor, "batch groups size"]
) -> tuple[Float[Tensor, "batch groups width"], Bool[Tensor, "batch groups"]]:
    """Average the real members of each group; a group without any is zero and False."""
    total = x.masked_fill(~mask[..., None], 0.0).sum(dim=2)
    return total / mask.sum(dim=2, keepdim=True).clamp(min=1), mask.any(dim=2)
