"""What retrieves slots for a key: the contract that symbolic and real keys share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .columns import Columns


@dataclass(frozen=True, kw_only=True)
class Retrieved:
    """The slots retrieved for one or many queries, per action, with their scores.

    Attributes:
        index: the slots, int64 ``[..., actions, k]``; where the score is ``-inf`` the entry means nothing.
        scores: the attention scores before the softmax, ``[..., actions, k]``.
    """

    index: Tensor
    scores: Tensor


class Retrieval(Protocol):
    """Retrieves, for each action, the slots whose keys are nearest to a query."""

    null_score: float
    """The score of the null slot, on the same scale as the scores retrieved."""

    def add(self, slot: int, columns: Columns) -> None:
        """Take in a slot that has just been appended to the columns."""
        ...

    def recount(self, slot: int, columns: Columns) -> None:
        """Take notice of a slot's changed count."""
        ...

    def near(self, key: NDArray[np.float32], columns: Columns) -> Retrieved:
        """Retrieve for one key: index and scores ``[actions, k]``."""
        ...

    def successors(self, columns: Columns) -> tuple[Retrieved, Tensor]:
        """Retrieve for the next keys of all slots at once.

        Returns:
            The slots retrieved, ``[rows, actions, k]``, one row for each distinct next key, and the row of each slot's
            next key, int64 ``[slots]``.
        """
        ...
