"""Codes of words: eight bytes for each term of a text, kept beside it, so that no process has to find its stems again.

Two terms of one code would be taken for one word. Of a million different terms, some two have one code with a
probability of 3e-8.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .words import terms, terms_of

_SIZE = 8
_STORED = np.dtype("<u8")


def to_blob(words: list[str]) -> bytes:
    """Return the codes of the terms of a text with these words, in order, as they are stored."""
    return b"".join(map(_code, terms_of(words)))


def from_blobs(blobs: Sequence[bytes]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return stored codes one after the other, of shape (sum of n,), and how many each of the blobs has."""
    codes = np.frombuffer(b"".join(blobs), _STORED).astype(np.uint64, copy=False)
    return codes, np.fromiter((len(blob) // _SIZE for blob in blobs), np.int64, len(blobs))


def of_query(text: str) -> list[int]:
    """Return the codes of the terms of a text, each once, in order."""
    return [int.from_bytes(_code(term), "little") for term in dict.fromkeys(terms(text))]


@lru_cache(maxsize=100_000)
def _code(term: str) -> bytes:
    return hashlib.blake2b(term.encode(), digest_size=_SIZE).digest()
