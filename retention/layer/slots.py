"""The slot state: what the layer remembers, as tensors that are passed in and returned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.export import register_dataclass


@dataclass(frozen=True, kw_only=True)
class SlotState:
    """The slots of a batch of namespaces: one batch row is one namespace and knows nothing of the others.

    The capacity is fixed and ``occupied`` says which slots are filled. An empty slot is zero in every tensor but its
    id. The class is a pytree of its tensors.

    Attributes:
        u: what was written; the truth, from which ``k`` and ``v`` can be projected again.
        k: cached keys.
        v: cached values.
        bias: log of the gate with which a slot was written; added to its score when it is read.
        occupied: True where a slot is filled.
        id: names a slot within its row, in the order of first writing; -1 when empty. Never used twice.
        count: how many candidates the slot stands for.
        age: write calls since the slot was last written.
        idle: write calls since the slot was last written or drew more than an even share of a read's attention.
        mass: attention drawn since the slot was first written, summed over queries.
        utility: mean feedback of the candidates in the slot, or what its user has made of it.
        next_id: the id of the slot that is written next.
        version: which projection weights made ``k`` and ``v``.
    """

    u: Float[Tensor, "batch slots width"]
    k: Float[Tensor, "batch heads slots dim"]
    v: Float[Tensor, "batch heads slots dim"]
    bias: Float[Tensor, "batch slots"]
    occupied: Bool[Tensor, "batch slots"]
    id: Int64[Tensor, "batch slots"]
    count: Int64[Tensor, "batch slots"]
    age: Int64[Tensor, "batch slots"]
    idle: Int64[Tensor, "batch slots"]
    mass: Float[Tensor, "batch slots"]
    utility: Float[Tensor, "batch slots"]
    next_id: Int64[Tensor, " batch"]
    version: Int64[Tensor, " batch"]

    @property
    def batch(self) -> int:
        """The number of namespaces."""
        return self.u.shape[0]

    @property
    def capacity(self) -> int:
        """The number of slots of a namespace, filled or not."""
        return self.u.shape[1]

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> SlotState:
        """Move the state to a device, and its floating point tensors to a dtype."""
        return self._map(lambda t: t.to(device=device, dtype=dtype if t.is_floating_point() else None))

    def index(self, rows: Tensor | slice) -> SlotState:
        """Take some namespaces: ``rows`` is a slice, a tensor of row numbers, or a boolean tensor of length batch."""
        return self._map(lambda t: t[rows])

    def detach(self, keep_last: int | None = None) -> SlotState:
        """Cut the state from the graph, but for the ``keep_last`` most recently written slots of each row.

        No gradient reaches a slot that is cut. The memory of the graph is freed only by ``detach()`` with nothing kept,
        since the slots that are kept still hang on the writes before them.

        Args:
            keep_last: how many slots keep their graph; None keeps none.

        Raises:
            ValueError: ``keep_last`` is negative.
        """
        if keep_last is None:
            return self._map(Tensor.detach)
        if keep_last < 0:
            raise ValueError(f"keep_last must be 0 or more, got {keep_last}")
        age = self.age.masked_fill(~self.occupied, torch.iinfo(torch.int64).max)
        by_id = self.id.argsort(dim=1, descending=True)
        newest = by_id.gather(1, age.gather(1, by_id).argsort(dim=1, stable=True))[:, :keep_last]
        keep = torch.zeros_like(self.occupied).scatter(1, newest, True)
        wide = keep[:, None, :, None]
        return replace(
            self,
            u=torch.where(keep[:, :, None], self.u, self.u.detach()),
            k=torch.where(wide, self.k, self.k.detach()),
            v=torch.where(wide, self.v, self.v.detach()),
            bias=torch.where(keep, self.bias, self.bias.detach()),
        )

    def after_read(self, slot_mass: Float[Tensor, "batch slots"], queries: int) -> SlotState:
        """Note the attention that a read of ``queries`` queries gave to each slot; what is NaN counts as nothing."""
        share = queries / (1 + self.occupied.sum(dim=1, keepdim=True))
        return replace(self, mass=self.mass + slot_mass.nan_to_num(), idle=self.idle.masked_fill(slot_mass > share, 0))

    def _map(self, change: Callable[[Tensor], Tensor]) -> SlotState:
        return SlotState(**{f.name: change(getattr(self, f.name)) for f in fields(self)})


register_dataclass(SlotState, serialized_type_name="holdfast.SlotState")


def empty_slots(
    batch: int,
    capacity: int,
    *,
    width: int,
    heads: int,
    dim: int,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> SlotState:
    """Make the state of ``batch`` namespaces that hold nothing yet.

    Args:
        batch: the number of namespaces.
        capacity: slots per namespace.
        width: the width of ``u``.
        heads: the heads of ``k`` and ``v``.
        dim: the width of a head.
        dtype: of the floating point tensors.
        device: of all tensors.

    Raises:
        ValueError: a size is below 1 (``batch``: below 0).
    """
    sizes = {"capacity": capacity, "width": width, "heads": heads, "dim": dim, "batch": batch + 1}
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} is too small: {size - 1 if name == 'batch' else size}")

    def zeros(*shape: int, of: torch.dtype | None = dtype) -> Tensor:
        return torch.zeros(shape, dtype=of, device=device)

    slots = (batch, capacity)
    return SlotState(
        u=zeros(*slots, width),
        k=zeros(batch, heads, capacity, dim),
        v=zeros(batch, heads, capacity, dim),
        bias=zeros(*slots),
        occupied=zeros(*slots, of=torch.bool),
        id=zeros(*slots, of=torch.int64) - 1,
        count=zeros(*slots, of=torch.int64),
        age=zeros(*slots, of=torch.int64),
        idle=zeros(*slots, of=torch.int64),
        mass=zeros(*slots),
        utility=zeros(*slots),
        next_id=zeros(batch, of=torch.int64),
        version=zeros(batch, of=torch.int64),
    )


def weights_version(*weights: Tensor) -> Int64[Tensor, ""]:
    """Digest weights into one integer, equal for equal bits: a change of any weight is all but certain to change it.

    It is a tensor, so that nothing waits for a device. Integer sums wrap around and do not depend on their order.
    """
    total = torch.zeros((), dtype=torch.int64, device=weights[0].device)
    for weight in weights:
        size = {2: torch.int16, 4: torch.int32, 8: torch.int64}[weight.element_size()]
        bits = weight.detach().flatten().view(size).to(torch.int64)
        odd = 2 * torch.arange(bits.numel(), device=bits.device) + 1
        total = total * 6364136223846793005 + (bits * (odd * 2654435761)).sum()
    return total
