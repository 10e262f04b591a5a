"""The notes of one task: texts that episodes left, as a policy recalls them."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from retention import EpisodicMemory, Hit

_REMEMBERED = 4096  # texts whose vectors are kept at hand


@final
class Notes:
    """What a memory holds of a task in words.

    Attributes:
        task: the task.
    """

    def __init__(self, memory: EpisodicMemory, *, namespace: str, task: str) -> None:
        """Look at a task of a namespace.

        Raises:
            MissingExtraError: the encoder of texts is not installed.
        """
        self._memory, self._namespace, self.task = memory, namespace, task
        self._met: dict[str, NDArray[np.float32]] = {}
        self.encoder = memory.encoder.fingerprint

    def key(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a text, float32 ``[width]``; the same text is encoded once."""
        if text not in self._met:
            if len(self._met) >= _REMEMBERED:
                self._met.clear()
            (self._met[text],) = np.asarray(self._memory.encoder.encode([text]), np.float32)
        return self._met[text]

    def nearest(self, key: NDArray[np.float32], *, kind: str, k: int) -> tuple[Hit, ...]:
        """Return the notes of a kind whose vectors are nearest to one; utility moves their order within bounds.

        No receipt is written: the episode's says what was recalled.

        Args:
            key: the vector, float32 ``[width]``.
            kind: of the notes.
            k: how many at most.
        """
        found = self._memory.recall(key, namespace=self._namespace, task=self.task, kind=kind, k=k, receipt=False)
        return found.hits
