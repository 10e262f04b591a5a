"""What a suite found out: rows of numbers and one sentence, as a table and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from rich.table import Table


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
class Report:
    """The rows of a suite and its verdict, one sentence computed from them."""

    suite: str
    rows: tuple[Row, ...]
    verdict: str

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
        """Return ``{"suite", "rows", "verdict"}``; a number that is not defined is ``null``."""
        rows = [json_values(asdict(row)) for row in self.rows]
        return json.dumps({"suite": self.suite, "rows": rows, "verdict": self.verdict}, allow_nan=False)


def summarise(task: str, arm: str, metric: str, strata: Sequence[Sequence[float]]) -> Row:
    """Return the row of a metric: its interquartile mean over all runs, and the stratified bootstrap interval.

    Args:
        task: the task, or ``"all"``.
        arm: the arm.
        metric: the name of the metric.
        strata: for each task its values, one for each seed; a ``nan`` is a value that is not defined and is left out.
    """
    from .metrics import bootstrap_interval, interquartile_mean

    defined = [[value for value in stratum if not math.isnan(value)] for stratum in strata]
    seeds = min(map(len, defined))
    value = low = high = math.nan
    if any(defined):
        value = float(interquartile_mean([each for stratum in defined for each in stratum]))
        low, high = bootstrap_interval([stratum for stratum in defined if stratum])
    return Row(task=task, arm=arm, metric=metric, value=value, low=low, high=high, seeds=seeds)


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
        table.add_row(*(_number(value) if isinstance(value, float) else str(value) for value in row.values()))
    return table


def measured(row: Row) -> str:
    """Return the number of a row with its interval, as a person reads it."""
    if math.isnan(row.value):
        return "undefined"
    return f"{_number(row.value)} [{_number(row.low)}, {_number(row.high)}]"


def _number(value: float) -> str:
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    return f"{round(value, digits) + 0.0:.{digits}f}"  # + 0.0 so that no -0.00 is shown
