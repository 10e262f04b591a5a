"""How a policy is meta-trained, as data: the same plan gives the same weights, bit for bit, on one machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a policy is meta-trained.

    Attributes:
        family: the name of the family.
        seed: of all randomness.
        iterations: optimiser steps.
        batch: tasks of one step.
        groups: how many such batches of tasks take turns, so that one step's tasks are not the next one's.
        rate: the learning rate, after a warm-up of ``warm_up`` steps; it falls to zero in a straight line.
        warm_up: see above.
        decay: of the weights, as AdamW has it.
        clip: the norm that gradients are clipped to.
        greedy: the share of tasks in which the student acts as it does in use; in the others it draws its actions.
        stray: the share of actions that are drawn uniformly.
    """

    family: str
    seed: int = 0
    iterations: int
    batch: int = 64
    groups: int = 4
    rate: float = 1.5e-3
    warm_up: int = 100
    decay: float = 1e-4
    clip: float = 1.0
    greedy: float = 0.7
    stray: float = 0.03

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: one is out of its range.
        """
        for name in ("iterations", "batch", "groups"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("rate", "clip"):
            if not 0.0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        if self.seed < 0 or self.warm_up < 0 or not 0.0 <= self.decay < float("inf"):
            raise ValueError(f"seed, warm_up and decay must not be negative, got {self}")
        if not (0.0 <= self.greedy <= 1.0 and 0.0 <= self.stray <= 1.0):
            raise ValueError(f"greedy and stray must lie in [0, 1], got {self.greedy} and {self.stray}")

    def rate_at(self, iteration: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        warm = min(1.0, (iteration + 1) / (self.warm_up + 1))
        return self.rate * warm * (1.0 - iteration / self.iterations)

    def teacher_share_at(self, iteration: int) -> float:
        """Return the share of actions that the teacher does in a guided family: from 0.8 to nothing at half time."""
        return 0.8 * max(0.0, 1.0 - 2.0 * iteration / self.iterations)
