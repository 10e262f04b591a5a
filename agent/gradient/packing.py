"""Arrays as text: safetensors, in base64, so that JSON holds them bit for bit."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from retention import MemoryFileError


def packed(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return arrays as one text."""
    plain = {name: np.array(array, order="C") for name, array in arrays.items()}
    return base64.b64encode(save(plain)).decode("ascii")


def unpacked(text: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a text.

    Raises:
        MemoryFileError: it is not what ``packed`` returned.
    """
    try:
        found: dict[str, NDArray[Any]] = load(base64.b64decode(text, validate=True))
    except (binascii.Error, SafetensorError, ValueError, TypeError) as error:
        raise MemoryFileError(f"the memory holds damaged weights of the gradient policy: {error}") from None
    return found


def under(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """Return the arrays whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
