"""What a task number fixes: checked arguments, and draws that are the same in every process and version of numpy."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np


def checked_integer(name: str, value: object, *, low: int, high: int | None = None) -> int:
    """Return ``value`` as an ``int``.

    Args:
        name: the name of the argument, for the message.
        value: what the caller gave.
        low: the smallest number allowed.
        high: the largest; None for any.

    Raises:
        TypeError: ``value`` is no integer (``bool`` counts as none).
        ValueError: ``value`` is below ``low`` or above ``high``.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer, got {value!r} of type {type(value).__name__}")
    number = operator.index(value)
    if number < low:
        raise ValueError(f"{name} must be at least {low}, got {number}")
    if high is not None and number > high:
        raise ValueError(f"{name} must be at most {high}, got {number}")
    return number


def checked_flag(name: str, value: object) -> bool:
    """Return ``value`` if it is True or False.

    Args:
        name: the name of the argument, for the message.
        value: what the caller gave.

    Raises:
        TypeError: ``value`` is no bool.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r} of type {type(value).__name__}")
    return value


def checked_list(name: str, value: object) -> list[Any]:
    """Return the items of ``value``.

    Args:
        name: the name of the argument, for the message.
        value: what the caller gave.

    Raises:
        TypeError: ``value`` is no list, tuple, range or array.
    """
    if isinstance(value, str) or not isinstance(value, (Sequence, np.ndarray)):
        raise TypeError(f"{name} must be a list, got {value!r} of type {type(value).__name__}")
    return list(value)


def draw(family: str, *coordinates: int) -> int:
    """Return a number in [0, 2^64) that depends on the arguments alone.

    Generators may give other streams in another version of numpy; results of a task must stay comparable, so this
    is a hash: blake2b over ``"family:c0:c1:..."``.

    Args:
        family: the environment id, so that families draw independently.
        coordinates: what is drawn, e.g. task and index.
    """
    text = ":".join((family, *map(str, coordinates)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
