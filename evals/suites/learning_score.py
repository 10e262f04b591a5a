"""The rows, curves and verdict of the suite ``learning``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..learners import PEERS, TABULAR
from ..metrics import episodes_to_threshold
from ..report import STEPS, Curve, Report, Row, curve, improvement, level, summarise
from ..results import Result
from ..suite import Suite

_LAST = 20
_POINTS = 40
_WHAT = "mean return of the last episodes"
_OTHERS = (*PEERS, TABULAR)
_OURS = ("recall", "gradient", "retention")
_METRICS = (
    "median_episodes",
    "episodes_to_threshold",
    "env_steps_to_threshold",
    "cpu_seconds_to_threshold",
    "cpu_seconds",
    "reached",
    "held",
    "final_return",
    "training_env_steps",
    "training_cpu_seconds",
)

Values = dict[tuple[str, str, str], list[float]]  # by metric, label and arm, one number for each seed


def report_of(results: Sequence[Result], suite: Suite) -> Report:
    """Return the report of finished cases.

    Args:
        results: finished cases, in any order.
        suite: theirs.
    """
    values: Values = {}
    played: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    never = _beyond(results)
    for result in sorted(results, key=lambda each: each.case.seed):
        case, answer = result.case, result.phases[-1].answer
        played.setdefault((case.task, case.arm), []).append(answer)
        for label, (threshold, window) in case.settings["thresholds"].items():
            reach = threshold * _scale(case.settings, answer)
            for metric, value in measure(answer, reach, window, never=never[case.task]).items():
                values.setdefault((metric, label, case.arm), []).append(value)
    labels = {label: task for task, settings in suite.tasks.items() for label in settings["thresholds"]}
    rows = []
    for metric in _METRICS:
        source, statistic = (metric, None) if metric != "median_episodes" else ("episodes_to_threshold", _median)
        rows += [
            summarise(label, arm, metric, [values[source, label, arm]], statistic)
            for label in labels
            for arm in suite.arms
            if (source, label, arm) in values
        ]
    rows += _improvements(values, tuple(labels))
    curves = [
        each
        for task, settings in suite.tasks.items()
        for each in _curves(task, settings, {arm: runs for (t, arm), runs in played.items() if t == task})
    ]
    return Report(suite=suite.name, rows=tuple(rows), verdict=_verdict(rows, tuple(labels)), curves=tuple(curves))


def _beyond(results: Sequence[Result]) -> dict[str, tuple[int, int]]:
    """Return for each task one more episode and one more environment step than any run of it had."""
    beyond: dict[str, tuple[int, int]] = {}
    for result in results:
        answer, (episodes, steps) = result.phases[-1].answer, beyond.get(result.case.task, (1, 1))
        beyond[result.case.task] = max(episodes, len(answer["returns"]) + 1), max(steps, answer["env_steps"] + 1)
    return beyond


def measure(answer: Mapping[str, Any], threshold: float, window: int, *, never: tuple[int, int]) -> dict[str, float]:
    """Return every metric of one run, by its name.

    Args:
        answer: of ``learning_phases:play``.
        threshold: the mean return to reach.
        window: how many episodes the mean is taken over.
        never: the episode and the environment step that stand for a run that does not get there. They are the same for
            all arms: where one was given less, not to get there must not look sooner.
    """
    returns, lengths, clock = answer["returns"], answer["lengths"], answer["clock"]
    first = episodes_to_threshold(returns, threshold, window) if returns else 1
    reached = first <= len(returns)
    last = returns[-max(_LAST, window) :]
    return {
        "episodes_to_threshold": float(first if reached else never[0]),
        "env_steps_to_threshold": float(sum(lengths[:first]) if reached else never[1]),
        "cpu_seconds_to_threshold": clock[first + window - 2] if reached else float("nan"),
        "cpu_seconds": answer["cpu_seconds"],
        "reached": float(reached),
        "held": float(bool(last) and fmean(last) >= threshold),
        "final_return": fmean(returns[-_LAST:]) if returns else float("nan"),
        "training_env_steps": float(answer["training"]["env_steps"]),
        "training_cpu_seconds": float(answer["training"]["cpu_seconds"]),
    }


def _scale(settings: Mapping[str, Any], answer: Mapping[str, Any]) -> float:
    """Return what a threshold is in units of: returns, or the optimum of the world."""
    return float(answer["optimum"]) if settings.get("of_optimum") else 1.0


def _improvements(values: Values, labels: Sequence[str]) -> list[Row]:
    """Return the probability that ours needs fewer environment steps than a peer, on each task and over all."""
    rows = []
    for ours in _OURS:
        for peer in _OTHERS:
            pairs = {
                label: tuple([-steps for steps in values["env_steps_to_threshold", label, arm]] for arm in (ours, peer))
                for label in labels
                if all(("env_steps_to_threshold", label, arm) in values for arm in (ours, peer))
            }
            both = [(first, second) for first, second in pairs.values()]
            name = f"{ours} over {peer}"
            rows += [improvement(label, name, [pair]) for label, pair in zip(pairs, both, strict=True)]
            rows += [improvement("all", name, both)] if both else []
    return rows


def _curves(task: str, settings: Mapping[str, Any], arms: Mapping[str, list[Mapping[str, Any]]]) -> list[Curve]:
    """Return the mean return of the last episodes against the environment steps, for each arm, and the thresholds."""
    window = max(window for _, window in settings["thresholds"].values())
    longest = max((run["env_steps"] for runs in arms.values() for run in runs), default=0)
    if longest <= 1:
        return []
    grid = np.geomspace(min(100, longest / 2), longest, _POINTS)
    found = []
    for arm, runs in arms.items():
        begun = [run for run in runs if run["returns"]]
        if not begun:
            continue
        ends = min(run["env_steps"] for run in begun)
        starts = max(run["lengths"][0] for run in begun)
        at = grid[(grid <= ends) & (grid >= starts)]
        if len(at):
            found.append(
                curve(task, arm, STEPS, at.tolist(), [trailing(run, at, window).tolist() for run in begun], what=_WHAT)
            )
    scale = fmean(_scale(settings, run) for runs in arms.values() for run in runs)
    unit = " of the optimum" if settings.get("of_optimum") else ""
    levels = [
        level(task, f"threshold {threshold:g}{unit}", STEPS, grid.tolist(), threshold * scale, what=_WHAT)
        for threshold, _ in settings["thresholds"].values()
    ]
    return [*found, *levels]


def trailing(run: Mapping[str, Any], at: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return the mean return of the last ``window`` episodes that had ended by so many environment steps.

    Args:
        run: the answer of ``learning_phases:play``.
        at: environment steps, ``[points]``; the first episode had ended by the first of them.
        window: how many episodes, fewer at the beginning.
    """
    ended = np.searchsorted(np.cumsum(run["lengths"]), at, side="right").clip(1)
    total = np.concatenate([[0.0], np.cumsum(run["returns"])])
    begin = np.maximum(ended - window, 0)
    means: NDArray[np.float64] = (total[ended] - total[begin]) / (ended - begin)
    return means


