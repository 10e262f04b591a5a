"""Transitions: what an agent saw, one row for each distinct step, as aligned columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from .vectors import as_vectors


def _absent() -> NDArray[Any]:
    return np.empty(0)


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Transitions:
    """Rows of ``(key, action) -> (reward, next key, terminated)``; column i of each array is row i.

    ``-0.0`` in a key becomes ``0.0``: they are the same place. Columns that are left out are filled with their default.

    Attributes:
        key: where the step began, float32 of shape (n, d).
        action: what was done, int64 of shape (n,).
        reward: the mean reward of its visits, float64 of shape (n,), in the units of the environment.
        next_key: where it led, float32 of shape (n, d).
        terminated: whether the episode was over there, bool of shape (n,).
        count: visits, int64 of shape (n,); default 1.
        value: the swept value, float64 of shape (n,); nan (the default) where none was computed yet.
        rating: the users' mean rating, float64 of shape (n,) in [-1, 1]; 0 (the default) where there is none.
        id: the template's id, int64 of shape (n,); 0 (the default) where it is not stored.
        episode: the number of the latest episode that visited it, int64 of shape (n,); 0 (the default) where it is not
            known.

    Raises:
        ValueError: if shapes do not agree, or a number is not finite where it must be.
        TypeError: if a column holds another kind of number.
    """

    key: NDArray[np.float32]
    action: NDArray[np.int64]
    reward: NDArray[np.float64]
    next_key: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    count: NDArray[np.int64] = field(default_factory=_absent)
    value: NDArray[np.float64] = field(default_factory=_absent)
    rating: NDArray[np.float64] = field(default_factory=_absent)
    id: NDArray[np.int64] = field(default_factory=_absent)
    episode: NDArray[np.int64] = field(default_factory=_absent)

    def __post_init__(self) -> None:
        key, next_key = as_vectors("key", self.key, "n d"), as_vectors("next_key", self.next_key, "n d")
        if key.shape != next_key.shape:
            raise ValueError(f"key and next_key must have one shape, got {key.shape} and {next_key.shape}")
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "next_key", next_key)
        for name, kind, default in _COLUMNS:
            object.__setattr__(self, name, _as_column(name, getattr(self, name), len(key), kind, default))
        for name in ("reward", "rating"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"{name} must be finite in every row")
        if np.isinf(self.value).any():
            raise ValueError("value must be finite, or nan where none was computed yet")
        if (self.count < 1).any():
            raise ValueError(f"count must be at least 1, got {self.count.min()}")

    @classmethod
    def empty(cls, width: int) -> Transitions:
        """Return no rows, of keys of a width."""
        vectors = np.empty((0, width), np.float32)
        return cls(key=vectors, action=_absent(), reward=_absent(), next_key=vectors, terminated=_absent())

    def __len__(self) -> int:
        return len(self.key)

    @property
    def width(self) -> int:
        """How many numbers a key has."""
        return int(self.key.shape[1])


# Name, kind, and the default of those that may be left out.
_COLUMNS: tuple[tuple[str, type[np.generic], float | None], ...] = (
    ("action", np.int64, None),
    ("reward", np.float64, None),
    ("terminated", np.bool_, None),
    ("count", np.int64, 1),
    ("value", np.float64, np.nan),
    ("rating", np.float64, 0),
    ("id", np.int64, 0),
    ("episode", np.int64, 0),
)


def _as_column(name: str, value: object, n: int, kind: type[np.generic], default: float | None) -> NDArray[Any]:
    given = np.asarray(value)
    if given.size == 0 and (n == 0 or default is not None):
        given = np.full(n, default or 0, dtype=kind)
    if given.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},) as key has {n} rows, got {given.shape}")
    if not np.can_cast(given.dtype, kind, "same_kind"):
        raise TypeError(f"{name} must hold {np.dtype(kind)}, got {given.dtype}")
    return np.ascontiguousarray(given, dtype=kind)
