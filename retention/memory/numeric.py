"""Numbers as callers have them, as the numbers that the file keeps: SQLite would keep NumPy's as bytes."""

from __future__ import annotations

import operator
from numbers import Real
from typing import Any


def real(value: Any, what: str) -> float:
    """Return a number as a float: Python's, NumPy's, or an array or tensor without dimensions.

    Raises:
        TypeError: it is no number.
        ValueError: it is an int that is too large for a float.
    """
    if not isinstance(value, Real) and getattr(value, "ndim", None) != 0:
        raise TypeError(f"{what} must be a number, got {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{what} must be a number that a float can hold, got {value!r:.40}...") from None


def whole(value: Any, what: str) -> int:
    """Return a whole number as an int.

    Raises:
        TypeError: it is none.
    """
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{what} must be a whole number, got {value!r}") from None
