"""How many slots does it need? The same tasks with fewer and fewer slots.

A *key* is a context of a rule of ``holdfast/HiddenRule-v0``, or in the stream a context of one of ten rules; there are
five actions. An arm is how many slots the memory has for each key; the arm ``unlimited`` has as many as the policy
takes by default. A slot of a meta-trained policy is an answer with its reward, so with five slots for each key all that
was tried can be kept; a slot of recall is a transition to the next context, of which an answer has up to nine.

| task | policy | what counts |
|---|---|---|
| HiddenRule | retention: meta-trained, frozen | the share of right answers in the last 3 of 12 episodes |
| HiddenRule by recall | recall: no gradient | the same |
| ten cued | retention, on ten rules one after another | the share of right answers to all ten rules at the end |
| ten cued by recall | recall | the same |

``kept`` is that share, and ``kept_of_unlimited`` the same over what the same seed keeps with unlimited slots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..suite import Suite

if TYPE_CHECKING:
    from ..report import Report
    from ..results import Result

UNLIMITED = "unlimited"
SLOTS: Mapping[str, int | None] = {"1 slot": 1, "2 slots": 2, "3 slots": 3, "5 slots": 5, UNLIMITED: None}
"""For each arm the slots of a key."""

_LAST = 3
_WHAT = "share of right answers"
_STREAMS, _TARGET_ARM, _TARGET = ("ten cued", "ten cued by recall"), "2 slots", 0.95
_PLAY = ("evals.suites.capacity_phases:play",)
_RULES: Mapping[str, Any] = {
    "env": "holdfast/HiddenRule-v0",
    "numbered": True,
    "policy": "retention:hidden-rule",
    "discount": 0.5,
    "keys": 10,
    "episodes": 12,
    "worlds": 8,
}
_STREAM: Mapping[str, Any] = {
    "policy": "retention:hidden-rule",
    "discount": 0.5,
    "keys": 100,
    "order": list(range(10)),
    "stage": 10,
    "questions": 2,
}

SUITE = Suite(
    name="capacity",
    version=1,
    summary="How many slots does it need? Hidden rules with 1, 2, 3, 5 and unlimited slots for each context.",
    tasks={
        "HiddenRule": {**_RULES, "learner": "retention"},
        "HiddenRule by recall": {**_RULES, "learner": "recall"},
        "ten cued": {**_STREAM, "learner": "retention"},
        "ten cued by recall": {**_STREAM, "learner": "recall"},
    },
    arms={arm: _PLAY for arm in SLOTS},
    score="evals.suites.capacity:score",
    headline="kept",
    left_out="evals.suites.capacity_phases:absent",
)


def score(results: Sequence[Result]) -> Report:
    """Compute the rows, the curves and the verdict.

    Args:
        results: finished cases of this suite, in any order.
    """
    from statistics import fmean

    from ..report import Curve, Report, curve, summarise

    values: dict[tuple[str, str, str], dict[int, float]] = {}
    shares: dict[tuple[str, str], list[list[float]]] = {}
    for result in sorted(results, key=lambda each: each.case.seed):
        case, answer = result.case, result.phases[-1].answer
        shares.setdefault((case.task, case.arm), []).append(answer["share"])
        found = {
            "kept": fmean(answer["table"][-1]) if "table" in answer else fmean(answer["share"][-_LAST:]),
            "cpu_seconds": answer["cpu_seconds"],
        }
        for metric, value in found.items():
            values.setdefault((metric, case.task, case.arm), {})[case.seed] = value
    for (metric, task, arm), by_seed in list(values.items()):
        whole = values.get(("kept", task, UNLIMITED), {})
        both = {seed: value / whole[seed] for seed, value in by_seed.items() if whole.get(seed)}
        if metric == "kept" and both:
            values["kept_of_unlimited", task, arm] = both
    rows = tuple(
        summarise(task, arm, metric, [list(values[metric, task, arm].values())])
        for metric in ("kept", "kept_of_unlimited", "cpu_seconds")
        for task in SUITE.tasks
        for arm in SUITE.arms
        if (metric, task, arm) in values
    )
    curves: list[Curve] = [
        curve(task, arm, "episode", range(1, len(shares[task, arm][0]) + 1), shares[task, arm], what=_WHAT)
        for task in SUITE.tasks
        for arm in SUITE.arms
        if (task, arm) in shares
    ]
    report = Report(suite=SUITE.name, rows=rows, verdict="", curves=tuple(curves))
    return Report(suite=SUITE.name, rows=rows, verdict=_verdict(report), curves=tuple(curves))


def _verdict(report: Report) -> str:
    """Say what is kept with few slots, and whether the target is reached."""
    from ..report import measured, reached

    rows = {(row.task, row.arm): row for row in report.rows if row.metric == "kept"}
    sentences = []
    for task in SUITE.tasks:
        kept = [f"{measured(rows[task, arm])} with {arm}" for arm in SUITE.arms if (task, arm) in rows]
        if kept:
            line = f"{task} keeps {', '.join(kept)}"
            if task in _STREAMS and (task, _TARGET_ARM) in rows:
                row = rows[task, _TARGET_ARM]
                line += f" ({_TARGET} with {_TARGET_ARM} is {reached(row, _TARGET)})"
            sentences.append(line)
    return ". ".join(sentences) + "." if sentences else "Nothing can be said yet: no case has finished."
