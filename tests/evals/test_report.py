from __future__ import annotations

import json
import math

import pytest
from rich.console import Console

from evals.metrics import bootstrap_interval, interquartile_mean
from evals.report import (
    Report,
    Row,
    bench_table,
    curve,
    improvement,
    level,
    measured,
    reached,
    report_tables,
    summarise,
)


def row(task="t", arm="a", metric="m", value=0.5, low=0.25, high=0.75, seeds=3) -> Row:
    return Row(task=task, arm=arm, metric=metric, value=value, low=low, high=high, seeds=seeds)


def printed(table) -> str:
    console = Console(width=80, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_json_has_exactly_the_agreed_names():
    report = Report(suite="s", rows=(row(), row(arm="b", value=math.nan, low=math.nan, high=math.nan)), verdict="So.")
    assert json.loads(report.as_json()) == {
        "suite": "s",
        "rows": [
            {"task": "t", "arm": "a", "metric": "m", "value": 0.5, "low": 0.25, "high": 0.75, "seeds": 3},
            {"task": "t", "arm": "b", "metric": "m", "value": None, "low": None, "high": None, "seeds": 3},
        ],
        "verdict": "So.",
    }


def test_a_summary_is_the_interquartile_mean_and_its_interval():
    strata = [[0.0, 1.0, 2.0, 9.0], [3.0, 4.0, 5.0]]
    found = summarise("all", "a", "m", strata)
    assert found.value == interquartile_mean([0, 1, 2, 9, 3, 4, 5])
    assert (found.low, found.high) == bootstrap_interval(strata)
    assert found.seeds == 3


def test_a_summary_by_another_statistic():
    import numpy as np

    found = summarise("t", "a", "m", [[1.0, 2.0, 90.0]], lambda values: np.median(values, axis=-1))
    assert (found.value, found.low, found.high) == (2.0, 1.0, 90.0)


def test_a_summary_leaves_out_what_is_not_defined():
    assert summarise("t", "a", "m", [[1.0, math.nan, 1.0]]) == row(value=1.0, low=1.0, high=1.0, seeds=2)
    nothing = summarise("t", "a", "m", [[math.nan]])
    assert math.isnan(nothing.value)
    assert nothing.seeds == 0
    half = summarise("all", "a", "m", [[math.nan], [2.0, 4.0]])
    assert (half.value, half.seeds) == (3.0, 0)


def test_tables_show_each_metric_with_a_column_for_each_arm():
    rows = (
        row(),
        row(arm="b", value=math.nan, seeds=0),
        row(task="u", arm="b"),
        row(metric="n", value=-4200.4, low=-1, high=-0.001),
    )
    first, second = report_tables(Report(suite="s", rows=rows, verdict=""))
    lines = printed(first).splitlines()
    assert lines[0].strip() == "m, 0 to 3 seeds"
    assert lines[1].split() == ["task", "a", "b"]
    assert "0.50 [0.25, 0.75]" in lines[2]
    assert "undefined" in lines[2]
    assert lines[3].startswith("u")
    assert printed(second).startswith("n, 3 seeds")
    assert "-4200 [-1.00, 0.00]" in printed(second)


def test_a_bench_is_shown_with_its_own_columns():
    text = printed(
        bench_table("loop", [{"name": "bare", "us_per_step": 7.0}, {"name": "agent", "us_per_step": 12345.6}])
    )
    assert text.split() == ["loop", "name", "us_per_step", "bare", "7.00", "agent", "12346"]
    assert printed(bench_table("loop", [{"name": "a", "of_dqn": None}])).split() == ["loop", "name", "of_dqn", "a"]


def test_a_report_with_curves_has_them_in_its_json():
    drawn = curve("t", "a", "episode", [1, 2], [[0.0, 1.0], [0.0, 1.0]], what="return")
    line = level("t", "optimum", "episode", [1, 2], 1.0, what="return")
    report = json.loads(Report(suite="s", rows=(), verdict="", curves=(drawn, line)).as_json())
    first, second = report["curves"]
    assert first == {
        "task": "t",
        "arm": "a",
        "unit": "episode",
        "what": "return",
        "at": [1.0, 2.0],
        "value": [0.0, 1.0],
        "low": [0.0, 1.0],
        "high": [0.0, 1.0],
    }
    assert (second["arm"], second["value"], second["low"]) == ("optimum", [1.0, 1.0], [])


def test_a_target_is_reached_where_the_whole_interval_is():
    assert reached(row(low=0.8, value=0.9, high=1.0), 0.8) == "reached"
    assert reached(row(low=0.7, value=0.9, high=1.0), 0.8) == "not clearly reached"
    assert reached(row(low=0.5, value=0.6, high=0.7), 0.8) == "not reached"


def test_an_improvement_names_who_is_compared_and_counts_the_fewest_seeds():
    found = improvement("all", "a over b", [([3.0, 4.0], [1.0, 2.0, 0.0])])
    assert (found.metric, found.value, found.seeds) == ("probability_of_improvement", 1.0, 2)


def test_rows_are_found_by_name():
    report = Report(suite="s", rows=(row(), row(arm="b", value=2.0)), verdict="")
    assert report.find("t", "b", "m").value == 2.0
    assert measured(report.find("t", "a", "m")) == "0.50 [0.25, 0.75]"
    with pytest.raises(KeyError, match="no row for task 't', arm 'c', metric 'm'"):
        report.find("t", "c", "m")
