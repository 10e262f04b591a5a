"""Filters on the values of items, as LangGraph's stores take them: equal values, or comparisons by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from typing import Any

_ORDER: dict[str, Callable[[Any, Any], bool]] = {"$gt": gt, "$gte": ge, "$lt": lt, "$lte": le}
OPERATORS = ("$eq", "$gt", "$gte", "$lt", "$lte", "$ne")
"""What a filter may ask beside a value itself."""


def check_filter(asked: Mapping[str, Any]) -> None:
    """Check a filter before anything is looked at.

    Raises:
        TypeError: if it is not a mapping.
        ValueError: if an operator is unknown, or compares with something that has no order.
    """
    if not isinstance(asked, Mapping):
        raise TypeError(f"filter must be a mapping from names to values, got {type(asked).__name__}")
    for wanted in asked.values():
        _check(wanted)


def matches(value: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    """Say whether a value holds all that a filter asks for; what it does not have is ``None``."""
    return all(_agrees(value.get(name), wanted) for name, wanted in asked.items())


def _check(wanted: object) -> None:
    if isinstance(wanted, Mapping):
        operators = [name for name in wanted if isinstance(name, str) and name.startswith("$")]
        for name in wanted if operators else ():
            if name not in OPERATORS:
                raise ValueError(f"filter operator must be one of {', '.join(OPERATORS)}, got {name!r}")
            if name in _ORDER and _number(wanted[name]) is None and not isinstance(wanted[name], str):
                raise ValueError(f"filter operator {name} compares with a number or a text, got {wanted[name]!r}")
        for inner in () if operators else wanted.values():
            _check(inner)
    elif isinstance(wanted, (list, tuple)):
        for inner in wanted:
            _check(inner)


def _agrees(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        if any(isinstance(name, str) and name.startswith("$") for name in wanted):
            return all(_holds(value, name, than) for name, than in wanted.items())
        return isinstance(value, Mapping) and all(_agrees(value.get(name), inner) for name, inner in wanted.items())
    if isinstance(wanted, (list, tuple)):
        return (
            isinstance(value, (list, tuple))
            and len(value) == len(wanted)
            and all(_agrees(one, other) for one, other in zip(value, wanted, strict=True))
        )
    return bool(value == wanted)


def _holds(value: Any, operator: str, than: Any) -> bool:
    """Compare as numbers what both are numbers, else texts as texts, such as dates; nothing else has an order."""
    if operator in ("$eq", "$ne"):
        return bool(value == than) == (operator == "$eq")
    one, other = _number(value), _number(than)
    if one is not None and other is not None:
        return _ORDER[operator](one, other)
    return isinstance(value, str) and isinstance(than, str) and _ORDER[operator](value, than)


def _number(value: Any) -> float | None:
    if not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
