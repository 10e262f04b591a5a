"""The arrays that notes lie in: those of one notebook, or of several with an axis before all others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .shape import Shape

COLUMNS = ("_reward", "_rank", "_count", "_episode", "_order", "_id", "_symbol")
"""The arrays with one number a note, by the names that they have in a notebook."""
_BEHIND_THE_NULL_SLOT = {"_leans": 1, "_keys": 2, "_values": 2}  # the axis of slots
Pages = Mapping[str, NDArray[Any]]


def blank_pages(shape: Shape, rows: int, *lanes: int) -> Pages:
    """Return arrays for so many notes; with ``lanes`` for as many notebooks."""
    pages: dict[str, NDArray[Any]] = {name: np.zeros((*lanes, rows), np.int64) for name in COLUMNS[2:]}
    slots = (shape.layers, shape.heads, 1 + rows, shape.width // shape.heads)
    reals = {"_reward": (rows,), "_rank": (rows,), "_leans": (3, 1 + rows), "_keys": slots, "_values": slots}
    pages |= {name: np.zeros((*lanes, *each), np.float32) for name, each in reals.items()}
    pages["_leans"][..., 2, 0] = 1.0
    return pages


def copy_pages(own: Pages, other: Pages, notes: int) -> None:
    """Copy the first so many notes, and the null slot."""
    for name in COLUMNS:
        other[name][:notes] = own[name][:notes]
    for name, axis in _BEHIND_THE_NULL_SLOT.items():
        filled = (slice(None),) * axis + (slice(0, notes + 1),)
        other[name][filled] = own[name][filled]
