"""One training loop for all recallers, so that what they reach can be compared."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F

from . import make_recaller
from .recaller import Recaller
from .told_facts import ToldFacts


@final
@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long and how a recaller is trained: AdamW, a linear warm-up, then a cosine down to a tenth.

    Attributes:
        steps: optimiser steps.
        batch: rows of a step.
        rate: the highest learning rate.
        warm_up: steps in which the rate rises to it.
        clip: the norm that gradients are clipped to.
    """

    steps: int = 1000
    batch: int = 64
    rate: float = 2e-3
    warm_up: int = 50
    clip: float = 1.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if min(self.steps, self.batch) < 1 or self.warm_up < 0 or min(self.rate, self.clip) <= 0:
            raise ValueError(
                f"steps and batch must be at least 1, rate and clip above 0, warm_up 0 or more, got {self}"
            )

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        left = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        return self.rate * (0.1 + 0.45 * (1 + math.cos(math.pi * left)))


@final
@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a training run came to.

    Attributes:
        accuracy: share of right answers on rows that were not trained on.
        steps_to_95: the step at which the running share of right answers first was 0.95; None if never.
        state_bytes: what a row of the state holds after the facts were told.
        parameters: how many numbers were trained.
        seconds: process CPU time of the training.
    """

    accuracy: float
    steps_to_95: int | None
    state_bytes: int
    parameters: int
    seconds: float


def train(
    name: str,
    task: ToldFacts,
    budget: Budget,
    *,
    seed: int,
    rows: int = 1024,
    on_step: Callable[[int, float], None] | None = None,
) -> Trained:
    """Train a recaller and measure it.

    Args:
        name: of the recaller.
        task: what it is trained and measured on.
        budget: for how long.
        seed: of its weights and of what it is told; what it is measured on is the same for all.
        rows: how many rows it is measured on.
        on_step: called with each step and its loss.

    Raises:
        HoldfastError: there is no such recaller, or its package is not installed.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    recaller = make_recaller(name, task.config())
    optimiser = torch.optim.AdamW(recaller.parameters(), lr=budget.rate)
    started, running, reached = time.process_time(), 0.0, None
    for step in range(budget.steps):
        for group in optimiser.param_groups:
            group["lr"] = budget.rate_at(step)
        loss, right = loss_and_accuracy(recaller, task, budget.batch, generator)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(list(recaller.parameters()), budget.clip)
        optimiser.step()
        running += 0.1 * (right - running)
        if reached is None and running >= 0.95:
            reached = step + 1
        if on_step is not None:
            on_step(step, loss.item())
    seconds = time.process_time() - started
    recaller.train(False)
    unseen = torch.Generator().manual_seed(2**31 - 1)
    with torch.no_grad():
        shares = [loss_and_accuracy(recaller, task, budget.batch, unseen)[1] for _ in range(-(-rows // budget.batch))]
        state = recaller.tell(task.draw(1, unseen).told, recaller.empty(1))
    return Trained(
        accuracy=sum(shares) / len(shares),
        steps_to_95=reached,
        state_bytes=recaller.state_bytes(state),
        parameters=sum(each.numel() for each in recaller.parameters()),
        seconds=seconds,
    )


def loss_and_accuracy(
    recaller: Recaller, task: ToldFacts, batch: int, generator: torch.Generator
) -> tuple[torch.Tensor, float]:
    """Tell new rows, clear the context, ask, and return the loss and the share of right answers."""
    episode = task.draw(batch, generator)
    state = recaller.tell(episode.told, recaller.empty(batch))
    logits = recaller.ask(episode.asked, state)
    loss = F.cross_entropy(logits.flatten(0, 1), episode.answers.flatten())
    return loss, (logits.argmax(dim=-1) == episode.answers).float().mean().item()
