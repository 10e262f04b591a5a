"""The observations of a task: each becomes the key of a template, a flat float32 vector."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from retention import EnvironmentFaultError, UnsupportedSpaceError

from .image_encoder import Encoder, MakeEncoder, RandomProjection

Flatten = Callable[[Any], list[NDArray[Any]]]

_LARGEST_SYMBOL = 2**24  # float32 tells all smaller integers apart
_MOST_NUMBERS = 256  # of a Box: beyond, it is encoded
_TEXT_NUMBERS, _TEXT_BITS = 3, 32  # of a text among symbols, and beside real numbers
_SMALL = np.float32(1e-21)  # times a finite number: its square, and the sum of any key's, is finite
_ZERO = np.float32(0.0)  # added to a key: -0.0 and 0.0 are one place
_SUPPORTED = "Discrete, MultiDiscrete, MultiBinary, Box, Text, and Tuple or Dict of these"


@dataclass(frozen=True, kw_only=True)
class KeySpace:
    """How the observations of one space become keys.

    Attributes:
        width: the length of a key.
        exact: True if every part is symbolic (integers, texts): two keys are then the same or different, with no
            distance. False if some part is real or large: symbols beside it become one-hot, so that different ones lie
            far apart.
        encoder: the names of the encoders of large parts; None if there are none.
        flatten: splits an observation into flat arrays, in a fixed order.
    """

    width: int
    exact: bool
    encoder: str | None
    flatten: Flatten

    def key(self, observation: Any) -> NDArray[np.float32]:
        """Return the key of an observation, ``[width]``.

        Raises:
            EnvironmentFaultError: the observation is not of the declared shape, holds a symbol that is not of its
                space, or NaN or infinity.
        """
        try:
            parts = self.flatten(observation)
            key: NDArray[np.float32] = (np.concatenate(parts) if len(parts) > 1 else parts[0]) + _ZERO
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise EnvironmentFaultError(f"an observation does not fit its space: {error}") from error
        if key.shape != (self.width,):
            raise EnvironmentFaultError(
                f"an observation has {key.size} numbers where its space declares {self.width}: {_shown(observation)}"
            )
        small = key * _SMALL
        if not math.isfinite(small.dot(small)):
            raise EnvironmentFaultError(
                f"an observation holds NaN or infinity, or a number beyond 3.4e38: {_shown(observation)}"
            )
        return key


def key_space(space: spaces.Space[Any], encoder: MakeEncoder | None = None) -> KeySpace:
    """Choose how observations of a space become keys.

    Args:
        space: the observation space of a single environment.
        encoder: makes the encoder of a Box of more than 256 numbers; :class:`RandomProjection` by default.

    Raises:
        UnsupportedSpaceError: a part of the space is none of the supported kinds; the message names it. Or nothing is
            observed.
    """
    exact = not _has_real_part(space)
    names: list[str] = []

    def encoded(box: spaces.Box) -> Encoder:
        made = (encoder or RandomProjection)(box)
        names.append(made.name)
        return made

    width, flatten = _part(space, one_hot=not exact, encoded=encoded)
    if not width:
        raise UnsupportedSpaceError(f"an observation of {space} is empty, so no place can be known again by it")
    return KeySpace(width=width, exact=exact, encoder="; ".join(names) or None, flatten=flatten)


class _Part(NamedTuple):
    """A part of a space: how many numbers of a key it takes, and how its observations become these."""

    width: int
    flatten: Flatten


def _is_large(space: spaces.Box) -> bool:
    return int(np.prod(space.shape)) > _MOST_NUMBERS


def _has_real_part(space: spaces.Space[Any]) -> bool:
    if isinstance(space, spaces.Box):
        return not np.issubdtype(space.dtype, np.integer) or _is_large(space)
    return any(_has_real_part(part) for part in _inner(space))


def _inner(space: spaces.Space[Any]) -> list[spaces.Space[Any]]:
    """Return the spaces that a space is made of, in the order of a key."""
    if isinstance(space, spaces.Tuple):
        return list(space.spaces)
    if isinstance(space, spaces.Dict):
        return [part for _, part in _by_name(space)]
    return []


def _by_name(space: spaces.Dict) -> list[tuple[Any, spaces.Space[Any]]]:
    """Return the parts of a Dict space by the order of their names, which may be texts, numbers or both."""
    return sorted(space.spaces.items(), key=lambda part: (str(type(part[0])), part[0]))


def _part(space: spaces.Space[Any], *, one_hot: bool, encoded: MakeEncoder) -> _Part:
    """Return how a space becomes a part of a key; its shape is looked at once, here."""
    if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)):
        return _symbolic(space, one_hot)
    if isinstance(space, spaces.Box) and _is_large(space):
        made = encoded(space)
        return _Part(made.width, lambda value: [_encoded(made, value)])
    if isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.integer):
        return _Part(int(np.prod(space.shape)), lambda value: [_integers(value)])
    if isinstance(space, (spaces.MultiBinary, spaces.Box)):
        return _Part(int(np.prod(space.shape)), lambda value: [_float32(value).ravel()])
    if isinstance(space, (spaces.Tuple, spaces.Dict)):
        parts = [_part(each, one_hot=one_hot, encoded=encoded) for each in _inner(space)]
        width, flattens = sum(each.width for each in parts), [each.flatten for each in parts]
        if isinstance(space, spaces.Tuple):
            return _Part(
                width, lambda value: [piece for each, part in zip(flattens, value, strict=True) for piece in each(part)]
            )
        named = list(zip([name for name, _ in _by_name(space)], flattens, strict=True))
        return _Part(width, lambda value: [piece for name, each in named for piece in each(value[name])])
    if space.dtype is not None and space.dtype.kind == "U":  # gymnasium's Text, and spaces of texts that others define
        return _Part(_TEXT_BITS, _text_bits) if one_hot else _Part(_TEXT_NUMBERS, _text_numbers)
    raise UnsupportedSpaceError(
        f"observations of {type(space).__name__} are not supported yet; supported: {_SUPPORTED}"
    )


def _symbolic(space: spaces.Discrete | spaces.MultiDiscrete, one_hot: bool) -> _Part:
    start = np.asarray(space.start).ravel()
    sizes = np.asarray(space.n if isinstance(space, spaces.Discrete) else space.nvec).ravel()
    if int(sizes.max()) > _LARGEST_SYMBOL:
        raise UnsupportedSpaceError(f"{space} has more than {_LARGEST_SYMBOL} symbols in one place")
    if one_hot:
        offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        return _Part(int(sizes.sum()), lambda value: [_one_hot(_symbols(value, start, sizes), sizes, offsets)])
    if sizes.size == 1:
        first, last = int(start[0]), int(start[0] + sizes[0]) - 1
        return _Part(1, lambda value: [_symbol(value, first, last)])
    return _Part(int(sizes.size), lambda value: [_symbols(value, start, sizes).astype(np.float32)])


def _symbol(value: Any, first: int, last: int) -> NDArray[np.float32]:
    """Do what ``_symbols`` does for one place, in half the time."""
    number = np.asarray(value).item()
    if not first <= number <= last:
        raise ValueError(f"the symbol {number} lies outside {first} .. {last}")
    return np.array((number - first,), np.float32)


def _symbols(value: Any, start: NDArray[Any], sizes: NDArray[Any]) -> NDArray[Any]:
    symbols = np.asarray(value).ravel()
    if symbols.size != start.size:
        raise ValueError(f"{symbols.size} symbols where {start.size} are declared")
    numbered = np.asarray(symbols - start)
    if not ((numbered >= 0) & (numbered < sizes)).all():
        raise ValueError(f"the symbols {symbols} lie outside {start} .. {start + sizes - 1}")
    return numbered


def _one_hot(symbols: NDArray[Any], sizes: NDArray[Any], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
    hot = np.zeros(int(sizes.sum()), dtype=np.float32)
    hot[offsets + symbols.astype(np.int64)] = 1.0
    return hot


def _encoded(encoder: Encoder, value: Any) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):  # as in _float32
        return _float32(encoder.encode(np.asarray(value)))


def _float32(value: Any) -> NDArray[np.float32]:
    given = np.asarray(value)
    if given.dtype == np.float32:
        return given
    with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold becomes inf, which no key may be
        return given.astype(np.float32)


def _integers(value: Any) -> NDArray[np.float32]:
    given = np.asarray(value).ravel()
    if given.size and np.abs(given).max() > _LARGEST_SYMBOL:
        raise ValueError(f"an integer beyond {_LARGEST_SYMBOL}: a key could not tell it from the next")
    return given.astype(np.float32)


def _text_numbers(value: Any) -> list[NDArray[np.float32]]:
    """Return a text as 3 numbers of 24 bits, which float32 holds exactly: two texts are one by a chance of 2^-72."""
    digest = hashlib.blake2b(_utf8(value), digest_size=3 * _TEXT_NUMBERS).digest()
    numbers = [int.from_bytes(digest[at : at + 3], "little") for at in range(0, len(digest), 3)]
    return [np.array(numbers, np.float32)]


def _text_bits(value: Any) -> list[NDArray[np.float32]]:
    """Return a text as 32 bits: two texts differ in about half of them."""
    digest = hashlib.blake2b(_utf8(value), digest_size=_TEXT_BITS // 8).digest()
    return [np.unpackbits(np.frombuffer(digest, np.uint8)).astype(np.float32)]


def _utf8(value: Any) -> bytes:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} where a text is declared")
    return value.encode()


def _shown(observation: Any) -> str:
    """Return an observation for a message of one line; an array of many numbers is shortened."""
    return " ".join(repr(observation).split())
