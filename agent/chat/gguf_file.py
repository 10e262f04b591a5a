"""Reads GGUF, the file format of llama.cpp: settings by name, and tensors as float32 arrays.

The layout is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3; of the tensor types those
are read that the files we use hold: F32, F16, Q4_1 and Q8_0.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_ALIGNMENT = 32  # of the tensors, where the file does not say
_BLOCK = 32  # numbers in a block of a quantized tensor


@final
@dataclass(frozen=True, kw_only=True)
class GgufFile:
    """What a file holds.

    Attributes:
        settings: the values by name; arrays as lists.
        tensors: the tensors by name, float32, in the order of axes that torch has.
    """

    settings: Mapping[str, Any]
    tensors: Mapping[str, NDArray[np.float32]]


def read_gguf(path: str | os.PathLike[str]) -> GgufFile:
    """Read a file.

    Raises:
        ValueError: it is no GGUF file of version 3, or holds a type of value or tensor that is not read here.
    """
    from pathlib import Path

    held = Path(path).read_bytes()
    if held[:4] != b"GGUF" or struct.unpack_from("<I", held, 4)[0] != 3:
        raise ValueError(f"{path} is no GGUF file of version 3: it begins with {held[:8]!r}")
    tensor_count, setting_count = struct.unpack_from("<QQ", held, 8)
    cursor = _Cursor(held, 24)
    settings = {cursor.string(): cursor.value(cursor.take("I")) for _ in range(setting_count)}
    placed = []
    for _ in range(tensor_count):
        name = cursor.string()
        shape = tuple(cursor.take("Q") for _ in range(cursor.take("I")))[::-1]
        placed.append((name, shape, cursor.take("I"), cursor.take("Q")))
    alignment = settings.get("general.alignment", _ALIGNMENT)
    start = -(-cursor.at // alignment) * alignment
    return GgufFile(
        settings=settings,
        tensors={name: _tensor(name, held, start + offset, shape, kind) for name, shape, kind, offset in placed},
    )


def dequantize_q4_1(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the numbers of Q4_1 blocks: a scale, an offset and 32 numbers of 4 bits, the first half in the low ones.

    Args:
        blocks: of shape (n, 20).

    Returns:
        Of shape (n, 32).
    """
    scale, offset = (blocks[:, at : at + 2].copy().view("<f2").astype(np.float32) for at in (0, 2))
    packed = blocks[:, 4:]
    numbers = np.concatenate([packed & 15, packed >> 4], axis=1)
    found: NDArray[np.float32] = numbers * scale + offset
    return found


def dequantize_q8_0(blocks: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the numbers of Q8_0 blocks: a scale and 32 signed bytes.

    Args:
        blocks: of shape (n, 34).

    Returns:
        Of shape (n, 32).
    """
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    found: NDArray[np.float32] = blocks[:, 2:].copy().view(np.int8) * scale
    return found


_PLAIN: Mapping[int, np.dtype[Any]] = {0: np.dtype("<f4"), 1: np.dtype("<f2")}
_QUANTIZED: Mapping[int, tuple[int, Callable[[NDArray[np.uint8]], NDArray[np.float32]]]] = {
    3: (20, dequantize_q4_1),
    8: (34, dequantize_q8_0),
}


def _tensor(name: str, held: bytes, at: int, shape: tuple[int, ...], kind: int) -> NDArray[np.float32]:
    count = prod(shape)
    if kind in _PLAIN:
        numbers: NDArray[np.float32] = np.frombuffer(held, _PLAIN[kind], count, at).astype(np.float32)
        return numbers.reshape(shape)
    if kind not in _QUANTIZED:
        raise ValueError(f"tensor {name!r} is of type {kind}; F32, F16, Q4_1 and Q8_0 are read")
    width, dequantize = _QUANTIZED[kind]
    blocks = np.frombuffer(held, np.uint8, count // _BLOCK * width, at).reshape(-1, width)
    return dequantize(blocks).reshape(shape)


@final
class _Cursor:
    """Reads one value after the other."""

    def __init__(self, held: bytes, at: int) -> None:
        self._held, self.at = held, at

    def take(self, code: str) -> Any:
        (value,) = struct.unpack_from(f"<{code}", self._held, self.at)
        self.at += struct.calcsize(f"<{code}")
        return value

    def string(self) -> str:
        length = self.take("Q")
        self.at += length
        return self._held[self.at - length : self.at].decode()

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            inner, count = self.take("I"), self.take("Q")
            return [self.value(inner) for _ in range(count)]
        if kind not in _SCALARS:
            raise ValueError(f"a GGUF value of type {kind} is not read here")
        return self.take(_SCALARS[kind])
