"""``holdfast train``, and ``holdfast run --policy``: what they print, leave behind, and say when something is wrong."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.command import holdfast
from agent.meta.checkpoint import load_checkpoint
from agent.meta.families import FAMILIES, Family
from retention import EpisodicMemory

Call = Callable[..., Result]
posix = pytest.mark.skipif(os.name != "posix", reason="signals and file modes of POSIX")

TINY = ("--iterations", 40, "--batch", 2)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call ``holdfast`` in this process, with many marks; trials have tests of their own."""

    def quick(network: Any, family: Family, *, tasks: int, wiped: bool = False) -> list[float]:
        return [0.0 if wiped else float(tasks)] * family.trial_episodes

    monkeypatch.setattr("agent.meta.trial.trial", quick)
    monkeypatch.setattr("agent.meta.training.trial", quick)
    monkeypatch.setattr("agent.commands.train._SHORTEST", 1)
    monkeypatch.delenv("HOLDFAST_MEMORY", raising=False)
    return lambda *words: CliRunner().invoke(holdfast, [str(each) for each in words], prog_name="holdfast")


def refusal(result: Result) -> str:
    """The one line on stderr of a command that ended with an error."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("holdfast: ")
    return line


def weights(folder: Path) -> bytes:
    return (folder / "weights.safetensors").read_bytes()


def test_without_a_family_it_lists_them(call: Call) -> None:
    said = call("train")
    assert said.exit_code == 0
    *families, adapter = [line.split() for line in said.stdout.splitlines()]
    assert [words[:2] for words in families] == [[name, family.entry.env_id] for name, family in FAMILIES.items()]
    assert adapter[:3] == ["adapter", "(a", "language"]
    told = json.loads(call("train", "--json").stdout)
    listed = told["families"]
    assert told["adapter"]["iterations"] == 1500
    assert [each["family"] for each in listed] == list(FAMILIES)
    assert [each["iterations"] for each in listed] == [family.entry.iterations for family in FAMILIES.values()]


def test_it_trains_draws_and_says_what_was_reached(call: Call, tmp_path: Path) -> None:
    folder, plot = tmp_path / "my rule", tmp_path / "curve.png"
    board = tmp_path / "board"
    done = call(
        "train", "hidden-rule", *TINY, "--out", folder, "--plot", plot, "--tensorboard", board, "--json", "--seed", 3
    )
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    said = json.loads(line)
    assert said["folder"] == str(folder)
    assert (said["family"], said["env_steps"], said["plan"]["seed"]) == ("hidden-rule", 80, 3)
    assert [each["iteration"] for each in said["curve"]] == list(range(4, 41, 4))
    assert (said["scores"]["kept"], said["scores"]["wiped"]) == ([200.0] * 12, [0.0] * 12)
    assert [each.split(":")[0] for each in done.stderr.splitlines()] == [f"iteration {n}/40" for n in range(4, 41, 4)]
    assert plot.read_bytes()[:4] == b"\x89PNG"
    assert len(list(board.iterdir())) == 1
    assert sorted(each.name for each in folder.iterdir()) == ["recipe.json", "weights.safetensors"]
    _, recipe = load_checkpoint(str(folder))
    assert {"folder": str(folder), **{name: recipe[name] for name in said if name != "folder"}} == said


def test_the_panel_says_how_to_use_it(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("train", "dark-room", "--iterations", 1, "--batch", 1, "--out", "my room", "--display", "none")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    assert "the optimum is 16.6" in done.stdout
    (use,) = [line for line in done.stdout.splitlines() if line.startswith("use it:")]
    words = shlex.split(use.removeprefix("use it:"))
    assert words[:5] == ["holdfast", "run", "holdfast/DarkRoom-v0", "--policy", "retention:my room"]
    used = call(*words[1:], "--episodes", 1, "--json", "--display", "none")
    assert used.exit_code == 0, used.output
    assert json.loads(used.stdout)["templates"] > 0


def test_the_default_folder_is_named_by_the_family(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("train", "entity-rewrite", "--iterations", 1, "--batch", 1, "--display", "none").exit_code == 0
    assert load_checkpoint("policies/entity-rewrite")[1]["family"] == "entity-rewrite"


# What the command is, but for a mark every iteration and trials that cost nothing.
SLOW = """
import sys, time
import agent.commands.train, agent.meta.training
from agent.command import main

