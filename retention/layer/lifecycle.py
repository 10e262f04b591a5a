"""What is done to slots on purpose, besides writing: evicting some, and joining two that stand for one thing."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Int64
from torch import Tensor

from .evict import Eviction, rooms
from .slots import SlotState, marked, slot_stamps
from .write import Project


def evict_slots(state: SlotState, eviction: Eviction, count: int) -> SlotState:
    """Empty ``count`` slots of each row, those that the eviction would take first, or all that are not pinned.

    Args:
        state: the slots.
        eviction: scores the occupied slots; the lowest go.
        count: how many, 0 or more.

    Raises:
        ValueError: ``count`` is negative.
    """
    if count < 0:
        raise ValueError(f"count must be 0 or more, got {count}")
    empty = (~state.occupied).sum(dim=1, keepdim=True)
    order = rooms(state, eviction, state.capacity, torch.zeros_like(state.occupied))
    turn = torch.arange(state.capacity, device=order.device)
    gone = marked(order.masked_fill((turn < empty) | (turn >= empty + count), -1), state.capacity)
    return state.clear(gone)


def merge_slots(
    state: SlotState, into: Int64[Tensor, "batch n"], ids: Int64[Tensor, "batch n"], *, project: Project
) -> SlotState:
    """Join slots pair by pair: the slot ``ids[i]`` goes into the slot ``into[i]`` and leaves its own empty.

    The one that stays holds the mean of both vectors, weighed by what they stand for, the sum of their counts and mass,
    the mean of their utilities, and the younger age; it is pinned if one of them was.

    Args:
        state: the slots.
        into: ids of slots that stay, -1 for none.
        ids: ids of slots that go, -1 for none. A pair with an unknown id, or of one slot with itself, changes nothing.
        project: makes keys and values.

    Raises:
        ValueError: ``into`` and ``ids`` differ in shape.
    """
    if into.shape != ids.shape:
        raise ValueError(
            f"wanted as many ids to merge as to merge into, got {tuple(ids.shape)} and {tuple(into.shape)}"
        )
    for i in range(ids.shape[1]):
        state = _merge_pair(state, into[:, i : i + 1], ids[:, i : i + 1], project=project)
    return state


def _merge_pair(state: SlotState, into: Tensor, ids: Tensor, *, project: Project) -> SlotState:
    stays, goes = state.where(into), state.where(ids)
    both = (stays >= 0) & (goes >= 0) & (stays != goes)
    stay = marked(stays.masked_fill(~both, -1), state.capacity)
    a, b = stays.clamp(min=0), goes.clamp(min=0)

    def pair(values: Tensor) -> tuple[Tensor, Tensor]:
        return values.gather(1, a), values.gather(1, b)

    counts = pair(state.count)
    total = (counts[0] + counts[1]).clamp(min=1)
    share = counts[0].to(state.u.dtype) / total
    stayed, gone = (state.u.take_along_dim(at[:, :, None], dim=1) for at in (a, b))
    u = gone + share[:, :, None] * (stayed - gone)
    k, v = project(u)
    utility = pair(state.utility)
    wide = stay[:, None, :, None]
    joined = replace(
        state,
        u=torch.where(stay[:, :, None], u, state.u),
        k=torch.where(wide, k, state.k),
        v=torch.where(wide, v, state.v),
        count=torch.where(stay, total, state.count),
        age=torch.where(stay, torch.minimum(*pair(state.age)), state.age),
        idle=torch.where(stay, torch.minimum(*pair(state.idle)), state.idle),
        written=torch.where(stay, torch.maximum(*pair(state.written)), state.written),
        mass=torch.where(stay, torch.add(*pair(state.mass)), state.mass),
        utility=torch.where(stay, utility[1] + share * (utility[0] - utility[1]), state.utility),
        stamp=torch.where(stay, slot_stamps(u, state.id.gather(1, a)), state.stamp),
        pinned=torch.where(stay, torch.logical_or(*pair(state.pinned)), state.pinned),
    )
    return joined.clear(marked(goes.masked_fill(~both, -1), state.capacity))
