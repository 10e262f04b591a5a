"""Which table serves how many vectors."""

from __future__ import annotations

from typing import Literal, get_args

from .dense import DenseTable
from .table import VectorTable
from .trained import TrainedConfig, TrainedTable

Tier = Literal["dense", "scan", "trained"]

TIERS: tuple[Tier, ...] = get_args(Tier)
DENSE_BELOW = 8_192
TRAINED_FROM = 1_000_000


def choose_tier(slots: int, *, dense_below: int = DENSE_BELOW, trained_from: int = TRAINED_FROM) -> Tier:
    """Return the kind of table for so many vectors; ``holdfast bench index`` shows what each costs on a machine.

    Below ``dense_below`` comparing with every vector is fastest. From there a scan of codes is faster and as exact.
    From ``trained_from`` on a trained index is: it takes a minute to make, and finds a little less than all.

    Args:
        slots: how many vectors.
        dense_below: the smallest number that is scanned.
        trained_from: the smallest number that is worth training.

    Raises:
        ValueError: a number is negative.
    """
    if min(slots, dense_below, trained_from) < 0:
        raise ValueError(
            f"slots, dense_below and trained_from must not be negative, got {slots}, {dense_below}, {trained_from}"
        )
    if slots >= trained_from:
        return "trained"
    return "dense" if slots < dense_below else "scan"


def new_table(tier: Tier, capacity: int, dim: int, *, trained: TrainedConfig | None = None) -> VectorTable:
    """Make an empty table.

    Args:
        tier: its kind.
        capacity: positions are below it.
        dim: the width of a vector.
        trained: how lists are made and visited, where the kind is trained.

    Raises:
        ValueError: there is no such kind, a size is below 1, or ``capacity`` is 2**31 or more.
        MissingExtraError: the kind is trained, and faiss is not installed.
    """
    if tier == "dense":
        return DenseTable(capacity, dim)
    if tier == "scan":
        from .scan import ScanTable

        return ScanTable(capacity, dim)
    if tier == "trained":
        return TrainedTable(capacity, dim, trained)
    raise ValueError(f"tier must be one of {', '.join(TIERS)}, got {tier!r}")
