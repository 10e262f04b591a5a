"""Draws a report whose tasks grow: one panel for each kind of task, one line with its intervals for each arm."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .report import Report, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZED = re.compile(r"(.+) (\d+)")
_MARKERS = "os^Dv<>p"
_COST = "microseconds"


def grows(rows: Sequence[Row]) -> bool:
    """Return whether every task is named by a kind and a size, as ``"copy 32"`` is."""
    return bool(rows) and all(_SIZED.fullmatch(row.task) for row in rows)


def draw_growth(report: Report, path: Path, *, metric: str, title: str, colours: Sequence[str]) -> None:
    """Write a PNG: for each kind of task the metric against the size, and below it the cost where the report has it.

    Args:
        report: where the rows come from; see ``grows``. The cost is its metric ``"microseconds"``.
        path: the file to write.
        metric: which of the report's metrics.
        title: over the whole figure.
        colours: one for each arm, in the order of the report, and again from the first.
    """
    from matplotlib.figure import Figure

    metrics = [name for name in (metric, _COST) if any(row.metric == name for row in report.rows)]
    rows = [row for row in report.rows if row.metric in metrics]
    arms = list(dict.fromkeys(row.arm for row in rows))
    kinds: dict[str, list[tuple[int, Row]]] = {}
    for row in rows:
        match = _SIZED.fullmatch(row.task)
        assert match is not None
        kinds.setdefault(match[1], []).append((int(match[2]), row))
    size = (max(7.0, 2.6 * len(kinds) + 1), 1.2 + 2.6 * len(metrics))
    figure = Figure(figsize=size, layout="constrained")
    grid: Any = figure.subplots(len(metrics), len(kinds), sharey="row", squeeze=False)
    for panels, shown in zip(grid, metrics, strict=True):
        for panel, points in zip(panels, kinds.values(), strict=True):
            _draw_lines(panel, [point for point in points if point[1].metric == shown], arms, colours)
        panels[0].set_ylabel(shown.replace("_", " "))
        if shown == _COST:
            panels[0].set_yscale("log")
    for panel, kind in zip(grid[0], kinds, strict=True):
        panel.set_title(kind, fontsize=10)
    lines = {str(line.get_label()): line for panels in grid for panel in panels for line in panel.get_lines()}
    figure.legend(list(lines.values()), list(lines), loc="outside right center", fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=11)
    fewest, most = min(row.seeds for row in rows), max(row.seeds for row in rows)
    seeds = f"{most}" if fewest == most else f"{fewest} to {most}"
    figure.supxlabel(f"size; interquartile mean and 95 % interval, {seeds} seeds", fontsize=8)
    figure.savefig(path, dpi=150, format="png")


def _draw_lines(panel: Axes, points: Sequence[tuple[int, Row]], arms: Sequence[str], colours: Sequence[str]) -> None:
    sizes = sorted({size for size, _ in points})
    for place, arm in enumerate(arms):
        mine = sorted(((size, row) for size, row in points if row.arm == arm), key=lambda point: point[0])
        if not mine:
            continue
        at, values = [size for size, _ in mine], [row.value for _, row in mine]
        below = [row.value - row.low for _, row in mine]
        above = [row.high - row.value for _, row in mine]
        colour = colours[place % len(colours)]
        panel.plot(at, values, marker=_MARKERS[place % len(_MARKERS)], markersize=5, color=colour, label=arm)
        panel.errorbar(at, values, yerr=[below, above], fmt="none", ecolor=colour, linewidth=1.5)
    panel.set_xscale("log", base=2)
    panel.set_xticks(sizes, [str(size) for size in sizes], fontsize=8)
    panel.minorticks_off()
    panel.spines[["top", "right"]].set_visible(False)
