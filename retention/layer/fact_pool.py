"""Pooling the tokens of a text into what it is about."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from .adapter_config import AdapterConfig

_NO_SCORE = -1e9


class FactPool(nn.Module):
    """Pools the states of a text into a few unit vectors, by a learned attention for each."""

    def __init__(self, config: AdapterConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.heads, self.dim = config.fact_heads, config.fact_dim
        self.value = nn.Linear(config.width, self.heads * self.dim, bias=False)
        self.score = nn.Linear(config.width, self.heads, bias=False)
        with torch.no_grad():
            self.value.weight.copy_(rotation(self.heads * self.dim, config.width, generator))
            self.score.weight.normal_(std=0.02, generator=generator)

    def brought(
        self, states: Float[Tensor, "*lead width"]
    ) -> tuple[Float[Tensor, "*lead heads"], Float[Tensor, "*lead fact_width"]]:
        """Return what each token brings to the pool: how much it counts for each head, and its vector."""
        return self.score(states), self.value(states)

    def forward(
        self,
        scores: Float[Tensor, "n tokens heads"],
        values: Float[Tensor, "n tokens fact_width"],
        mask: Bool[Tensor, "n tokens"],
    ) -> Float[Tensor, "n fact_width"]:
        """Pool those tokens that ``mask`` tells; where it tells none, the vector is zero and fits nothing."""
        weights = scores.masked_fill(~mask[..., None], _NO_SCORE).softmax(dim=1)
        split = heads_apart(values, self.heads)
        pooled = F.normalize(torch.einsum("nth,nthd->nhd", weights, split), dim=-1)
        return (pooled * mask.any(dim=1)[:, None, None]).flatten(1)


def heads_apart(rows: Float[Tensor, "*lead all"], heads: int) -> Float[Tensor, "*lead {heads} dim"]:
    """Return rows split into heads."""
    return rows.reshape(*rows.shape[:-1], heads, rows.shape[-1] // heads)


def rotation(rows: int, width: int, generator: torch.Generator) -> Float[Tensor, "{rows} {width}"]:
    """Draw rows at right angles, each of length 1; where there are more than their width, several rotations."""
    parts: list[Tensor] = []
    while len(parts) * width < rows:
        square = torch.randn(width, width, generator=generator, dtype=torch.float64)
        parts.append(torch.linalg.qr(square).Q.float())
    return torch.cat(parts)[:rows]
