"""``holdfast run``: what it prints, what it leaves in the file, and how it ends when something is wrong."""

from __future__ import annotations

import errno
import json
import os
import shlex
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from click.testing import CliRunner, Result
from toy_worlds import Told

from agent.command import holdfast
from agent.commands.plot import check_plot, running_mean
from retention import EpisodicMemory, NotFoundError

Rights = Callable[[Path], AbstractContextManager[None]]
posix = pytest.mark.skipif(os.name != "posix", reason="signals, limits and file modes of POSIX")

Run = Callable[..., Result]

OBJECT = ["env", "seed", "namespace", "memory", "frozen", "env_steps", "templates", "seconds", "episodes"]
EPISODE = ["episode", "episode_id", "return", "length", "gate", "written"]
CORRIDOR, FAULTY = "toy/Corridor-v0", "toy/Faulty-v0"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call ``holdfast run`` in this process."""
    for name in list(os.environ):
        if name.startswith("HOLDFAST_"):
            monkeypatch.delenv(name)

    def call(*arguments: Any, text: str = "", quiet: bool = True) -> Result:
        words = ["run", *(["--display", "none"] if quiet else []), *map(str, arguments)]
        return CliRunner().invoke(holdfast, words, prog_name="holdfast", input=text)

    return call


def told(result: Result, code: int = 0) -> dict[str, Any]:
    """The JSON object of a run: the only thing on stdout."""
    assert result.exit_code == code, result.output
    assert len(result.stdout.splitlines()) == 1
    return dict(json.loads(result.stdout))


def refusal(result: Result) -> str:
    """The one line on stderr of a command that ended with an error."""
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("holdfast: ")
    assert "Traceback" not in line
    return line


def kept(path: Path, namespace: str = "default") -> list[Any]:
    with EpisodicMemory.open(path, mode="ro") as memory:
        assert memory.verify() == []
        return memory.episodes(namespace=namespace)


# -- what it prints


def test_the_object_is_as_agreed(run: Run, path: Path) -> None:
    given = ["--memory", path, "--namespace", "alice", "--seed", 3, "--episodes", 5, "--json"]
    said = told(run(CORRIDOR, *given))
    assert list(said) == OBJECT
    assert (said["env"], said["seed"], said["namespace"]) == (CORRIDOR, 3, "alice")
    assert (said["memory"], said["frozen"]) == (str(path), False)
    assert [list(each) for each in said["episodes"]] == [EPISODE] * 5
    assert [each["episode"] for each in said["episodes"]] == [1, 2, 3, 4, 5]
    assert said["env_steps"] == sum(each["length"] for each in said["episodes"])
    assert 0.0 < said["seconds"] < 60.0
    stored = kept(path, "alice")
    assert [
        (each["episode_id"], each["return"], each["length"], each["gate"], each["written"]) for each in said["episodes"]
    ] == [(each.episode_id, each.return_, each.length, each.gate.signed, each.written) for each in stored]
    with EpisodicMemory.open(path, mode="ro") as memory:
        assert said["templates"] == len(memory.templates(namespace="alice"))
    types = [(int, str, float, int, float, int)] * 5
    assert [tuple(type(each[name]) for name in EPISODE) for each in said["episodes"]] == types


def test_without_a_memory_the_object_has_the_same_keys(run: Run) -> None:
    said = told(run(CORRIDOR, "--episodes", 2, "--json"))
    assert list(said) == OBJECT
    assert said["memory"] is None
    assert said["templates"] > 0


def test_frozen_the_object_has_the_same_keys(run: Run, path: Path) -> None:
    learned = told(run(CORRIDOR, "--episodes", 3, "--memory", path, "--json"))
    said = told(run(CORRIDOR, "--episodes", 2, "--memory", path, "--json", "--frozen"))
    assert list(said) == OBJECT
    assert said["frozen"] is True
    assert said["templates"] == learned["templates"]
    assert [(each["episode"], each["episode_id"], each["gate"], each["written"]) for each in said["episodes"]] == [
        (4, None, 0.0, 0),
        (5, None, 0.0, 0),
    ]


def test_what_an_environment_prints_does_not_spoil_the_object(run: Run) -> None:
    done = run("toy/Chatty-v0", "--episodes", 2, "--json")
    assert len(told(done)["episodes"]) == 2
    assert done.stderr.split() == ["made", "step", "step", "closed"]
    assert "step" in run("toy/Chatty-v0", "--episodes", 2).stdout.split()


def test_the_panel_says_what_was_reached_and_the_commands_that_follow_work(run: Run, path: Path) -> None:
    done = run(
        CORRIDOR, "--env-arg", "cells=4", "--env-arg", "limit=9", "--max-episode-steps", 8, "--namespace", "al ice",
        "--episodes", 12, "--seed", 4, "--memory", path,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    for word in (CORRIDOR, "12 (number 1 to 12), seed 4", "best 1", "templates", "namespace al ice"):
        assert word in done.stdout
    assert done.stderr == ""
    follows = {line.split(":")[0]: shlex.split(line.partition(":")[2]) for line in done.stdout.splitlines()[-3:]}
    assert list(follows) == ["go on", "use it", "rate it"]
    for words in follows.values():
        assert words[0] == "holdfast"
        again = CliRunner().invoke(holdfast, [*words[1:], *(["--episodes", "2"] if words[1] == "run" else [])])
        assert again.exit_code == 0, (words, again.output)
        assert len(kept(path, "al ice")) == 14
    with EpisodicMemory.open(path, mode="ro") as memory:
        assert memory.tasks(namespace="al ice") == ['toy/Corridor-v0?{"cells":4,"limit":9}']
    assert [each.rating for each in kept(path, "al ice")] == [None] * 11 + [1.0] + [None] * 2


def test_without_a_memory_it_says_how_to_keep_one(run: Run) -> None:
    done = run(CORRIDOR, "--episodes", 2)
    assert "not kept" in done.stdout
    assert done.stdout.splitlines()[-1].split(maxsplit=2)[2] == "holdfast run toy/Corridor-v0 --memory memory.db"


def test_progress_goes_to_stderr_in_a_few_plain_lines(run: Run) -> None:
    done = run(CORRIDOR, "--episodes", 100, "--json", quiet=False)
    told(done)
    lines = done.stderr.splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith("episode 100/100: return 1, last 20: ")
    assert lines[-1].endswith(" templates")
    for episodes in (1, 9, 11, 19, 39):
        lines = run(CORRIDOR, "--episodes", episodes, quiet=False).stderr.splitlines()
        assert len(lines) <= 10
        assert lines[-1].startswith(f"episode {episodes}/{episodes}: ")
    assert run(CORRIDOR, "--episodes", 3, "--json").stderr == ""


# -- learning on


def test_the_same_seed_is_the_same_run_and_another_one_is_not(run: Run) -> None:
    def same(seed: int) -> Any:
        said = told(run("FrozenLake-v1", "--episodes", 10, "--seed", seed, "--json"))
        return [[each[name] for name in EPISODE if name != "episode_id"] for each in said["episodes"]]

    assert same(7) == same(7)
    assert same(7) != same(8)


def test_frozen_leaves_the_file_as_it_is(run: Run, path: Path) -> None:
    run(CORRIDOR, "--episodes", 15, "--memory", path)
    before, modified = path.read_bytes(), path.stat().st_mtime_ns
    said = told(run(CORRIDOR, "--episodes", 10, "--memory", path, "--frozen", "--json"))
    assert [each["return"] for each in said["episodes"]] == [1.0] * 10
    assert path.read_bytes() == before
    assert path.stat().st_mtime_ns == modified
    for beside in set(path.parent.iterdir()) - {path}:  # SQLite's own: what readers share, and an empty log
        assert beside.name == "memory.db-shm" or (beside.name, beside.stat().st_size) == ("memory.db-wal", 0)


def test_frozen_with_nothing_to_act_on_says_what_the_memory_holds(run: Run, path: Path) -> None:
    short = ["--env-arg", "cells=4"]
    run(CORRIDOR, *short, "--episodes", 2, "--memory", path)
    frozen = ["--episodes", 2, "--memory", path, "--frozen", "--json"]
    forgotten, misspelt = run(CORRIDOR, *frozen), run(CORRIDOR, *short, *frozen, "--namespace", "defualt")
    assert told(forgotten)["templates"] == told(misspelt)["templates"] == 0
    assert forgotten.stderr == (
        f"holdfast: {path} holds nothing of 'toy/Corridor-v0' in the namespace 'default', so nothing is recalled; "
        "it has 'toy/Corridor-v0?{\"cells\":4}' there\n"
    )
    assert misspelt.stderr == (
        f"holdfast: {path} has no namespace 'defualt', so nothing is recalled; it has 'default'\n"
    )
    assert run(CORRIDOR, *short, *frozen).stderr == ""


def test_many_tasks_are_named_in_part(run: Run, path: Path) -> None:
    for number in range(7):
        run(CORRIDOR, "--task", f"t{number}", "--episodes", 1, "--memory", path)
    said = run(CORRIDOR, "--episodes", 1, "--memory", path, "--frozen").stderr
    assert said.endswith("it has 't0', 't1', 't2', 't3', 't4' and 2 more there\n")


@pytest.mark.parametrize("policy", ["recall", "ppo"])
def test_another_discount_than_the_one_learned_with_is_said(policy: str, run: Run, path: Path) -> None:
    words = [CORRIDOR, "--policy", policy, "--episodes", 2, "--memory", path]
    assert run(*words, "--discount", 0.5).stderr == ""
    said = run(*words, "--frozen", "--json")
    assert told(said)["frozen"]
    assert said.stderr == (
        "holdfast: 'toy/Corridor-v0' was learned with the discount 0.5, not 0.99: --discount 0.5 keeps it\n"
    )
    assert run(*words, "--frozen", "--discount", 0.5).stderr == ""


def test_the_memory_may_be_named_by_the_environment(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_MEMORY", str(path))
    assert told(run(CORRIDOR, "--episodes", 2, "--json"))["memory"] == str(path)
    assert len(kept(path)) == 2


def test_without_recall_a_memory_is_worth_nothing(run: Run, path: Path) -> None:
    arms = ["toy/Arms-v0", "--env-arg", "pays=[0, 0, 0, 0, 1]", "--memory", path, "--json"]
    run(*arms, "--episodes", 20)
    assert sum(each["return"] for each in told(run(*arms, "--episodes", 50, "--frozen"))["episodes"]) == 50
    without = told(run(*arms, "--episodes", 50, "--frozen", "--no-recall"))
    assert sum(each["return"] for each in without["episodes"]) < 25


def test_a_gate_for_successes_writes_no_failures(run: Run, path: Path) -> None:
    arms = ["toy/Arms-v0", "--env-arg", "pays=[0, 0, 1]", "--env-arg", "success_from=1.0", "--memory", path, "--json"]
    said = told(run(*arms, "--gate", "success", "--episodes", 20))
    assert {each["return"] for each in said["episodes"]} == {0.0, 1.0}
    assert said["templates"] == 1
    assert all(each["gate"] < 0 and not each["written"] for each in said["episodes"] if each["return"] == 0.0)
    assert run(*arms[:-1], "--gate", "success", "--episodes", 1).stdout.count(" --gate success --memory ") == 2


def test_a_step_limit(run: Run) -> None:
    said = told(run(CORRIDOR, "--episodes", 4, "--max-episode-steps", 3, "--json"))
    assert [each["length"] for each in said["episodes"]] == [3] * 4


@pytest.mark.parametrize(
    ("first", "then", "said"),
    [
        (["--hide-reward"], [], "(run it with --hide-reward)"),
        ([], ["--hide-reward"], "(run it without --hide-reward)"),
    ],
)
def test_a_task_that_was_learned_the_other_way_names_the_option(
    first: list[str], then: list[str], said: str, run: Run, path: Path
) -> None:
    words = [CORRIDOR, "--episodes", 1, "--memory", path]
    assert run(*words, *first).exit_code == 0
    assert said in refusal(run(*words, *then))


# -- arguments


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=3", 3),
        ("a=0.5", 0.5),
        ("a=true", True),
        ("a=True", True),
        ("a=null", None),
        ("a=None", None),
        ("a=hello", "hello"),
        ('a="3"', "3"),
        ("a='3'", "3"),
        ("a=[1, 2]", [1, 2]),
        ("a=(1, 2)", (1, 2)),
        ('a={"x": 1}', {"x": 1}),
        ("a=", ""),
        ("a=b=c", "b=c"),
        ("a=-1", -1),
        ("a=__import__('os')", "__import__('os')"),
        ("a={[1]}", "{[1]}"),
    ],
)
def test_arguments_of_the_environment(text: str, value: Any, run: Run) -> None:
    Told.made_with.clear()
    told(run("toy/Told-v0", "--env-arg", text, "--env-arg", "second=2", "--episodes", 1, "--json"))
    assert Told.made_with == [{"a": value, "second": 2}]
    assert type(Told.made_with[0]["a"]) is type(value)


@pytest.mark.parametrize("text", ["cells", "=3", "two words=3", "3=3", ""])
def test_what_is_no_argument_is_wrong_usage(text: str, run: Run) -> None:
    done = run(CORRIDOR, "--env-arg", text, "--json")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert f"{text!r} is not KEY=VALUE" in done.stderr


@pytest.mark.parametrize("value", ["no", "FALSE", "off", "2", "null", "[]"])
def test_a_text_is_not_taken_for_true_or_false(value: str, run: Run, path: Path) -> None:
    done = run("FrozenLake-v1", "--env-arg", f"is_slippery={value}", "--memory", path)
    assert done.exit_code == 2
    assert "is_slippery must be true or false, got" in done.stderr
    assert not path.exists()


@pytest.mark.parametrize("value", ["true", "False", "0", "1"])
def test_true_and_false_are_taken(value: str, run: Run) -> None:
    assert told(run("FrozenLake-v1", "--env-arg", f"is_slippery={value}", "--episodes", 1, "--json"))["episodes"]


def test_an_argument_that_is_registered_as_a_flag_is_one(run: Run) -> None:
    gymnasium.register("toy/Flagged-v0", entry_point=Told, kwargs={"a": True})
    assert run("toy/Flagged-v0", "--env-arg", "a=no").exit_code == 2


def test_an_argument_given_twice_is_wrong_usage(run: Run) -> None:
    done = run(CORRIDOR, "--env-arg", "cells=4", "--env-arg", "cells=5")
    assert done.exit_code == 2
    assert "cells is given twice" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--episodes", 0],
        ["--episodes", "many"],
        ["--seed", -1],
        ["--max-episode-steps", 0],
        ["--gate", "failures"],
        ["--ask", "--frozen"],
        ["--frozen"],
        ["--policy", "ppo", "--hide-reward"],
        ["--memory", ""],
        ["--memory", ":memory:"],
        ["--discount", "nan"],
        ["--namespace", ""],
        ["--namespace", "n" * 201],
        ["--unknown"],
    ],
)
def test_wrong_usage(words: list[Any], run: Run) -> None:
    done = run(CORRIDOR, *words)
    assert done.exit_code == 2
    assert done.stdout == ""


# -- the picture


def png_size(path: Path) -> tuple[int, int]:
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert data[12:16] == b"IHDR"
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_a_picture_of_the_returns(run: Run, path: Path, tmp_path: Path) -> None:
    picture = tmp_path / "returns.png"
    first = run(CORRIDOR, "--episodes", 1, "--memory", path, "--plot", picture)  # a single episode has a mean too
    assert first.exit_code == 0, first.output
    alone = picture.read_bytes()
    done = run(CORRIDOR, "--episodes", 30, "--memory", path, "--plot", picture)
    assert done.exit_code == 0, done.output
    width, height = png_size(picture)
    assert 600 <= width <= 2400
    assert 300 <= height <= 1600
    assert 5_000 < picture.stat().st_size < 500_000
    assert picture.read_bytes() != alone
    assert run(CORRIDOR, "--episodes", 3, "--memory", path, "--frozen", "--plot", picture).exit_code == 0


def test_the_running_mean_is_of_the_last_twenty() -> None:
    returns = np.arange(45.0) ** 2
    wanted = [returns[max(0, at - 19) : at + 1].mean() for at in range(45)]
    np.testing.assert_allclose(running_mean(returns), wanted)
    for few in (1, 19, 20):
        np.testing.assert_allclose(running_mean(returns[:few]), wanted[:few])


def test_the_panel_shows_long_paths_whole(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / ("far" * 20) / ("away" * 10)
    folder.mkdir(parents=True)
    done = run(CORRIDOR, "--episodes", 2, "--memory", folder / "memory.db", "--plot", folder / "returns.png")
    shown = "".join(done.stdout.partition("╰")[0].replace("│", "").split())
    assert str(folder / "memory.db") in shown
    assert str(folder / "returns.png") in shown


def test_the_panel_shows_names_with_brackets_as_they_are(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "runs[red]" / "last[" / "]"
    folder.mkdir(parents=True)
    names = ["--memory", folder / "m.db", "--namespace", "team[/a]", "--plot", folder / "returns.png"]
    done = run(CORRIDOR, "--episodes", 2, *names)
    assert done.exit_code == 0, done.output
    shown = "".join(done.stdout.partition("╰")[0].replace("│", "").split())
    for name in (folder / "m.db", "team[/a]", folder / "returns.png"):
        assert str(name) in shown


@pytest.mark.parametrize("suffix", ["svg", "PDF"])
def test_other_formats(suffix: str, run: Run, tmp_path: Path) -> None:
    picture = tmp_path / f"returns.{suffix}"
    assert run(CORRIDOR, "--episodes", 2, "--plot", picture).exit_code == 0
    assert picture.stat().st_size > 2000


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("returns.jpeg", "must end in one of .png, .svg, .pdf"),
        ("returns", "must end in one of"),
        ("absent/returns.png", "there is no folder"),
    ],
)
def test_a_picture_that_cannot_be_drawn_is_refused_before_the_run(
    name: str, said: str, run: Run, path: Path, tmp_path: Path
) -> None:
    done = run(CORRIDOR, "--memory", path, "--plot", tmp_path / name, "--json")
    assert said in refusal(done)
    assert done.stdout == ""
    assert not path.exists()


@posix
def test_a_folder_where_no_picture_can_be_written_is_refused_before_the_run(
    run: Run, as_someone_without_rights: Rights
) -> None:
    folder = Path(tempfile.mkdtemp())  # tmp_path lies in a folder that only its owner may enter
    try:
        folder.chmod(0o500)
        with as_someone_without_rights(folder):
            done = run(CORRIDOR, "--plot", folder / "returns.png", "--json")
        assert refusal(done) == f"holdfast: --plot {folder / 'returns.png'} cannot be written: Permission denied"
        assert done.stdout == ""
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


def test_to_look_whether_a_picture_can_be_written_leaves_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "old.png").write_text("old")
    check_plot(str(tmp_path / "old.png"))
    check_plot(str(tmp_path / "new.png"))
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("old.png", "old")]


def test_the_result_is_told_although_the_drawing_fails(
    run: Run, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, **how: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("agent.commands.plot.draw_returns", fail)
    done = run(CORRIDOR, "--episodes", 3, "--memory", path, "--plot", tmp_path / "returns.png", "--json")
    assert "No space left on device" in refusal(done)
    assert [each["episode_id"] for each in told(done, 1)["episodes"]] == [each.episode_id for each in kept(path)]


def test_a_missing_part_is_one_line_with_the_command_that_brings_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.commands.plot.find_spec", lambda name: None)
    assert "pip install 'holdfast[plot]'" in refusal(run(CORRIDOR, "--plot", tmp_path / "returns.png"))


# -- ratings at the terminal


@pytest.mark.parametrize("as_json", [True, False])
def test_answers_become_ratings(as_json: bool, run: Run, path: Path) -> None:
    words = [CORRIDOR, "--ask", "--memory", path, "--episodes", 5, *(["--json"] if as_json else [])]
    done = run(*words, text="u\nd\n\nUP\ndown\n")
    assert done.exit_code == 0, done.output
    if as_json:
        gates = [each["gate"] for each in told(done)["episodes"]]
        assert gates == [each.gate.signed for each in kept(path)]
        assert [gates[at] for at in (0, 1, 3, 4)] == [1.0, -1.0, 1.0, -1.0]
    assert done.stderr.count("[u]p, [d]own, Enter to skip") == 5
    assert "episode 1: return " in done.stderr
    assert "[u]p" not in done.stdout
    assert [each.rating for each in kept(path)] == [1.0, -1.0, None, 1.0, -1.0]


def test_what_is_no_answer_is_asked_again(run: Run, path: Path) -> None:
    done = run(CORRIDOR, "--ask", "--memory", path, "--episodes", 1, text="good\nu\n")
    assert "'good' is none of u, d and Enter" in done.stderr
    assert [each.rating for each in kept(path)] == [1.0]


def test_where_the_answers_end_the_rest_is_not_rated(run: Run, path: Path) -> None:
    done = run(CORRIDOR, "--ask", "--memory", path, "--episodes", 3, "--json", text="d\n")
    assert len(told(done)["episodes"]) == 3
    assert [each.rating for each in kept(path)] == [-1.0, None, None]


def test_answers_change_what_is_done(run: Run, path: Path) -> None:
    """Both arms pay the same; a user who dislikes whatever came first gets the other one."""
    arms = ["toy/Arms-v0", "--memory", path]
    run(*arms, "--ask", "--episodes", 1, text="d\n")
    with EpisodicMemory.open(path, mode="ro") as memory:
        (disliked,) = (each.action for each in memory.templates(namespace="default"))
    run(*arms, "--episodes", 10)
    with EpisodicMemory.open(path, mode="ro") as memory:
        counts = {each.action: each.count for each in memory.templates(namespace="default")}
    assert counts[disliked] == 1
    assert sum(counts.values()) == 11


# -- what goes wrong


@pytest.mark.parametrize(
    ("env_id", "said"),
    [
        ("FrozenLkae-v1", r"no environment named 'FrozenLkae-v1'. Did you mean FrozenLake-v1"),
        ("toy/Coridor-v0", "Did you mean toy/Corridor-v0"),
        ("cartpole-v1", "Did you mean CartPole-v1"),
        ("qqqqqq", "write module:EnvId"),
        ("FrozenLake-v9", "Did you mean FrozenLake-v1"),
        ("no_such_module:Thing-v0", "no module named 'no_such_module'"),
        ("toy_worlds:toy/Coridor-v0", "Did you mean toy_worlds:toy/Corridor-v0"),
        ("toy/Wordy-v0", "observations of Sequence are not supported yet"),
        ("toy/Steered-v0", "actions of a Box without bounds are not supported"),
    ],
)
def test_what_cannot_be_played_is_one_line(env_id: str, said: str, run: Run, path: Path) -> None:
    assert said in refusal(run(env_id, "--memory", path, "--episodes", 2))


def test_an_environment_that_is_made_of_one_that_is_not_there_says_which(run: Run) -> None:
    line = refusal(run("holdfast/TaskStream-v0", "--env-arg", 'tasks=["FrozenLak-v1"]'))
    assert line.startswith("holdfast: cannot make holdfast/TaskStream-v0: Environment `FrozenLak` doesn't exist.")


def test_an_argument_that_the_environment_does_not_know_is_one_line(run: Run) -> None:
    line = refusal(run(CORRIDOR, "--env-arg", "rooms=3"))
    assert "cannot make toy/Corridor-v0" in line
    assert "rooms" in line


def test_an_environment_that_cannot_be_made_is_one_line_whatever_it_raises(run: Run) -> None:
    line = refusal(run("FrozenLake-v1", "--env-arg", "map_name=9x9"))
    assert line == "holdfast: cannot make FrozenLake-v1: KeyError: '9x9'"


def test_a_module_that_exits_does_not_end_the_run_unsaid(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "module_that_exits.py").write_text("raise SystemExit(0)\n")
    monkeypatch.syspath_prepend(tmp_path)
    line = refusal(run("module_that_exits:X-v0", "--episodes", 2, "--json"))
    assert line == "holdfast: cannot make module_that_exits:X-v0: SystemExit: 0"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("raise", "the environment's step raised in episode 3, step 2: RuntimeError: the motor is stuck"),
        ("exit", "the environment's step raised in episode 3, step 2: SystemExit: 0"),
        ("reset", "the environment's reset raised in episode 3, step 0: RuntimeError: the motor is stuck"),
        ("nan", "step 2 of episode 3: an observation holds NaN or infinity"),
        ("shape", "step 2 of episode 3: an observation has 3 numbers where its space declares 2"),
        ("nothing_info", "step 2 of episode 3: the environment returned the info None, which is no dict"),
        ("nan_reward", "the reward is nan at step 2 of episode 3"),
    ],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_a_fault_in_the_middle_is_one_line_and_what_was_finished_is_kept(
    fault: str, said: str, as_json: bool, run: Run, path: Path
) -> None:
    done = run(FAULTY, "--env-arg", f"fault={fault}", "--memory", path, *(["--json"] if as_json else []))
    assert said in refusal(done)
    assert len(kept(path)) == 2
    if as_json:
        assert [each["episode_id"] for each in told(done, 1)["episodes"]] == [each.episode_id for each in kept(path)]
    else:
        assert "2 (number 1 to 2)" in done.stdout


def test_an_interrupt_in_this_process(run: Run, path: Path) -> None:
    done = run(FAULTY, "--env-arg", "fault=interrupt", "--memory", path, "--json")
    assert [each["episode_id"] for each in told(done, 130)["episodes"]] == [each.episode_id for each in kept(path)]
    assert len(kept(path)) == 2
    assert done.stderr.strip() == ""


def foreign_text(path: Path) -> str:
    path.write_text("dear diary " * 20)
    return "is not a holdfast memory"


def foreign_database(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE diary (day TEXT)")
    return "is the SQLite file of another application"


def newer(path: Path) -> str:
    EpisodicMemory.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")
    return "has schema version 999"


def damaged(path: Path) -> str:
    with EpisodicMemory.open(path) as memory:
        memory.save_setting("ballast", "x" * 20_000, namespace="default", task="any")
    data = path.read_bytes()
    path.write_bytes(data[:8192])
    return "damaged"


@pytest.mark.parametrize("spoil", [foreign_text, foreign_database, newer, damaged])
@pytest.mark.parametrize("frozen", [False, True])
def test_a_file_that_cannot_be_used_is_refused_and_not_touched(
    spoil: Callable[[Path], str], frozen: bool, run: Run, path: Path
) -> None:
    said = spoil(path)
    before = path.read_bytes()
    done = run(CORRIDOR, "--memory", path, "--json", *(["--frozen"] if frozen else []))
    line = refusal(done)
    assert said in line
    assert path.name in line
    assert path.read_bytes() == before


def test_a_folder_that_does_not_exist(run: Run, tmp_path: Path) -> None:
    assert "does not exist" in refusal(run(CORRIDOR, "--memory", tmp_path / "absent" / "memory.db"))
    assert "no such file" in refusal(run(CORRIDOR, "--memory", tmp_path / "memory.db", "--frozen"))
    assert list(tmp_path.iterdir()) == []


@posix
def test_a_file_that_may_only_be_read(run: Run, as_someone_without_rights: Rights) -> None:
    folder = Path(tempfile.mkdtemp())  # tmp_path lies in a folder that only its owner may enter
    try:
        path = folder / "memory.db"
        run(CORRIDOR, "--memory", path, "--episodes", 12)
        path.chmod(0o400)
        folder.chmod(0o500)
        before = path.read_bytes()
        with as_someone_without_rights(folder):
            assert "cannot be written; make it writable" in refusal(run(CORRIDOR, "--memory", path))
            frozen = told(run(CORRIDOR, "--memory", path, "--frozen", "--episodes", 3, "--json"))
        assert [each["return"] for each in frozen["episodes"]] == [1.0] * 3
        assert path.read_bytes() == before
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


def test_a_disk_that_fills_up(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect

    def small(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = connect(*args, **kwargs)
        connection.execute("PRAGMA max_page_count = 60")
        return connection

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", small)
        done = run("toy/Signs-v0", "--env-arg", 'kind="box"', "--memory", path, "--episodes", 2000, "--json")
    assert "the disk is full; free some space" in refusal(done)
    finished = [each["episode_id"] for each in told(done, 1)["episodes"]]
    assert len(finished) > 5
    assert [each.episode_id for each in kept(path)] == finished
    again = told(run("toy/Signs-v0", "--env-arg", 'kind="box"', "--memory", path, "--episodes", 1, "--json"))
    assert again["episodes"][0]["episode"] == len(finished) + 1


# -- processes of their own


@pytest.fixture
def start(clean_environment: dict[str, str], worlds_folder: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start ``python -m agent run ...`` in a process of its own, in the folder of the toy worlds."""
    started: list[subprocess.Popen[str]] = []

    def begin(*arguments: Any, before: str = "", folder: Path = worlds_folder) -> subprocess.Popen[str]:
        script = f"import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); {before}\n"
        script += "sys.argv[0] = 'holdfast'; from agent.command import main; main()"
        words = [sys.executable, "-c", script, "run", "--display", "none", *map(str, arguments)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            words, cwd=folder, env=clean_environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def ended(process: subprocess.Popen[str], code: int = 0) -> tuple[dict[str, Any], str]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, out + err
    return dict(json.loads(out)), err


def test_a_second_process_goes_on_where_the_first_one_stopped(start: Any, path: Path) -> None:
    lake = ["FrozenLake-v1", "--env-arg", "is_slippery=false", "--memory", path, "--json"]
    first, _ = ended(start(*lake, "--episodes", 20, "--seed", 1))
    before = path.read_bytes()
    second, _ = ended(start(*lake, "--episodes", 10, "--seed", 2, "--frozen"))
    assert path.read_bytes() == before
    third, _ = ended(start(*lake, "--episodes", 3, "--seed", 2))
    earlier, at_once = ([each["return"] for each in said["episodes"]] for said in (first, second))
    assert np.mean(earlier[:4]) < 0.5
    assert at_once == [1.0] * 10
    assert [each["episode"] for each in second["episodes"]] == list(range(21, 31))
    assert [each["episode"] for each in third["episodes"]] == [21, 22, 23]  # frozen episodes are not kept
    assert [each["return"] for each in third["episodes"]] == [1.0] * 3


def test_an_environment_of_ones_own_in_the_current_folder(
    tmp_path: Path, worlds_folder: Path, clean_environment: dict[str, str]
) -> None:
    shutil.copy(worlds_folder / "toy_worlds.py", tmp_path / "my_worlds.py")
    done = subprocess.run(
        ["holdfast", "run", "my_worlds:toy/Corridor-v0", "--memory", "my.db", "--episodes", "3", "--json"],
        cwd=tmp_path,
        env=clean_environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["env"], said["memory"], len(said["episodes"])) == ("my_worlds:toy/Corridor-v0", "my.db", 3)
    assert len(kept(tmp_path / "my.db")) == 3


@posix
def test_control_c_in_the_middle(start: Any, path: Path) -> None:
    process = start(
        "toy_worlds:toy/Corridor-v0", "--env-arg", "delay=0.002", "--episodes", 100_000, "--memory", path, "--json"
    )
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
        try:
            if len(kept(path)) >= 5:
                break
        except NotFoundError:
            continue  # the file is not made yet
    process.send_signal(signal.SIGINT)
    said, err = ended(process, 130)
    assert err.strip() == ""
    finished = [each["episode_id"] for each in said["episodes"]]
    assert len(finished) >= 5
    stored = [each.episode_id for each in kept(path)]
    assert stored[: len(finished)] == finished
    assert len(stored) - len(finished) in (0, 1)  # one may be stored and not told yet


@posix
def test_a_disk_that_refuses_to_grow_a_file(start: Any, path: Path) -> None:
    """No file of the process may pass 300 kB: the system itself refuses the write."""
    limit = "import resource; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))"
    said, err = ended(
        start(
            "toy_worlds:toy/Line-v0",
            "--env-arg",
            "noise=0.001",
            "--episodes",
            500,
            "--memory",
            path,
            "--json",
            before=limit,
        ),
        1,
    )
    (line,) = err.splitlines()
    assert line.startswith("holdfast: ")
    assert "memory.db" in line
    assert "space" in line
    finished = [each["episode_id"] for each in said["episodes"]]
    assert finished
    assert [each.episode_id for each in kept(path)] == finished
