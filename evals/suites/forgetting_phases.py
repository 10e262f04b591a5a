"""What happens in the process of a case of the suite ``forgetting``; ``capacity`` plays its stream in the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import gymnasium

import environments

from ..learners import OURS, make_learner, training_of
from ..learners.learner import Budget, World
from ..suite import Case

Answer = Mapping[str, Any]
_RULE = "holdfast/HiddenRule-v0"


def play(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Play stage after stage; see :func:`stages`."""
    settings = dict(case.settings)
    if case.arm not in OURS:
        settings["stage"] *= settings["times"]
    return stages(case.arm, settings, folder, seed=case.seed)


def stages(learner: str, settings: Mapping[str, Any], folder: Path, *, seed: int) -> Answer:
    """Play rules one after another and ask for all of them after each stage.

    Args:
        learner: its name.
        settings: ``"order"``, the rule of each stage; ``"stage"``, its episodes; ``"questions"``, in how many episodes
            a rule is asked for; ``"silent"``, whether nothing tells which rule it is.
        folder: where the learner may keep files.
        seed: of the rules and of all randomness.

    Returns:
        ``"share"``, the share of right answers in each episode; ``"table"``, ``R[i][j]``; what it cost.
    """
    environments.register()
    order, length = settings["order"], settings["stage"]
    plays = make_learner(learner, settings, folder)
    table: list[list[float]] = []

    def right(rule: int) -> float:
        world = one_rule(settings, rule, seed)
        returns = plays.play(lambda: world, episodes=settings["questions"], seed=seed)
        return fmean(returns) / float(world.get_wrapper_attr("optimal_return"))

    def after(episode: int) -> None:
        if episode % length == 0:
            table.append([right(rule) for rule in range(len(set(order)))])

    world = whole(settings, seed)
    optimum = float(world.get_wrapper_attr("optimal_return"))
    budget = Budget(episodes=len(order) * length)
    learning = plays.learn(lambda: world, budget=budget, seed=seed, after_episode=after)
    return {
        "share": [each / optimum for each in learning.returns],
        "table": table,
        "cpu_seconds": learning.cpu_seconds,
        "training": asdict(training_of(learner, settings)),
    }


def whole(settings: Mapping[str, Any], seed: int) -> World:
    """Make the environment that goes through all stages."""
    order, length = settings["order"], settings["stage"]
    if settings.get("silent"):
        switches = [stage * length for stage in range(1, len(order))]
        return gymnasium.make("holdfast/SilentSwitch-v0", task=seed, switches=switches)
    return gymnasium.make(
        "holdfast/TaskStream-v0", tasks=_rules(order, seed), episodes=length, order=list(order), cued=True
    )


def one_rule(settings: Mapping[str, Any], rule: int, seed: int) -> World:
    """Make an environment that stays with one rule and looks as the whole does."""
    order = settings["order"]
    if settings.get("silent"):  # past its only switch for the second rule
        return gymnasium.make("holdfast/SilentSwitch-v0", task=seed, switches=[1] if rule else [], first_episode=rule)
    return gymnasium.make("holdfast/TaskStream-v0", tasks=_rules(order, seed), episodes=1, order=[rule], cued=True)


def _rules(order: Sequence[int], seed: int) -> list[tuple[str, dict[str, int]]]:
    """Return a rule for each of the numbers in ``order``; other seeds have other rules."""
    rules = max(order) + 1
    return [(_RULE, {"task": seed * rules + number}) for number in range(rules)]
