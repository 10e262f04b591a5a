"""Which slot makes room when a row is full. An eviction scores the slots; the lowest score goes first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from .slots import SlotState


@runtime_checkable
class Eviction(Protocol):
    """Scores the slots of a state by how much they deserve to stay.

    Only occupied slots count, and each row must be judged by itself.
    """

    def __call__(self, state: SlotState) -> Float[Tensor, "batch slots"]:
        """Return a finite score per slot; where a row is full, the slots with the lowest scores are evicted."""
        ...


@dataclass(frozen=True, kw_only=True)
class FirstInFirstOut:
    """Evicts the slot that was first written longest ago."""

    def __call__(self, state: SlotState) -> Float[Tensor, "batch slots"]:
        """Score by id."""
        return state.id.to(torch.float64)


@dataclass(frozen=True, kw_only=True)
class LeastRecentlyUsed:
    """Evicts the slot that was longest neither written nor read with more than an even share of the attention."""

    def __call__(self, state: SlotState) -> Float[Tensor, "batch slots"]:
        """Score by idleness."""
        return -state.idle.to(torch.float64)


@dataclass(frozen=True, kw_only=True)
class RandomEviction:
    """Evicts a slot drawn evenly, from a hash of the seed, the slot and the row's number of writes.

    There is no generator whose state could be lost: the same seed and history evict the same slots, in any row.

    Attributes:
        seed: chooses the draws.
    """

    seed: int = 0

    def __call__(self, state: SlotState) -> Float[Tensor, "batch slots"]:
        """Score by 53 hashed bits."""
        mixed = state.id + state.next_id[:, None] * 1000003 + self.seed * 7919
        for shift, odd in ((30, -4658895280553007687), (27, -7723592293110705685), (31, 2685821657736338717)):
            mixed = (mixed ^ ((mixed >> shift) & (2 ** (64 - shift) - 1))) * odd
        return ((mixed >> 11) & (2**53 - 1)).to(torch.float64)


@dataclass(frozen=True, kw_only=True)
class LeastUseful:
    """Evicts the lowest ``a log(1 + mass) + b utility - c age``.

    Attributes:
        mass: ``a``, the worth of the attention a slot has drawn.
        utility: ``b``, the worth of its utility.
        age: ``c``, the cost of each write call since the slot was last written.
    """

    mass: float = 1.0
    utility: float = 1.0
    age: float = 0.01

    def __call__(self, state: SlotState) -> Float[Tensor, "batch slots"]:
        """Score by use, utility and age."""
        return self.mass * state.mass.log1p() + self.utility * state.utility - self.age * state.age


def rooms(
    state: SlotState, eviction: Eviction, wanted: int, kept: Bool[Tensor, "batch slots"]
) -> Int64[Tensor, "batch wanted"]:
    """List the slots of each row that are written next: the empty ones in their order, then those to evict.

    Args:
        state: the slots.
        eviction: scores the occupied slots; of equal scores the first slot goes first.
        wanted: how many, at most the capacity.
        kept: True where a slot may not be evicted now; a pinned one never is.

    Returns:
        The numbers of the slots, -1 where there is no room left.
    """
    position = torch.arange(state.capacity, device=state.u.device, dtype=torch.float64)
    score = eviction(state).to(torch.float64)
    score = score + (1 + score.abs()) * position * (1e-10 / state.capacity)  # tells equals apart, and nothing else
    score = torch.where(state.occupied, score.clamp(min=-1e300), position * 2.0**972 - 2.0**1023)
    score = score.masked_fill(kept | (state.pinned & state.occupied), torch.inf)
    best, slots = score.topk(wanted, dim=1, largest=False)
    return slots.masked_fill(best == torch.inf, -1)
