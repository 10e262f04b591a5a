"""The loss of proximal policy optimisation."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def clipped_loss(
    log_prob: Float[Tensor, " n"], old_log_prob: Float[Tensor, " n"], advantage: Float[Tensor, " n"], *, clip: float
) -> Float[Tensor, ""]:
    """Return ``-mean min(r A, clamp(r, 1 - clip, 1 + clip) A)`` with the ratio ``r = exp(log_prob - old_log_prob)``.

    Args:
        log_prob: of the actions, under the policy that learns.
        old_log_prob: under the policy that chose them.
        advantage: of the actions.
        clip: how far the ratio may move.

    Reference: J. Schulman et al. 2017, arXiv 1707.06347, equation 7.
    """
    ratio = (log_prob - old_log_prob).exp()
    return -torch.minimum(ratio * advantage, ratio.clamp(1.0 - clip, 1.0 + clip) * advantage).mean()


def divergence(log_prob: Float[Tensor, " n"], old_log_prob: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Estimate the divergence from the old policy, ``mean(r - 1 - log r)``, from the actions that it chose.

    Reference: J. Schulman, Approximating KL Divergence, 2020, estimator k3.
    """
    log_ratio = log_prob - old_log_prob
    return (log_ratio.expm1() - log_ratio).mean()
