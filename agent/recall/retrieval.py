"""What recalls: the contract that symbolic and real keys share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .foresight import Worth


@dataclass(frozen=True, kw_only=True)
class Recollection:
    """What one read recalled for an observation.

    Attributes:
        values: the value of each action, ``[actions]``.
        null_mass: the attention on the null slot, ``[actions]``: 1 where memory knows nothing of the action.
        slots: the slots retrieved, ``[actions, k]``.
        weights: the attention on them, ``[actions, k]``.
    """

    values: NDArray[np.float64]
    null_mass: NDArray[np.float64]
    slots: NDArray[np.int64]
    weights: NDArray[np.float64]


def nothing(actions: int, k: int, worth: Worth) -> Recollection:
    """Return what is recalled where nothing is known: every action has the value of the unknown."""
    return Recollection(
        values=np.full(actions, worth.optimism),
        null_mass=np.ones(actions),
        slots=np.zeros((actions, k), np.int64),
        weights=np.zeros((actions, k)),
    )


class Retrieval(Protocol):
    """Reads the slots of one task, and keeps their values true to each other."""

    def add(self, slot: int) -> None:
        """Take in a slot that has just been appended to the columns."""
        ...

    def changed(self, slot: int) -> None:
        """Take notice of a slot's changed count, reward or rating."""
        ...

    def read(self, keys: NDArray[np.float32], worth: Worth) -> list[Recollection]:
        """Read every action's value at some keys, ``[rows, width]``; each, to the bit, as if it were the only one."""
        ...

    def learn(self, worth: Worth, decisions: int) -> None:
        """Bring values up to date after some decisions, at a cost that the number of slots hardly moves."""
        ...

    def settle(self, worth: Worth) -> None:
        """Bring all values up to date, however long it takes."""
        ...

    def reconsider(self, worth: Worth, before: float) -> None:
        """Take notice that the value of the unknown is no longer what it was before."""
        ...

    def thin(self, most: int, held: NDArray[np.int64]) -> NDArray[np.int64]:
        """Choose at most so many slots to forget, none of those held.

        Returns:
            For each slot its heir: itself, the slot that speaks for it from now on, or -1 if it goes without one.
        """
        ...

    def renumber(self, heirs: NDArray[np.int64], kept: NDArray[np.int64]) -> None:
        """Take notice that slots are gone from the columns.

        Args:
            heirs: for each slot before, the number of its heir now, or -1.
            kept: the slots that are still there, by their numbers before, ascending.
        """
        ...
