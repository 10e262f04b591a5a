"""What every store can do here: take in texts with the vectors it is given, and find them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Store(Protocol):
    """Somewhere that texts are kept and found again. It lives in one folder, and writes nowhere else.

    Vectors are made outside: what a store costs is told apart from what an encoder costs.

    Attributes:
        name: what it is called in a table.
        durable: whether what was added is there for a store that is opened in the folder later.
        synced: whether a single addition is on the disk when it returns; else it outlives the process, and a power cut
            may take the latest ones. Known by counting its calls of fsync and fdatasync.
        finds_words: whether the words of a query count.
        finds_vectors: whether the vector of a query counts.
    """

    name: str
    durable: bool
    synced: bool
    finds_words: bool
    finds_vectors: bool

    def add(self, ids: Sequence[str], texts: Sequence[str], vectors: Floats) -> None:
        """Take in many, by the fastest call that the store has for it.

        Args:
            ids: their names, all different.
            texts: what they say.
            vectors: of shape (n, d), length 1 each.
        """

    def add_one(self, id: str, text: str, vector: Floats) -> None:
        """Take in one; a durable store still has it if the process is killed once this returned."""

    def search(self, text: str, vector: Floats | None, k: int) -> list[tuple[str, float]]:
        """Return the ids and the scores of at most ``k``, best first; a higher score is better.

        Args:
            text: the query; ``""`` to look for the vector alone.
            vector: of shape (d,); ``None`` to look for the words alone.
            k: how many at most.
        """

    def size_bytes(self) -> int:
        """Return how large its files are; 0 for one that has none."""

    def close(self) -> None:
        """Let go of the folder; may be called twice."""


def folder_bytes(folder: Path) -> int:
    """Return how large the files of a folder are together."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
