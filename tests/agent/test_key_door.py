"""One process finds the key and the door, another one uses them: only the file is shared."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import pytest

import environments  # noqa: F401 - registers holdfast/DarkKeyDoor-v0


def run(path: Path, *options: str) -> Any:
    command = [sys.executable, "-m", "agent", "run", "holdfast/DarkKeyDoor-v0", "--env-arg", "task=11"]
    command += ["--discount", "0.9", "--memory", str(path), "--display", "none", "--json", *options]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.parametrize("task", [None, "the house of alice"])
def test_what_one_process_found_another_one_uses(path: Path, task: str | None) -> None:
    named = () if task is None else ("--task", task)
    found = run(path, "--episodes", "60", *named)
    used = run(path, "--episodes", "3", "--frozen", *named)
    env = gymnasium.make("holdfast/DarkKeyDoor-v0", task=11)
    env.reset(seed=0)
    assert found["episodes"][0]["return"] < 2.0
    assert [each["return"] for each in used["episodes"]] == [2.0] * 3
    assert [each["length"] for each in used["episodes"]] == [env.get_wrapper_attr("optimal_steps")] * 3
    assert used["templates"] == found["templates"]
    if task is not None:  # under another name nothing is known
        assert run(path, "--episodes", "3", "--frozen")["templates"] == 0
