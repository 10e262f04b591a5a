"""A learned table read by product keys: as many values as you like, at a cost that grows with their square root.

Slots are written by a call and belong to one namespace; the table is part of the weights: it is trained, and all
namespaces read it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from .read import null_softmax, unit
from .read_info import TopReadInfo


@dataclass(frozen=True, kw_only=True)
class ProductKeyConfig:
    """What a product-key memory is made of.

    Attributes:
        width: width of the hidden states and of the values.
        side: half-keys per half; the table has ``side ** 2`` values.
        heads: heads of the read; all read the same values, each by keys of its own.
        key_width: width of a head's key, both halves together.
        top: how many values a query of a head reads.
        temperature: of the cosine scores, at first; learned per head, held in [1, ``max_temperature``].
        max_temperature: of what is learned.
        sparse: give the values a sparse gradient, for ``torch.optim.SparseAdam``; else a step costs as the table grows.
    """

    width: int
    side: int = 100
    heads: int = 4
    key_width: int = 64
    top: int = 32
    temperature: float = 12.0
    max_temperature: float = 40.0
    sparse: bool = False

    def __post_init__(self) -> None:
        """Check sizes and ranges."""
        for name in ("width", "side", "heads", "key_width", "top"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if self.key_width % 2:
            raise ValueError(f"a key width of {self.key_width} does not split into two halves")
        if self.top > self.side:
            raise ValueError(f"top must be at most side, {self.side}, got {self.top}")
        if not 1.0 <= self.temperature <= self.max_temperature:
            raise ValueError(f"temperature must be in [1, {self.max_temperature}], got {self.temperature}")


class ProductKeyMemory(nn.Module):
    """``y = sum_h sum_j a_hj v_j`` over the values of the ``top`` keys, ``a_h = softmax([null_h, beta_h q_h.k_hj])``.

    Key ``(i, j)`` of a head is the half-key ``i`` of its first codebook beside the half-key ``j`` of its second one.
    Both halves of a key and of a query ``W_Q n(x)`` have the same length, and the whole has length 1: the score is the
    mean of two cosines. It is a sum over the halves, so the best pairs lie among the best of each half, and the search
    is exact with ``2 side`` products instead of ``side ** 2``.

    Reference: Lample et al. 2019, arXiv 1907.05242. The null slot and the cosines are ours, as in ``CosineForm``.
    """

    first: Tensor
    second: Tensor

    def __init__(self, config: ProductKeyConfig) -> None:
        super().__init__()
        self.config = config
        self.norm = nn.LayerNorm(config.width)
        self.query = nn.Linear(config.width, config.heads * config.key_width)
        self.half_keys = nn.Parameter(torch.empty(config.heads, 2, config.side, config.key_width // 2))
        self.values = nn.Parameter(torch.empty(config.side**2, config.width))
        self.log_temperature = nn.Parameter(torch.empty(config.heads))
        self.null_score = nn.Parameter(torch.empty(config.heads))
        first, second = _pairs(config.top)
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("second", second, persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        self.norm.reset_parameters()
        self.query.reset_parameters()
        nn.init.normal_(self.half_keys)
        nn.init.normal_(self.values, std=self.config.width**-0.5)
        nn.init.constant_(self.log_temperature, math.log(self.config.temperature))
        nn.init.zeros_(self.null_score)

    def forward(self, x: Float[Tensor, "batch time width"]) -> tuple[Float[Tensor, "batch time width"], TopReadInfo]:
        """Read the table.

        Args:
            x: hidden states.

        Returns:
            What the table answers, and what the read saw; its slots are the numbers of the values.
        """
        config = self.config
        cosine, slots = self.nearest(x)
        beta = self.log_temperature.clamp(0.0, math.log(config.max_temperature)).exp()
        weights, null = null_softmax(cosine * beta[:, None, None], self.null_score[:, None])
        shape = (x.shape[0] * x.shape[1], config.heads * config.top)
        read = F.embedding_bag(
            slots.transpose(1, 2).reshape(shape),
            self.values,
            per_sample_weights=weights.transpose(1, 2).reshape(shape),
            mode="sum",
            sparse=config.sparse,
        )
        info = TopReadInfo(
            weights=weights.detach(),
            null=null.detach(),
            nearest=cosine[..., 0].detach(),
            slots=slots,
            capacity=config.side**2,
        )
        return read.reshape(x.shape), info

    def nearest(
        self, x: Float[Tensor, "batch time width"]
    ) -> tuple[Float[Tensor, "batch heads time top"], Int64[Tensor, "batch heads time top"]]:
        """Find the keys with the largest cosines: these, largest first, and the numbers of their values."""
        config = self.config
        query = self.query(self.norm(x)).unflatten(-1, (config.heads, 2, config.key_width // 2))
        halves = unit(query).permute(0, 2, 3, 1, 4) @ unit(self.half_keys).transpose(-1, -2)
        best, at = (halves / 2).topk(config.top, dim=-1)
        pairs = best[:, :, 0, :, self.first] + best[:, :, 1, :, self.second]
        cosine, pair = pairs.topk(config.top, dim=-1)
        rows, columns = (at[:, :, half].gather(-1, of[pair]) for half, of in ((0, self.first), (1, self.second)))
        return cosine, rows * config.side + columns


def _pairs(top: int) -> tuple[Int64[Tensor, " n"], Int64[Tensor, " n"]]:
    """List the pairs of ranks that can be among the ``top`` best sums.

    ``(i, j)`` has ``(i + 1) (j + 1) - 1`` pairs before it that are no worse: some ``top log(top)`` pairs are left.
    """
    rank = torch.arange(1, top + 1)
    first, second = (rank[:, None] * rank <= top).nonzero(as_tuple=True)
    return first, second
