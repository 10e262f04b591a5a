"""Does a memory help with tools? Tasks in texts whose hidden rules stay the same over the episodes.

The agent is ``recall``, without any language model: it chooses among the candidates that an environment names, by their
numbers, and looks the situation up in its memory. It reads no answers: what it knows of a call is what it earned.

| task | what stays hidden |
|---|---|
| HiddenApi | names of parameters (level 1), units as well (2), or an order of calls too (3) |
| HiddenSchema | names of tables (level 1), of columns as well (2), and in which code values are stored (3) |
| ToldFacts | 4, 8 or 12 facts of which an episode tells 1, 2 or 4 anew |

| arm | what an episode begins with |
|---|---|
| kept | the memory of the episodes before it |
| wiped | an empty memory |
| foreign | the memory of another world of the family, which is learned first: the negative control |

Each number is of one seed a mean over several worlds. The arms of a seed play the same worlds, so they are compared in
pairs: ``gains_from`` is the first episode from which on, to the last one, the interval of the difference over the seeds
lies above 0; where there is none, it is one more than there are episodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..suite import Suite

if TYPE_CHECKING:
    from ..report import Report, Row
    from ..results import Result

EPISODES = 8
_LAST = 2
_TARGET = 2  # the episode from which on a memory is to help
_OTHERS = ("wiped", "foreign")
_WHAT = "share of what was asked"
_PLAY = ("evals.suites.tool_use_phases:play",)
_COMMON: Mapping[str, Any] = {
    "numbered": True,
    "discount": 0.5,
    "episodes": EPISODES,
    "foreign_episodes": EPISODES,
    "worlds": 5,
}


def _task(env: str, level: int) -> dict[str, Any]:
    return {"env": f"holdfast/{env}-v0", "arguments": {"level": level}, **_COMMON}


SUITE = Suite(
    name="tool-use",
    version=1,
    summary="Does a memory help with tools? An undocumented API, SQL on a hidden schema, facts told in conversations.",
    tasks={
        f"{env} {level}": _task(env, level) for env in ("HiddenApi", "HiddenSchema", "ToldFacts") for level in (1, 2, 3)
    },
    arms={"kept": _PLAY, "wiped": _PLAY, "foreign": _PLAY},
    score="evals.suites.tool_use:score",
    headline="from_second",
)


def score(results: Sequence[Result]) -> Report:
    """Compute the rows, the curves and the verdict.

    Args:
        results: finished cases of this suite, in any order.
    """
    from statistics import fmean

    from ..report import Report, curve, level, summarise

    shares: dict[tuple[str, str], dict[int, list[float]]] = {}  # by task and arm, of each seed by episode
    for result in sorted(results, key=lambda each: each.case.seed):
        case = result.case
        shares.setdefault((case.task, case.arm), {})[case.seed] = result.phases[-1].answer["share"]
    metrics: dict[str, Callable[[Sequence[float]], float]] = {
        "first_episode": lambda share: share[0],
        "second_episode": lambda share: share[1],
        "last_episodes": lambda share: fmean(share[-_LAST:]),
        "from_second": lambda share: fmean(share[1:]),
    }
    rows = []
    for metric, measure in metrics.items():
        values = {of: [measure(share) for share in by_seed.values()] for of, by_seed in shares.items()}
        rows += [summarise(*of, metric, [values[of]]) for of in _ordered(values)]
        for arm in SUITE.arms:
            strata = [values[of] for of in _ordered(values) if of[1] == arm]
            rows += [summarise("all", arm, metric, strata)] if strata else []
    for task in SUITE.tasks:
        rows += [row for other in _OTHERS for row in _gains(task, other, shares)]
    at = list(range(1, EPISODES + 1))
    curves = []
    for task in SUITE.tasks:
        arms = [of for of in _ordered(shares) if of[0] == task]
        curves += [curve(*of, "episode", at, list(shares[of].values()), what=_WHAT) for of in arms]
        curves += [level(task, "optimum", "episode", at, 1.0, what=_WHAT)] if arms else []
    return Report(suite=SUITE.name, rows=tuple(rows), verdict=_verdict(rows), curves=tuple(curves))


def _ordered(values: Mapping[tuple[str, str], Any]) -> list[tuple[str, str]]:
    """Return tasks and arms in the order of the suite."""
    return [(task, arm) for task in SUITE.tasks for arm in SUITE.arms if (task, arm) in values]


def _gains(task: str, other: str, shares: Mapping[tuple[str, str], Mapping[int, Sequence[float]]]) -> list[Row]:
    """Return what a kept memory gains over another arm in the second episode, and from which one on it does gain."""
    from ..report import Row, summarise

    kept, without = shares.get((task, "kept"), {}), shares.get((task, other), {})
    seeds = sorted(set(kept) & set(without))
    if not seeds:
        return []
    arm = f"kept over {other}"
    gains = [
        summarise(task, arm, "gain_in_second", [[kept[seed][at] - without[seed][at] for seed in seeds]])
        for at in range(EPISODES)
    ]
    behind = [place for place, gain in enumerate(gains) if not gain.low > 0.0]
    first = float(behind[-1] + 2 if behind else 1)
    from_ = Row(task=task, arm=arm, metric="gains_from", value=first, low=first, high=first, seeds=len(seeds))
    return [gains[1], from_]


def _verdict(rows: Sequence[Row]) -> str:
    """Say where a kept memory gains from the second episode on, and from which one on it does elsewhere."""
    from ..report import measured

    found = {(row.task, row.arm, row.metric): row for row in rows}
    starts = {
        task: [found[task, f"kept over {other}", "gains_from"].value for other in _OTHERS]
        for task in SUITE.tasks
        if all((task, f"kept over {other}", "gains_from") in found for other in _OTHERS)
    }
    if not starts:
        return "Nothing can be said yet: no task has a seed of which all arms finished."
    late = {task: max(firsts) for task, firsts in starts.items() if max(firsts) > _TARGET}
    missed = ", ".join(
        f"{task} {f'from episode {first:.0f} on' if first <= EPISODES else 'not clearly in the last episode'}"
        for task, first in late.items()
    )
    kept, wiped, foreign = (measured(found["all", arm, "from_second"]) for arm in SUITE.arms)
    return (
        f"From its second episode on, in each of them, an agent with its memory earns clearly more than without it and "
        f"than with another's on {len(starts) - len(late)} of {len(starts)} tasks{f' ({missed})' if missed else ''}: "
        f"{kept} of what was asked from then on, {wiped} with the memory wiped and {foreign} "
        "with another's."
    )
