"""Distributions over decisions: one of several, or a point with Gaussian noise."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

_HALF_LOG_TAU = 0.5 * math.log(2.0 * math.pi)


def hot_log_prob(scores: Float[Tensor, "n count"], decision: Float[Tensor, "n count"]) -> Float[Tensor, " n"]:
    """Return the log-probability of one-hot decisions under ``softmax(scores)``."""
    return (scores.log_softmax(dim=-1) * decision).sum(dim=-1)


def hot_entropy(scores: Float[Tensor, "n count"]) -> Float[Tensor, " n"]:
    """Return the entropy of ``softmax(scores)``."""
    log = scores.log_softmax(dim=-1)
    return -(log.exp() * log).sum(dim=-1)


def point_log_prob(
    mean: Float[Tensor, "n count"], log_std: Float[Tensor, " count"], decision: Float[Tensor, "n count"]
) -> Float[Tensor, " n"]:
    """Return the log-density of points under a diagonal Gaussian."""
    return -(0.5 * ((decision - mean) * (-log_std).exp()).square() + log_std + _HALF_LOG_TAU).sum(dim=-1)


def point_entropy(log_std: Float[Tensor, " count"]) -> Float[Tensor, ""]:
    """Return the differential entropy of a diagonal Gaussian."""
    return (log_std + 0.5 + _HALF_LOG_TAU).sum()


def drawn_hot(scores: NDArray[np.float32], uniform: float) -> NDArray[np.float32]:
    """Draw a one-hot decision from ``softmax(scores)``, ``[count]``, with a number that is even in [0, 1)."""
    grown = np.cumsum(np.exp(scores.astype(np.float64) - scores.max()))
    hot = np.zeros(scores.shape, np.float32)
    hot[min(int(np.searchsorted(grown, uniform * grown[-1], side="right")), len(hot) - 1)] = 1.0
    return hot


def best_hot(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the decision of the highest score, the first of equal ones."""
    hot = np.zeros(scores.shape, np.float32)
    hot[int(scores.argmax())] = 1.0
    return hot


def log_probability(
    output: Float[Tensor, "n count"], log_std: Float[Tensor, " count"] | None, decision: Float[Tensor, "n count"]
) -> Float[Tensor, " n"]:
    """Return the log-probability of decisions: points where there is a spread, else one-hot."""
    return hot_log_prob(output, decision) if log_std is None else point_log_prob(output, log_std, decision)


def mean_entropy(output: Float[Tensor, "n count"], log_std: Float[Tensor, " count"] | None) -> Float[Tensor, ""]:
    """Return the mean entropy of what a network put out."""
    return hot_entropy(output).mean() if log_std is None else point_entropy(log_std)


def as_tensor(array: NDArray[np.float32] | NDArray[np.float64]) -> Tensor:
    """Return a float32 tensor of an array."""
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
