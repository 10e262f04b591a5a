"""How soon a memory learns to recall: eight facts are told, the context is cleared, and they are asked for.

All train on the same rows by the same loop for as many steps, and differ in the memory alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from retention import HoldfastError

from ..peers.told_facts import ToldFacts
from ..peers.training import Budget, Trained, train


def measure(
    names: Sequence[str], *, steps: int, seeds: int, on_turn: Callable[[str], None] = lambda name: None
) -> list[dict[str, Any]]:
    """Train each recaller with each seed.

    Args:
        names: of the recallers, see ``evals.peers.RECALLERS``.
        steps: optimiser steps.
        seeds: how many seeds; they are 0, 1, 2, ...
        on_turn: called with a name after each training.

    Returns:
        A row for each: the accuracy on rows that were not trained on, lowest and median over the seeds; the step at
        which the running accuracy first was 0.95, of each seed and the median (None where it never was; never is later
        than any step); bytes of state for a row; process CPU seconds of a training; an error where there is one.

    Raises:
        ValueError: a number is below 1.
    """
    if min(steps, seeds) < 1:
        raise ValueError(f"steps and seeds must be at least 1, got {steps} and {seeds}")
    rows = []
    for name in names:
        done: list[Trained] = []
        error = None
        for seed in range(seeds):
            try:
                done.append(train(name, ToldFacts(), Budget(steps=steps), seed=seed))
            except HoldfastError as missing:
                error = str(missing)
            on_turn(name)
        rows.append(_row(name, done, error))
    return rows


def _row(name: str, done: Sequence[Trained], error: str | None) -> dict[str, Any]:
    if not done:
        nothing = dict.fromkeys(("accuracy", "lowest", "steps_to_95", "each", "state_bytes", "seconds"))
        return {"name": name, **nothing, "error": error}
    never = float("inf")
    middle = median(never if each.steps_to_95 is None else each.steps_to_95 for each in done)
    return {
        "name": name,
        "accuracy": median(each.accuracy for each in done),
        "lowest": min(each.accuracy for each in done),
        "steps_to_95": None if middle == never else middle,
        "each": [each.steps_to_95 for each in done],
        "state_bytes": done[0].state_bytes,
        "seconds": median(each.seconds for each in done),
        "error": error,
    }
