"""Draws a report whose tasks are named by a kind and a number: one panel for each kind, one line for each arm.

Two kinds of numbers are known: sizes (``"copy 32"``), where the cost is drawn below if the report has it, and rates of
noise (``"flipped 30 %"``), where the task ``"clean"`` stands at 0 in every panel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from .report import Report, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = "os^Dv<>p"
_STYLES = ("-", "--", "-.", ":")
_CLEAN = "clean"
_COST = "microseconds"


@final
@dataclass(frozen=True, kw_only=True)
class _Axis:
    """What the number in the names of tasks is.

    Attributes:
        named: finds the kind and the number in a name.
        label: of the axis.
        doubles: whether each number is about twice the one before.
        aside: how far the points of two arms stand apart, so that their intervals can be told apart.
    """

    named: re.Pattern[str]
    label: str
    doubles: bool
    aside: float


_SIZES = _Axis(named=re.compile(r"(.+) (\d+)"), label="size", doubles=True, aside=0.0)
_RATES = _Axis(named=re.compile(r"(.+) (\d+) %"), label="rate of the noise in %", doubles=False, aside=0.25)


def drifts(rows: Sequence[Row]) -> bool:
    """Return whether every task but ``"clean"`` is named by a kind of noise and its rate, as ``"flipped 30 %"`` is."""
    return any(_RATES.named.fullmatch(row.task) for row in rows) and all(
        row.task == _CLEAN or _RATES.named.fullmatch(row.task) for row in rows
    )


def grows(rows: Sequence[Row]) -> bool:
    """Return whether every task is named by a kind and a size, as ``"copy 32"`` is."""
    return bool(rows) and all(_SIZES.named.fullmatch(row.task) for row in rows)


def draw_lines(report: Report, path: Path, *, metric: str, title: str, colours: Sequence[str]) -> None:
    """Write a PNG: for each kind of task the metric against the number.

    Args:
        report: where the rows come from; see ``drifts`` and ``grows``. The cost is its metric ``"microseconds"``.
        path: the file to write.
        metric: which of the report's metrics.
        title: over the whole figure.
        colours: one for each arm, in the order of the report; then again from the first, the lines being broken.
    """
    from matplotlib.figure import Figure

    axis = _RATES if drifts([row for row in report.rows if row.metric == metric]) else _SIZES
    wanted = (metric, _COST) if axis is _SIZES else (metric,)
    metrics = [name for name in wanted if any(row.metric == name for row in report.rows)]
    rows = [row for row in report.rows if row.metric in metrics]
    arms = list(dict.fromkeys(row.arm for row in rows))
    kinds = _kinds(rows, axis)
    size = (max(7.6, 2.8 * len(kinds) + 1.4), 1.2 + 2.6 * len(metrics))
    figure = Figure(figsize=size, layout="constrained")
    grid: Any = figure.subplots(len(metrics), len(kinds), sharey="row", squeeze=False)
    for panels, shown in zip(grid, metrics, strict=True):
        for panel, points in zip(panels, kinds.values(), strict=True):
            _draw_panel(panel, [point for point in points if point[1].metric == shown], arms, colours, axis)
        panels[0].set_ylabel(shown.replace("_", " "))
        if shown == _COST:
            panels[0].set_yscale("log")
        elif axis is _RATES:
            panels[0].set_ylim(bottom=0)
    for panel, kind in zip(grid[0], kinds, strict=True):
        panel.set_title(kind, fontsize=10)
    lines = {str(line.get_label()): line for panels in grid for panel in panels for line in panel.get_lines()}
    figure.legend(list(lines.values()), list(lines), loc="outside right center", fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=11)
    fewest, most = min(row.seeds for row in rows), max(row.seeds for row in rows)
    seeds = f"{most}" if fewest == most else f"{fewest} to {most}"
    figure.supxlabel(f"{axis.label}; interquartile mean and 95 % interval, {seeds} seeds", fontsize=8)
    figure.savefig(path, dpi=150, format="png")


def _kinds(rows: Sequence[Row], axis: _Axis) -> dict[str, list[tuple[int, Row]]]:
    """Return the points of each kind of task."""
    clean = [(0, row) for row in rows if row.task == _CLEAN]
    kinds: dict[str, list[tuple[int, Row]]] = {}
    for row in rows:
        if match := axis.named.fullmatch(row.task):
            kinds.setdefault(match[1], list(clean)).append((int(match[2]), row))
    return kinds


def _draw_panel(
    panel: Axes, points: Sequence[tuple[int, Row]], arms: Sequence[str], colours: Sequence[str], axis: _Axis
) -> None:
    numbers = sorted({number for number, _ in points})
    for place, arm in enumerate(arms):
        mine = sorted(((number, row) for number, row in points if row.arm == arm), key=lambda point: point[0])
        if not mine:
            continue
        at = [number + axis.aside * (place - (len(arms) - 1) / 2) for number, _ in mine]
        values = [row.value for _, row in mine]
        below = [row.value - row.low for _, row in mine]
        above = [row.high - row.value for _, row in mine]
        colour = colours[place % len(colours)]
        marker, style = MARKERS[place % len(MARKERS)], _STYLES[place // len(colours) % len(_STYLES)]
        panel.plot(at, values, marker=marker, linestyle=style, markersize=4.5, color=colour, label=arm)
        panel.errorbar(at, values, yerr=[below, above], fmt="none", ecolor=colour, linewidth=1.3)
    if axis.doubles:
        panel.set_xscale("log", base=2)
    panel.set_xticks(numbers, [str(number) for number in numbers], fontsize=8)
    panel.minorticks_off()
    panel.spines[["top", "right"]].set_visible(False)
