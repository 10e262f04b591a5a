"""What happens in the process of a case of the suite ``noise``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..false_feedback import FalseFeedback
from ..learners import make_learner, training_of
from ..learners.learner import Budget, Learner
from ..learners.posterior import PosteriorOracle
from ..suite import Case
from ..worlds import make_world, optimum

Answer = Mapping[str, Any]


def play(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Play several rules, each from the beginning; ``accuracy`` is the mean over them in each episode."""
    settings, curves, seconds = case.settings, [], 0.0
    for number in range(settings["worlds"]):
        index = case.seed * settings["worlds"] + number
        place = folder / f"world-{number}"
        place.mkdir()

        def heard(index: int = index) -> Any:
            world = make_world(settings, index=index)
            return FalseFeedback(world, rate=settings["rate"], contexts=settings["contexts"], seed=index)

        learning = _learner(case, place).learn(heard, budget=Budget(episodes=settings["episodes"]), seed=index)
        curves.append(np.array(learning.returns) / optimum(settings, make_world(settings, index=index)))
        seconds += learning.cpu_seconds
    return {
        "accuracy": np.mean(curves, axis=0).tolist(),
        "cpu_seconds": seconds / settings["worlds"],
        "training": asdict(training_of(case.arm, settings)),
    }


def _learner(case: Case, folder: Path) -> Learner:
    settings = case.settings
    if case.arm != "oracle":
        return make_learner(case.arm, settings, folder)
    share = settings["contexts"]
    return PosteriorOracle([(1.0 - share, settings["rate"]), (share, 1.0)])
