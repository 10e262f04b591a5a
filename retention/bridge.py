"""The bridge between templates in the episodic memory and slots in the layer: rows of numpy arrays, ids kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from .layer.layer import RetentionLayer
from .layer.slots import SlotState, slot_stamps


class TemplateLike(Protocol):
    """What the bridge needs of a template; ``Template`` has it."""

    @property
    def id(self) -> int:
        """Its id."""
        ...

    @property
    def key(self) -> NDArray[np.float32]:
        """Its vector."""
        ...

    @property
    def utility(self) -> float:
        """Its utility."""
        ...

    @property
    def count(self) -> int:
        """How many observations it stands for."""
        ...


@dataclass(frozen=True, kw_only=True)
class TemplateRows:
    """Templates as aligned numpy columns of ``n`` rows.

    Attributes:
        id: int64 ``[n]``, each once, 0 or more.
        key: float32 ``[n, width]``, finite.
        utility: float64 ``[n]``, finite.
        count: int64 ``[n]``, 1 or more.
    """

    id: NDArray[np.int64]
    key: NDArray[np.float32]
    utility: NDArray[np.float64]
    count: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Check shapes and values."""
        rows = len(self.id)
        shapes = (self.id.shape, self.key.shape[:1], self.utility.shape, self.count.shape)
        if self.key.ndim != 2 or any(shape != (rows,) for shape in shapes):
            raise ValueError(f"wanted rows of id, key, utility and count, got shapes {shapes}, key {self.key.shape}")
        if len(np.unique(self.id)) != rows or (rows and self.id.min() < 0):
            raise ValueError("ids must be 0 or more, each once")
        if rows and self.count.min() < 1:
            raise ValueError(f"counts must be 1 or more, got {self.count.min()}")
        if not (np.isfinite(self.key).all() and np.isfinite(self.utility).all()):
            raise ValueError("keys and utilities must be finite")

    @classmethod
    def of(cls, templates: Iterable[TemplateLike], *, width: int) -> TemplateRows:
        """Gather templates; ``width`` is that of their vectors, needed when there are none.

        Raises:
            ValueError: a template has a vector of another width.
        """
        templates = list(templates)
        odd = next((t for t in templates if t.key.shape != (width,)), None)
        if odd is not None:
            raise ValueError(f"template {odd.id} has a vector of shape {odd.key.shape}, wanted ({width},)")
        return cls(
            id=np.array([t.id for t in templates], dtype=np.int64),
            key=np.array([t.key for t in templates], dtype=np.float32).reshape(len(templates), width),
            utility=np.array([t.utility for t in templates], dtype=np.float64),
            count=np.array([t.count for t in templates], dtype=np.int64),
        )


def slots_from_templates(
    templates: TemplateRows | Iterable[TemplateLike], layer: RetentionLayer, *, capacity: int | None = None
) -> SlotState:
    """Fill the slots of one namespace with templates, in their order, as if each had been written with an open gate.

    Args:
        templates: whose vectors have the width of the layer.
        layer: projects keys and values.
        capacity: slots; None for the layer's own capacity.

    Returns:
        The state, of batch 1; the slots have the ids of the templates.

    Raises:
        ValueError: the widths differ, or there are more templates than slots.
    """
    state = layer.init_state(1, capacity)
    width = layer.config.width
    rows = templates if isinstance(templates, TemplateRows) else TemplateRows.of(templates, width=width)
    n = len(rows.id)
    if rows.key.shape[1] != width:
        raise ValueError(f"templates of width {rows.key.shape[1]} do not fit a layer of width {width}")
    if n > state.capacity:
        raise ValueError(f"{n} templates do not fit {state.capacity} slots: recall fewer, or raise the capacity")
    columns = {"u": rows.key, "id": rows.id, "count": rows.count, "utility": rows.utility}
    filled = {name: getattr(state, name).clone() for name in columns}
    for name, column in columns.items():
        filled[name][0, :n] = torch.from_numpy(np.ascontiguousarray(column)).to(filled[name])
    occupied = torch.arange(state.capacity, device=state.u.device)[None] < n
    next_id = filled["id"].amax(dim=1) + 1
    stamp = slot_stamps(filled["u"], filled["id"]).masked_fill(~occupied, 0)
    order = torch.arange(1, state.capacity + 1, device=state.u.device)[None] * occupied
    writes = order.amax(dim=1)
    filled |= {"occupied": occupied, "stamp": stamp, "written": order, "next_id": next_id, "writes": writes}
    return layer.refresh(replace(state, **filled))


def templates_from_slots(state: SlotState, row: int = 0) -> TemplateRows:
    """Take the occupied slots of one namespace out, in the order of their slots.

    Args:
        state: the slots; they may be on any device and in any graph.
        row: the namespace.

    Raises:
        ValueError: there is no such row, or a slot is not finite.
    """
    if not 0 <= row < state.batch:
        raise ValueError(f"row must be in [0, {state.batch}), got {row}")
    one = state.index(slice(row, row + 1)).detach().to("cpu")
    at = one.occupied[0]
    return TemplateRows(
        id=one.id[0, at].numpy(),
        key=one.u[0, at].to(torch.float32).numpy(),
        utility=one.utility[0, at].to(torch.float64).numpy(),
        count=one.count[0, at].numpy(),
    )
