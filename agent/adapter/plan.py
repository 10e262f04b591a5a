"""How an adapter is trained, as data: the same plan gives the same weights, bit for bit, on one machine's processor."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class AdapterPlan:
    """How an adapter is trained.

    Attributes:
        model: the name or the folder of the frozen model.
        seed: of all randomness.
        iterations: optimiser steps.
        people: whose facts are learned from, two of each.
        own: how many facts are learned from that name nobody, of who speaks and of things around.
        alike: how many of these people in a row have the same relations: in a lesson all but one of them are in the
            memory, so that only names tell their facts apart, and the one that is left out may be asked for.
        paraphrases: taught sentences of each fact that the frozen model reads beforehand.
        neutral: texts that the model itself has written, on which it is to stay as it is.
        rate: the learning rate, after a warm-up of ``warm_up`` steps; it falls along a cosine to a twentieth.
        warm_up: see above.
        fast: how many times that rate is for the few weights that scale others.
        decay: of the weights, as AdamW has it; those that scale others have none.
        clip: the norm that gradients are clipped to.
        most_facts: the most facts in the memory of a step; the number is 8, doubled some times.
        questions: how many of them are asked.
        spoken: the share of questions that are asked as a person would, where they can be: of half of the facts.
        asked: the share of facts that are written in the words in which they are asked.
        keep: weight of staying as the frozen model is where no fact is asked for.
        null: weight of leaving the attention to the null slot there.
        withheld: how much less that counts where a fact of the same person is there, or the fact itself was just told.
        crowd: facts of people of earlier steps that stand in the memory beside those of a step, where it is learned to
            stay as the model is: what happens once among a thousand facts must be seen.
        nearest: at how many positions of neutral texts that is, those of some three hundred at which facts draw most.
        near: how much these count, beside others.
        test_people: whose facts the trials ask for; they are the same for every seed.
    """

    model: str
    seed: int = 0
    iterations: int = 1500
    people: int = 1400
    own: int = 700
    alike: int = 4
    paraphrases: int = 3
    neutral: int = 600
    rate: float = 1e-3
    warm_up: int = 20
    fast: float = 5.0
    decay: float = 0.01
    clip: float = 1.0
    most_facts: int = 128
    questions: int = 32
    spoken: float = 0.4
    asked: float = 0.25
    keep: float = 1.0
    null: float = 0.5
    withheld: float = 0.5
    crowd: int = 512
    nearest: int = 32
    near: float = 1.0
    test_people: int = 50

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: one is out of its range.
        """
        for name, least in (
            ("iterations", 1),
            ("people", 10),
            ("alike", 1),
            ("paraphrases", 1),
            ("neutral", 20),
            ("most_facts", 8),
            ("questions", 1),
            ("crowd", 1),
            ("nearest", 1),
            ("test_people", 1),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        for name in ("rate", "fast", "clip"):
            if not 0.0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive and finite, got {getattr(self, name)}")
        for name in ("seed", "own", "warm_up", "decay", "keep", "null", "withheld", "near"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("spoken", "asked"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")

    def rate_at(self, iteration: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        warm = min(1.0, (iteration + 1) / (self.warm_up + 1))
        fallen = 0.5 * (1.0 + math.cos(math.pi * iteration / self.iterations))
        return self.rate * warm * (0.95 * fallen + 0.05)
