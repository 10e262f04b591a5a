"""The write: how candidates change the slots. A rule decides what a candidate does to which slot.

Reference: arXiv 2501.09166, the write operation: option A is ``AppendWrite``, option B is ``BlendWrite``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from .evict import Eviction, place
from .slots import SlotState

Project = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From ``u`` of ``[batch, slots, width]`` to its keys and values, each ``[batch, heads, slots, dim]``."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One candidate per row, as a write rule sees it.

    Attributes:
        u: the vector to remember.
        gate: how strongly, in (0, 1].
        cosine: of the candidate's key with each slot's key, -1 for empty slots.
        duplicate: True where the nearest slot is nearer than the layer's ``tau``.
    """

    u: Float[Tensor, "batch width"]
    gate: Float[Tensor, " batch"]
    cosine: Float[Tensor, "batch slots"]
    duplicate: Bool[Tensor, " batch"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a candidate does to the slots.

    Attributes:
        u: the new vectors: one for each slot, or one (``vectors = 1``) for all changed slots of a row.
        changed: True where a slot takes its new vector.
        appended: True where a slot starts anew with the candidate; at most one per row, among the changed.
        merged: True where a slot counts the candidate as one more of its own; at most one per row, among the changed.
    """

    u: Float[Tensor, "batch vectors width"]
    changed: Bool[Tensor, "batch slots"]
    appended: Bool[Tensor, "batch slots"]
    merged: Bool[Tensor, "batch slots"]


@runtime_checkable
class WriteRule(Protocol):
    """Decides what a candidate does to the slots; rows must not look at each other."""

    def __call__(self, state: SlotState, candidate: Candidate, eviction: Eviction) -> Change:
        """Return the change; the layer leaves it out in rows whose candidate is not admitted."""
        ...


@dataclass(frozen=True, kw_only=True)
class AppendWrite:
    """Each candidate takes a slot of its own: ``M' = [M; u]``. The paper's option A; a full row evicts."""

    def __call__(self, state: SlotState, candidate: Candidate, eviction: Eviction) -> Change:
        """Append."""
        at = place(state, eviction)
        return Change(u=candidate.u[:, None], changed=at, appended=at, merged=torch.zeros_like(at))


@dataclass(frozen=True, kw_only=True)
class BlendWrite:
    """Each candidate moves the slots that attend to it. The paper's option B.

    ``w = softmax(u M^T / sqrt(width))``, ``M'_j = (1 - g w_j) M_j + g w_j u``, with the gate ``g``. The
    paper leaves ``f`` in ``M' = f(M, u W_update, w)`` open; this is the convex one. Free slots hold nothing to blend
    with and are filled first.
    """

    def __call__(self, state: SlotState, candidate: Candidate, eviction: Eviction) -> Change:
        """Blend where the row is full, else append."""
        u = candidate.u[:, None]
        full = state.occupied.all(dim=1, keepdim=True)
        share = torch.softmax((state.u * u).sum(dim=2) / u.shape[2] ** 0.5, dim=1)
        step = (candidate.gate[:, None] * share)[:, :, None]
        appended = place(state, eviction) & ~full
        return Change(
            u=torch.where(full[:, :, None], (1 - step) * state.u + step * u, u),
            changed=appended | full,
            appended=appended,
            merged=F.one_hot(share.argmax(dim=1), state.capacity).bool() & full,
        )


@dataclass(frozen=True, kw_only=True)
class MergeWrite:
    """A duplicate updates its nearest slot in place, anything else is appended.

    ``u'_j = (1 - g erase) u_j + g write u`` with the gate ``g``: the delta rule, with erasing and writing told apart.

    Attributes:
        erase: how much of the slot is erased, in [0, 1].
        write: how much of the candidate is added, in [0, 1].
    """

    erase: float = 0.5
    write: float = 0.5

    def __post_init__(self) -> None:
        """Check the strengths."""
        for name, strength in (("erase", self.erase), ("write", self.write)):
            if not 0.0 <= strength <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], got {strength}")

    def __call__(self, state: SlotState, candidate: Candidate, eviction: Eviction) -> Change:
        """Merge where the candidate is a duplicate, else append."""
        at = candidate.cosine.argmax(dim=1)
        old = state.u.take_along_dim(at[:, None, None], dim=1)[:, 0]
        gate, duplicate = candidate.gate[:, None], candidate.duplicate[:, None]
        delta = (1 - self.erase * gate) * old + self.write * gate * candidate.u
        merged = F.one_hot(at, state.capacity).bool() & duplicate
        appended = place(state, eviction) & ~duplicate
        u = torch.where(duplicate, delta, candidate.u)[:, None]
        return Change(u=u, changed=merged | appended, appended=appended, merged=merged)


@dataclass(frozen=True, kw_only=True)
class WriteInfo:
    """What a write did, per batch row.

    Attributes:
        accept_rate: accepted candidates over those offered, in [0, 1]; 0 when none was offered.
        evictions: slots that were evicted.
        duplicates: accepted candidates whose nearest slot was nearer than ``tau``.
        stale: True where the cached keys and values were made by other weights; see ``RetentionLayer.refresh``.
    """

    accept_rate: Float[Tensor, " batch"]
    evictions: Float[Tensor, " batch"]
    duplicates: Float[Tensor, " batch"]
    stale: Bool[Tensor, " batch"]


def key_cosines(
    keys: Float[Tensor, "batch heads candidates dim"], state: SlotState
) -> Float[Tensor, "batch candidates slots"]:
    """Compare keys with the slots' keys: the mean over the heads of ``cos(k_h, k_hj)``, -1 for empty slots."""
    cosine = F.normalize(keys, dim=-1) @ F.normalize(state.k, dim=-1).transpose(-1, -2)
    return cosine.mean(dim=1).masked_fill(~state.occupied[:, None], -1.0)


def write_one(
    state: SlotState,
    u: Float[Tensor, "batch width"],
    *,
    log_gate: Float[Tensor, " batch"],
    admit: Bool[Tensor, " batch"],
    feedback: Float[Tensor, " batch"],
    project: Project,
    rule: WriteRule,
    eviction: Eviction,
    tau: float,
) -> tuple[SlotState, Bool[Tensor, " batch"], Bool[Tensor, " batch"]]:
    """Write one candidate per row.

    Args:
        state: the slots.
        u: the candidates, finite.
        log_gate: the log of their gates; the bias of a slot that is appended.
        admit: rows whose candidate may be written; the others stay bit-equal.
        feedback: what the candidates earned, finite; a slot's utility is the mean of it.
        project: makes keys and values.
        rule: decides the change.
        eviction: makes room.
        tau: the cosine of keys above which a candidate is a duplicate.

    Returns:
        The new state, which rows evicted a slot, and which accepted a duplicate.
    """
    cosine = key_cosines(project(u[:, None])[0], state)[:, 0].detach()
    duplicate = cosine.amax(dim=1) > tau
    change = rule(state, Candidate(u=u, gate=log_gate.exp(), cosine=cosine, duplicate=duplicate), eviction)
    changed, appended, merged = (at & admit[:, None] for at in (change.changed, change.appended, change.merged))
    k, v = project(change.u)
    feedback = feedback[:, None]
    count = (state.count + merged).masked_fill(appended, 1)
    utility = state.utility + merged * (feedback - state.utility) / count.clamp(min=1)
    written = appended | merged
    new = replace(
        state,
        u=torch.where(changed[:, :, None], change.u, state.u),
        k=torch.where(changed[:, None, :, None], k, state.k),
        v=torch.where(changed[:, None, :, None], v, state.v),
        bias=torch.where(appended, log_gate[:, None], state.bias),
        occupied=state.occupied | appended,
        id=torch.where(appended, state.next_id[:, None], state.id),
        count=count,
        age=state.age.masked_fill(written, 0),
        idle=state.idle.masked_fill(written, 0),
        mass=state.mass.masked_fill(appended, 0.0),
        utility=torch.where(appended, feedback, utility),
        next_id=state.next_id + appended.any(dim=1),
    )
    return new, (appended & state.occupied).any(dim=1), duplicate & admit


def write_slots(
    state: SlotState,
    candidates: Float[Tensor, "batch candidates width"],
    *,
    log_gate: Float[Tensor, "batch candidates"],
    admit: Bool[Tensor, "batch candidates"],
    feedback: Float[Tensor, "batch candidates"],
    project: Project,
    rule: WriteRule,
    eviction: Eviction,
    tau: float,
) -> tuple[SlotState, Float[Tensor, " batch"], Float[Tensor, " batch"]]:
    """Write candidates one after the other; each sees what the ones before it wrote. Arguments as in ``write_one``.

    Returns:
        The new state, and per row the number of evictions and of duplicates.
    """
    state = replace(state, age=state.age + state.occupied, idle=state.idle + state.occupied)
    evictions = duplicates = candidates.new_zeros(state.batch)
    for i in range(candidates.shape[1]):
        state, evicted, duplicate = write_one(
            state,
            candidates[:, i],
            log_gate=log_gate[:, i],
            admit=admit[:, i],
            feedback=feedback[:, i],
            project=project,
            rule=rule,
            eviction=eviction,
            tau=tau,
        )
        evictions, duplicates = evictions + evicted, duplicates + duplicate
    return state, evictions, duplicates
