"""What happens in the process of a case of the suite ``learning``; other suites play in the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..learners import OURS, left_out, make_learner, make_ours, training_of
from ..learners.learner import Budget, Learner, MakeWorld
from ..suite import Case
from ..worlds import make_world, optimum

Answer = Mapping[str, Any]


def play(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Let the learner of the arm play the task for as long as it is given."""

    def own() -> Any:
        return make_world(case.settings, index=case.seed)

    def other() -> Any:
        return make_world(case.settings, index=case.seed, foreign=True)

    learner = ready(case.arm, case.settings, folder, other, seed=case.seed)
    budget = Budget(**case.settings.get(case.arm, case.settings["ours" if case.arm in OURS else "peers"]))
    learning = learner.learn(own, budget=budget, seed=case.seed)
    best = optimum(case.settings, own()) if case.settings.get("of_optimum") else None
    return {**learning.as_dict(), "optimum": best, "training": asdict(training_of(case.arm, case.settings))}


def ready(name: str, settings: Mapping[str, Any], folder: Path, other: MakeWorld, *, seed: int) -> Learner:
    """Return a learner that is ready to play: one with another's memory has learned another world.

    Args:
        name: of the learner.
        settings: of the task; ``"foreign_episodes"`` is how long another world is learned.
        folder: where it may keep files.
        other: makes the other world.
        seed: of all randomness.
    """
    if name in OURS and OURS[name][1] == "foreign":
        ours = make_ours(name, settings, folder)
        ours.study(other, episodes=settings["foreign_episodes"], seed=seed)
        return ours
    return make_learner(name, settings, folder)


def absent(case: Case) -> str | None:
    """Return the sentence that says why the learner of an arm cannot play here; ``None`` where it can.

    A task names under ``"packages"`` what its environment needs: names to import, and the distributions that have them.
    """
    needs: Mapping[str, str] = case.settings.get("packages", {})
    if any(find_spec(module) is None for module in needs):
        return f"{case.task} is left out: it needs {' and '.join(needs.values())} (pip install 'holdfast[bench]')"
    return left_out(case.arm, case.settings)
