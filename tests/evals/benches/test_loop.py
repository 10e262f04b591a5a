from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from agent import Agent, IdlePolicy, make_policy
from evals.benches.loop import TEMPLATES, Loop, _Counted, _taught, absent, agent_loop, measure, rows_of, take_turns


def test_loops_take_turns_in_a_rotating_order():
    order = []

    def turn(name: str) -> float:
        order.append(name)
        return float(len(order))

    loops = [Loop(name=name, environment="e", turn=lambda name=name: turn(name)) for name in "abc"]
    assert take_turns(loops, 4) == [[1, 2, 3], [6, 4, 5], [8, 9, 7], [10, 11, 12]]
    assert "".join(order) == "abcbcacababc"


def test_rows_hold_medians_and_the_overhead_over_the_bare_loop_of_the_same_environment():
    def loop(name: str, environment: str) -> Loop:
        return Loop(name=name, environment=environment, turn=float)

    loops = [loop("bare", "e"), loop("agent", "e"), loop("agent", "f"), loop("bare", "f")]
    rows = rows_of(loops, [[1, 4, 20, 10], [2, 9, 30, 10], [100, 101, 25, 10]])
    assert [row["us_per_step"] for row in rows] == [2, 9, 25, 10]
    assert [row["overhead_us"] for row in rows] == [0, 3, 15, 0]  # medians of 3 7 1 and of 10 20 15
    assert rows[3] == {
        "name": "bare",
        "environment": "f",
        "us_per_step": 10,
        "overhead_us": 0,
        "steps_per_second": 1e5,
        "of_dqn": None,
        "times_recurrent": None,
    }


def test_speeds_are_compared_with_peers_in_the_same_environment_round_by_round():
    def loop(name: str, environment: str) -> Loop:
        return Loop(name=name, environment=environment, turn=float)

    names = ["bare", "ours", "dqn, predict", "recurrent-ppo, predict"]
    loops = [*(loop(name, "e") for name in names), loop("bare", "f")]
    rows = rows_of(loops, [[1, 10, 5, 40, 1], [1, 20, 5, 40, 1], [1, 10, 8, 80, 1]])
    assert rows[1]["of_dqn"] == 0.5  # the median of 0.5, 0.25 and 0.8
    assert rows[1]["times_recurrent"] == 4.0  # of 4, 2 and 8
    assert rows[2]["of_dqn"] == 1.0
    assert rows[4]["of_dqn"] is None


def test_a_short_measurement_times_every_loop(monkeypatch):
    said = {"retention": "no policy", "dqn": "no dqn", "ppo": "no ppo", "recurrent-ppo": None}
    monkeypatch.setattr("evals.benches.loop.left_out", lambda name, settings: said[name] or "no such peer")
    rows = measure(steps=200, episodes=1, repeats=1)
    assert [(row["name"], row["environment"]) for row in rows] == [
        ("bare", "CartPole-v1"),
        ("idle, frozen", "CartPole-v1"),
        ("idle, each episode stored", "CartPole-v1"),
        ("recall, frozen, 64 templates", "CartPole-v1"),
        ("recall, learning", "CartPole-v1"),
        ("bare", "CartPole-v1 x 8"),
        ("recall, frozen, 64 templates", "CartPole-v1 x 8"),
        ("recall, learning", "CartPole-v1 x 8"),
        ("bare", "FrozenLake-v1"),
        ("recall, learning", "FrozenLake-v1"),
    ]
    assert all(row["us_per_step"] > 0 for row in rows)


@pytest.mark.filterwarnings("default")  # what a peer warns of is not ours to mend
def test_peers_are_timed_where_they_are_installed(monkeypatch):
    pytest.importorskip("stable_baselines3", reason="a peer, of the extra bench")
    monkeypatch.setattr("evals.benches.loop.left_out", lambda name, settings: None if name == "dqn" else "not now")
    rows = {(row["name"], row["environment"]): row for row in measure(steps=200, episodes=1, repeats=1)}
    assert ("retention:hidden-rule, frozen", "holdfast/HiddenRule-v0 x 8") not in rows  # said to be absent here
    for environment in ("CartPole-v1", "CartPole-v1 x 8"):
        assert rows["dqn, predict", environment]["of_dqn"] == 1.0
        assert rows["recall, frozen, 64 templates", environment]["of_dqn"] > 0


def test_a_vector_is_timed_by_the_steps_of_all_its_environments():
    vector = SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 3, autoreset_mode=AutoresetMode.SAME_STEP)
    counted = _Counted(vector)
    counted.reset(seed=0)
    for _ in range(4):
        counted.step(np.zeros(3, np.int64))
    assert counted.steps == 12
    assert agent_loop(vector, IdlePolicy(), episodes=4) > 0


def test_the_frozen_agent_has_so_many_templates(tmp_path):
    world = gymnasium.make("CartPole-v1")
    path = _taught(tmp_path / "m.db", make_policy(), world)
    with Agent.open(path, namespace="bench", frozen=True) as agent:
        agent.bind(world)
        assert agent.template_count == TEMPLATES


def test_what_is_left_out_is_said(monkeypatch):
    monkeypatch.setattr("evals.learners.find_spec", lambda module: None)
    said = absent()
    assert said[0] == "dqn is left out: stable-baselines3 is not installed (pip install 'holdfast[bench]')"
    assert len(said) in (3, 4)  # the fourth where the policy does not come with the package


@pytest.mark.parametrize("wrong", ["steps", "episodes", "repeats"])
def test_wrong_numbers_are_named(wrong):
    with pytest.raises(ValueError, match="must be at least 1, got"):
        measure(**{wrong: 0})
