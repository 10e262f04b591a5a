from __future__ import annotations

import sys

import pytest

from evals.figure import draw_report
from evals.report import Report, Row
from retention import MissingExtraError

BLUE, ORANGE = (0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)


def report(foreign: float = 0.1, tasks: int = 2) -> Report:
    rows = [
        Row(task=task, arm=arm, metric="share", value=value, low=value - 0.1, high=value + 0.1, seeds=5)
        for task in map(str, range(tasks))
        for arm, value in (("kept", 0.9), ("wiped", 0.0), ("foreign", foreign))
    ]
    return Report(suite="s", rows=tuple(rows), verdict="")


def test_the_figure_has_a_panel_for_each_task_and_a_colour_for_each_arm(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    file = tmp_path / "report.png"
    draw_report(report(), file, metric="share", title="?")
    assert file.read_bytes().startswith(b"\x89PNG\r\n")
    pixels = image.imread(file)[..., :3]
    for colour in ("#0072B2", "#E69F00", "#D55E00"):
        wanted = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        columns = (abs(pixels - wanted) < 0.01).all(axis=-1).any(axis=0).nonzero()[0]
        middle = pixels.shape[1] / 2
        assert columns.min() < middle < columns.max(), colour


def test_many_tasks_go_into_further_lines(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    shapes = []
    for tasks in (5, 7, 10):
        draw_report(report(tasks=tasks), tmp_path / "report.png", metric="share", title="?")
        shapes.append(image.imread(tmp_path / "report.png").shape[:2])
    (line, width), *more = shapes
    assert more == [more[0]] * 2 and more[0][0] > 1.5 * line and more[0][1] == width


def test_an_arm_far_below_untrained_does_not_squeeze_the_others(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    heights = []
    for foreign in (0.1, -40.0, -4000.0):
        draw_report(report(foreign), tmp_path / "report.png", metric="share", title="?")
        pixels = image.imread(tmp_path / "report.png")[..., :3] * 255
        kept, wiped = ((abs(pixels - colour) < 2).all(axis=-1).any(axis=1).nonzero()[0] for colour in (BLUE, ORANGE))
        assert kept.max() < wiped.min() - 0.2 * len(pixels)
        heights.append((kept.tolist(), wiped.tolist()))
    assert heights[0] == heights[1] == heights[2]


def test_a_missing_extra_names_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'holdfast\[plot\]'"):
        draw_report(report(), tmp_path / "report.png", metric="share", title="?")


def test_an_unknown_metric_is_named(tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match="no rows of the metric 'speed'"):
        draw_report(report(), tmp_path / "report.png", metric="speed", title="?")
