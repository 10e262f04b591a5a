"""The write gate: from what is new, what is wrong and what it earned, to whether and how strongly to write."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

LIMIT = 1e4
"""What the gate sees and says lies within this: the square of a huge value overflows, and ``0 inf`` is no number."""


class WriteGate(nn.Module):
    """``g = sigmoid(w . [novelty, error, feedback] + b)``.

    It starts between its ends: 0.38 for what is known, read right and without feedback, 0.73 for what is new and half
    wrong. ``log g`` is a bias on the score of the slot, so that the gate learns from the reads that follow; in use,
    candidates under a threshold are not written at all.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3))
        self.bias = nn.Parameter(torch.empty(()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Give each feature the weight 1."""
        with torch.no_grad():
            self.weight.fill_(1.0)
            self.bias.fill_(-0.5)

    def forward(
        self,
        novelty: Float[Tensor, "batch candidates"],
        error: Float[Tensor, "batch candidates"],
        feedback: Float[Tensor, "batch candidates"],
    ) -> Float[Tensor, "batch candidates"]:
        """Return the gate's logit; its sigmoid is the gate.

        Args:
            novelty: ``1 - max cos`` to the slots, in [0, 1].
            error: how far memory's answer to the candidate's key is from its value, see ``read_error``.
            feedback: what the candidate earned, best in [-1, 1]; 0 when unknown.
        """
        logit: Tensor = torch.stack((novelty, error, feedback), dim=-1) @ self.weight + self.bias
        return logit.clamp(-LIMIT, LIMIT)


def novelty(nearest: Float[Tensor, "batch candidates"]) -> Float[Tensor, "batch candidates"]:
    """Return ``1 - max(0, max_j cos_j)`` of the largest cosine: 1 for an empty memory, 0 for what is known."""
    return 1 - nearest.clamp(min=0.0)


def read_error(
    value: Float[Tensor, "batch heads candidates dim"], answer: Float[Tensor, "batch heads candidates dim"]
) -> Float[Tensor, "batch candidates"]:
    """Return ``|v - read(k)| / sqrt(heads dim)``, the root mean square error of memory's answer, at most ``LIMIT``."""
    return (value - answer).square().mean(dim=(1, 3)).sqrt().clamp(max=LIMIT)
