"""Does it scale? The paper's third open question (arXiv 2501.09166): what a read costs, and still finds, in many slots.

A model is trained on eight facts a row, one a slot. Then a memory is filled with as many facts as the table says, all
with different keys, and some of them are asked for: all but one of the slots distract. The memory is read in every way
there is:

| read | which slots the attention is over |
|---|---|
| all | all, as in training |
| dense | the 32 with the largest inner products, by comparing with all |
| scan | the same, found among codes of a byte per number |
| trained | about the same, found by visiting a part of the lists of a trained index |

A second model is trained without blur: what is written is not disturbed in training. The cost is process CPU time, on
one thread, of the read of one query in a memory of width 64 with 2 heads, its index made before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..suite import Suite

if TYPE_CHECKING:
    from ..report import Report
    from ..results import Result

_MEASURE = ("evals.suites.scaling_phases:measure",)
_TARGETS = ((504, 0.99), (10_000, 0.95))

SUITE = Suite(
    name="scaling",
    version=1,
    summary="Does it scale? What is recalled, and what a read costs, in many more slots than in training.",
    tasks={
        "slots": {
            "keys": 34_000,
            "plan": {"steps": 600, "sizes": [8]},
            "memory": {"chunk": 2, "capacity": 8, "tau": 0.7, "positions": 0.02},
            "blur": 0.5,
            "slots": [8, 64, 504, 4096, 10_000, 32_768],
            "asked": 256,
            "top": 32,
            "tiers": ["all", "dense", "scan", "trained"],
        },
    },
    arms={"blurred": _MEASURE, "not blurred": _MEASURE},
    score="evals.suites.scaling:score",
    headline="accuracy",
)


def score(results: Sequence[Result]) -> Report:
    """Compute the rows and the verdict.

    Args:
        results: finished cases of this suite, in any order.
    """
    from ..report import Report, summarise

    values: dict[tuple[str, int, str], list[float]] = {}
    missing: dict[str, str] = {}
    for result in sorted(results, key=lambda each: each.case.seed):
        blurred = result.case.arm == "blurred"
        for each in result.phases[-1].answer["measured"]:
            if "missing" in each:
                missing[each["tier"]] = each["missing"]
                continue
            if blurred:
                values.setdefault(("microseconds", each["slots"], each["tier"]), []).append(each["microseconds"])
            arm = each["tier"] if blurred else f"{each['tier']}, not blurred"
            if blurred or each["tier"] == "all":
                values.setdefault(("accuracy", each["slots"], arm), []).append(each["accuracy"])
    rows = [
        summarise(f"slots {slots}", arm, metric, [numbers])
        for (metric, slots, arm), numbers in sorted(values.items(), key=lambda item: (item[0][0], item[0][1]))
    ]
    report = Report(suite=SUITE.name, rows=tuple(rows), verdict="")
    absent = "".join(f" Not measured: {tier}, since {reason.rstrip('.')}." for tier, reason in missing.items())
    return replace(report, verdict=_verdict(report) + absent)


def _verdict(report: Report) -> str:
    from ..report import measured

    sizes = sorted({int(row.task.split()[1]) for row in report.rows})
    reads = list(dict.fromkeys(row.arm for row in report.rows if row.metric == "microseconds"))
    if not reads:
        return "Nothing can be said yet: the model that is blurred in training has not finished."
    sentences = []
    for slots, target in _TARGETS:
        if slots in sizes:
            row = report.find(f"slots {slots}", reads[0], "accuracy")
            word = "reached" if row.low >= target else "not reached" if row.high < target else "not clearly reached"
            sentences.append(f"{measured(row)} of what is asked in {slots} slots is recalled ({target} is {word})")
    largest = f"slots {sizes[-1]}"
    cheapest = min(reads, key=lambda arm: report.find(largest, arm, "microseconds").value)
    costs = report.find(largest, cheapest, "microseconds")
    found = report.find(largest, cheapest, "accuracy")
    return (
        f"Trained on 8 slots, {' and '.join(sentences)}. In {sizes[-1]} slots the cheapest read is {cheapest}: "
        f"{measured(costs)} microseconds a query, with {measured(found)} recalled."
    )
