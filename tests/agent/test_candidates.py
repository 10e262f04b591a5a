"""Environments of texts, played by the numbers of their candidates."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import gymnasium
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

import environments
from agent import Agent, NumberedCandidates, make_policy, task_name
from agent.candidates import by_number
from retention import EnvironmentFaultError, HoldfastError, UnsupportedSpaceError

environments.register()


class Echo(gymnasium.Env[str, str]):
    """Names two candidates, then one, then none, and says what was chosen."""

    observation_space = spaces.Text(20, min_length=0)
    action_space = spaces.Text(20, min_length=0)
    candidate_count = 2

    def __init__(self) -> None:
        self.left: list[list[str]] = []
        self.chosen: list[str] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.left = [["pear", "apple"], ["fig"], []]
        return "start", {"candidates": self.left[0]}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.chosen.append(action)
        self.left.pop(0)
        return action, 0.0, False, False, {"candidates": self.left[0], "situation": f"after {action}"}


def test_a_number_is_the_place_of_a_candidate_in_alphabetical_order():
    echo = Echo()
    world = NumberedCandidates(echo)
    assert world.action_space == spaces.Discrete(2)
    assert world.reset(seed=0)[0] == "start"
    assert world.step(1)[0] == "after pear"
    assert world.step(1)[0] == "after fig"  # of one candidate every number is the first
    assert echo.chosen == ["pear", "fig"]
    with pytest.raises(EnvironmentFaultError, match="names no candidates"):
        world.step(0)


def test_texts_without_candidates_are_refused_in_one_line():
    class Mute(gymnasium.Env[str, str]):
        observation_space = action_space = spaces.Text(5)

    for wrap in (NumberedCandidates, by_number):
        with pytest.raises(UnsupportedSpaceError, match="it names no candidates to choose among") as caught:
            wrap(Mute())
        assert isinstance(caught.value, HoldfastError)
    lake = gymnasium.make("FrozenLake-v1")
    assert by_number(lake) is lake


def test_gymnasium_accepts_it_and_the_task_keeps_its_name():
    world = NumberedCandidates(gymnasium.make("holdfast/HiddenApi-v0", task=3))
    with pytest.warns(UserWarning, match="different from the unwrapped version"):  # it is: that is what it is for
        check_env(world, skip_render_check=True)
    assert task_name(world) == 'holdfast/HiddenApi-v0?{"task":3}'
    again = gymnasium.make(world.spec)
    assert isinstance(again, NumberedCandidates) and again.action_space == world.action_space


@pytest.mark.parametrize("name", ["HiddenApi", "HiddenSchema"])
def test_recall_learns_a_hidden_rule_and_another_process_knows_it(tmp_path, name):
    world = NumberedCandidates(gymnasium.make(f"holdfast/{name}-v0", task=1, level=1))
    with Agent.open(tmp_path / "m.db", namespace="a", policy=make_policy(discount=0.5), seed=0) as agent:
        returns = agent.run(world, episodes=20).returns
    assert returns[:2].mean() < 0.8 and returns[-5:].mean() == pytest.approx(1.0)
    with Agent.open(tmp_path / "m.db", namespace="a", policy=make_policy(discount=0.5), frozen=True) as agent:
        assert agent.run(world, episodes=5).returns.mean() == pytest.approx(1.0)


def test_the_command_plays_texts_and_refuses_what_cannot_be_played(tmp_path, clean_environment):
    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "agent", "run", *arguments, "--display", "none"],
            cwd=tmp_path,
            env=clean_environment | {"PYTHONPATH": ":".join(p for p in sys.path if p)},
            capture_output=True,
            text=True,
            check=False,
        )

    told = json.loads(call("holdfast/HiddenApi-v0", "--episodes", "2", "--json").stdout)
    assert all(4 <= episode["length"] <= 8 for episode in told["episodes"])
    (tmp_path / "mute.py").write_text(
        "import gymnasium\n"
        "class Mute(gymnasium.Env):\n"
        "    observation_space = action_space = gymnasium.spaces.Text(5)\n"
        "gymnasium.register('Mute-v0', Mute)\n"
    )
    done = call("mute:Mute-v0", "--episodes", "2")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "it needs a policy that writes texts" in done.stderr


@pytest.mark.parametrize("name", ["HiddenApi", "HiddenSchema", "ToldFacts"])
def test_what_is_observed_lies_in_the_space_to_the_end(name):
    world = NumberedCandidates(gymnasium.make(f"holdfast/{name}-v0"))
    observation, _ = world.reset(seed=0)
    over = False
    while not over:
        assert observation in world.observation_space
        observation, _, terminated, truncated, _ = world.step(0)
        over = terminated or truncated
    assert observation in world.observation_space
