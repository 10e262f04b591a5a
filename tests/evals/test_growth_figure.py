from __future__ import annotations

import pytest

from evals.figure import draw_report
from evals.growth_figure import grows
from evals.report import Report, Row


def row(task: str, arm: str, value: float, spread: float = 0.05) -> Row:
    return Row(task=task, arm=arm, metric="share", value=value, low=value - spread, high=value + spread, seeds=5)


def test_a_report_grows_where_every_task_has_a_size():
    assert grows([row("copy 8", "a", 1.0), row("told at once 10", "a", 1.0)])
    assert not grows([row("copy 8", "a", 1.0), row("DarkRoom", "a", 1.0)])
    assert not grows([row("64 facts", "a", 1.0)])
    assert not grows([row("tuned at 0.002", "a", 1.0)])
    assert not grows([])


def test_a_line_falls_where_its_values_do(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    rows = [row(f"{kind} {size}", "up", 0.2 + size / 100) for kind in ("copy", "recall") for size in (8, 64)]
    rows += [row(f"copy {size}", "down", 0.9 - size / 100) for size in (8, 64)]
    draw_report(Report(suite="s", rows=tuple(rows), verdict=""), tmp_path / "r.png", metric="share", title="?")
    pixels = image.imread(tmp_path / "r.png")[..., :3] * 255
    height, width = pixels.shape[:2]
    for colour, falls, panels in (((0x00, 0x72, 0xB2), False, 2), ((0xE6, 0x9F, 0x00), True, 1)):
        down, across = (abs(pixels - colour) < 2).all(axis=-1)[:, : int(0.85 * width)].nonzero()  # without the legend
        middle = width * 0.46  # between the panels
        assert bool(across.max() > middle) is (panels == 2)
        first = down[across < across[across < middle].min() + 9].mean()
        last = down[(across < middle) & (across > across[across < middle].max() - 9)].mean()
        assert bool(last > first + 0.1 * height) is falls  # rows of pixels count from the top
        assert bool(first > last + 0.1 * height) is not falls
