"""Write rules: which slot takes which candidate of a call, and what becomes of it there.

Reference: arXiv 2501.09166, the write operation: option A is ``AppendWrite``, option B is ``BlendWrite``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from .evict import Eviction, rooms
from .slots import SlotState, marked


@dataclass(frozen=True, kw_only=True)
class Offer:
    """The candidates of a call as a write rule sees them, in their order; there are at most as many as slots.

    Attributes:
        u: the vectors to remember.
        gate: how strongly, in (0, 1].
        admit: True where a candidate is to be written; a rule leaves out the others.
        cosine: the largest of a candidate's key with that of a slot, -1 where all are empty.
        nearest: the slot it is of.
        among: of a candidate's key with that of each earlier candidate that is to be written, -1 elsewhere.
        tau: the cosine above which two keys are duplicates.
    """

    u: Float[Tensor, "batch candidates width"]
    gate: Float[Tensor, "batch candidates"]
    admit: Bool[Tensor, "batch candidates"]
    cosine: Float[Tensor, "batch candidates"]
    nearest: Int64[Tensor, "batch candidates"]
    among: Float[Tensor, "batch candidates candidates"]
    tau: float


@dataclass(frozen=True, kw_only=True)
class Change:
    """What becomes of the slots.

    Attributes:
        u: new vectors.
        slot: the slot that takes each new vector, -1 for none; no slot twice in a row.
        target: the slot that each candidate counts in, -1 where it is not written.
        fresh: True where a candidate starts its slot anew; at most one per slot.
    """

    u: Float[Tensor, "batch vectors width"]
    slot: Int64[Tensor, "batch vectors"]
    target: Int64[Tensor, "batch candidates"]
    fresh: Bool[Tensor, "batch candidates"]


@runtime_checkable
class WriteRule(Protocol):
    """Decides what candidates do to the slots; rows must not look at each other."""

    def __call__(self, state: SlotState, offer: Offer, eviction: Eviction) -> Change:
        """Return the change."""
        ...


@dataclass(frozen=True, kw_only=True)
class AppendWrite:
    """Each candidate takes a slot of its own: ``M' = [M; u]``. The paper's option A; a full row evicts."""

    def __call__(self, state: SlotState, offer: Offer, eviction: Eviction) -> Change:
        """Append."""
        room = _share_out(rooms(state, eviction, offer.u.shape[1], torch.zeros_like(state.occupied)), to=offer.admit)
        return Change(u=offer.u, slot=room, target=room, fresh=room >= 0)


@dataclass(frozen=True, kw_only=True)
class BlendWrite:
    """Each candidate moves the slots that attend to it. The paper's option B.

    ``w = softmax(u M^T / sqrt(width))``, ``M'_j = (1 - g w_j) M_j + g w_j u``, with the gate ``g``. The
    paper leaves ``f`` in ``M' = f(M, u W_update, w)`` open; this is the convex one. Free slots hold nothing to blend
    with and are filled first; pinned slots are left as they are. With several candidates the ``w`` are those of the
    slots before the call, and the steps follow one another.
    """

    def __call__(self, state: SlotState, offer: Offer, eviction: Eviction) -> Change:
        """Fill what is free, then blend."""
        u, n = offer.u, offer.u.shape[1]
        room = _share_out(rooms(state, eviction, n, state.occupied), to=offer.admit)
        soft = state.occupied & ~state.pinned
        rest = offer.admit & (room < 0) & soft.any(dim=1, keepdim=True)
        scores = (u @ state.u.transpose(1, 2) / u.shape[2] ** 0.5).nan_to_num()
        share = scores.masked_fill(~soft[:, None], torch.finfo(scores.dtype).min).softmax(dim=2)
        step = torch.where(rest[:, :, None] & soft[:, None], offer.gate[:, :, None] * share, 0.0)
        remain = (1 - step).flip(1).cumprod(dim=1).flip(1)
        after = torch.cat((remain[:, 1:], torch.ones_like(remain[:, :1])), dim=1)
        blended = remain[:, 0, :, None] * state.u + (step * after).transpose(1, 2) @ u
        every = torch.arange(state.capacity, device=u.device)
        moved = torch.where(soft & rest.any(dim=1, keepdim=True), every, -1)
        return Change(
            u=torch.cat((u, blended), dim=1),
            slot=torch.cat((room, moved), dim=1),
            target=torch.where(rest, share.argmax(dim=2), room),
            fresh=room >= 0,
        )


@dataclass(frozen=True, kw_only=True)
class MergeWrite:
    """A duplicate updates its nearest slot in place, anything else is appended.

    ``u'_j = (1 - g erase) u_j + g write u`` with the gate ``g``: the delta rule, with erasing and writing told apart.
    A duplicate of an earlier candidate of the call goes where that one went, and comes after it.

    Attributes:
        erase: how much of the slot is erased, in [0, 1].
        write: how much of the candidate is added, in [0, 1].
    """

    erase: float = 1.0
    write: float = 1.0

    def __post_init__(self) -> None:
        """Check the strengths."""
        for name, strength in (("erase", self.erase), ("write", self.write)):
            if not 0.0 <= strength <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], got {strength}")

    def __call__(self, state: SlotState, offer: Offer, eviction: Eviction) -> Change:
        """Merge duplicates, append the others."""
        target, fresh = self._targets(state, offer, eviction)
        erase = torch.where(fresh, 1.0, self.erase * offer.gate)
        write = torch.where(fresh, 1.0, self.write * offer.gate)
        same = (target[:, :, None] == target[:, None]) & (target >= 0)[:, :, None]
        earlier = same.tril(-1).any(dim=2)
        kept = (1 - erase)[:, None]
        after = torch.where(same.triu(1), kept, 1.0).prod(dim=2)
        remain = torch.where(same, kept, 1.0).prod(dim=2)
        old = state.u.take_along_dim(target.clamp(min=0)[:, :, None], dim=1)
        u = remain[:, :, None] * old + torch.where(same, (write * after)[:, None], 0.0) @ offer.u
        return Change(u=u, slot=target.masked_fill(earlier, -1), target=target, fresh=fresh)

    def _targets(self, state: SlotState, offer: Offer, eviction: Eviction) -> tuple[Tensor, Tensor]:
        """Find the slot of each candidate, and say which start theirs anew."""
        n = offer.u.shape[1]
        beside, leader = offer.among.max(dim=2)
        joins = offer.admit & (offer.cosine > offer.tau) & (offer.cosine >= beside)
        follows = offer.admit & ~joins & (beside > offer.tau)
        first = torch.where(follows, leader, torch.arange(n, device=leader.device))
        for _ in range((n - 1).bit_length()):  # each step doubles how far up the chain of leaders it sees
            first = first.gather(1, first)
        taken = marked(torch.where(joins, offer.nearest, -1), state.capacity)
        room = _share_out(rooms(state, eviction, n, taken), to=offer.admit & ~joins & ~follows)
        target = torch.where(joins, offer.nearest, room).gather(1, first).masked_fill(~offer.admit, -1)
        return target, room >= 0


def _share_out(free: Int64[Tensor, "batch n"], *, to: Bool[Tensor, "batch n"]) -> Int64[Tensor, "batch n"]:
    """Give the free slots to the marked candidates in their order; -1 to the others."""
    turn = (to.cumsum(dim=1) - 1).clamp(min=0)
    return torch.where(to, free.gather(1, turn), -1)