def _verdict(rows: Sequence[Row], labels: Sequence[str]) -> str:
    """Say where ours is there first, and what its training had cost."""
    found = {(row.metric, row.task, row.arm): row for row in rows}
    sentences = []
    for ours in _OURS:
        won: list[str] = []
        tied: list[str] = []
        lost: list[str] = []
        for label in labels:
            against = [
                found["probability_of_improvement", label, f"{ours} over {peer}"]
                for peer in _OTHERS
                if ("probability_of_improvement", label, f"{ours} over {peer}") in found
            ]
            if against:
                clear, beaten = all(row.low > 0.5 for row in against), any(row.high < 0.5 for row in against)
                (won if clear else lost if beaten else tied).append(label)
        if not (won or tied or lost):
            continue
        parts = [f"{ours} is there in fewer environment steps than every other learner on {_named(won)}"]
        parts += [f"not clearly on {_named(tied)}"] if tied else []
        parts += [f"later than one of them on {_named(lost)}"] if lost else []
        trained = {
            label: found["training_env_steps", label, ours].value
            for label in (*won, *tied, *lost)
            if found["training_env_steps", label, ours].value
        }
        if trained:
            costs = ", ".join(f"{steps:,.0f} on {label}" for label, steps in trained.items())
            parts.append(f"after meta-training, in steps: {costs}")
        sentences.append(", ".join(parts))
    return ". ".join(sentences) + "." if sentences else "Nothing can be said yet: no case that decides has finished."


def _named(labels: Sequence[str]) -> str:
    return ", ".join(labels) if labels else "no task"


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.median(values, axis=-1))
