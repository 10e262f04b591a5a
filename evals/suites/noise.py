"""Does it stand false feedback? A hidden rule of which what is heard is turned round now and then, or on purpose.

The task is ``holdfast/HiddenRule-v0`` with its default sizes. In every episode each of ten contexts is answered once;
what is right is counted, and what the agent is told of it is disturbed:

| noise | what it does, at a rate |
|---|---|
| flipped | each reward is turned round with that chance |
| adversarial | every reward of that share of the contexts is turned round, always |

| arm | what learns |
|---|---|
| retention | ours: meta-trained on hidden rules, frozen at use |
| recall | ours: acts on its memory, no gradient |
| ppo, dqn | Stable-Baselines3, for as many episodes |
| oracle | the exact posterior, told how often feedback lies; see ``evals.learners.posterior`` |

``accuracy`` is the share of right answers in episode 12, over several rules for each seed, ``mean_accuracy`` that of
all twelve. A learner that guesses has 0.2. Arms are paired: a seed gives the same rules, orders and noise in all of
them, and what is flipped at a rate is flipped at every higher one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..suite import Suite

if TYPE_CHECKING:
    from ..report import Report
    from ..results import Result

CLEAN = "clean"
RATES = {"flipped": (10, 20, 30, 50), "adversarial": (20,)}  # per cent
EPISODES = 12
_TARGET_TASK, _TARGET = "flipped 20 %", 0.85
_OURS = ("retention", "recall")
_PLAY = ("evals.suites.noise_phases:play",)
_SETTINGS: Mapping[str, Any] = {
    "env": "holdfast/HiddenRule-v0",
    "policy": "retention:hidden-rule",
    "numbered": True,
    "discount": 0.5,
    "episodes": EPISODES,
    "worlds": 8,
    "one_world": True,  # whose noise goes on from episode to episode
}

SUITE = Suite(
    name="noise",
    version=1,
    summary="Does it stand false feedback? A hidden rule, with rewards flipped at random or on purpose.",
    tasks={
        CLEAN: {**_SETTINGS, "rate": 0.0, "contexts": 0.0},
        **{f"flipped {rate} %": {**_SETTINGS, "rate": rate / 100, "contexts": 0.0} for rate in RATES["flipped"]},
        **{
            f"adversarial {rate} %": {**_SETTINGS, "rate": 0.0, "contexts": rate / 100} for rate in RATES["adversarial"]
        },
    },
    arms={arm: _PLAY for arm in ("retention", "recall", "ppo", "dqn", "oracle")},
    score="evals.suites.noise:score",
    headline="accuracy",
    left_out="evals.suites.learning_phases:absent",
)


def score(results: Sequence[Result]) -> Report:
    """Compute the rows and the verdict.

    Args:
        results: finished cases of this suite, in any order.
    """
    from statistics import fmean

    from ..report import Report, improvement, summarise

    values: dict[tuple[str, str, str], list[float]] = {}
    for result in sorted(results, key=lambda each: each.case.seed):
        case, answer = result.case, result.phases[-1].answer
        found = {
            "accuracy": answer["accuracy"][-1],
            "mean_accuracy": fmean(answer["accuracy"]),
            "cpu_seconds": answer["cpu_seconds"],
            "training_env_steps": float(answer["training"]["env_steps"]),
        }
        for metric, value in found.items():
            values.setdefault((metric, case.task, case.arm), []).append(value)
    rows = [
        summarise(task, arm, metric, [values[metric, task, arm]])
        for metric in ("accuracy", "mean_accuracy", "cpu_seconds", "training_env_steps")
        for task in SUITE.tasks
        for arm in SUITE.arms
        if (metric, task, arm) in values
    ]
    for ours in _OURS:
        for peer in ("ppo", "dqn"):
            tasks = [task for task in SUITE.tasks if all(("accuracy", task, arm) in values for arm in (ours, peer))]
            pairs = [(values["accuracy", task, ours], values["accuracy", task, peer]) for task in tasks]
            name = f"{ours} over {peer}"
            rows += [improvement(task, name, [pair]) for task, pair in zip(tasks, pairs, strict=True)]
    return Report(suite=SUITE.name, rows=tuple(rows), verdict=_verdict(Report(suite="", rows=tuple(rows), verdict="")))


def _verdict(report: Report) -> str:
    """Say what is left under the target's noise, and whether that reaches the target."""
    from ..report import measured, reached

    there = {row.arm: row for row in report.rows if (row.task, row.metric) == (_TARGET_TASK, "accuracy")}
    sentences = []
    for arm in _OURS:
        if arm in there:
            row = there[arm]
            others = ", ".join(f"{name} {measured(there[name])}" for name in ("ppo", "dqn", "oracle") if name in there)
            beside = f"; beside it {others}" if others else ""
            sentences.append(
                f"With 20 % of the feedback flipped, {arm} answers {measured(row)} rightly in episode {EPISODES} "
                f"({_TARGET} is {reached(row, _TARGET)}{beside})"
            )
    return ". ".join(sentences) + "." if sentences else "Nothing can be said yet: no case that decides has finished."
