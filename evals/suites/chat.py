"""What is a memory worth to a small language model? SmolLM2 with 135 million parameters, on this machine.

| task | what is asked |
|---|---|
| facts | questions about people who do not exist; the model says the answer, from the fact that is recalled |
| HiddenApi | errands by an API that nobody documented: it chooses among nine calls; notes say which ones worked |
| tool calls | requests that one of four tools answers: the model writes the call |

| arm | what there is |
|---|---|
| kept | the memory that was told the facts; that of the episodes before |
| wiped | no memory: the same model alone |
| foreign | the memory of another world: the negative control |
| no model | the same memory, and in the place of the model a rule that takes what a note shows |

``share_right`` is the share of answers that name the value and no other; in HiddenApi the share of errands done in the
last two episodes; of tool calls the share that is a call of the right tool. ``share_with_four_notes`` is that of the
facts where four are recalled instead of one. ``first_episode`` is how the first episode of HiddenApi went.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..suite import Suite

if TYPE_CHECKING:
    from ..report import Report
    from ..results import Result

FACTS, API, CALLS = "facts", "HiddenApi", "tool calls"
_LAST = 2
_PHASES = "evals.suites.chat_phases"
_BY_TASK = (f"{_PHASES}:run",)

SUITE = Suite(
    name="chat",
    version=1,
    summary="What is a memory worth to a small language model?",
    tasks={
        FACTS: {"model": "local", "facts": 40, "questions": 12, "shown": [1, 4], "max_tokens": 12},
        API: {
            "model": "local",
            "env": "holdfast/HiddenApi-v0",
            "numbered": True,
            "arguments": {"level": 2},
            "episodes": 8,
            "frozen_episodes": 2,
            "foreign_episodes": 10,
        },
        CALLS: {"model": "local", "max_tokens": 40},
    },
    arms={"kept": _BY_TASK, "wiped": _BY_TASK, "foreign": _BY_TASK, "no model": _BY_TASK},
    plays={"kept": (FACTS, API), "wiped": (FACTS, API, CALLS), "foreign": (FACTS, API), "no model": (API,)},
    score="evals.suites.chat:score",
    headline="share_right",
    left_out=f"{_PHASES}:absent",
    seeds=3,
)


def score(results: Sequence[Result]) -> Report:
    """Compute the rows and the verdict.

    Args:
        results: finished cases of this suite, in any order.
    """
    from ..report import Report, summarise

    values: dict[tuple[str, str, str], list[float]] = {}
    for result in sorted(results, key=lambda each: each.case.seed):
        case = result.case
        for metric, value in _found(case.task, result.phases[-1].answer).items():
            values.setdefault((metric, case.task, case.arm), []).append(value)
    rows = tuple(
        summarise(task, arm, metric, [values[metric, task, arm]])
        for metric in dict.fromkeys(metric for metric, _, _ in values)
        for task in SUITE.tasks
        for arm in SUITE.arms
        if (metric, task, arm) in values
    )
    report = Report(suite=SUITE.name, rows=rows, verdict="")
    return Report(suite=SUITE.name, rows=rows, verdict=_verdict(report))


def _found(task: str, answer: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics of a case."""
    from statistics import fmean

    if task == FACTS:
        found = {"share_right": answer["right"]["1"], "share_recalled": answer["found"]}
        if "4" in answer["right"]:
            found["share_with_four_notes"] = answer["right"]["4"]
    elif task == API:
        found = {"share_right": fmean(answer["shares"][-_LAST:]), "first_episode": answer["shares"][0]}
    else:
        found = {
            "share_right": answer["right"],
            "share_json": answer["json"],
            "share_callable": answer["callable"],
            "share_chosen": answer["chosen"],
        }
    return {**found, "cpu_seconds": answer["cpu_seconds"]}


def _verdict(report: Report) -> str:
    """Say what the memory is worth in each task, as far as the intervals bear it, and what the model cannot do."""
    from ..report import measured

    rows = {(row.task, row.arm, row.metric): row for row in report.rows}
    sentences = []
    for task in (FACTS, API):
        kept = rows.get((task, "kept", "share_right"))
        others = [rows[task, arm, "share_right"] for arm in SUITE.arms if (task, arm, "share_right") in rows]
        without = [row for row in others if row.arm in ("wiped", "foreign")]
        if kept is None or not without:
            continue
        clear = "more than" if kept.low > max(row.high for row in without) else "not clearly more than"
        line = f"{task}: {measured(kept)} right with its memory, {clear} with it "
        line += " and ".join(f"{row.arm} ({measured(row)})" for row in without)
        line += "".join(f"; {measured(row)} by the memory with {row.arm}" for row in others if row.arm == "no model")
        if (many := rows.get((task, "kept", "share_with_four_notes"))) is not None:
            line += f"; {measured(many)} where four notes are shown"
        sentences.append(line)
    if (calls := rows.get((CALLS, "wiped", "share_right"))) is not None:
        chosen = rows[CALLS, "wiped", "share_chosen"]
        sentences.append(
            f"{CALLS}: it writes {measured(calls)} of them right, and chooses {measured(chosen)} of the tools right "
            "where it need not write (0.25 by chance)"
        )
    if not sentences:
        return "Nothing can be said yet: no case that decides has finished."
    return f"{'. '.join(sentences)}."
