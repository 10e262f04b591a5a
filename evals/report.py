"""What a suite found out: rows of numbers and one sentence, as a table and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, final

STEPS = "environment step"
"""The unit of curves against environment steps."""

if TYPE_CHECKING:
    from rich.table import Table

    from .metrics import Statistic


@final
@dataclass(frozen=True, kw_only=True)
class Row:
    """One number of a report.

    Attributes:
        task: the task, or ``"all"``.
        arm: the arm that the number is of.
        metric: what was measured.
        value: the number; ``nan`` where it is not defined.
        low: lower end of its 95 % interval.
        high: upper end of its 95 % interval.
        seeds: how many seeds stand behind it.
    """

    task: str
    arm: str
    metric: str
    value: float
    low: float
    high: float
    seeds: int


@final
@dataclass(frozen=True, kw_only=True)
class Curve:
    """How something went on over a run, for the figure.

    Attributes:
        task: a panel of the figure.
        arm: a line in it; or, where there is no interval, the name of a level to compare with, as ``"optimum"``.
        unit: of ``at``: ``"episode"``, ``"stage"`` or ``STEPS``.
        what: of which it is the course, as ``"return"``.
        at: where, increasing.
        value: the interquartile mean over the seeds, at each.
        low: lower ends of its 95 % interval; empty for a level.
        high: upper ends.
    """

    task: str
    arm: str
    unit: str
    what: str
    at: tuple[float, ...]
    value: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@final
@dataclass(frozen=True, kw_only=True)
class Report:
    """The rows of a suite, its verdict computed from them, and the curves of its figure where it has them."""

    suite: str
    rows: tuple[Row, ...]
    verdict: str
    curves: tuple[Curve, ...] = ()

    def find(self, task: str, arm: str, metric: str) -> Row:
        """Return one row.

        Raises:
            KeyError: there is none.
        """
        for row in self.rows:
            if (row.task, row.arm, row.metric) == (task, arm, metric):
                return row
        raise KeyError(f"no row for task {task!r}, arm {arm!r}, metric {metric!r}")

    def as_json(self) -> str:
        """Return ``{"suite", "rows", "verdict"}``, and ``"curves"``; a number that is not defined is ``null``."""
        rows = [json_values(asdict(row)) for row in self.rows]
        curves = {"curves": [asdict(curve) for curve in self.curves]} if self.curves else {}
        return json.dumps({"suite": self.suite, "rows": rows, "verdict": self.verdict, **curves}, allow_nan=False)


def summarise(
    task: str, arm: str, metric: str, strata: Sequence[Sequence[float]], statistic: Statistic | None = None
) -> Row:
    """Return the row of a metric: its interquartile mean over all runs, and the stratified bootstrap interval.

    Args:
        task: the task, or ``"all"``.
        arm: the arm.
        metric: the name of the metric.
        strata: for each task its values, one for each seed; a ``nan`` is a value that is not defined and is left out.
        statistic: of the last axis, instead of the interquartile mean.
    """
    import numpy as np

    from .metrics import bootstrap_interval, interquartile_mean

    statistic = statistic or interquartile_mean
    defined = [[value for value in stratum if not math.isnan(value)] for stratum in strata]
    seeds = min(map(len, defined))
    value = low = high = math.nan
    if any(defined):
        value = float(statistic(np.array([each for stratum in defined for each in stratum])))
        low, high = bootstrap_interval([stratum for stratum in defined if stratum], statistic)
    return Row(task=task, arm=arm, metric=metric, value=value, low=low, high=high, seeds=seeds)


def improvement(task: str, arm: str, pairs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Row:
    """Return the row ``probability_of_improvement``, a mean over tasks, with its interval.

    Args:
        task: the task, or ``"all"``.
        arm: which arm over which.
        pairs: for each task the scores of the one and of the other; more is better.
    """
    from .metrics import improvement_interval

    value, low, high = improvement_interval(pairs)
    seeds = min(len(scores) for pair in pairs for scores in pair)
    return Row(task=task, arm=arm, metric="probability_of_improvement", value=value, low=low, high=high, seeds=seeds)


def curve(task: str, arm: str, unit: str, at: Sequence[float], runs: Sequence[Sequence[float]], *, what: str) -> Curve:
    """Return the curve of an arm over its seeds.

    Args:
        task: the task.
        arm: the arm.
        unit: of ``at``.
        at: where, increasing.
        runs: for each seed its values there.
        what: they are.
    """
    from .metrics import curve_interval

    value, low, high = (tuple(each.tolist()) for each in curve_interval(runs))
    place = tuple(map(float, at))
    return Curve(task=task, arm=arm, unit=unit, what=what, at=place, value=value, low=low, high=high)


def level(task: str, name: str, unit: str, at: Sequence[float], value: float, *, what: str) -> Curve:
    """Return a level that curves are compared with, from the first to the last of ``at``."""
    return Curve(task=task, arm=name, unit=unit, what=what, at=(float(at[0]), float(at[-1])), value=(value, value))


def json_values(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``row`` with ``None`` for each number that JSON has no word for."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in row.items()
    }


def report_tables(report: Report) -> list[Table]:
    """Return a table for each metric, for the terminal: a line for each task, a column for each arm."""
    from rich.table import Table

    tables = []
    for metric in dict.fromkeys(row.metric for row in report.rows):
        rows = {(row.task, row.arm): row for row in report.rows if row.metric == metric}
        arms = list(dict.fromkeys(arm for _, arm in rows))
        seeds = sorted({row.seeds for row in rows.values()})
        title = f"{metric}, {' to '.join(map(str, dict.fromkeys((seeds[0], seeds[-1]))))} seeds"
        table = Table("task", *arms, title=title, title_justify="left", box=None, pad_edge=False, min_width=len(title))
        for task in dict.fromkeys(task for task, _ in rows):
            table.add_row(task, *(measured(rows[task, arm]) if (task, arm) in rows else "" for arm in arms))
        tables.append(table)
    return tables


def bench_table(bench: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the rows of a bench as a table for the terminal: a column for each name in the first row."""
    from rich.table import Table

    table = Table(*rows[0], title=bench, title_justify="left", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    return table


def reached(row: Row, target: float) -> str:
    """Return whether a target, which is to be reached from below, is: in words that the interval bears."""
    return "reached" if row.low >= target else "not reached" if row.high < target else "not clearly reached"


def measured(row: Row) -> str:
    """Return the number of a row with its interval, as a person reads it."""
    if math.isnan(row.value):
        return "undefined"
    return f"{_number(row.value)} [{_number(row.low)}, {_number(row.high)}]"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    return f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0 so that no -0.00 is shown
