"""What a read saw: the signs by which a memory that fails shows itself, as numbers per batch row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Shaped
from torch import Tensor

from .read import attend, null_softmax, slot_bias


@runtime_checkable
class ReadInfo(Protocol):
    """What a read saw, per batch row, outside the graph."""

    @property
    def null_mass(self) -> Float[Tensor, " batch"]:
        """Mean attention on the null slot, in [0, 1]; 1 when memory is empty, 0 in the paper's form."""
        ...

    @property
    def entropy(self) -> Float[Tensor, " batch"]:
        """Mean entropy of the attention over null slot and slots, in nats; near ``log(slots)`` reads are diffuse."""
        ...

    @property
    def max_cosine(self) -> Float[Tensor, " batch"]:
        """Mean of ``max(0, max_j cos_j)`` over the queries, in [0, 1]; 0 when memory is empty."""
        ...

    @property
    def slot_mass(self) -> Float[Tensor, "batch slots"]:
        """Attention that each slot drew, summed over the queries and averaged over the heads."""
        ...

    def thin(self, queries: int) -> tuple[ReadInfo, float]:
        """Keep at most so many queries, evenly spaced; return by how much fewer they are, 1 or more."""
        ...


@final
@dataclass(frozen=True, kw_only=True)
class DenseReadInfo:
    """What a read over all slots saw. A number is computed when it is asked for: a read alone does not pay for it.

    Attributes:
        query: as the read used them, scaled.
        keys: of the slots.
        bias: added to the scores of the slots; lowest where a slot is empty.
        null_score: the score of the null slot.
    """

    query: Float[Tensor, "batch heads time dim"]
    keys: Float[Tensor, "batch heads slots dim"]
    bias: Float[Tensor, "batch _ slots"]
    null_score: Float[Tensor, " heads"]

    @property
    def null_mass(self) -> Float[Tensor, " batch"]:
        """See ``ReadInfo``."""
        return self._attention()[1].mean(dim=(1, 2))

    @property
    def entropy(self) -> Float[Tensor, " batch"]:
        """See ``ReadInfo``."""
        weights, null_mass = self._attention()
        entropy: Tensor = torch.special.entr(weights).sum(dim=-1) + torch.special.entr(null_mass)
        return entropy.mean(dim=(1, 2))

    @property
    def max_cosine(self) -> Float[Tensor, " batch"]:
        """See ``ReadInfo``."""
        with torch.no_grad():
            cosine: Tensor = F.normalize(self.query, dim=-1) @ F.normalize(self.keys, dim=-1).transpose(-1, -2)
            return cosine.amax(dim=-1).clamp(min=0.0).mean(dim=(1, 2))

    @property
    def slot_mass(self) -> Float[Tensor, "batch slots"]:
        """See ``ReadInfo``."""
        return self._attention()[0].sum(dim=2).mean(dim=1)

    def thin(self, queries: int) -> tuple[ReadInfo, float]:
        """See ``ReadInfo``."""
        time = self.query.shape[2]
        few = self.query[:, :, :: max(1, -(-time // queries))]
        info = DenseReadInfo(query=few, keys=self.keys, bias=self.bias, null_score=self.null_score)
        return info, time / few.shape[2] if time else 1.0

    def _attention(self) -> tuple[Float[Tensor, "batch heads time slots"], Float[Tensor, "batch heads time"]]:
        with torch.no_grad():
            scores = self.query @ self.keys.transpose(-1, -2) + self.bias[:, :, None]
            return null_softmax(scores, self.null_score[:, None])


@final
@dataclass(frozen=True, kw_only=True)
class TopReadInfo:
    """What a read over a few selected slots saw.

    Attributes:
        weights: the attention on each selected slot.
        null: the attention on the null slot.
        nearest: the largest cosine of a query with a selected key.
        slots: the numbers of the selected slots; -1 for none.
        capacity: the number of slots.
    """

    weights: Float[Tensor, "batch heads time top"]
    null: Float[Tensor, "batch heads time"]
    nearest: Float[Tensor, "batch heads time"]
    slots: Int64[Tensor, "batch heads time top"]
    capacity: int

    @property
    def null_mass(self) -> Float[Tensor, " batch"]:
        """See ``ReadInfo``."""
        return self.null.mean(dim=(1, 2))

    @property
    def entropy(self) -> Float[Tensor, " batch"]:
        """See ``ReadInfo``."""
        entropy: Tensor = torch.special.entr(self.weights).sum(dim=-1) + torch.special.entr(self.null)
        return entropy.mean(dim=(1, 2))

    @property
    def max_cosine(self) -> Float[Tensor, " batch"]:
        """See ``ReadInfo``."""
        return self.nearest.clamp(min=0.0).mean(dim=(1, 2))

    @property
    def slot_mass(self) -> Float[Tensor, "batch slots"]:
        """See ``ReadInfo``."""
        batch, heads = self.weights.shape[:2]
        at = self.slots.masked_fill(self.slots < 0, self.capacity).reshape(batch, -1)
        mass = self.weights.new_zeros((batch, self.capacity + 1))
        return mass.scatter_add(1, at, self.weights.reshape(batch, -1))[:, : self.capacity] / heads

    def thin(self, queries: int) -> tuple[ReadInfo, float]:
        """Keep every query: they are few numbers."""
        return self, 1.0


def top_read(
    query: Float[Tensor, "batch heads time dim"],
    keys: Float[Tensor, "batch heads slots dim"],
    values: Float[Tensor, "batch heads slots dim"],
    *,
    null_score: Float[Tensor, " heads"],
    bias: Float[Tensor, "batch _ time top"],
    slots: Int64[Tensor, "batch heads time top"],
) -> tuple[Float[Tensor, "batch heads time dim"], TopReadInfo]:
    """Read over a few slots per query, as ``retention_read`` does over all; gradients flow through those alone.

    Args:
        query: scaled by the temperature.
        keys: of all slots.
        values: of all slots.
        null_score: the score of the null slot.
        bias: added to the score of a slot that is read; see ``selected``.
        slots: the numbers of the slots to read, filled ones, none twice for a query; -1 for none.

    Returns:
        What memory answers, and what the read saw.
    """
    batch, heads, _, dim = query.shape
    at = slots.clamp(min=0).flatten(2)
    rows = at[..., None].expand(batch, heads, at.shape[2], dim)
    k, v = (x.gather(2, rows).reshape(*slots.shape, dim) for x in (keys, values))
    scores = slot_bias((k @ query[..., None])[..., 0] + bias, slots >= 0)
    output, weights, null = attend(scores, v, null_score=null_score[:, None])
    with torch.no_grad():
        cosine = (F.normalize(k, dim=-1) @ F.normalize(query, dim=-1)[..., None])[..., 0]
        nearest = torch.where(slots >= 0, cosine, 0.0).amax(dim=-1)
    info = TopReadInfo(
        weights=weights.detach(), null=null.detach(), nearest=nearest, slots=slots, capacity=keys.shape[2]
    )
    return output, info


def selected(
    of_slots: Shaped[Tensor, "batch slots"], slots: Int64[Tensor, "batch heads time top"]
) -> Shaped[Tensor, "batch heads time top"]:
    """Take what each selected slot has; where none is selected, what the first slot has."""
    return of_slots.gather(1, slots.clamp(min=0).flatten(1)).reshape(slots.shape)
