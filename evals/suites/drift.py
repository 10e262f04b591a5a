"""Does memory drift? The paper's second open question (arXiv 2501.09166): noisy and adversarial feedback, held off how?

An agent meets topics, each with one right action among five, recalls five notes of its memory, takes the action that
most of them advise, and notes what it did. On every second topic success is easy (0.95 for the right action, 0.30 for
a wrong one), on the others hard (0.60 and 0.05), so that success alone misleads. What the memory hears is disturbed:

| noise | what it does, at a rate |
|---|---|
| flipped | each feedback is turned round with that chance |
| adversarial-feedback | all feedback on that share of the topics is turned round |
| adversarial-writes | that share of all notes comes from a stranger, who always advises one wrong action of a topic |

| arm | what is written | how notes are ranked |
|---|---|---|
| full | what the gate admits: successes | the library's, by similarity and utility, which may move a score by 0.9 |
| mild | what the gate admits | the same, by 0.2: the default, made for texts of which each is about something else |
| no-gate | everything | as full |
| no-credit | what the gate admits | by similarity |
| ungated | everything | by similarity |
| counters | everything | by similarity and successes over uses (Memory Worth, ACE) |
| ema | everything | by similarity and a moving average of the reward (MemRL) |
| table | no notes: Thompson sampling on a table of topics and actions, given to it | what can be had at all |

Arms are paired: a seed gives the same topics, luck, vectors and noise in all of them, and a feedback that is flipped at
a rate is flipped at every higher one. Success is the mean chance of success of the actions taken in the last quarter of
the episodes; the optimum knows what is right and explores as all arms do. The stranger's influence is his share of the
notes recalled, and of the votes for the action taken, in the first and in the last tenth of the episodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..suite import Suite

if TYPE_CHECKING:
    from ..report import Report
    from ..results import Result

CLEAN = "clean"
RATES = {"flipped": (10, 20, 30, 50), "adversarial-feedback": (30, 50), "adversarial-writes": (30, 50)}  # per cent
_SIMULATE = ("evals.suites.drift_phases:simulate",)
_METRICS = (
    "share_of_optimum",
    "share_of_clean",
    "success",
    "junk_share",
    "offered",
    "active",
    "quarantined",
    "stranger_recalled_first",
    "stranger_recalled_last",
    "stranger_acted_on_first",
    "stranger_acted_on_last",
)
_TARGET = 0.95
_SETTINGS: Mapping[str, Any] = {
    "world": {
        "topics": 10,
        "actions": 5,
        "width": 32,
        "likeness": 0.8,
        "easy": [0.95, 0.30],
        "hard": [0.60, 0.05],
        "episodes": 4000,
        "explore": 0.1,
    },
    "k": 5,
    "fits": 0.3,  # the least cosine of a note that the agent takes to be about what is asked
}


def task_name(kind: str, rate: int) -> str:
    """Return the name of the task with a kind of noise at a rate in per cent."""
    return f"{kind} {rate} %"


SUITE = Suite(
    name="drift",
    version=1,
    summary="Does memory drift? Success and junk under noisy and adversarial feedback, by gate, credit and rule.",
    tasks={
        CLEAN: {**_SETTINGS, "kind": "none", "rate": 0.0},
        **{
            task_name(kind, rate): {**_SETTINGS, "kind": kind, "rate": rate / 100}
            for kind, rates in RATES.items()
            for rate in rates
        },
    },
    arms={
        **{arm: _SIMULATE for arm in ("full", "mild", "no-gate", "no-credit", "ungated", "counters", "ema")},
        "table": ("evals.suites.drift_phases:tabulate",),
    },
    score="evals.suites.drift:score",
    headline="share_of_optimum",
)


def score(results: Sequence[Result]) -> Report:
    """Compute the rows and the verdict.

    Args:
        results: finished cases of this suite, in any order.
    """
    from ..report import Report, summarise

    answers = {(each.case.task, each.case.arm, each.case.seed): each.phases[-1].answer for each in results}
    values: dict[tuple[str, str, str], list[float]] = {}
    for (task, arm, seed), answer in sorted(answers.items(), key=lambda item: item[0][2]):
        for metric, value in _measure(answer, answers.get((CLEAN, arm, seed))).items():
            if not metric.startswith("stranger") or task.startswith("adversarial-writes"):
                values.setdefault((metric, task, arm), []).append(value)
    rows = [
        summarise(task, arm, metric, [values[metric, task, arm]])
        for metric in _METRICS
        for task in SUITE.tasks
        for arm in SUITE.arms
        if (metric, task, arm) in values
    ]
    report = Report(suite=SUITE.name, rows=tuple(rows), verdict="")
    return replace(report, verdict=_verdict(report))


def _measure(answer: Mapping[str, Any], clean: Mapping[str, Any] | None) -> dict[str, float]:
    """Return every metric of one case; its share of the clean success only where that case has finished too."""
    found = {metric: float(answer[metric]) for metric in _METRICS if metric in answer}
    found["share_of_optimum"] = answer["success"] / answer["optimum"]
    if clean is not None:
        found["share_of_clean"] = answer["success"] / clean["success"]
    return found


def _verdict(report: Report) -> str:
    """Say whether the target is reached, who else keeps how much, and how far a stranger gets."""
    from ..report import measured

    there = {(row.task, row.arm, row.metric) for row in report.rows}
    flipped, written = task_name("flipped", 30), task_name("adversarial-writes", 50)
    sentences = []
    if (flipped, "full", "share_of_clean") in there:
        row = report.find(flipped, "full", "share_of_clean")
        word = "reached" if row.low >= _TARGET else "not reached" if row.high < _TARGET else "not clearly reached"
        sentences.append(
            f"With 30 % of the feedback flipped, full keeps {measured(row)} of its clean success ({_TARGET} is {word})"
        )
    shares = [
        f"{arm} {measured(report.find(flipped, arm, 'share_of_optimum'))}"
        for arm in SUITE.arms
        if (flipped, arm, "share_of_optimum") in there
    ]
    if shares:
        sentences.append(f"Of the optimum, at these 30 %: {', '.join(shares)}")
    if (written, "full", "stranger_acted_on_first") in there:
        first, last = (report.find(written, "full", f"stranger_acted_on_{end}") for end in ("first", "last"))
        trend = "falls" if last.high < first.low else "grows" if last.low > first.high else "does not clearly change"
        sentences.append(
            f"Where half of all notes are a stranger's, his share of the votes that full acts on {trend}: "
            f"{measured(first)} in the first tenth of the episodes, {measured(last)} in the last"
        )
    return ". ".join(sentences) + "." if sentences else "Nothing can be said yet: no case that decides has finished."
