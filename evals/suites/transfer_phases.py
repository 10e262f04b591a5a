"""What happens in the process of a case of the suite ``transfer``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..learners import left_out, training_of
from ..learners.learner import Budget
from ..suite import Case
from ..worlds import make_world, optimum
from .learning_phases import ready

Answer = Mapping[str, Any]
_LEARNERS = {"kept": "retention", "wiped": "retention-wiped", "foreign": "retention-foreign"}


def play(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Play several worlds, each from the beginning; ``share`` is the mean share of the optimum in each episode."""
    settings, curves, seconds = case.settings, [], 0.0
    for number in range(settings["worlds"]):
        index = case.seed * settings["worlds"] + number
        place = folder / f"world-{number}"
        place.mkdir()

        def own(index: int = index) -> Any:
            return make_world(settings, index=index)

        def other(index: int = index) -> Any:
            return make_world(settings, index=index, foreign=True)

        learner = ready(_LEARNERS[case.arm], settings, place, other, seed=index)
        learning = learner.learn(own, budget=Budget(episodes=settings["episodes"]), seed=index)
        curves.append(np.array(learning.returns) / optimum(settings, own()))
        seconds += learning.cpu_seconds
    return {
        "share": np.mean(curves, axis=0).tolist(),
        "cpu_seconds": seconds / settings["worlds"],
        "training": asdict(training_of("retention", settings)),
    }


def absent(case: Case) -> str | None:
    """Return the sentence that says why the policy of a task cannot play here; ``None`` where it can."""
    return left_out(_LEARNERS[case.arm], case.settings)
