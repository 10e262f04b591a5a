"""The spaces of a task: an observation becomes the key of a template, a flat float32 vector; actions are numbered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from retention import EnvironmentFaultError, UnsupportedSpaceError

Flatten = Callable[[Any], list[NDArray[Any]]]

_LARGEST_SYMBOL = 2**24  # float32 tells all smaller integers apart
_ZERO = np.float32(0.0)  # added to a key: -0.0 and 0.0 are one place
_SUPPORTED = "Discrete, MultiDiscrete, MultiBinary, Box, and Tuple or Dict of these"


@dataclass(frozen=True, kw_only=True)
class KeySpace:
    """How the observations of one space become keys.

    Attributes:
        width: the length of a key.
        exact: True if every part is symbolic (integers): two keys are then the same or different, with no distance.
            False if some part is real: symbols beside it become one-hot, so that different ones lie far apart.
        flatten: splits an observation into flat arrays, in a fixed order.
    """

    width: int
    exact: bool
    flatten: Flatten

    def key(self, observation: Any) -> NDArray[np.float32]:
        """Return the key of an observation, ``[width]``.

        Raises:
            EnvironmentFaultError: the observation is not of the declared shape, or holds NaN or infinity.
        """
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold becomes inf: refused below
                parts = self.flatten(observation)
                joined = np.concatenate(parts, dtype=np.float32, casting="unsafe") if len(parts) > 1 else parts[0]
            key: NDArray[np.float32] = joined + _ZERO
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise EnvironmentFaultError(f"an observation does not fit its space: {error}") from error
        if key.shape != (self.width,):
            raise EnvironmentFaultError(
                f"an observation has {key.size} numbers where its space declares {self.width}: {observation!r}"
            )
        if not np.isfinite(key).all():
            raise EnvironmentFaultError(f"an observation holds NaN or infinity: {observation!r}")
        return key


def key_space(space: spaces.Space[Any]) -> KeySpace:
    """Choose how observations of a space become keys.

    Args:
        space: the observation space of a single environment.

    Raises:
        UnsupportedSpaceError: a part of the space is none of the supported kinds; the message names it.
    """
    exact = not _has_real_part(space)
    flatten = _flattener(space, one_hot=not exact)
    return KeySpace(width=_width(space, one_hot=not exact), exact=exact, flatten=flatten)


def _has_real_part(space: spaces.Space[Any]) -> bool:
    if isinstance(space, spaces.Box):
        return not np.issubdtype(space.dtype, np.integer)
    return any(_has_real_part(part) for part in _parts(space))


def _parts(space: spaces.Space[Any]) -> list[spaces.Space[Any]]:
    if isinstance(space, spaces.Tuple):
        return list(space.spaces)
    if isinstance(space, spaces.Dict):
        return [space.spaces[name] for name in sorted(space.spaces)]
    return []


def _width(space: spaces.Space[Any], *, one_hot: bool) -> int:
    if isinstance(space, spaces.Discrete):
        return int(space.n) if one_hot else 1
    if isinstance(space, spaces.MultiDiscrete):
        return int(space.nvec.sum()) if one_hot else int(space.nvec.size)
    if isinstance(space, (spaces.MultiBinary, spaces.Box)):
        return int(np.prod(space.shape))
    return sum(_width(part, one_hot=one_hot) for part in _parts(space))


def _flattener(space: spaces.Space[Any], *, one_hot: bool) -> Flatten:
    """Return the function that flattens an observation; the shape of the space is looked at once, here."""
    if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)):
        start = np.asarray(space.start).ravel()
        sizes = np.asarray(space.n if isinstance(space, spaces.Discrete) else space.nvec).ravel()
        if int(sizes.max()) > _LARGEST_SYMBOL:
            raise UnsupportedSpaceError(f"{space} has more than {_LARGEST_SYMBOL} symbols in one place")
        if one_hot:
            offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
            return lambda value: [_one_hot(_symbols(value, start), sizes, offsets)]
        return lambda value: [_symbols(value, start).astype(np.float32)]
    if isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.integer):
        return lambda value: [_integers(value)]
    if isinstance(space, (spaces.MultiBinary, spaces.Box)):
        return lambda value: [np.asarray(value, dtype=np.float32).ravel()]
    if isinstance(space, spaces.Tuple):
        inner = [_flattener(part, one_hot=one_hot) for part in space.spaces]
        return lambda value: [piece for each, part in zip(inner, value, strict=True) for piece in each(part)]
    if isinstance(space, spaces.Dict):
        named = [(name, _flattener(space.spaces[name], one_hot=one_hot)) for name in sorted(space.spaces)]
        return lambda value: [piece for name, each in named for piece in each(value[name])]
    raise UnsupportedSpaceError(
        f"observations of {type(space).__name__} are not supported yet; supported: {_SUPPORTED}"
    )


def _symbols(value: Any, start: NDArray[Any]) -> NDArray[Any]:
    symbols = np.asarray(value).ravel()
    if symbols.size < start.size:  # more would not broadcast, or be too many for the key
        raise ValueError(f"{symbols.size} symbols where {start.size} are declared")
    return np.asarray(symbols - start)


def _one_hot(symbols: NDArray[Any], sizes: NDArray[Any], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
    if not ((symbols >= 0) & (symbols < sizes)).all():
        raise ValueError(f"the symbols {symbols} lie outside 0 .. {sizes - 1}")
    hot = np.zeros(int(sizes.sum()), dtype=np.float32)
    hot[offsets + symbols.astype(np.int64)] = 1.0
    return hot


def _integers(value: Any) -> NDArray[np.float32]:
    given = np.asarray(value).ravel()
    if given.size and np.abs(given).max() > _LARGEST_SYMBOL:
        raise ValueError(f"an integer beyond {_LARGEST_SYMBOL}: a key could not tell it from the next")
    return given.astype(np.float32)


def action_count(space: spaces.Space[Any]) -> tuple[int, int]:
    """Return how many actions a space has and the number of the first.

    Raises:
        UnsupportedSpaceError: the space is not Discrete.
    """
    if not isinstance(space, spaces.Discrete):
        raise UnsupportedSpaceError(f"actions of {type(space).__name__} are not supported yet; supported: Discrete")
    return int(space.n), int(space.start)
