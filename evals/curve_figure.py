"""Draws the curves of a report: one panel for each task, one line with its interval for each arm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .report import STEPS, Curve, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLUMNS = 4
_DECADES = 10.0  # steps of more than so many times the first of them are drawn on a logarithmic axis
_STYLES = ("-", "--", "-.", ":")


def draw_curves(report: Report, path: Path, *, title: str, colours: Sequence[str]) -> None:
    """Write a PNG with the curves of a report, and the levels they are compared with as thin dashed lines.

    Args:
        report: with curves.
        path: the file to write.
        title: over the whole figure.
        colours: one for each arm, in the order of the report; then again from the first, the lines being broken.
    """
    from matplotlib.figure import Figure

    tasks = list(dict.fromkeys(curve.task for curve in report.curves))
    arms = list(dict.fromkeys(curve.arm for curve in report.curves if curve.low))
    columns = min(_COLUMNS, len(tasks))
    lines = math.ceil(len(tasks) / columns)
    figure = Figure(figsize=(max(7.0, 3.1 * columns + 1.6), 1.0 + 2.5 * lines), layout="constrained")
    grid: Any = figure.subplots(lines, columns, squeeze=False)
    panels: list[Axes] = list(grid.flat)
    for panel, task in zip(panels, tasks, strict=False):
        _draw_panel(panel, [curve for curve in report.curves if curve.task == task], arms, colours)
        panel.set_title(task, fontsize=10)
    for panel in panels[len(tasks) :]:
        panel.set_visible(False)
    shown = {str(line.get_label()): line for panel in panels for line in panel.get_lines()}
    named = {arm: shown[arm] for arm in arms if arm in shown}
    figure.legend(list(named.values()), list(named), loc="outside right center", fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=11)
    figure.supylabel(" or ".join(dict.fromkeys(curve.what for curve in report.curves)), fontsize=8)
    units = " or ".join(dict.fromkeys(curve.unit for curve in report.curves))
    seeds = max((row.seeds for row in report.rows), default=0)
    figure.supxlabel(f"{units}; interquartile mean and 95 % interval, {seeds} seeds", fontsize=8)
    figure.savefig(path, dpi=150, format="png")


def _draw_panel(panel: Axes, curves: Sequence[Curve], arms: Sequence[str], colours: Sequence[str]) -> None:
    for each in curves:
        if not each.low:
            panel.plot(each.at, each.value, color="0.45", linewidth=0.9, linestyle="--", label=each.arm)
            panel.annotate(
                each.arm, (each.at[-1], each.value[-1]), (0, 2), textcoords="offset points", ha="right", fontsize=7
            )
            continue
        place = arms.index(each.arm)
        colour, style = colours[place % len(colours)], _STYLES[place // len(colours) % len(_STYLES)]
        panel.plot(each.at, each.value, color=colour, linestyle=style, linewidth=1.5, label=each.arm)
        panel.fill_between(each.at, each.low, each.high, color=colour, alpha=0.18, linewidth=0)
    longest, first = max(each.at[-1] for each in curves), min(each.at[0] for each in curves)
    if curves[0].unit == STEPS and longest > _DECADES * first:
        panel.set_xscale("log")
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=8)
