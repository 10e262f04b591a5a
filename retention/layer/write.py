"""The write: the candidates of a call change the slots, all at once.

They are held against the slots as they were before the call, and against the earlier candidates of the call; the write
rule decides which slot takes which.

Reference: arXiv 2501.09166, the write operation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor

from .evict import Eviction
from .rules import Change, Offer, WriteRule
from .slots import SlotState, slot_stamps

Project = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From ``u`` of ``[batch, slots, width]`` to its keys and values, each ``[batch, heads, slots, dim]``."""


@dataclass(frozen=True, kw_only=True)
class WriteInfo:
    """What a write did, per batch row.

    Attributes:
        accept_rate: written candidates over those offered, in [0, 1]; 0 when none was offered.
        evictions: slots that were evicted.
        duplicates: written candidates that were nearer than ``tau`` to a slot or to an earlier candidate.
        refused: True where a candidate was offered and is not finite, found no room, or was left out by the rule.
        stale: True where the cached keys and values were made by other weights; see ``RetentionLayer.refresh``.
    """

    accept_rate: Float[Tensor, " batch"]
    evictions: Int64[Tensor, " batch"]
    duplicates: Int64[Tensor, " batch"]
    refused: Bool[Tensor, "batch candidates"]
    stale: Bool[Tensor, " batch"]


def mean_cosine(
    a: Float[Tensor, "batch heads n dim"], b: Float[Tensor, "batch heads m dim"]
) -> Float[Tensor, "batch n m"]:
    """Return the mean over the heads of the cosines of each of ``a`` with each of ``b``, all of length 1 or 0."""
    return (a @ b.transpose(-1, -2)).mean(dim=1)


def write_slots(
    state: SlotState,
    candidates: Float[Tensor, "batch candidates width"],
    *,
    nearest: tuple[Float[Tensor, "batch candidates"], Int64[Tensor, "batch candidates"]],
    among: Float[Tensor, "batch candidates candidates"],
    log_gate: Float[Tensor, "batch candidates"],
    admit: Bool[Tensor, "batch candidates"],
    feedback: Float[Tensor, "batch candidates"],
    project: Project,
    rule: WriteRule,
    eviction: Eviction,
    tau: float,
    in_place: bool = False,
) -> tuple[SlotState, Bool[Tensor, "batch candidates"], Bool[Tensor, "batch candidates"]]:
    """Write candidates.

    Args:
        state: the slots.
        candidates: what to write, finite; at most as many as slots.
        nearest: the largest cosine of each candidate's key with that of a slot, -1 for empty slots, and that slot.
        among: of each candidate's key with that of each candidate.
        log_gate: the log of their gates; the bias of a slot that starts anew.
        admit: candidates that may be written; a row without any stays as it is, but for its ages.
        feedback: what the candidates earned, finite; a slot's utility is the mean of it.
        project: makes keys and values.
        rule: decides what becomes of the slots.
        eviction: makes room.
        tau: the cosine of keys above which two are duplicates.
        in_place: write ``u``, ``k`` and ``v`` where they stand; ``state`` must then not be used again.

    Returns:
        The new state, which candidates are in it, and which of these are duplicates.
    """
    state = replace(state, age=state.age + state.occupied, idle=state.idle + state.occupied)
    earlier = torch.ones_like(among, dtype=torch.bool).tril(-1) & admit[:, None]
    among = among.masked_fill(~earlier, -1.0)
    cosine, slot = nearest
    offer = Offer(u=candidates, gate=log_gate.exp(), admit=admit, cosine=cosine, nearest=slot, among=among, tau=tau)
    change = rule(state, offer, eviction)
    written = change.target >= 0
    duplicate = written & (torch.maximum(cosine, among.amax(dim=2)) > tau)
    state = apply(state, change, log_gate=log_gate, feedback=feedback, project=project, in_place=in_place)
    return state, written, duplicate


def apply(
    state: SlotState,
    change: Change,
    *,
    log_gate: Float[Tensor, "batch candidates"],
    feedback: Float[Tensor, "batch candidates"],
    project: Project,
    in_place: bool,
) -> SlotState:
    """Make the state that a rule's change leads to. Arguments as in ``write_slots``."""
    target, fresh, slot = change.target, change.fresh, change.slot

    def spread(values: Tensor, at: Tensor) -> Tensor:
        """Add up values per slot."""
        return values.new_zeros((state.batch, state.capacity + 1)).scatter_add(1, at, values)[:, : state.capacity]

    written = target >= 0
    # What goes nowhere goes beside the slots.
    target = torch.where(written, target, state.capacity)
    begun = torch.where(fresh, target, state.capacity)
    beside = torch.where(slot < 0, state.capacity, slot)
    rank = fresh.cumsum(dim=1)
    turn = spread(rank, begun)  # 1 for the first slot of the row that starts anew, 2 for the next, 0 for all others
    started = turn > 0
    order = state.writes[:, None] + written.cumsum(dim=1)
    hits = spread(torch.ones_like(target), target)
    hit = hits > 0
    id = torch.where(started, state.next_id[:, None] + turn - 1, state.id)
    before = state.count.masked_fill(started, 0)
    count = before + hits
    earned = state.utility * before + spread(feedback, target)
    stamps = slot_stamps(change.u, id.gather(1, slot.clamp(min=0)))
    k, v = project(change.u)

    def put(old: Tensor, new: Tensor) -> Tensor:
        return _put_in_place(old, slot, new) if in_place else _put(old, beside, new)

    return replace(
        state,
        u=put(state.u, change.u),
        k=put(state.k, k),
        v=put(state.v, v),
        bias=torch.where(started, spread(log_gate, begun), state.bias),
        occupied=state.occupied | started,
        id=id,
        count=count,
        age=state.age.masked_fill(hit, 0),
        idle=state.idle.masked_fill(hit, 0),
        written=state.written.scatter_reduce(1, change.target.clamp(min=0), order.masked_fill(~written, 0), "amax"),
        mass=state.mass.masked_fill(started, 0.0),
        utility=torch.where(hit, earned / count.clamp(min=1), state.utility),
        stamp=_put(state.stamp[:, :, None], beside, stamps[:, :, None])[:, :, 0],
        pinned=state.pinned & ~started,
        next_id=state.next_id + rank[:, -1],
        writes=state.writes + written.sum(dim=1),
    )


def _put(
    old: Shaped[Tensor, "batch *_ slots dim"], at: Int64[Tensor, "batch n"], new: Shaped[Tensor, "batch *_ n dim"]
) -> Shaped[Tensor, "batch *_ slots dim"]:
    """Put new rows where they go, one of them beside the slots, and leave the others bit-equal."""
    wide = torch.cat((old, old[..., :1, :].detach()), dim=-2)
    at = at.view(at.shape[0], *[1] * (old.dim() - 3), at.shape[1], 1)
    return wide.scatter_(-2, at.expand(new.shape), new)[..., :-1, :]


def _put_in_place(
    old: Float[Tensor, "batch *_ slots dim"], slot: Int64[Tensor, "batch n"], new: Float[Tensor, "batch *_ n dim"]
) -> Float[Tensor, "batch *_ slots dim"]:
    """Do as ``_put`` does, in the memory of ``old``, at a cost that does not grow with the slots."""
    row, which = (slot >= 0).nonzero(as_tuple=True)
    old.movedim(-2, 1)[row, slot[row, which]] = new.movedim(-2, 1)[row, which]
    return old
