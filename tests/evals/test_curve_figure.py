from __future__ import annotations

import pytest

from evals.figure import draw_report
from evals.report import STEPS, Curve, Report, curve, level

BLUE, ORANGE = (0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)


def figure(curves: list[Curve], tmp_path):
    image = pytest.importorskip("matplotlib.image")
    report = Report(suite="s", rows=(), verdict="", curves=tuple(curves))
    draw_report(report, tmp_path / "r.png", metric="whatever", title="?")
    return image.imread(tmp_path / "r.png")[..., :3] * 255


def places(pixels, colour):
    width = pixels.shape[1]
    return (abs(pixels - colour) < 2).all(axis=-1)[:, : int(0.82 * width)].nonzero()  # without the legend


def test_each_task_is_a_panel_and_each_arm_a_line_that_goes_where_its_values_do(tmp_path):
    at = [1.0, 2.0, 3.0, 4.0]
    rises, falls = [[0.1, 0.3, 0.6, 0.9]] * 3, [[0.9, 0.6, 0.3, 0.1]] * 3
    curves = [curve(task, "up", "episode", at, rises, what="return") for task in ("one", "two")]
    curves += [curve("one", "down", "episode", at, falls, what="return")]
    curves.append(level("one", "optimum", "episode", at, 1.0, what="return"))
    pixels = figure(curves, tmp_path)
    height, width = pixels.shape[:2]
    for colour, up, both in ((BLUE, True, True), (ORANGE, False, False)):
        down, across = places(pixels, colour)
        left = across < 0.46 * width
        assert bool((~left).any()) is both
        first = down[left & (across < across[left].min() + 9)].mean()
        last = down[left & (across > across[left].max() - 9)].mean()
        assert bool(first > last + 0.2 * height) is up
        assert bool(last > first + 0.2 * height) is not up


def test_many_steps_are_drawn_by_their_logarithm_and_episodes_are_not(tmp_path):
    at, runs = [100.0, 1000.0, 10000.0], [[0.0, 0.5, 1.0]] * 2
    middles = []
    for unit in (STEPS, "episode"):
        pixels = figure([curve("one", "a", unit, at, runs, what="return")], tmp_path)
        down, across = places(pixels, BLUE)
        half = (down.min() + down.max()) / 2  # where the value is 0.5
        share = (across[abs(down - half) < 6].mean() - across.min()) / (across.max() - across.min())
        middles.append(share)
    assert middles[0] == pytest.approx(0.5, abs=0.05)
    assert middles[1] == pytest.approx(0.09, abs=0.05)
