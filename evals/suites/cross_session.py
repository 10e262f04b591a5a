"""Does memory outlive the process? The paper's experiment 3 (arXiv 2501.09166, section 6.3): retention across sessions.

An agent learns in one operating-system process. A second process acts on what it finds; it is frozen, so that it
neither learns nor writes, but where the task itself goes on to tell new facts (EntityRewrite). All that the two share
is a SQLite file, and the arms differ in which file the second one opens:

- ``kept``: the file that the first process wrote;
- ``killed``: the file that several processes wrote, one after another: each was killed by SIGKILL after a random
  episode, and the next one went on;
- ``wiped``: none;
- ``foreign``: the file of another agent, which learned another world of the same family under the same name. This is
  the negative control: where it helped, the gain would not come from what was remembered.

| task | policy | another world |
|---|---|---|
| HiddenRule, DarkRoom, DarkKeyDoor, EntityRewrite, SilentSwitch | meta-trained on each family | the next number |
| HiddenRule by recall; DarkRoom by recall | recall | the same |
| FrozenLake | recall | the transposed map: the same size, start and goal, the holes elsewhere |
| CliffWalking | recall | the mirrored world: start and goal change places, the cliff throws back to the other corner |

The next number is another rule, another place or another history. The worlds of the meta-trained policies are held
out: what is hidden in them was not hidden there in training; what the training cost is printed beside. SilentSwitch and
EntityRewrite go on where the first process left them: the rule changes ten episodes before that, and of the facts two
are told anew in every episode.

The discount of two tasks of fixed length is short where recall plays them, since what a decision leads to is: 0.5 in
HiddenRule, where the next context is drawn at random, and 0.8 in DarkRoom, with 20 steps. With the default of 0.99
memories of chance sequences drown the rule. The other tasks have the default.

Arms are paired: a seed gives the same world and the same agent in all of them. Returns are normalised to 0 for actions
drawn uniformly at random and 1 for the optimum of the world. ``episodes_lost`` is how many episodes that a killed
process had finished are not in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ..suite import Suite

if TYPE_CHECKING:
    from ..report import Report, Row
    from ..results import Result

_LEARN = "evals.suites.cross_session_phases:learn"
_LEARN_KILLED = "evals.suites.cross_session_phases:learn_killed"
_USE = "evals.suites.cross_session_phases:use"
_UNTRAINED = "evals.suites.cross_session_phases:untrained"
_EPISODES: Mapping[str, Any] = {"last_episodes": 20, "first_episodes": 10, "untrained_episodes": 100, "kills": 3}


def _family(env: str, policy: str, **more: Any) -> dict[str, Any]:
    """Return the settings of a task that a meta-trained policy plays in a world it never met."""
    settings = {"env": f"holdfast/{env}-v0", "policy": f"retention:{policy}", "numbered": True, "split": "held-out"}
    return {**settings, "episodes": 30, **_EPISODES, **more}


SUITE = Suite(
    name="cross-session",
    version=2,
    summary="Does memory outlive the process? Kept, killed, wiped and another's memory in a second process.",
    tasks={
        "HiddenRule": _family("HiddenRule", "hidden-rule"),
        "DarkRoom": _family("DarkRoom", "dark-room"),
        "DarkKeyDoor": _family("DarkKeyDoor", "key-door"),
        "EntityRewrite": _family("EntityRewrite", "entity-rewrite", goes_on=True, frozen=False, first_episodes=3),
        "SilentSwitch": _family(
            "SilentSwitch", "silent-switch", goes_on=True, arguments={"switches": [20]}, last_episodes=5
        ),
        "HiddenRule by recall": {
            "env": "holdfast/HiddenRule-v0",
            "policy": "recall",
            "numbered": True,
            "episodes": 40,
            "discount": 0.5,
            **_EPISODES,
        },
        "DarkRoom by recall": {
            "env": "holdfast/DarkRoom-v0",
            "policy": "recall",
            "numbered": True,
            "episodes": 60,
            "discount": 0.8,
            **_EPISODES,
        },
        "FrozenLake": {
            "env": "FrozenLake-v1",
            "policy": "recall",
            "arguments": {"is_slippery": False},
            "foreign_arguments": {"is_slippery": False, "desc": ["SFFH", "FHFF", "FFFF", "FHHG"]},
            "optimum": 1.0,
            "episodes": 60,
            **_EPISODES,
        },
        "CliffWalking": {
            "env": "CliffWalking-v1",
            "policy": "recall",
            "foreign_mirrored": True,
            "optimum": -13.0,
            "max_episode_steps": 200,
            "episodes": 40,
            **_EPISODES,
        },
    },
    arms={
        "kept": (_LEARN, _USE),
        "killed": (_LEARN_KILLED, _USE),
        "wiped": (_UNTRAINED, _USE),
        "foreign": (_LEARN, _USE),
    },
    score="evals.suites.cross_session:score",
    headline="normalised_return",
    left_out="evals.suites.cross_session_phases:absent",
)


def score(results: Sequence[Result]) -> Report:
    """Compute the rows and the verdict.

    A seed counts on a task only where all arms finished, so that the arms stay paired.

    Args:
        results: finished cases of this suite, in any order.
    """
    from ..report import Report, summarise

    seeds: dict[tuple[str, int], dict[str, Result]] = {}  # by task and seed, the result of each arm
    for result in results:
        seeds.setdefault((result.case.task, result.case.seed), {})[result.case.arm] = result
    values: dict[tuple[str, str], dict[str, list[float]]] = {}  # by metric and arm, the values on each task
    paired = [(task, arms) for (task, _), arms in sorted(seeds.items()) if set(arms) == set(SUITE.arms)]
    for task, arms in paired:
        for metric_and_arm, value in _measure(arms).items():
            values.setdefault(metric_and_arm, {}).setdefault(task, []).append(value)
    rows = [
        summarise(task, arm, metric, [by_task[task]])
        for task in SUITE.tasks
        for (metric, arm), by_task in values.items()
        if task in by_task
    ]
    pooled = [
        summarise("all", arm, metric, list(by_task.values()))
        for (metric, arm), by_task in values.items()
        if metric not in ("return", "training_env_steps")  # in other units on each task
    ]
    report = Report(suite=SUITE.name, rows=(*rows, *pooled), verdict="")
    return replace(report, verdict=_verdict(report, len(paired)))


def _measure(arms: Mapping[str, Result]) -> dict[tuple[str, str], float]:
    """Return every metric of one seed on one task, by metric and arm."""
    from ..metrics import cross_session_retention, memory_gain, normalised

    ends = arms["wiped"].phases[0].answer
    first = {arm: fmean(arms[arm].phases[-1].answer["returns"]) for arm in SUITE.arms}
    lasting = arms["kept"].case.settings["last_episodes"]
    learned = {arm: arms[arm].phases[0].answer for arm in ("kept", "killed")}
    last = {arm: fmean(learned[arm]["returns"][-lasting:]) for arm in learned}
    share = {arm: normalised(first[arm], ends["untrained"], ends["optimum"]) for arm in SUITE.arms}
    return {
        **{("return", arm): first[arm] for arm in SUITE.arms},
        **{("normalised_return", arm): share[arm] for arm in SUITE.arms},
        **{("memory_gain", arm): memory_gain(share[arm], share["wiped"]) for arm in ("kept", "killed", "foreign")},
        **{
            ("cross_session_retention", arm): cross_session_retention(first[arm], last[arm], first["wiped"])
            for arm in learned
        },
        ("episodes_lost", "killed"): float(learned["killed"]["lost"]),
        ("training_env_steps", "kept"): float(learned["kept"]["training"]["env_steps"]),
    }


def _verdict(report: Report, runs: int) -> str:
    """Say in one sentence what the rows show; a task is won where the intervals of kept and the others are apart."""
    from ..report import measured

    tasks = [task for task in dict.fromkeys(row.task for row in report.rows) if task != "all"]
    if not tasks:
        return "Nothing can be said yet: no task has a seed of which all arms finished."

    def share(task: str, arm: str) -> Row:
        return report.find(task, arm, "normalised_return")

    unclear = [
        task for task in tasks if share(task, "kept").low <= max(share(task, "wiped").high, share(task, "foreign").high)
    ]
    doubt = f" (not clearly on {', '.join(unclear)})" if unclear else ""
    return (
        f"Memory outlives the process on {len(tasks) - len(unclear)} of {len(tasks)} tasks{doubt}: in a second "
        f"process the first episodes earn {measured(share('all', 'kept'))} of the way from random to optimal with the "
        f"memory kept, {measured(share('all', 'wiped'))} with it wiped and {measured(share('all', 'foreign'))} with "
        f"another's; cross-session retention is {measured(report.find('all', 'kept', 'cross_session_retention'))}, and "
        f"{measured(report.find('all', 'killed', 'cross_session_retention'))} where the processes that learned were "
        f"killed, with {measured(report.find('all', 'killed', 'episodes_lost'))} finished episodes lost "
        f"(interquartile means and 95 % intervals over {runs} runs of each arm)."
    )
