"""Is it the family that was learned, or its worlds? Meta-trained policies in worlds that they never met, and in others.

Each policy is frozen. It plays worlds whose hidden places never were hidden places in its training, and worlds of which
every place was (``"... trained"``). Rules and facts are drawn anew for every world of the training, so of HiddenRule,
EntityRewrite and SilentSwitch all worlds are held out.

| arm | what an episode begins with |
|---|---|
| kept | the memory of the episodes before it |
| wiped | an empty memory |
| foreign | the memory of another world of the family, which is learned first: the negative control |

``share_of_optimum`` is the mean return of the last two of ten episodes over that of who knows what is hidden,
``first_episode`` that of the first; the figure shows all ten. Each is a mean over several worlds for each seed.
In SilentSwitch the rule changes at the sixth episode. What the training cost is printed beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..suite import Suite

if TYPE_CHECKING:
    from ..report import Report
    from ..results import Result

EPISODES = 10
_LAST = 2
_WHAT = "share of the optimum"
_PLAY = ("evals.suites.transfer_phases:play",)
_COMMON: Mapping[str, Any] = {"numbered": True, "episodes": EPISODES, "foreign_episodes": EPISODES, "worlds": 10}


def _task(env: str, policy: str, **more: Any) -> dict[str, Any]:
    return {"env": f"holdfast/{env}-v0", "policy": f"retention:{policy}", **_COMMON, **more}


SUITE = Suite(
    name="transfer",
    version=1,
    summary="Is it the family that was learned? Meta-trained policies in worlds never met in training.",
    tasks={
        "HiddenRule": _task("HiddenRule", "hidden-rule", split="held-out"),
        "DarkRoom": _task("DarkRoom", "dark-room", split="held-out"),
        "DarkRoom trained": _task("DarkRoom", "dark-room", split="trained"),
        "DarkKeyDoor": _task("DarkKeyDoor", "key-door", split="held-out"),
        "DarkKeyDoor trained": _task("DarkKeyDoor", "key-door", split="trained"),
        "EntityRewrite": _task("EntityRewrite", "entity-rewrite", split="held-out"),
        "SilentSwitch": _task("SilentSwitch", "silent-switch", split="held-out", arguments={"switches": [5]}),
    },
    arms={"kept": _PLAY, "wiped": _PLAY, "foreign": _PLAY},
    score="evals.suites.transfer:score",
    headline="share_of_optimum",
    left_out="evals.suites.transfer_phases:absent",
)


def score(results: Sequence[Result]) -> Report:
    """Compute the rows, the curves and the verdict.

    Args:
        results: finished cases of this suite, in any order.
    """
    from statistics import fmean

    from ..report import Report, curve, level, summarise

    values: dict[tuple[str, str, str], list[float]] = {}
    shares: dict[tuple[str, str], list[list[float]]] = {}
    for result in sorted(results, key=lambda each: each.case.seed):
        case, answer = result.case, result.phases[-1].answer
        shares.setdefault((case.task, case.arm), []).append(answer["share"])
        found = {
            "share_of_optimum": fmean(answer["share"][-_LAST:]),
            "first_episode": answer["share"][0],
            "cpu_seconds": answer["cpu_seconds"],
            "training_env_steps": float(answer["training"]["env_steps"]),
            "training_cpu_seconds": float(answer["training"]["cpu_seconds"]),
        }
        for metric, value in found.items():
            values.setdefault((metric, case.task, case.arm), []).append(value)
    rows = tuple(
        summarise(task, arm, metric, [values[metric, task, arm]])
        for metric in dict.fromkeys(metric for metric, _, _ in values)
        for task in SUITE.tasks
        for arm in SUITE.arms
        if (metric, task, arm) in values
    )
    at = list(range(1, EPISODES + 1))
    curves = [curve(task, arm, "episode", at, runs, what=_WHAT) for (task, arm), runs in shares.items()]
    curves += [
        level(task, "optimum", "episode", at, 1.0, what=_WHAT) for task in dict.fromkeys(task for task, _ in shares)
    ]
    curves.sort(key=lambda each: list(SUITE.tasks).index(each.task))
    report = Report(suite=SUITE.name, rows=rows, verdict="", curves=tuple(curves))
    return Report(suite=SUITE.name, rows=rows, verdict=_verdict(report), curves=tuple(curves))


def _verdict(report: Report) -> str:
    """Say what held-out worlds earn in each arm, and where they earn less than trained ones."""
    from ..report import measured

    rows = {(row.task, row.arm): row for row in report.rows if row.metric == "share_of_optimum"}
    costs = {row.task: row.value for row in report.rows if (row.metric, row.arm) == ("training_env_steps", "kept")}
    sentences = []
    for task in SUITE.tasks:
        if (task, "kept") not in rows or task.endswith(" trained"):
            continue
        kept, others = rows[task, "kept"], [arm for arm in ("wiped", "foreign") if (task, arm) in rows]
        beside = ", ".join(f"{arm} {measured(rows[task, arm])}" for arm in others)
        line = f"{task} after {costs[task]:,.0f} steps of training: kept {measured(kept)}"
        line += f", {beside}" if beside else ""
        if (f"{task} trained", "kept") in rows:
            trained = rows[f"{task} trained", "kept"]
            word = "clearly less than" if kept.high < trained.low else "not clearly less than"
            line += f"; {word} the {measured(trained)} in trained worlds"
        sentences.append(line)
    if not sentences:
        return "Nothing can be said yet: no case that decides has finished."
    return f"Of the optimum, in the last {_LAST} of {EPISODES} episodes in worlds never met: {'. '.join(sentences)}."
