"""Draws a report: curves where it has them, lines where tasks are named by a number, else points with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from retention import MissingExtraError

from .curve_figure import draw_curves
from .line_figure import draw_lines, drifts, grows
from .report import Report, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette, told apart with every kind of colour vision; an arm has the same colour in every figure
COLOURS = ("#0072B2", "#E69F00", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000", "#999999")
_COLUMNS = 5  # panels beside one another; more go into further lines
_FLOOR = -0.6  # an arm that does much worse than untrained would squeeze the rest: it is drawn here, with its number


def draw_report(report: Report, path: Path, *, metric: str, title: str) -> None:
    """Write a PNG with one panel for each task of the report, one point with its interval for each arm.

    See ``draw_curves`` for a report that has curves, and ``draw_lines`` for one whose tasks are named by a number.

    Lines are drawn at 0 and 1: of a metric that is called normalised, 0 is untrained and 1 the optimum.

    Args:
        report: where the rows come from.
        path: the file to write.
        metric: which of the report's metrics.
        title: over the whole figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: the report has no row of that metric.
    """
    try:
        from matplotlib.figure import Figure  # not pyplot: no global state, no window, and half the time to import
    except ImportError:
        raise MissingExtraError("a figure", "plot") from None
    if report.curves:
        draw_curves(report, path, title=title, colours=COLOURS)
        return
    rows = [row for row in report.rows if row.metric == metric]
    if not rows:
        raise ValueError(f"the report has no rows of the metric {metric!r}")
    if drifts(rows) or grows(rows):
        draw_lines(report, path, metric=metric, title=title, colours=COLOURS)
        return
    tasks, arms = list(dict.fromkeys(row.task for row in rows)), list(dict.fromkeys(row.arm for row in rows))
    below = metric.startswith("normalised") or any(row.low < 0 for row in rows)
    bottom = _FLOOR - 0.15 if below else -0.1
    most = max(len({row.arm for row in rows if row.task == task}) for task in tasks)
    columns = min(_COLUMNS, len(tasks))
    lines = math.ceil(len(tasks) / columns)
    figure = Figure(figsize=(max(2.2, 0.7 * most) * columns + 1, 2.6 * lines + 0.8), layout="constrained")
    panels: list[Axes] = list(figure.subplots(lines, columns, sharey=True, squeeze=False).flat)
    for panel in panels[len(tasks) :]:
        panel.set_visible(False)
    for panel, task in zip(panels, tasks, strict=False):
        _draw_panel(panel, [row for row in rows if row.task == task], arms, bottom)
        panel.set_title(task if task != "all" else "all tasks", fontsize=10)
    for panel in panels[::columns]:
        panel.set_ylabel(metric.replace("_", " "))
    for height, name in ((1, "optimum"), (0, "untrained")) if metric.startswith("normalised") else ():
        panels[len(tasks) - 1].annotate(
            name,
            (1, height),
            (2, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    figure.suptitle(title, fontsize=11)
    seeds = min(row.seeds for row in rows)
    figure.supxlabel(f"interquartile mean and 95 % interval, {seeds} seeds", fontsize=8)
    figure.savefig(path, dpi=150, format="png")


def _draw_panel(panel: Axes, rows: Sequence[Row], arms: Sequence[str], bottom: float) -> None:
    panel.axhline(1, color="black", linewidth=1, linestyle="--")
    panel.axhline(0, color="0.6", linewidth=1, linestyle=":")
    here = [arm for arm in arms if any(row.arm == arm for row in rows)]
    for row in rows:
        place, colour = here.index(row.arm), COLOURS[arms.index(row.arm) % len(COLOURS)]
        if row.value < _FLOOR:
            panel.plot(place, _FLOOR, marker="v", color=colour, markersize=8)
            panel.annotate(
                f"{row.value:.3g}", (place, _FLOOR), (0, 8), textcoords="offset points", ha="center", fontsize=8
            )
            continue
        panel.vlines(place, max(row.low, _FLOOR), row.high, color=colour, linewidth=2.5)
        panel.plot(place, row.value, marker="o", color=colour, markersize=7)
    panel.set_xticks(range(len(here)), here, fontsize=9)
    panel.set_xlim(-0.5, len(here) - 0.5)
    panel.set_ylim(bottom, 1.15)
    panel.spines[["top", "right"]].set_visible(False)