agent.commands.train._SHORTEST = 1
agent.meta.training.trial = lambda network, family, tasks: time.sleep(0.2) or [0.0]
main()
"""


@posix
def test_it_goes_on_after_ctrl_c_and_ends_with_the_same_weights(
    call: Call, tmp_path: Path, clean_environment: dict[str, str], root: Path
) -> None:
    words = ["train", "hidden-rule", "--iterations", "10", "--batch", "2", "--display", "plain", "--out"]
    assert call(*words, tmp_path / "whole").exit_code == 0
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, *words, str(tmp_path / "parts")],
        cwd=root,
        env=clean_environment | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    ) as stopped:
        assert stopped.stderr is not None
        said = ""
        while "iteration 3/10" not in said:
            line = stopped.stderr.readline()
            assert line, said
            said += line
        stopped.send_signal(signal.SIGINT)
        said = stopped.stderr.read()
    assert stopped.returncode == 130, said
    assert "Traceback" not in said
    assert "iteration 9/10" not in said
    assert "stopped; the same command goes on from" in said
    assert [each.name for each in (tmp_path / "parts").iterdir()] == ["training.safetensors"]
    again = call(*words, tmp_path / "parts")
    assert again.exit_code == 0, again.output
    assert again.stderr.startswith("going on at iteration ")
    assert again.stderr.splitlines()[-1].startswith("iteration 10/10")
    assert "use it:" in again.stdout
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")
    assert not (tmp_path / "parts" / "training.safetensors").exists()


def test_an_interruption_while_the_result_is_tried_loses_nothing(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", "hidden-rule", "--iterations", 4, "--batch", 2, "--display", "none")
    assert call(*words, "--out", tmp_path / "whole").exit_code == 0
    with monkeypatch.context() as patched:

        def interrupted(*given: Any, **more: Any) -> None:
            raise KeyboardInterrupt

        patched.setattr("agent.meta.checkpoint.save_checkpoint", interrupted)
        assert call(*words, "--out", tmp_path / "parts").exit_code == 130
    assert call(*words, "--out", tmp_path / "parts").exit_code == 0
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")


def test_an_unfinished_training_of_another_plan_is_left_alone(call: Call, tmp_path: Path) -> None:
    from agent.meta.plan import Plan
    from agent.meta.training import Training

    file = tmp_path / "training.safetensors"
    Training(Plan(family="hidden-rule", iterations=50, batch=2)).save(file)
    held = file.read_bytes()
    line = refusal(call("train", "hidden-rule", *TINY, "--out", tmp_path))
    assert f"{file} is an unfinished training by another plan: finish it with the same arguments, or delete it" in line
    assert file.read_bytes() == held


def test_what_cannot_be_is_said_in_one_line(call: Call, tmp_path: Path) -> None:
    assert "no family named 'hiden-rule'. Did you mean 'hidden-rule'?" in refusal(call("train", "hiden-rule"))
    assert "must end in one of" in refusal(call("train", "hidden-rule", "--plot", tmp_path / "curve.txt"))
    (tmp_path / "training.safetensors").write_bytes(b"something else")
    assert "is not a safetensors file" in refusal(call("train", "hidden-rule", *TINY, "--out", tmp_path))
    assert call("train", "hidden-rule", "--iterations", 0).exit_code == 2
    for wrong in (["--rate", "nan"], ["--rate", "inf"], ["--seed", 2**64]):
        for what in ("hidden-rule", "adapter"):
            assert call("train", what, "--iterations", 1, "--out", tmp_path / "out", *wrong).exit_code == 2
    assert not (tmp_path / "out").exists()


@posix
def test_a_folder_that_cannot_be_written_is_found_out_before_the_training(
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    as_someone_without_rights: Callable[[Path], AbstractContextManager[None]],
) -> None:

    def step(self: Any) -> float:
        raise AssertionError("it trained before it looked")

    monkeypatch.setattr("agent.meta.training.Training._step", step)
    with tempfile.TemporaryDirectory() as name:  # a folder of pytest's own cannot be entered by others at all
        folder = Path(name)
        with as_someone_without_rights(folder):
            folder.chmod(0o555)
            for out in (folder, folder / "inside"):
                said = refusal(call("train", "hidden-rule", *TINY, "--out", out, "--display", "none"))
                assert "Permission denied" in said
            folder.chmod(0o755)


def test_help_says_what_can_be_trained(call: Call) -> None:
    assert "holdfast train adapter --help" in " ".join(call("train", "--help").stdout.split())
    adapter = call("train", "adapter", "--help").stdout
    assert adapter.startswith("Usage: holdfast train adapter [OPTIONS]")
    assert "--people" in adapter


# -- holdfast run --policy


@pytest.fixture
def folder(call: Call, tmp_path: Path) -> Path:
    path = tmp_path / "rule"
    done = call("train", "hidden-rule", "--iterations", 1, "--batch", 1, "--out", path, "--display", "none")
    assert done.exit_code == 0, done.output
    return path


def test_a_folder_plays_and_the_commands_that_follow_name_it(call: Call, folder: Path, tmp_path: Path) -> None:
    memory = tmp_path / "memory.db"
    given = ("--policy", f"retention:{folder}", "--memory", memory, "--task", "my rules", "--display", "none")
    done = call("run", "holdfast/HiddenRule-v0", *given, "--episodes", 3)
    assert done.exit_code == 0, done.output
    follow = {
        line.split(":")[0]: shlex.split(line.partition(":")[2])
        for line in done.stdout.splitlines()
        if "holdfast " in line
    }
    assert {"go on", "use it"} <= set(follow)
    for words in (follow["go on"], follow["use it"]):
        assert words[words.index("--policy") + 1] == f"retention:{folder}"
        assert words[words.index("--task") + 1] == "my rules"
    again = call(*follow["go on"][1:], "--episodes", 2, "--json", "--display", "none")
    assert [each["episode"] for each in json.loads(again.stdout)["episodes"]] == [4, 5]
    frozen = call(*follow["use it"][1:], "--episodes", 1, "--json", "--display", "none")
    assert json.loads(frozen.stdout)["frozen"] is True
    with EpisodicMemory.open(memory, mode="ro") as held:
        assert held.episode_count(namespace="default", task="my rules") == 5
        assert held.episode_count(namespace="default", task="holdfast/HiddenRule-v0") == 0


def test_without_recall_it_still_writes(call: Call, folder: Path) -> None:
    given = ("--policy", f"retention:{folder}", "--no-recall", "--episodes", 2, "--json", "--display", "none")
    assert json.loads(call("run", "holdfast/HiddenRule-v0", *given).stdout)["templates"] > 0


@pytest.mark.parametrize(
    ("policy", "env_id", "message"),
    [
        ("nonsense", "holdfast/HiddenRule-v0", "no policy named 'nonsense'. Known: recall, "),
        ("retention:nonsense", "holdfast/HiddenRule-v0", "no policy 'nonsense': neither one of the package"),
        ("retention:FOLDER", "CartPole-v1", "is for observations of symbols, but the environment shows Box"),
    ],
)
def test_a_policy_that_does_not_fit_is_refused_in_one_line(
    policy: str, env_id: str, message: str, call: Call, folder: Path
) -> None:
    assert message in refusal(
        call("run", env_id, "--policy", policy.replace("FOLDER", str(folder)), "--display", "none")
    )
