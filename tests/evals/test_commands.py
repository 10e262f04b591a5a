from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import replace

import click
import pytest
from click.testing import CliRunner

import evals.suites
from evals import commands
from retention import HoldfastError, MissingExtraError


@pytest.fixture
def toy_command(toy, monkeypatch):
    """Let ``holdfast eval toy`` be the toy suite."""
    suite = toy()
    module = importlib.import_module("toy_suite")
    monkeypatch.setattr(module, "SUITE", suite, raising=False)
    monkeypatch.setitem(evals.suites.SUITES, "toy", "toy_suite:SUITE")
    return module


def run(*arguments: str):
    return CliRunner().invoke(commands.evaluate, arguments)


def test_a_suite_is_a_command_and_its_json_is_the_report_alone(toy_command, tmp_path):
    out = tmp_path / "out"
    result = run("toy", "--seeds", "1", "--out", str(out), "--jobs", "2", "--json")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert set(printed) == {"suite", "rows", "verdict"}
    assert len(printed["rows"]) == 2
    assert json.loads((out / "report.json").read_text()) == printed
    assert "2/2" in result.stderr
    again = run("toy", "--seeds", "1", "--out", str(out), "--json")
    assert json.loads(again.stdout) == printed
    assert "2 of 2 cases were finished before" in again.stderr
    assert "2/2" not in again.stderr


def test_people_get_tables_the_verdict_and_where_the_results_lie(toy_command, tmp_path):
    result = run("toy", "--seeds", "1", "--out", str(tmp_path / "out"))
    assert "share, 1 seeds" in result.stdout
    assert "2 cases were run." in result.stdout
    assert str(tmp_path / "out" / "results.db") in result.stdout
    assert (tmp_path / "out" / "report.png").exists() == ("figure:" in result.stderr)


def test_without_matplotlib_the_numbers_are_there_all_the_same(toy_command, tmp_path, monkeypatch):
    def missing(*arguments, **names):
        raise MissingExtraError("a figure", "plot")

    monkeypatch.setattr("evals.figure.draw_report", missing)
    result = run("toy", "--seeds", "1", "--out", str(tmp_path / "out"))
    assert result.exit_code == 0
    assert (
        "no figure: a figure needs an optional part that is not installed: pip install 'holdfast[plot]'"
        in result.stderr
    )
    assert "2 cases were run." in result.stdout


def test_failed_cases_are_told_after_the_report_of_the_others(toy, toy_command, tmp_path, monkeypatch):
    monkeypatch.setattr(toy_command, "SUITE", toy(fail={"seed": 1, "how": "exit"}))
    out = tmp_path / "out"
    result = run("toy", "--seeds", "2", "--out", str(out), "--json")
    assert isinstance(result.exception, HoldfastError)
    assert str(result.exception).startswith("2 of 4 cases failed (their logs are in")
    assert str(result.exception).endswith(f"Try again: holdfast eval toy --seeds 2 --out {out}")
    assert len(json.loads(result.stdout)["rows"]) == 2


def test_an_interrupt_says_how_to_go_on(toy_command, tmp_path, monkeypatch):
    def interrupted(*arguments, **names):
        raise KeyboardInterrupt

    monkeypatch.setattr("evals.runner.run_cases", interrupted)
    out = tmp_path / "out"
    result = CliRunner().invoke(commands.evaluate, ["toy", "--out", str(out)], standalone_mode=False)
    assert isinstance(result.exception, (KeyboardInterrupt, click.Abort))
    assert f"what has ended is kept in {out}. Go on with: holdfast eval toy --seeds 2 --out {out}" in result.stderr


def test_what_cannot_run_here_is_left_out_with_one_line_and_said_in_the_verdict(
    toy, toy_command, tmp_path, monkeypatch
):
    def absent(case):
        return f"{case.arm} is left out: no such package" if case.arm == "wiped" else None

    monkeypatch.setattr(toy_command, "absent", absent, raising=False)
    monkeypatch.setattr(toy_command, "SUITE", replace(toy(), left_out="toy_suite:absent"))
    result = run("toy", "--seeds", "2", "--out", str(tmp_path / "out"), "--json")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert {row["arm"] for row in printed["rows"]} == {"kept"}
    assert printed["verdict"] == "2 cases were run. wiped is left out: no such package."
    assert result.stderr.count("wiped is left out") == 1
    again = run("toy", "--seeds", "2", "--out", str(tmp_path / "out"))
    assert "2 of 2 cases were finished before" in again.stderr
    none = run("toy", "--arm", "wiped", "--out", str(tmp_path / "none"), "--json")
    assert isinstance(none.exception, HoldfastError)
    assert str(none.exception) == "nothing of this can be run here: wiped is left out: no such package"
    assert not (tmp_path / "none").exists()


