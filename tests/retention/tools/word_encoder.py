"""An encoder for tests that needs nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def by_words(texts: list[str]) -> NDArray[np.float32]:
    """Encode texts by their words, each a direction of its own: alike where they share words."""
    found = np.zeros((len(texts), 64), np.float32)
    for row, text in zip(found, texts, strict=True):
        row[0] = 0.1
        for word in text.lower().split():
            row[1 + sum(word.strip(".,?!'").encode()) % 63] += 1
    return found
