"""What happens in the process of a case of the suite ``tool-use``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agent import NumberedCandidates

from ..learners.learner import Budget
from ..learners.ours import Ours
from ..suite import Case
from ..worlds import World, make_world, optimum

Answer = Mapping[str, Any]
_POLICY = "recall"


def play(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Play several worlds, each from the beginning; ``share`` is the mean share of the optimum in each episode."""
    settings, curves = case.settings, []
    for number in range(settings["worlds"]):
        index = case.seed * settings["worlds"] + number
        place = folder / f"world-{number}"
        place.mkdir()

        def own(index: int = index) -> World:
            return NumberedCandidates(make_world(settings, index=index))

        def other(index: int = index) -> World:
            return NumberedCandidates(make_world(settings, index=index, foreign=True))

        agent = Ours.from_settings(_POLICY, settings, place, arm=case.arm)
        if case.arm == "foreign":
            agent.study(other, episodes=settings["foreign_episodes"], seed=index)
        learning = agent.learn(own, budget=Budget(episodes=settings["episodes"]), seed=index)
        curves.append(np.array(learning.returns) / optimum(settings, own()))
    return {"share": np.mean(curves, axis=0).tolist()}
