"""The spread of real observations, and how long an action is held: both found from the task's own first steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

CALIBRATION_STEPS = 200  # steps whose median length decides how long an action is held
_DECISION_MOVES = 0.6  # spreads that a decision should move, root mean square over the dimensions
_LONGEST_HOLD = 8


def hold_length(lengths: NDArray[np.float64]) -> int:
    """Return for how many steps an action is held so that a decision moves at least 0.6 of a spread.

    Args:
        lengths: how far single steps moved, root mean squares in units of the observations' spread, ``[steps]``.
    """
    typical = float(np.median(lengths))
    if typical <= 0.0:
        return 1
    return int(np.clip(np.ceil(_DECISION_MOVES / typical), 1, _LONGEST_HOLD))


@final
class Pace:
    """Running mean and spread of the observations (Welford), and the hold once it is known.

    Attributes:
        hold: steps an action is held; None until enough steps were seen.
        observed: how many observations the spread stands on.
    """

    def __init__(self, width: int) -> None:
        """Start without any observation."""
        self.hold: int | None = None
        self.observed = 0
        self._mean = np.zeros(width)
        self._squares = np.zeros(width)
        self._moves: list[NDArray[np.float32]] = []

    @property
    def spread(self) -> NDArray[np.float64]:
        """Standard deviation of the observations so far, ``[width]``."""
        return np.sqrt(self._squares / max(self.observed, 1))

    def observe(self, key: NDArray[np.float32], next_key: NDArray[np.float32]) -> None:
        """Take in one step of the environment, keys ``[width]``."""
        self.observed += 1
        offset = key - self._mean
        self._mean += offset / self.observed
        self._squares += offset * (key - self._mean)
        if self.hold is None:
            self._moves.append(next_key - key)

    def settle(self) -> bool:
        """Decide the hold if enough steps were seen and it is not decided yet.

        Returns:
            Whether it was decided now.
        """
        if self.hold is not None or len(self._moves) < CALIBRATION_STEPS:
            return False
        spread = self.spread
        varied = spread > 0.0
        moves = np.stack(self._moves)[:, varied] / spread[varied]
        self.hold = hold_length(np.sqrt(np.square(moves).mean(axis=1))) if varied.any() else 1
        self._moves.clear()
        return True

    def state(self) -> dict[str, Any]:
        """Return what a later session needs, as JSON values."""
        return {
            "hold": self.hold,
            "observed": self.observed,
            "mean": self._mean.tolist(),
            "squares": self._squares.tolist(),
            "moves": [move.tolist() for move in self._moves],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up the state of an earlier session."""
        self.hold, self.observed = state["hold"], state["observed"]
        self._mean, self._squares = np.array(state["mean"]), np.array(state["squares"])
        self._moves = [np.array(move, np.float32) for move in state.get("moves", ())]  # an early file has none
