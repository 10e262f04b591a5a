"""What can be known of hidden rules from answers of which some may have been misjudged: the exact posterior."""

from __future__ import annotations

import torch
from torch import Tensor

_CERTAIN = 1e-3  # a rate of 0 would make a single misjudged answer impossible, and its logarithm infinite


def rates(most: float, noisy: float, *, steps: int = 12) -> tuple[Tensor, Tensor]:
    """Return a prior over the rate at which a task's answers are misjudged.

    In a share ``noisy`` of the tasks the rate is drawn evenly from 0 to ``most``, in the others it is 0.

    Args:
        most: the largest rate, in (0, 1/2].
        noisy: the share, in [0, 1].
        steps: at how many places the even part is taken.

    Returns:
        Rates and their probabilities, ``[steps + 1]`` each.
    """
    middle = (torch.arange(steps, dtype=torch.float32) + 0.5) * (most / steps)
    probability = torch.full((steps,), noisy / steps)
    return torch.cat((torch.zeros(1), middle)), torch.cat((torch.tensor([1.0 - noisy]), probability))


def belief(heard: Tensor, rate: Tensor, probability: Tensor) -> Tensor:
    """Return for each context how probably each action is the right one, given all that was heard in the task.

    One action of each context is right, each as likely as another. An answer is heard as right or wrong, and with the
    task's rate ``p`` the other way round::

        P(heard of c | a right, p) = prod_b (1 - p if b is heard as [b = a] else p)
        P(p | heard) ~ P(p) prod_c sum_a P(heard of c | a right, p)
        P(a right in c | heard) = sum_p P(p | heard) P(a right in c | heard of c, p)

    Args:
        heard: how often each answer was heard as wrong (0) and as right (1), ``[batch, contexts, actions, 2]``.
        rate: ``p``, ``[rates]``.
        probability: of each rate beforehand, ``[rates]``.

    Returns:
        ``[batch, contexts, actions]``; each row of actions sums to 1.
    """
    false = rate.clamp(_CERTAIN, 1.0 - _CERTAIN).log()
    true = (-rate).add(1.0).clamp(_CERTAIN, 1.0 - _CERTAIN).log()
    wrong, right = heard[..., 0, None], heard[..., 1, None]
    others = (right * false + wrong * true).sum(dim=2, keepdim=True)  # if no action were right, [..., 1, rates]
    likelihood = others + (right - wrong) * (true - false)
    told = likelihood.logsumexp(dim=2).sum(dim=1) + probability.log()
    weight = told.softmax(dim=-1)[:, None, None]
    mixed: Tensor = (likelihood.softmax(dim=2) * weight).sum(dim=-1)
    return mixed
