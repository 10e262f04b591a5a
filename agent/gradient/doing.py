"""The actions of a task as numbers that a network puts out: a choice among some, or a point of a Box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from ..recall.actions import numbered_actions


@final
@dataclass(frozen=True, kw_only=True)
class Doing:
    """How decisions become actions.

    A decision among ``count`` is one-hot, ``[count]``. A point of a Box is the vector of its numbers; where both bounds
    are finite they are -1 and 1.

    Attributes:
        continuous: whether decisions are points.
        count: numbers of a decision.
        take: the action of a decision, as ``env.step`` takes it.
        done: the decision that the environment saw: a point is cut to the bounds.
    """

    continuous: bool
    count: int
    take: Callable[[NDArray[np.float32]], Any]
    done: Callable[[NDArray[np.float32]], NDArray[np.float32]]


def doing(space: spaces.Space[Any]) -> Doing:
    """Choose how decisions become actions of a space.

    Raises:
        UnsupportedSpaceError: it is neither a Box nor a space whose actions can be numbered.
    """
    if isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating):
        return _points(space)
    numbered = numbered_actions(space)
    return Doing(
        continuous=False,
        count=numbered.count,
        take=lambda hot: numbered.take(int(hot.argmax())),
        done=lambda hot: hot,
    )


def _points(space: spaces.Box) -> Doing:
    low, high = space.low.ravel().astype(np.float64), space.high.ravel().astype(np.float64)
    bounded = np.isfinite(low) & np.isfinite(high)
    middle = np.where(bounded, (np.where(bounded, low, 0.0) + np.where(bounded, high, 0.0)) / 2, 0.0)
    half = np.where(bounded, (np.where(bounded, high, 0.0) - np.where(bounded, low, 0.0)) / 2, 1.0)
    half = np.where(half > 0.0, half, 1.0)
    lowest, highest = ((low - middle) / half).astype(np.float32), ((high - middle) / half).astype(np.float32)

    def take(point: NDArray[np.float32]) -> Any:
        return (middle + half * point).clip(low, high).astype(space.dtype).reshape(space.shape)

    return Doing(continuous=True, count=low.size, take=take, done=lambda point: point.clip(lowest, highest))
