"""Draws a report whose tasks are rates of noise: one panel for each kind of noise, one line for each arm."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .report import Report, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_RATED = re.compile(r"(.+) (\d+) %")
_CLEAN = "clean"
_MARKERS = "os^Dv<>p"
_ASIDE = 0.25  # by how many per cent the points of two arms stand apart, so that their intervals can be told apart


def drifts(rows: Sequence[Row]) -> bool:
    """Return whether every task but ``"clean"`` is named by a kind of noise and its rate, as ``"flipped 30 %"`` is."""
    return any(_RATED.fullmatch(row.task) for row in rows) and all(
        row.task == _CLEAN or _RATED.fullmatch(row.task) for row in rows
    )


def draw_drift(report: Report, path: Path, *, metric: str, title: str, colours: Sequence[str]) -> None:
    """Write a PNG: for each kind of noise the metric against its rate; ``"clean"`` stands at 0 in every panel.

    Args:
        report: where the rows come from; see ``drifts``.
        path: the file to write.
        metric: which of the report's metrics.
        title: over the whole figure.
        colours: one for each arm, in the order of the report, and again from the first.
    """
    from matplotlib.figure import Figure

    rows = [row for row in report.rows if row.metric == metric]
    arms = list(dict.fromkeys(row.arm for row in rows))
    clean = [(0, row) for row in rows if row.task == _CLEAN]
    kinds: dict[str, list[tuple[int, Row]]] = {}
    for row in rows:
        if match := _RATED.fullmatch(row.task):
            kinds.setdefault(match[1], list(clean)).append((int(match[2]), row))
    figure = Figure(figsize=(max(7.0, 3.0 * len(kinds) + 1.4), 3.8), layout="constrained")
    panels: Sequence[Axes] = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    for panel, (kind, points) in zip(panels, kinds.items(), strict=True):
        _draw_lines(panel, points, arms, colours)
        panel.set_title(kind, fontsize=10)
    panels[0].set_ylabel(metric.replace("_", " "))
    panels[0].set_ylim(bottom=0)
    lines = {str(line.get_label()): line for panel in panels for line in panel.get_lines()}
    figure.legend(list(lines.values()), list(lines), loc="outside right center", fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=11)
    fewest, most = min(row.seeds for row in rows), max(row.seeds for row in rows)
    seeds = f"{most}" if fewest == most else f"{fewest} to {most}"
    figure.supxlabel(f"rate of the noise in %; interquartile mean and 95 % interval, {seeds} seeds", fontsize=8)
    figure.savefig(path, dpi=150, format="png")


def _draw_lines(panel: Axes, points: Sequence[tuple[int, Row]], arms: Sequence[str], colours: Sequence[str]) -> None:
    for place, arm in enumerate(arms):
        mine = sorted(((rate, row) for rate, row in points if row.arm == arm), key=lambda point: point[0])
        if not mine:
            continue
        at = [rate + _ASIDE * (place - (len(arms) - 1) / 2) for rate, _ in mine]
        values = [row.value for _, row in mine]
        below = [row.value - row.low for _, row in mine]
        above = [row.high - row.value for _, row in mine]
        colour = colours[place % len(colours)]
        panel.plot(at, values, marker=_MARKERS[place % len(_MARKERS)], markersize=4, color=colour, label=arm)
        panel.errorbar(at, values, yerr=[below, above], fmt="none", ecolor=colour, linewidth=1.2)
    panel.set_xticks(sorted({rate for rate, _ in points}))
    panel.spines[["top", "right"]].set_visible(False)
