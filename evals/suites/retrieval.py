"""Does recall find what answers? Long conversations with known evidence, beside the stores that others made.

All systems are given the same texts, "Name: what was said", with the same vectors, a store for each conversation, and
are asked the same questions. ``evals.conversations`` says what these are.

| task | what is asked about |
|---|---|
| conversations | conversations of the default style |
| shuffled turns | the same turns in a random order, as notes are: to ours alone the order is something |
| other styles | conversations of styles drawn at random |

| metric | meaning |
|---|---|
| recall_at_5, recall_at_10 | the share of the evidence among the first 5 or 10, a mean over the questions |
| mrr | one over the rank of the first evidence, 0 below rank 10, a mean over the questions |
| auroc_unanswered | how well the best score tells questions with an answer from those without |
| auroc_elsewhere | and a question in its own conversation from the same in another one, names masked in both |
| auroc_elsewhere_specific | the same of questions that name a detail; others can be asked of anybody |
| refused, refused_unanswered | how often nothing is returned: to a question that has an answer, to one that has none |
| refused_own, refused_elsewhere | and, names masked, in its own conversation and in another one |
| recall_at_10 of ... | recall_at_10 of the questions of one category |
| milliseconds | median process CPU time of a search |

Ours is measured as it comes ("holdfast"), asked by a text without a vector ("our words") and by a vector without a text
("our cosine"); the others go by their names in ``evals.stores``. The scores for both AUROC are taken without the
floor, since what is not returned has no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..suite import Suite

if TYPE_CHECKING:
    from ..report import Report
    from ..results import Result

OURS = ("holdfast", "our words", "our cosine")
_HEADLINE = "recall_at_10"

SUITE = Suite(
    name="retrieval",
    version=1,
    summary="Does recall find what answers? Evidence in long conversations, beside other stores.",
    tasks={
        "conversations": {
            "conversations": 4,
            "drawn": False,
            "orders": {"conversations": False, "shuffled turns": True},
        },
        "other styles": {"conversations": 4, "drawn": True, "orders": {"other styles": False}},
    },
    arms={"all": ("evals.suites.retrieval_phases:measure",)},
    score="evals.suites.retrieval:score",
    headline=_HEADLINE,
    seeds=3,
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
        missing |= answer["missing"]
        for each in answer["measured"]:
            for metric, value in each["metrics"].items():
                if value is not None:
                    values.setdefault((metric, each["task"], each["system"]), []).append(value)
    metrics = list(dict.fromkeys(metric for metric, _, _ in values))
    tasks = [name for task in SUITE.tasks.values() for name in task["orders"]]
    rows = [
        summarise(task, system, metric, [numbers])
        for (metric, task, system), numbers in sorted(
            values.items(), key=lambda item: (metrics.index(item[0][0]), tasks.index(item[0][1]))
        )
    ]
    report = Report(suite=SUITE.name, rows=tuple(rows), verdict="")
    return replace(report, verdict=_verdict(report) + "".join(f" {each}." for each in missing.values()))


def _verdict(report: Report) -> str:
    from ..report import measured

    sentences = []
    for task in dict.fromkeys(row.task for row in report.rows):
        rows = {row.arm: row for row in report.rows if row.metric == _HEADLINE and row.task == task}
        others = [row for arm, row in rows.items() if arm not in OURS]
        if OURS[0] not in rows or not others:
            continue
        ours, best = rows[OURS[0]], max(others, key=lambda row: row.value)
        word = "more" if ours.low > best.high else "less" if ours.high < best.low else "not clearly more or less"
        sentences.append(
            f"{task}: {measured(ours)} of the evidence is among the first 10, {word} than the {measured(best)} of the "
            f"best other store, {best.arm}"
        )
    return f"{'; '.join(sentences)}." if sentences else "Nothing can be said yet: there is no other store to compare."
