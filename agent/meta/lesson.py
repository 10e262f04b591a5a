"""What a teacher shows a network, and the contract of the worlds it teaches in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .network import Notes


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """Many questions to each memory of a batch, and what a teacher would answer.

    Many questions to one memory, not one, are what makes large rooms learnable: a memory is dear to fill.

    Attributes:
        notes: the memories as they are now.
        parts: of the observations asked about, ``[batch, time]`` or ``[batch, time, width]`` each; the first in time is
            the observation that the world shows now.
        wanted: a distribution over actions, ``[batch, time, actions]``.
        weight: of each question, ``[batch, time]``.
    """

    notes: Notes
    parts: tuple[Tensor, ...]
    wanted: Tensor
    weight: Tensor


@dataclass(frozen=True, kw_only=True)
class Stepped:
    """What a step of a batch of worlds led to.

    Attributes:
        reward: what was earned in truth, ``[batch]``.
        over: whether the episode ended with it, bool ``[batch]``.
    """

    reward: Tensor
    over: Tensor


class World(Protocol):
    """A batch of tasks of one family, each with its memory; an episode that ends is followed by the next one.

    In training a task that has been played for long enough makes room for a new one, with an empty memory. In an
    evaluation tasks stay.
    """

    def lesson(self) -> Lesson:
        """Ask about the memories as they are."""
        ...

    def step(self, actions: Tensor) -> Stepped:
        """Do one action in each task, int64 ``[batch]``, and note what came of it."""
        ...

    def forget(self, rows: Tensor) -> None:
        """Empty the memory of some tasks, bool ``[batch]``: the arm without one."""
        ...


def recency(noted_at: Tensor) -> Tensor:
    """Return how many slots were noted more recently, for each; slots never noted come last.

    Args:
        noted_at: when, ``[batch, slots]``, larger is later.
    """
    return noted_at.argsort(dim=1, descending=True, stable=True).argsort(dim=1, stable=True)


def codes(batch: int, symbols: int, width: int, generator: torch.Generator) -> Tensor:
    """Draw a random code of -1 and 1 for each symbol of each task, ``[batch, symbols, width]``."""
    return torch.randint(2, (batch, symbols, width), generator=generator).to(torch.float32).mul_(2.0).sub_(1.0)
