"""What a task number fixes: checked integers, and draws that are the same in every process and version of numpy."""

from __future__ import annotations

import hashlib
import operator


def checked_integer(name: str, value: object, *, low: int) -> int:
    """Return ``value`` as an ``int``.

    Args:
        name: the name of the argument, for the message.
        value: what the caller gave.
        low: the smallest number allowed.

    Raises:
        TypeError: ``value`` is no integer (``bool`` counts as none).
        ValueError: ``value`` is below ``low``.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer, got {value!r} of type {type(value).__name__}")
    number = operator.index(value)
    if number < low:
        raise ValueError(f"{name} must be at least {low}, got {number}")
    return number


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
