"""Which slots go when the memory is full: those that the others say as well, or that no choice would rest on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .columns import Columns
from .neighbours import NearestKeys

_Slots = NDArray[np.int64]


def inferior(columns: Columns, best: NDArray[np.float64], held: _Slots, most: int) -> _Slots:
    """Choose slots of symbolic keys whose action falls farthest behind the best known one in their state.

    Args:
        columns: the slots.
        best: the highest value of any slot in the state of each slot, ``[slots]``.
        held: slots that must stay.
        most: how many to choose at most.

    Returns:
        The slots, ascending; none that is the best of its state.
    """
    behind = best - columns.value[: columns.size]
    behind[held] = 0.0
    order = np.argsort(-behind, kind="stable")[:most]
    chosen: _Slots = np.sort(order[behind[order] > 0.0])
    return chosen


def redundant(
    keys: NDArray[np.float64], action: _Slots, terminated: NDArray[np.bool_], held: _Slots, most: int
) -> tuple[_Slots, _Slots]:
    """Choose slots of real keys that lie nearest to another of the same action and the same end.

    Args:
        keys: scaled keys, ``[slots, width]``.
        action: ``[slots]``.
        terminated: ``[slots]``.
        held: slots that must stay.
        most: how many to choose at most.

    Returns:
        The slots chosen, nearest to their neighbour first, and for each the neighbour, which stays.
    """
    distance = np.full(len(keys), np.inf)
    neighbour = np.arange(len(keys))
    kind = 2 * action + terminated
    for each in np.unique(kind):
        own = np.flatnonzero(kind == each)
        if len(own) < 2:
            continue
        near = NearestKeys(keys.shape[1])
        near.add(keys[own])
        squared, place = near.nearest(keys[own], 2)
        other = (place[:, 0] == np.arange(len(own))).astype(np.int64)  # of two keys alike, either may come first
        rows = np.arange(len(own))
        distance[own], neighbour[own] = squared[rows, other], own[place[rows, other]]
    distance[held] = np.inf
    stays = np.zeros(len(keys), bool)
    gone: list[int] = []
    for slot in np.argsort(distance, kind="stable"):
        if len(gone) == most or not np.isfinite(distance[slot]):
            break
        if not stays[slot] and distance[neighbour[slot]] >= 0.0:
            gone.append(int(slot))
            stays[neighbour[slot]] = True
            distance[slot] = -1.0  # gone: it cannot be the neighbour that stays
    chosen = np.array(gone, np.int64)
    return chosen, neighbour[chosen]
