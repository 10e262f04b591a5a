"""What becomes of what was learned when the task changes? Told, untold, and ten times in a row.

Every task is a rule of ``holdfast/HiddenRule-v0``: ten contexts, five actions, one right action for each context.

| task | what changes | is it told |
|---|---|---|
| silent A-B-A | all right actions, and back (``holdfast/SilentSwitch-v0``) | no |
| cued A-B-A | the rule, and back (``holdfast/TaskStream-v0``) | yes, the observation holds the number of the rule |
| ten cued | ten rules, one after another | yes |

Ours are recall, and retention: meta-trained on rules that change silently, or for the cued tasks on rules that do not,
and frozen at use. Ours has 20 episodes for each stage (ten for each of the ten), the peers ten times as many, since
that is about what they need for one rule. After each stage every rule is played with nothing being learned:
``R[i, j]``, the share of right answers to rule j after stage i. In A-B-A the table is that of the stages A and B.

| metric | meaning |
|---|---|
| average_performance | ACC, the mean over all rules at the end: ``1/T sum_j R[T, j]`` |
| backward_transfer | BWT: ``1/(T-1) sum_{j<T} (R[T, j] - R[j, j])`` |
| forgetting | ``1/(T-1) sum_{j<T} (max_{j<=l<T} R[l, j] - R[T, j])`` |
| forward_transfer | FWT: ``1/(T-1) sum_{j>1} (R[j-1, j] - b)``, b being what guessing has, 0.2 |
| episodes_to_B, episodes_back_to_A | after a switch, the first of three episodes in a row with a mean of 0.9 or more |

In the silent task ``R`` is of little use to a learner that cannot know which rule is asked for; what counts there is
how soon it is back. The number of episodes is one more than the stage has, where it never is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..suite import Suite

if TYPE_CHECKING:
    from ..report import Report
    from ..results import Result

_PLAY = ("evals.suites.forgetting_phases:play",)
_TIMES = 10  # as many episodes for the peers as for ours
_COMMON: Mapping[str, Any] = {
    "env": "holdfast/TaskStream-v0",
    "policy": "retention:silent-switch",
    "discount": 0.5,
    "one_world": True,  # which counts its episodes
    "times": _TIMES,
    "questions": 2,
}
_SWITCHES = ("episodes_to_B", "episodes_back_to_A")
_TARGET = 6
_WHAT = "share of right answers"

SUITE = Suite(
    name="forgetting",
    version=1,
    summary="What becomes of what was learned when the task changes, with or without a sign?",
    tasks={
        "silent A-B-A": {**_COMMON, "env": "holdfast/SilentSwitch-v0", "order": [0, 1, 0], "stage": 20, "silent": True},
        "cued A-B-A": {**_COMMON, "policy": "retention:hidden-rule", "order": [0, 1, 0], "stage": 20},
        "ten cued": {**_COMMON, "policy": "retention:hidden-rule", "order": list(range(10)), "stage": 10},
    },
    arms={arm: _PLAY for arm in ("recall", "retention", "ppo", "dqn")},
    score="evals.suites.forgetting:score",
    headline="average_performance",
    left_out="evals.suites.learning_phases:absent",
)


def score(results: Sequence[Result]) -> Report:
    """Compute the rows, the curves and the verdict.

    Args:
        results: finished cases of this suite, in any order.
    """
    from ..report import Report, curve, improvement, level, summarise

    values: dict[tuple[str, str, str], list[float]] = {}
    shares: dict[tuple[str, str], list[list[float]]] = {}
    for result in sorted(results, key=lambda each: each.case.seed):
        case, answer = result.case, result.phases[-1].answer
        shares.setdefault((case.task, case.arm), []).append(_stages(answer["share"], len(case.settings["order"])))
        for metric, value in measure(answer, case.settings["order"]).items():
            values.setdefault((metric, case.task, case.arm), []).append(value)
    rows = [
        summarise(task, arm, metric, [values[metric, task, arm]])
        for metric in dict.fromkeys(metric for metric, _, _ in values)
        for task in SUITE.tasks
        for arm in SUITE.arms
        if (metric, task, arm) in values
    ]
    for ours in ("recall", "retention"):
        for peer in ("ppo", "dqn"):
            rows += [
                improvement(task, f"{ours} over {peer}", [(values[metric, task, ours], values[metric, task, peer])])
                for task in SUITE.tasks
                for metric in ("average_performance",)
                if all((metric, task, arm) in values for arm in (ours, peer))
            ]
    curves = []
    for task, settings in SUITE.tasks.items():
        at = [(point + 1) / _POINTS for point in range(_POINTS * len(settings["order"]))]
        drawn = [curve(task, arm, "stage", at, runs, what=_WHAT) for (t, arm), runs in shares.items() if t == task]
        curves += [*drawn, level(task, "guessing", "stage", at, 0.2, what=_WHAT)] if drawn else []
    report = Report(suite=SUITE.name, rows=tuple(rows), verdict="", curves=tuple(curves))
    return Report(suite=SUITE.name, rows=tuple(rows), verdict=_verdict(report), curves=tuple(curves))


_POINTS = 10  # of a stage, in the figure
_WINDOW = 3
_REGAINED = 0.9


def measure(answer: Mapping[str, Any], order: Sequence[int]) -> dict[str, float]:
    """Return every metric of one run, by its name.

    Args:
        answer: of ``forgetting_phases:play``.
        order: the rule of each stage.
    """
    from ..continual import average_performance, backward_transfer, forgetting, forward_transfer
    from ..metrics import episodes_to_threshold

    rules = len(set(order))
    table = answer["table"][:rules]
    found = {
        "average_performance": average_performance(table),
        "backward_transfer": backward_transfer(table),
        "forgetting": forgetting(table),
        "forward_transfer": forward_transfer(table, [0.2] * rules),
    }
    if len(order) > rules:
        length = len(answer["share"]) // len(order)
        for stage, name in enumerate(_SWITCHES, 1):
            returns = answer["share"][stage * length : (stage + 1) * length]
            found[name] = float(episodes_to_threshold(returns, _REGAINED, _WINDOW))
    return {**found, "cpu_seconds": answer["cpu_seconds"], "training_env_steps": answer["training"]["env_steps"]}


def _stages(share: Sequence[float], stages: int) -> list[float]:
    """Return the shares as so many means for each stage, so that long and short runs lie over one another."""
    import numpy as np

    return [float(part.mean()) for part in np.array_split(np.asarray(share, np.float64), stages * _POINTS)]


def _verdict(report: Report) -> str:
    """Say how soon each arm is back after a silent switch, and what it forgets of ten rules."""
    from ..learners import PEERS
    from ..report import measured

    rows = {(row.task, row.arm, row.metric): row for row in report.rows}
    sentences = []
    silent = "silent A-B-A"
    for arm in SUITE.arms:
        both = [rows.get((silent, arm, metric)) for metric in _SWITCHES]
        if both[0] is not None and both[1] is not None:
            worst = max(both[0].high, both[1].high)
            word = "within" if worst <= _TARGET else "not within"
            played = SUITE.tasks[silent]["stage"] * (_TIMES if arm in PEERS else 1)
            first = f"in episode {measured(both[0])}" if both[0].low <= played else "in no episode"
            back = measured(both[1]) if both[1].low <= played else "in none"
            sentences.append(
                f"after a silent switch {arm} is at 0.9 {first} and, back again, {back} ({word} {_TARGET})"
            )
    for arm in SUITE.arms:
        row = rows.get(("ten cued", arm, "forgetting"))
        if row is not None:
            sentences.append(f"of ten cued rules {arm} forgets {measured(row)}")
    if not sentences:
        return "Nothing can be said yet: no case that decides has finished."
    text = "; ".join(sentences)
    beside = any(row.arm in PEERS for row in report.rows)
    return f"{text[0].upper()}{text[1:]}." + (f" The peers had {_TIMES} times as many episodes." if beside else "")
