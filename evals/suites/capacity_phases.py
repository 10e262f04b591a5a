"""What happens in the process of a case of the suite ``capacity``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..learners import left_out, make_learner
from ..learners.learner import Budget
from ..suite import Case
from ..worlds import make_world, optimum
from .capacity import SLOTS
from .forgetting_phases import stages

Answer = Mapping[str, Any]


def play(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Play with the slots of the arm: several rules, each from the beginning, or one rule after another."""
    settings, slots = dict(case.settings), SLOTS[case.arm]
    settings["capacity"] = None if slots is None else slots * settings["keys"]
    if "order" in settings:
        return stages(settings["learner"], settings, folder, seed=case.seed)
    curves, seconds = [], 0.0
    for number in range(settings["worlds"]):
        index = case.seed * settings["worlds"] + number
        place = folder / f"world-{number}"
        place.mkdir()

        def own(index: int = index) -> Any:
            return make_world(settings, index=index)

        learner = make_learner(settings["learner"], settings, place)
        learning = learner.learn(own, budget=Budget(episodes=settings["episodes"]), seed=index)
        curves.append(np.array(learning.returns) / optimum(settings, own()))
        seconds += learning.cpu_seconds
    return {"share": np.mean(curves, axis=0).tolist(), "cpu_seconds": seconds / settings["worlds"]}


def absent(case: Case) -> str | None:
    """Return the sentence that says why the learner of a task cannot play here; ``None`` where it can."""
    return left_out(case.settings["learner"], case.settings)
