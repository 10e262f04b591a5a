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
        age: write calls since the slot was last written; more candidates than slots make several calls of one.
        written: which of the row's candidates was written to the slot last, counted from 1; 0 when empty.
        idle: write calls since the slot was last written or drew more than an even share of a read's attention.
        mass: attention drawn since the slot was first written, summed over queries.
        utility: mean feedback of the candidates in the slot, or what its user has made of it.
        stamp: a digest of ``id`` and ``u``, 0 when empty: a cache of slots is stale where it changed.
        pinned: True where a slot is never evicted.
        next_id: the id of the slot that is written next.
        writes: how many candidates were written to the row.
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
    written: Int64[Tensor, "batch slots"]
    mass: Float[Tensor, "batch slots"]
    utility: Float[Tensor, "batch slots"]
    stamp: Int64[Tensor, "batch slots"]
    pinned: Bool[Tensor, "batch slots"]
    next_id: Int64[Tensor, " batch"]
    writes: Int64[Tensor, " batch"]
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

    def where(self, ids: Int64[Tensor, "batch n"]) -> Int64[Tensor, "batch n"]:
        """Find slots by their ids.

        Args:
            ids: one row per namespace; -1 asks for nothing.

        Returns:
            The number of the slot that has each id, -1 where none has.
        """
        same = (self.id[:, None] == ids[:, :, None]) & self.occupied[:, None]
        return torch.where(same.any(dim=2), same.int().argmax(dim=2), -1)

    def pin(self, ids: Int64[Tensor, "batch n"], pinned: bool = True) -> SlotState:
        """Keep slots from eviction, or with ``pinned=False`` leave them to it again; unknown ids change nothing.

        A duplicate still brings a pinned slot up to date.
        """
        chosen = marked(self.where(ids), self.capacity)
        return replace(self, pinned=self.pinned | chosen if pinned else self.pinned & ~chosen)

    def forget(self, ids: Int64[Tensor, "batch n"]) -> tuple[SlotState, Bool[Tensor, "batch n"]]:
        """Empty slots, pinned ones too. Nothing of them is left, and their ids are not given again.

        Args:
            ids: one row per namespace; -1 asks for nothing.

        Returns:
            The state without them, and which ids were there.
        """
        found = self.where(ids)
        return self.clear(marked(found, self.capacity)), found >= 0

    def clear(self, slots: Bool[Tensor, "batch slots"]) -> SlotState:
        """Empty the slots that are marked."""
        wide = slots[:, None, :, None]
        return replace(
            self,
            u=self.u.masked_fill(slots[:, :, None], 0.0),
            k=self.k.masked_fill(wide, 0.0),
            v=self.v.masked_fill(wide, 0.0),
            bias=self.bias.masked_fill(slots, 0.0),
            occupied=self.occupied & ~slots,
            id=self.id.masked_fill(slots, -1),
            count=self.count.masked_fill(slots, 0),
            age=self.age.masked_fill(slots, 0),
            idle=self.idle.masked_fill(slots, 0),
            written=self.written.masked_fill(slots, 0),
            mass=self.mass.masked_fill(slots, 0.0),
            utility=self.utility.masked_fill(slots, 0.0),
            stamp=self.stamp.masked_fill(slots, 0),
            pinned=self.pinned & ~slots,
        )

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
    rows = capacity + 1  # laid out as a write leaves them, one row beside the slots: nothing is compiled twice
    return SlotState(
        u=zeros(batch, rows, width)[:, :capacity],
        k=zeros(batch, heads, rows, dim)[:, :, :capacity],
        v=zeros(batch, heads, rows, dim)[:, :, :capacity],
        bias=zeros(*slots),
        occupied=zeros(*slots, of=torch.bool),
        id=zeros(*slots, of=torch.int64) - 1,
        count=zeros(*slots, of=torch.int64),
        age=zeros(*slots, of=torch.int64),
        idle=zeros(*slots, of=torch.int64),
        written=zeros(*slots, of=torch.int64),
        mass=zeros(*slots),
        utility=zeros(*slots),
        stamp=zeros(batch, rows, of=torch.int64)[:, :capacity],
        pinned=zeros(*slots, of=torch.bool),
        next_id=zeros(batch, of=torch.int64),
        writes=zeros(batch, of=torch.int64),
        version=zeros(batch, of=torch.int64),
    )


def marked(slots: Int64[Tensor, "batch n"], capacity: int) -> Bool[Tensor, "batch slots"]:
    """Mark slots by their numbers; -1 marks nothing."""
    beside = slots.new_zeros((slots.shape[0], capacity + 1), dtype=torch.bool)
    return beside.scatter(1, slots.masked_fill(slots < 0, capacity), True)[:, :capacity]


def slot_stamps(u: Float[Tensor, "batch n width"], id: Int64[Tensor, "batch n"]) -> Int64[Tensor, "batch n"]:
    """Digest each vector with its id, never to 0: equal for equal bits, and otherwise all but certain to differ."""
    bits = _bits(u)
    placed = bits + torch.arange(bits.shape[-1], device=bits.device) * 6364136223846793005
    return _scrambled(_scrambled(placed).sum(dim=-1) + id * 6364136223846793005) | 1


def weights_version(*weights: Tensor) -> Int64[Tensor, ""]:
    """Digest weights into one integer, equal for equal bits: a change of any weight is all but certain to change it.

    It is a tensor, so that nothing waits for a device. Integer sums wrap around and do not depend on their order.
    """
    total = torch.zeros((), dtype=torch.int64, device=weights[0].device)
    for weight in weights:
        bits = _bits(weight.flatten())
        odd = torch.arange(1, 2 * bits.shape[0], 2, device=bits.device)
        total = total * 6364136223846793005 + (bits * (odd * 2654435761)).sum()
    return total


def _bits(x: Float[Tensor, "*lead n"]) -> Int64[Tensor, "*lead m"]:
    """Take the bits of the last dimension as integers, several numbers in one where they fit."""
    x = x.detach().contiguous()
    if x.shape[-1] * x.element_size() % 8 == 0:
        return x.view(torch.int64)
    return x.view({2: torch.int16, 4: torch.int32, 8: torch.int64}[x.element_size()]).to(torch.int64)


def _scrambled(bits: Int64[Tensor, "*lead"]) -> Int64[Tensor, "*lead"]:
    """Spread the bits of each integer: round numbers such as 1.0 and 2.0 differ in their highest bits alone."""
    for shift, odd in ((32, -4658895280553007687), (29, -7723592293110705685)):
        bits = (bits ^ ((bits >> shift) & (2 ** (64 - shift) - 1))) * odd
    return bits ^ ((bits >> 32) & (2**32 - 1))
