"""What is foreseen at real keys: where each action leads, what it earns, and whose values speak for that place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What values are made of beside the templates.

    Attributes:
        optimism: the value of the null slot.
        discount: of the future, per decision.
        rating_unit: what a full rating of 1 is worth, in reward.
    """

    optimism: float
    discount: float
    rating_unit: float


@dataclass(frozen=True, kw_only=True)
class Foresight:
    """What the templates near some keys say of every action there; one row a key.

    Attributes:
        support: attention on templates, ``[rows, actions]``; the rest is the null slot's.
        reward: expected, ``[rows, actions]``.
        rating: mean of the users' ratings, ``[rows, actions]``.
        live: the share of templates after which the task went on, ``[rows, actions]``.
        unknown: attention on the null slot at the place foreseen, ``[rows, actions]``.
        index: slots whose values speak for that place, int64 ``[rows, actions, k]``.
        weight: how much each of them says, ``[rows, actions, k]``; sums to 1, may be negative.
        slots: the templates that foresaw it, int64 ``[rows, actions, n]``.
        attention: the attention on each of them, ``[rows, actions, n]``; sums to the support.
    """

    support: NDArray[np.float64]
    reward: NDArray[np.float64]
    rating: NDArray[np.float64]
    live: NDArray[np.float64]
    unknown: NDArray[np.float64]
    index: NDArray[np.int64]
    weight: NDArray[np.float64]
    slots: NDArray[np.int64]
    attention: NDArray[np.float64]


def action_values(at: Any, value: NDArray[np.float64], worth: Worth) -> NDArray[np.float64]:
    """Return the value of each action, ``[rows, actions]``.

    ``q = s (r + discount live ((1 - u) v + u optimism)) + (1 - s) optimism`` with the support s, the unknown u and
    ``v = sum_k w_k V_k``, held within the range of the values that speak.

    Args:
        at: a :class:`Foresight`, or anything with its columns up to ``weight``.
        value: the state value of every slot, ``[slots]``.
        worth: the value of the unknown, the discount and the unit of ratings.
    """
    said = value[at.index]
    promised = np.einsum("rak,rak->ra", at.weight, said)
    promised = np.minimum(np.maximum(promised, said.min(axis=-1)), said.max(axis=-1))
    ahead = promised + at.unknown * (worth.optimism - promised)
    known = at.reward + worth.rating_unit * at.rating + worth.discount * at.live * ahead
    values: NDArray[np.float64] = worth.optimism + at.support * (known - worth.optimism)
    return values
