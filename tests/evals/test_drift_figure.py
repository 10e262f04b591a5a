from __future__ import annotations

import pytest

from evals.drift_figure import draw_drift, drifts
from evals.figure import COLOURS
from evals.report import Report, Row


def row(task: str, arm: str, value: float) -> Row:
    return Row(task=task, arm=arm, metric="share", value=value, low=value - 0.05, high=value + 0.05, seeds=5)


def test_a_report_drifts_where_every_task_has_a_rate():
    assert drifts([row("clean", "a", 1.0), row("flipped 30 %", "a", 1.0)])
    assert drifts([row("adversarial-writes 10 %", "a", 1.0)])
    assert not drifts([row("flipped 30 %", "a", 1.0), row("copy 8", "a", 1.0)])
    assert not drifts([row("clean", "a", 1.0)])
    assert not drifts([])


def test_a_line_falls_where_its_values_do_and_begins_clean_in_every_panel(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    rows = [row("clean", "up", 0.2), row("clean", "down", 0.9)]
    for rate in (10, 50):
        rows.append(row(f"flipped {rate} %", "up", 0.2 + rate / 100))
        rows.append(row(f"flipped {rate} %", "down", 0.9 - rate / 100))
        rows.append(row(f"writes {rate} %", "up", 0.2 + rate / 100))
    report = Report(suite="s", rows=tuple(rows), verdict="")
    draw_drift(report, tmp_path / "r.png", metric="share", title="?", colours=COLOURS)
    pixels = image.imread(tmp_path / "r.png")[..., :3] * 255
    height, width = pixels.shape[:2]
    middle = 0.47 * width  # between the panels
    begins = []
    for colour, rises in (((0x00, 0x72, 0xB2), True), ((0xE6, 0x9F, 0x00), False)):
        down, across = (abs(pixels - colour) < 2).all(axis=-1)[:, : int(0.88 * width)].nonzero()  # without the legend
        left = across < middle
        first = down[across < across[left].min() + 9].mean()
        last = down[left & (across > across[left].max() - 9)].mean()
        assert bool(first > last + 0.1 * height) is rises  # rows of pixels count from the top
        assert bool(last > first + 0.1 * height) is not rises
        begins.append(across[left].min())
        assert (~left).any()  # "down" is there with its clean point alone
    assert abs(begins[0] - begins[1]) < 0.02 * width
