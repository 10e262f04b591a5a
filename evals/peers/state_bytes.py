"""How many bytes the tensors of a state hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor


def bytes_of(state: Any) -> int:
    """Sum up the tensors in a nest of tuples, lists, mappings and dataclasses; a tensor that is met twice counts once.

    Anything else in it, such as ``None`` or a number, counts as nothing.
    """
    return sum({id(each): each.numel() * each.element_size() for each in _tensors(state)}.values())


def _tensors(state: Any) -> Iterator[Tensor]:
    if isinstance(state, torch.Tensor):
        yield state
    elif isinstance(state, (Mapping,)) or hasattr(state, "items"):
        for _, each in state.items():
            yield from _tensors(each)
    elif isinstance(state, (tuple, list)):
        for each in state:
            yield from _tensors(each)
    elif is_dataclass(state):
        for field in fields(state):
            yield from _tensors(getattr(state, field.name))
