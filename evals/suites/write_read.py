"""Is what was written there in a new process? The first check of any memory: write, and read.

A first process trains a small model on pairs of a key and a value, then writes 64 facts, whose keys no training has
shown it, and saves weights and slots. A second process loads both and asks for all 64. The values are drawn at random:
weights alone can only guess, and are right once in 64 times.

| arm | the second process has |
|---|---|
| kept | the slots that the first one wrote |
| wiped | no slots |
| foreign | the slots that another wrote, who was told other values for the same keys |
| vanilla | a transformer without memory, trained on the same |

In a second run every weight, those before the layer too, is fine-tuned on other keys and longer segments between the
two, at the rate of the first training and at two and a half times that:

| arm | the second process has |
|---|---|
| stale | the slots as they were written |
| refreshed | the same, after ``refresh`` has projected keys and values again from what the slots hold |
| written anew | slots that the new weights wrote themselves |

Arms are paired: a seed gives the same weights and the same facts in all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..suite import Suite

if TYPE_CHECKING:
    from ..report import Report
    from ..results import Result

_LEARN = "evals.suites.write_read_phases:learn"
_DRIFT = "evals.suites.write_read_phases:drift"
_RECALL = "evals.suites.write_read_phases:recall"
_RECALL_DRIFTED = "evals.suites.write_read_phases:recall_drifted"
_KEPT = ("kept", "wiped", "foreign", "vanilla")
_DRIFTED = ("stale", "refreshed", "written anew")

SUITE = Suite(
    name="write-read",
    version=1,
    summary="Is what was written there in a new process? 64 facts: kept, wiped, another's, and after fine-tuning.",
    tasks={
        "64 facts": {
            "keys": [384, 64, 64],
            "learn": {"steps": 400, "sizes": [8]},
            "drift": {"steps": 300, "sizes": [12], "warm_up": 100},
            "drift_rates": [0.002, 0.005],
            "drift_segment": 12,
            "memory": {"chunk": 2, "capacity": 64, "tau": 0.8, "blur": 0.5, "positions": 0.02},
        },
    },
    arms={"kept": (_LEARN, _RECALL), "vanilla": (_LEARN, _RECALL), "drifted": (_LEARN, _DRIFT, _RECALL_DRIFTED)},
    score="evals.suites.write_read:score",
    headline="accuracy",
)


def score(results: Sequence[Result]) -> Report:
    """Compute the rows and the verdict.

    Args:
        results: finished cases of this suite, in any order.
    """
    from ..report import Report, summarise

    values: dict[tuple[str, str], list[float]] = {}  # by task and arm, the accuracy of each seed
    for result in sorted(results, key=lambda each: each.case.seed):
        task, arm, answer = result.case.task, result.case.arm, result.phases[-1].answer
        for each in answer.get("drifted", []):
            for name, share in each["recalled"].items():
                values.setdefault((f"{task}, fine-tuned at {each['rate']}", name), []).append(share)
        recalled = answer.get("recalled", {})
        for name, share in ({"vanilla": recalled["wiped"]} if arm == "vanilla" else recalled).items():
            values.setdefault((task, name), []).append(share)
    order = (*_KEPT, *_DRIFTED)
    rows = [
        summarise(task, arm, "accuracy", [shares])
        for (task, arm), shares in sorted(values.items(), key=lambda item: (item[0][0], order.index(item[0][1])))
    ]
    report = Report(suite=SUITE.name, rows=tuple(rows), verdict="")
    sentences = [_kept_sentence(report, task, values) for task in SUITE.tasks]
    sentences += [_drifted_sentence(report, task) for task in dict.fromkeys(row.task for row in rows)]
    return replace(report, verdict=" ".join(filter(None, sentences)))


def _kept_sentence(report: Report, task: str, values: dict[tuple[str, str], list[float]]) -> str:
    from ..report import measured

    shown = {row.arm: row for row in report.rows if row.task == task}
    if not set(_KEPT) <= set(shown):
        return f"Nothing can be said yet about {task}: kept and vanilla must have finished."
    kept = values[task, "kept"]
    return (
        f"In a new process all of {task} are recalled in {sum(share == 1.0 for share in kept)} of {len(kept)} seeds: "
        f"{measured(shown['kept'])} with the slots kept, {measured(shown['wiped'])} with them wiped, "
        f"{measured(shown['foreign'])} with another's and {measured(shown['vanilla'])} without a memory."
    )


def _drifted_sentence(report: Report, task: str) -> str:
    from ..report import measured

    shown = {row.arm: row for row in report.rows if row.task == task}
    if not set(_DRIFTED) <= set(shown) or not shown["written anew"].value:
        return ""
    share = shown["refreshed"].value / shown["written anew"].value
    return (
        f"{task[0].upper()}{task[1:]}: {measured(shown['stale'])} as they were written, "
        f"{measured(shown['refreshed'])} refreshed, which is {share:.1%} of {measured(shown['written anew'])} when "
        "written anew."
    )
