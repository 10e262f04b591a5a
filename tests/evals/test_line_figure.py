from __future__ import annotations

import pytest

from evals.figure import draw_report
from evals.line_figure import drifts, grows
from evals.report import Report, Row

BLUE, ORANGE = (0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)


def row(task: str, arm: str, value: float, spread: float = 0.05) -> Row:
    return Row(task=task, arm=arm, metric="share", value=value, low=value - spread, high=value + spread, seeds=5)


def test_a_report_grows_where_every_task_has_a_size():
    assert grows([row("copy 8", "a", 1.0), row("told at once 10", "a", 1.0)])
    assert not grows([row("copy 8", "a", 1.0), row("DarkRoom", "a", 1.0)])
    assert not grows([row("64 facts", "a", 1.0)])
    assert not grows([row("tuned at 0.002", "a", 1.0)])
    assert not grows([])


def test_a_report_drifts_where_every_task_has_a_rate():
    assert drifts([row("clean", "a", 1.0), row("flipped 30 %", "a", 1.0)])
    assert drifts([row("adversarial-writes 10 %", "a", 1.0)])
    assert not drifts([row("flipped 30 %", "a", 1.0), row("copy 8", "a", 1.0)])
    assert not drifts([row("clean", "a", 1.0)])
    assert not drifts([])


def drawn(rows, tmp_path):
    image = pytest.importorskip("matplotlib.image")
    draw_report(Report(suite="s", rows=tuple(rows), verdict=""), tmp_path / "r.png", metric="share", title="?")
    return image.imread(tmp_path / "r.png")[..., :3] * 255


def ends(pixels, colour, *, middle: float, width: float):
    """Return where a line begins and ends in the first panel, as rows counted from the top, and its first column."""
    down, across = (abs(pixels - colour) < 2).all(axis=-1)[:, : int(width)].nonzero()  # without the legend
    left = across < middle
    first = down[across < across[left].min() + 9].mean()
    last = down[left & (across > across[left].max() - 9)].mean()
    return first, last, across[left].min(), bool((~left).any())


def test_a_line_falls_where_its_values_do(tmp_path):
    rows = [row(f"{kind} {size}", "up", 0.2 + size / 100) for kind in ("copy", "recall") for size in (8, 64)]
    rows += [row(f"copy {size}", "down", 0.9 - size / 100) for size in (8, 64)]
    pixels = drawn(rows, tmp_path)
    height, width = pixels.shape[:2]
    for colour, falls, both_panels in ((BLUE, False, True), (ORANGE, True, False)):
        first, last, _, right = ends(pixels, colour, middle=0.46 * width, width=0.85 * width)
        assert right is both_panels
        assert bool(last > first + 0.1 * height) is falls
        assert bool(first > last + 0.1 * height) is not falls


def test_a_line_of_rates_begins_clean_in_every_panel(tmp_path):
    rows = [row("clean", "up", 0.2), row("clean", "down", 0.9)]
    for rate in (10, 50):
        rows.append(row(f"flipped {rate} %", "up", 0.2 + rate / 100))
        rows.append(row(f"flipped {rate} %", "down", 0.9 - rate / 100))
        rows.append(row(f"writes {rate} %", "up", 0.2 + rate / 100))
    pixels = drawn(rows, tmp_path)
    height, width = pixels.shape[:2]
    begins = []
    for colour, rises in ((BLUE, True), (ORANGE, False)):
        first, last, begin, right = ends(pixels, colour, middle=0.46 * width, width=0.87 * width)
        assert bool(first > last + 0.1 * height) is rises
        assert bool(last > first + 0.1 * height) is not rises
        assert right  # "down" is there with its clean point alone
        begins.append(begin)
    assert abs(begins[0] - begins[1]) < 0.02 * width


def test_more_arms_than_colours_are_told_apart_by_broken_lines(tmp_path, monkeypatch):
    figures = []
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda self, *args, **more: figures.append(self))
    rows = [row(f"copy {size}", f"arm {number}", number / 10) for size in (8, 64) for number in range(9)]
    draw_report(Report(suite="s", rows=tuple(rows), verdict=""), tmp_path / "r.png", metric="share", title="?")
    lines = [line for line in figures[0].axes[0].get_lines() if str(line.get_label()).startswith("arm")]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 9
