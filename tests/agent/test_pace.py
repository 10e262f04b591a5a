"""How long an action is held, from the first steps of a task: over sessions too, and where nothing varies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from agent import Agent
from agent.recall.pace import CALIBRATION_STEPS, Pace
from agent.task_memory import TaskMemory
from retention import EpisodicMemory


def walk(steps: int) -> np.ndarray[Any, Any]:
    """Return observations of a random walk in three numbers, one of which never moves, ``[steps + 1, 3]``."""
    moves = np.random.default_rng(0).standard_normal((steps + 1, 3)) * [0.1, 1.0, 0.0]
    return np.cumsum(moves, axis=0).astype(np.float32)


@pytest.mark.parametrize("cut", [1, 50, CALIBRATION_STEPS - 1])
def test_sessions_that_are_short_find_the_same_hold_as_a_long_one(cut: int) -> None:
    keys, whole, pace = walk(CALIBRATION_STEPS), Pace(3), Pace(3)
    for at in range(CALIBRATION_STEPS):
        whole.observe(keys[at], keys[at + 1])
        pace.observe(keys[at], keys[at + 1])
        if at % cut == 0 and at + 1 < CALIBRATION_STEPS:
            assert not pace.settle()
            state, pace = json.loads(json.dumps(pace.state())), Pace(3)
            pace.restore(state)
    assert whole.settle() and pace.settle()
    assert pace.hold == whole.hold and pace.hold > 1
    assert pace.state() == whole.state() and pace.state()["moves"] == []


def test_killed_before_single_steps_are_thrown_away_the_next_session_does_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, commit = tmp_path / "memory.db", EpisodicMemory.commit_episode

    def killed(self: EpisodicMemory, *args: Any, **more: Any) -> Any:
        if more["void_up_to"]:
            raise KeyboardInterrupt
        return commit(self, *args, **more)

    with Agent.open(path, namespace="alice", seed=1) as agent, monkeypatch.context() as patched:
        patched.setattr(EpisodicMemory, "commit_episode", killed)
        patched.setattr(TaskMemory, "save_values", lambda self: None)  # as a process that is killed
        with pytest.raises(KeyboardInterrupt):
            agent.run(gymnasium.make("MountainCar-v0"), episodes=9, max_episode_steps=60)
        task = agent.task
    with Agent.open(path, namespace="alice", seed=1) as agent:
        agent.run(gymnasium.make("MountainCar-v0"), episodes=1, max_episode_steps=60, task=task)
        assert agent.policy.settings()["pace"]["hold"] > 1
        assert (
            agent.template_count == 0
        )  # those of single steps are gone, and the episode that found it out is not kept
        agent.run(gymnasium.make("MountainCar-v0"), episodes=1, max_episode_steps=60, task=task)
        assert 0 < agent.template_count <= 60


def test_an_earlier_file_has_no_moves() -> None:
    pace = Pace(1)
    pace.restore({"hold": None, "observed": 3, "mean": [0.5], "squares": [0.1]})
    assert not pace.settle()


class Bandit(gymnasium.Env[np.ndarray[Any, Any], int]):
    """A real observation that is always the same; action 1 pays."""

    observation_space = gymnasium.spaces.Box(0.0, 1.0, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action: int) -> Any:
        return np.zeros(1, np.float32), float(action == 1), True, False, {}


def test_what_never_varies_is_decided_step_by_step() -> None:
    with Agent.open(None, namespace="alice") as agent:
        returns = agent.run(Bandit(), episodes=CALIBRATION_STEPS + 20).returns
    assert returns[-10:].tolist() == [1.0] * 10