def test_a_part_of_a_suite_runs_and_is_found_again_by_the_whole(toy, toy_command, tmp_path, monkeypatch):
    mark = tmp_path / "mark.txt"
    whole = toy(mark=str(mark))
    monkeypatch.setattr(toy_command, "SUITE", replace(whole, tasks={**whole.tasks, "two words": {"mark": str(mark)}}))
    part = "--first-seed", "3", "--task", "two words", "--arm", "kept", "--out", str(tmp_path / "out")
    result = run("toy", "--seeds", "2", *part, "--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)["rows"]
    assert [(row["task"], row["arm"]) for row in rows] == [("two words", "kept")] * 2
    assert [line.rsplit(" ", 1)[0] for line in sorted(mark.read_text().splitlines())] == [
        "two words kept 3",
        "two words kept 4",
    ]
    result = run("toy", "--seeds", "5", "--out", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    assert "2 of 20 cases were finished before" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--seeds", "2"), ""),
        (("--seeds", "2", "--arm", "Kept", "--arm", "kept"), " Only a part of the suite was run: arms kept."),
        (
            ("--seeds", "1", "--task", "blocks", "--arm", "wiped"),
            " Only a part of the suite was run: tasks blocks; arms wiped."
            " One seed was run: its intervals are points, and say nothing about other seeds.",
        ),
    ],
)
def test_the_verdict_says_that_a_part_was_run_or_one_seed(words, said, toy_command, tmp_path):
    result = run("toy", *words, "--out", str(tmp_path / "out"), "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["verdict"].partition(" cases were run.")[2] == said


def test_a_part_goes_on_with_the_words_that_began_it(toy, toy_command, tmp_path, monkeypatch):
    monkeypatch.setattr(toy_command, "SUITE", toy(fail={"seed": 1, "how": "exit"}))
    result = run("toy", "--seeds", "1", "--first-seed", "1", "--arm", "wiped", "--out", str(tmp_path / "an out"))
    assert isinstance(result.exception, HoldfastError)
    again = f"holdfast eval toy --seeds 1 --first-seed 1 --arm wiped --out '{tmp_path / 'an out'}'"
    assert str(result.exception).endswith(f"Try again: {again}")


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (["--task", "Taxy"], "'Taxy' is not one of"),
        (["--arm", "sarsa"], "'sarsa' is not one of"),
        (["--task", "Taxi", "--arm", "gradient"], "learning: no task of Taxi is played by gradient"),
        (["--first-seed", "-1"], "-1 is not in the range x>=0"),
    ],
)
def test_a_part_that_is_not_there_is_told(part, told, tmp_path):
    result = run("learning", *part, "--out", str(tmp_path / "out"))
    assert result.exit_code == 2
    assert told in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_wrong_name_brings_the_nearest():
    result = run("cross-sesion")
    assert result.exit_code == 2
    assert "no suite named 'cross-sesion'. Did you mean 'cross-session'? Known suites: capacity" in result.stderr
    assert "--seeds" not in result.stderr


def test_the_list_names_every_suite():
    result = run("list")
    assert result.exit_code == 0
    for name in evals.suites.SUITES:
        assert name in result.stdout
    suites = {suite["name"]: suite for suite in json.loads(run("list", "--json").stdout)["suites"]}
    assert list(suites) == sorted(evals.suites.SUITES)
    listed = suites["cross-session"]
    assert listed["arms"] == ["kept", "killed", "wiped", "foreign"]
    assert listed["seeds"] == 5


def walk(command: click.Command, path: tuple[str, ...]):
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from walk(child, (*path, name))


@pytest.mark.parametrize(
    ("path", "command"),
    [each for group in (commands.evaluate, commands.bench) for each in walk(group, (group.name or "",))],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_every_command_has_help_and_an_example_and_json(path, command):
    assert command.get_short_help_str(200)
    assert f"holdfast {path[0]}" in (command.help or "")
    assert "Example:" in (command.help or "")
    if not isinstance(command, click.Group):
        assert "--json" in [option for each in command.params for option in each.opts]


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list"], ["list", "--json"], ["cross-session", "--help"], ["nonsense"]]
)
def test_listings_help_and_errors_import_nothing_heavy(arguments):
    code = (
        "import sys\n"
        "from evals.commands import evaluate\n"
        f"try: evaluate({arguments!r})\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'gymnasium', 'matplotlib', 'sqlite_utils', 'numpy', 'agent'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_the_bench_prints_its_rows(monkeypatch):
    rows = [{"name": "bare", "environment": "e", "us_per_step": 1.0, "overhead_us": 0.0, "steps_per_second": 1e6}]
    monkeypatch.setattr("evals.benches.loop.measure", lambda: rows)
    monkeypatch.setattr("evals.benches.loop.absent", lambda: ("dqn is left out: why",))
    result = CliRunner().invoke(commands.bench, ["loop", "--json"])
    assert json.loads(result.stdout) == {"bench": "loop", "left_out": ["dqn is left out: why"], "rows": rows}
    assert result.stderr == "dqn is left out: why\n"
    assert "us_per_step" in CliRunner().invoke(commands.bench, ["loop"]).stdout
