"""The actions of a task, numbered from 0: whatever the space, a template keeps a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from retention import UnsupportedSpaceError

_MOST_COMBINATIONS = 4096
_LEVELS = {1: 5, 2: 3, 3: 3, 4: 3}  # of each dimension of a Box, by how many dimensions it has
_SUPPORTED = "Discrete, MultiDiscrete, MultiBinary, and Box of at most 4 numbers"


@final
@dataclass(frozen=True, kw_only=True)
class Actions:
    """The actions of one space.

    Attributes:
        count: how many there are.
        take: the action of a number from 0 to ``count - 1``, as ``env.step`` takes it.
    """

    count: int
    take: Callable[[int], Any]


def numbered_actions(space: spaces.Space[Any]) -> Actions:
    """Number the actions of a space.

    The actions of a MultiDiscrete or MultiBinary space are all combinations, the last place counting fastest. Those of
    a Box are a grid with both ends of each dimension: 5 levels of one dimension, 3 of each of two to four.

    Raises:
        UnsupportedSpaceError: the space is of another kind, has too many combinations, or is a Box without bounds.
    """
    if isinstance(space, spaces.Discrete):
        start = int(space.start)
        return Actions(count=int(space.n), take=lambda number: start + number)
    if isinstance(space, spaces.MultiDiscrete):
        starts, sizes = np.asarray(space.start).ravel(), np.asarray(space.nvec).ravel()
        return _combined(space, [start + np.arange(size) for start, size in zip(starts, sizes, strict=True)])
    if isinstance(space, spaces.MultiBinary):
        return _combined(space, [np.arange(2)] * int(np.prod(space.shape)))
    if isinstance(space, spaces.Box):
        return _combined(space, _grid(space))
    if isinstance(space, spaces.Text):
        raise UnsupportedSpaceError(
            "actions of Text are not supported by this policy; where the environment names candidates, wrap it in "
            "agent.NumberedCandidates"
        )
    raise UnsupportedSpaceError(f"actions of {type(space).__name__} are not supported yet; supported: {_SUPPORTED}")


def _grid(space: spaces.Box) -> list[NDArray[Any]]:
    """Return the levels of each dimension."""
    low, high = space.low.ravel(), space.high.ravel()
    levels = _LEVELS.get(low.size)
    if levels is None:
        raise UnsupportedSpaceError(f"actions of Box with {low.size} numbers are not supported yet; at most 4 are")
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise UnsupportedSpaceError(f"actions of a Box without bounds are not supported yet: {space}")
    ends = zip(low.astype(np.float64), high.astype(np.float64), strict=True)
    grid = [np.linspace(first, last, levels) for first, last in ends]
    return [np.unique(np.rint(each)) for each in grid] if np.issubdtype(space.dtype, np.integer) else grid


def _combined(space: spaces.Space[Any], choices: list[NDArray[Any]]) -> Actions:
    """Number all combinations of the choices of each place, the last place counting fastest."""
    sizes = [len(each) for each in choices]
    count = 1
    for size in sizes:
        count *= size  # of Python's integers: they do not overflow
    if count > _MOST_COMBINATIONS:
        raise UnsupportedSpaceError(
            f"{type(space).__name__} actions of {count} combinations are too many; at most {_MOST_COMBINATIONS} are "
            "supported"
        )
    places = np.unravel_index(np.arange(count), sizes)
    columns = [each[place] for each, place in zip(choices, places, strict=True)]
    table = np.stack(columns, axis=1).astype(space.dtype).reshape(count, *space.shape or ())
    return Actions(count=count, take=lambda number: table[number].copy())  # the environment may change it in place
