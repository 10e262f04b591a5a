"""Append or blend? The paper's first open question (arXiv 2501.09166): which way of writing keeps what was told.

A model is told something, its context is cleared, and it is asked. Ours writes in four ways; peers that can take the
same task run beside it, with the same two transformer blocks around them or, where a peer is a whole model, one of the
same width and depth. All are trained for as many steps, on the smaller sizes of the table; the larger ones are new.

| task | told | size | trained |
|---|---|---|---|
| copy | a sequence of symbols in one segment; each position is asked for | symbols | all sizes |
| recall | key and value pairs, eight a segment | pairs | up to 16 |
| rewritten | four keys again and again, with a new value each time; the last counts | rewrites of each key | up to 3 |

Rewrites come in segments of their own, or all in one segment ("at once"). In "told once" four more keys are told in the
first round alone, and only they are asked for. Ours has 32 slots; a slot stands for a pair, in ``copy`` for a symbol.
So 64 pairs, and 10 rewrites of each key, are more than there are slots, unless those of a key share one.

| arm | what it writes |
|---|---|
| append | each pair to a slot of its own; when all are taken the least useful one makes room (the paper's option A) |
| blend | free slots first; then each pair moves the slots that attend to it (option B) |
| merge | a pair whose key is known replaces what its slot held; other pairs are appended |
| published | the paper's form: the mean of a segment is one slot, and nothing is normalised |
| vanilla | nothing: a transformer, which can only guess |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..suite import Suite

if TYPE_CHECKING:
    from ..report import Report, Row
    from ..results import Result

_MEASURE = ("evals.suites.write_strategies_phases:measure",)
_STRATEGIES = ("append", "blend", "merge", "published")
_METRICS = ("accuracy", "slots", "state_bytes", "microseconds")

SUITE = Suite(
    name="write-strategies",
    version=1,
    summary="Append, blend or merge? What is told and asked for later, by the way it was written.",
    tasks={
        "copy": {
            "task": "copy",
            "arguments": {"longest": 32},
            "plan": {"steps": 300, "sizes": [8, 16, 32], "easy_steps": 50, "batch": 32},
            "memory": {"chunk": 1, "capacity": 32, "tau": 0.7, "blur": 0.5, "positions": 1.0},
            "measured": [8, 16, 32],
            "rows": 64,
        },
        "recall": {
            "task": "recall",
            "arguments": {"most": 64},
            "plan": {"steps": 300, "sizes": [8, 16], "easy_steps": 100, "batch": 32},
            "memory": {"chunk": 2, "capacity": 32, "tau": 0.7, "blur": 0.5, "positions": 0.02},
            "measured": [8, 16, 32, 64],
            "rows": 64,
        },
        "rewritten": {
            "task": "rewritten",
            "arguments": {"most": 10},
            "plan": {"steps": 500, "sizes": [0, 1, 2, 3], "easy_steps": 200, "batch": 32},
            "memory": {"chunk": 2, "capacity": 32, "tau": 0.7, "blur": 0.5, "positions": 0.02},
            "measured": [1, 3, 10],
            "rows": 256,
        },
    },
    arms={arm: _MEASURE for arm in (*_STRATEGIES, "vanilla", "infini", "rmt", "memorizing")},
    score="evals.suites.write_strategies:score",
    headline="accuracy",
)


def score(results: Sequence[Result]) -> Report:
    """Compute the rows and the verdict.

    Args:
        results: finished cases of this suite, in any order.
    """
    from ..report import Report, summarise

    values: dict[tuple[str, str, str], list[float]] = {}
    missing: dict[str, str] = {}
    for result in sorted(results, key=lambda each: each.case.seed):
        answer = result.phases[-1].answer
        if "missing" in answer:
            missing[result.case.arm] = answer["missing"]
            continue
        for each in answer["measured"]:
            for metric in _METRICS:
                if each[metric] is not None:
                    place = (metric, each["exercise"], result.case.arm)
                    values.setdefault(place, []).append(each[metric])
    arms = list(SUITE.arms)
    rows = [
        summarise(task, arm, metric, [numbers])
        for (metric, task, arm), numbers in sorted(
            values.items(), key=lambda item: (_METRICS.index(item[0][0]), arms.index(item[0][2]))
        )
    ]
    report = Report(suite=SUITE.name, rows=tuple(rows), verdict="")
    return replace(report, verdict=_verdict(report) + _absent(missing))


def _verdict(report: Report) -> str:
    """Recommend the strategy that is nowhere clearly worse than another, in as few slots as can be."""
    from ..report import measured

    tasks = list(dict.fromkeys(row.task for row in report.rows))
    shown = [arm for arm in _STRATEGIES if all(_row(report, task, arm, "accuracy") for task in tasks)]
    if not tasks or not shown:
        return "Nothing can be said yet: no way of writing has finished on every task."
    if len(shown) == 1:
        return f"Nothing can be said yet: {shown[0]} has finished on every task, and no other way to compare it with."

    def accuracy(task: str, arm: str) -> Row:
        return report.find(task, arm, "accuracy")

    def losses(arm: str) -> list[str]:
        """Tasks on which another way of writing is better by more than both intervals and a hundredth."""
        return [
            task
            for task in tasks
            if any(accuracy(task, other).low > accuracy(task, arm).high + 0.01 for other in shown if other != arm)
        ]

    def slots(arm: str) -> float:
        return sum(report.find(task, arm, "slots").value for task in tasks) / len(tasks)

    best = min(shown, key=lambda arm: (len(losses(arm)), slots(arm)))
    lost = losses(best)
    where = f"; another way is clearly better on {', '.join(lost)}" if lost else ""
    hardest = "; ".join(
        f"{arm} recalls {measured(accuracy(tasks[-1], arm))} of {tasks[-1]} in {slots(arm):.1f} slots on average"
        for arm in shown
    )
    return f"Write by {best}: it is clearly worse on {len(lost)} of {len(tasks)} tasks{where}. {hardest}."


def _row(report: Report, task: str, arm: str, metric: str) -> Row | None:
    try:
        return report.find(task, arm, metric)
    except KeyError:
        return None


def _absent(missing: dict[str, str]) -> str:
    return "".join(f" Not measured: {arm}, since {reason.rstrip('.')}." for arm, reason in missing.items())
