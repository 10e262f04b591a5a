"""Vectors: checked when they come in, little-endian float32 in the file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

_STORED = np.dtype("<f4")


def as_vectors(name: str, value: ArrayLike, axes: str) -> NDArray[np.float32]:
    """Return a copy as float32, with ``-0.0`` as ``0.0``, or say what is wrong with the value.

    Args:
        name: what it is, for the message.
        value: the numbers.
        axes: the names of its axes, ``"d"`` or ``"n d"``.

    Raises:
        ValueError: if it has other axes, no width, or a number that float32 cannot hold.
        TypeError: if it holds something else than numbers.
    """
    given = np.asarray(value)
    wanted = axes.split()
    if given.ndim != len(wanted) or given.shape[-1] == 0:
        raise ValueError(f"{name} must have shape ({', '.join(wanted)}) with d >= 1, got {given.shape}")
    if given.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold numbers, got {given.dtype}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes inf, and is refused below
        vectors = np.ascontiguousarray(given, dtype=np.float32) + np.float32(0)
    if not np.isfinite(vectors).all():
        raise ValueError(f"{name} must be finite")
    return vectors


def to_blobs(vectors: NDArray[np.float32]) -> list[bytes]:
    """Return each row of an array of shape (n, d) as it is stored."""
    return [row.tobytes() for row in vectors.astype(_STORED)]


def from_blobs(blobs: Sequence[bytes]) -> NDArray[np.float32]:
    """Return stored vectors of one width as an array of shape (n, d)."""
    return np.frombuffer(b"".join(blobs), _STORED).reshape(len(blobs), -1).astype(np.float32)


def stored_size(width: int) -> int:
    """Return how many bytes a stored vector has."""
    return width * _STORED.itemsize
