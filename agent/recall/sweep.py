"""Bellman sweeps over the slots: how a reward met once reaches every slot that leads to it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from retention import attend


def sweep(
    value: Tensor,
    reward: Tensor,
    terminated: Tensor,
    index: Tensor,
    scores: Tensor,
    next_row: Tensor,
    *,
    null_score: float,
    optimism: float | Tensor,
    discount: float,
    times: int,
    tolerance: float,
) -> tuple[Tensor, float]:
    """Repeat ``q_i = r_i + discount (1 - terminated_i) max_b read(y_i, b)`` for all slots at once (Jacobi).

    ``read(y, b)`` is the retention layer's attention over the slots of action b retrieved for y, with the optimistic
    value in the null slot. Its weights depend on keys and counts alone, so one softmax serves all repetitions.

    Args:
        value: q before, ``[slots]``.
        reward: ``[slots]``.
        terminated: bool ``[slots]``; nothing follows a slot where it is True.
        index: for each distinct next key the slots of each action, int64 ``[rows, actions, k]``.
        scores: their attention scores; ``-inf`` where there is no slot.
        next_row: the row of each slot's next key, int64 ``[slots]``.
        null_score: score of the null slot.
        optimism: value of the null slot; broadcasts to ``[rows, actions]``.
        discount: per decision, in (0, 1).
        times: repetitions at most.
        tolerance: stop when no value moved by more.

    Returns:
        q after, ``[slots]``, and the largest move of the last repetition.
    """
    held = value.to(scores.dtype)
    _, weights, null_mass = attend(scores, held[index], null_score=null_score, null_value=optimism)
    promised = null_mass * optimism
    follows = discount * (~terminated).to(value.dtype)
    move = float("inf")
    for _ in range(times):
        read = (weights * value.to(weights.dtype)[index]).sum(dim=-1).add_(promised)
        after = reward + follows * read.amax(dim=-1).to(value.dtype)[next_row]
        move = float((after - value).abs().max())
        value = after
        if move <= tolerance:
            break
    return value, move


def best_ahead(rewards: Sequence[float], discount: float) -> float:
    """Return the highest discounted return from any decision of an episode to its end; 0 for an episode without any.

    Args:
        rewards: of the episode's decisions, in order.
        discount: per decision, in (0, 1).
    """
    best, ahead = -math.inf, 0.0
    for reward in reversed(rewards):
        ahead = reward + discount * ahead
        best = max(best, ahead)
    return best if rewards else 0.0


def optimistic_value(rewards: NDArray[np.float64], best_return: float, best_rate: float, discount: float) -> float:
    """Return what an unknown action is believed to be worth, from what the task has shown so far.

    - Most decisions cost: an unknown one is free, 0.
    - Otherwise it is worth as much as the best seen: the most that ever followed a decision, or half the best episode's
      rate of pay for ever, ``best_rate / (2 (1 - discount))``, whichever is more.
    - Nothing was ever rewarded: 1 (any positive value then drives the same search).

    Args:
        rewards: the rewards of all slots, ``[slots]``.
        best_return: the highest discounted return from any decision to the end of its episode so far.
        best_rate: the highest mean reward per decision of an episode so far, without the decision that ended it.
        discount: per decision, in (0, 1).
    """
    if not rewards.any():
        return 1.0
    if float(np.median(rewards)) < 0.0:
        return 0.0
    return max(best_return, 0.5 * best_rate / (1.0 - discount), 0.0)
