"""How much better than expected each decision turned out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def advantages(
    rewards: NDArray[np.float64],
    values: NDArray[np.float64],
    *,
    last_value: float,
    discount: float,
    trace: float,
) -> NDArray[np.float64]:
    """Return the generalised advantage estimates of consecutive steps.

    ``delta_t = r_t + discount V_{t+1} - V_t`` and ``A_t = sum_k (discount trace)^k delta_{t+k}``.

    Args:
        rewards: of each step, ``[steps]``.
        values: of the observation at which each step was decided, ``[steps]``.
        last_value: of the observation after the last step: 0 where the task was over there, else what the critic says
            of it, also where the episode was truncated.
        discount: in [0, 1].
        trace: lambda, in [0, 1].

    Returns:
        ``[steps]``; with the values added they are what the critic should have said.

    Raises:
        ValueError: there are not as many rewards as values.

    Reference: J. Schulman et al. 2016, arXiv 1506.02438, equation 16.
    """
    if rewards.shape != values.shape or rewards.ndim != 1:
        raise ValueError(f"rewards {rewards.shape} and values {values.shape} must be of one length")
    deltas = rewards + discount * np.append(values[1:], last_value) - values
    found, ahead = np.empty_like(deltas), 0.0
    for step in range(len(deltas) - 1, -1, -1):
        found[step] = ahead = deltas[step] + discount * trace * ahead
    return found
