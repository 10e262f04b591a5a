"""Trains a recaller on a recall task, and measures what it recalls."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .peers.recaller import Recaller
from .recall_tasks import Exercise, RecallTask


@final
@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """How a recaller is trained: AdamW, a linear warm-up, and a third of the rate for the last third of the steps.

    Attributes:
        steps: optimiser steps.
        sizes: the sizes of exercises; each step draws one.
        easy_steps: how many of the first steps stay with the first size.
        batch: rows of a step.
        rate: the learning rate.
        warm_up: steps in which the rate rises.
        clip: the norm that gradients are clipped to.
    """

    steps: int
    sizes: tuple[int, ...]
    easy_steps: int = 0
    batch: int = 64
    rate: float = 2e-3
    warm_up: int = 50
    clip: float = 1.0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: one is out of range.
        """
        if min(self.steps, self.batch) < 1 or min(self.easy_steps, self.warm_up) < 0 or min(self.rate, self.clip) <= 0:
            raise ValueError(f"steps and batch must be at least 1, rate and clip above 0, the others 0 or more: {self}")
        if not self.sizes or min(self.sizes) < 0:
            raise ValueError(f"sizes must be one or more numbers of 0 or more, got {self.sizes}")

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        return self.rate * min(1.0, (step + 1) / max(1, self.warm_up)) * (1.0 if 3 * step < 2 * self.steps else 0.3)

    def size_at(self, step: int, generator: torch.Generator) -> int:
        """Draw the size of the exercise of a step."""
        if step < self.easy_steps:
            return self.sizes[0]
        return self.sizes[int(torch.randint(len(self.sizes), (), generator=generator))]


def train(
    recaller: Recaller,
    tasks: Sequence[RecallTask],
    plan: TrainingPlan,
    generator: torch.Generator,
    parameters: Sequence[nn.Parameter] | None = None,
) -> list[float]:
    """Train a recaller in place, on the tasks by turns.

    Args:
        recaller: what is trained.
        tasks: what on.
        plan: how.
        generator: draws the exercises.
        parameters: what is trained of it; None for all.

    Returns:
        The loss of each step.
    """
    trained = list(recaller.parameters() if parameters is None else parameters)
    optimiser = torch.optim.AdamW(trained, lr=plan.rate)
    recaller.train()
    losses = []
    for step in range(plan.steps):
        for group in optimiser.param_groups:
            group["lr"] = plan.rate_at(step)
        exercise = tasks[step % len(tasks)].draw(plan.batch, plan.size_at(step, generator), generator)
        logits = ask(recaller, exercise, tell(recaller, exercise))
        loss = F.cross_entropy(logits.flatten(0, 1), torch.cat(exercise.answers, dim=1).flatten())
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(trained, plan.clip)
        optimiser.step()
        losses.append(loss.item())
    recaller.train(False)
    return losses


def tell(recaller: Recaller, exercise: Exercise) -> Any:
    """Tell every segment to a memory that is empty, and return what it has become."""
    state = recaller.empty(len(exercise.told[0]))
    for segment in exercise.told:
        state = recaller.tell(segment, state)
    return state


def ask(recaller: Recaller, exercise: Exercise, state: Any) -> Tensor:
    """Ask every segment of a memory; return the logits, ``[batch, asked, answers]``."""
    return torch.cat([recaller.ask(segment, state) for segment in exercise.asked], dim=1)


@torch.no_grad()
def accuracy(recaller: Recaller, exercise: Exercise, state: Any) -> float:
    """Return the share of what a memory answers right."""
    right = ask(recaller, exercise, state).argmax(dim=2) == torch.cat(exercise.answers, dim=1)
    return right.float().mean().item()


@torch.no_grad()
def microseconds(recaller: Recaller, exercise: Exercise, *, repeats: int = 20) -> float:
    """Measure what telling and asking an exercise costs: the median of the process CPU time, in microseconds."""
    taken = []
    for _ in range(repeats + 1):
        started = time.process_time()
        ask(recaller, exercise, tell(recaller, exercise))
        taken.append(time.process_time() - started)
    return 1e6 * statistics.median(taken[1:])  # the first call warms up
