from __future__ import annotations

from types import SimpleNamespace

import pytest

from evals import learners
from evals.learners import Training, left_out, make_learner, training_of
from evals.learners.learner import Budget
from retention import NotFoundError


def test_a_wrong_name_brings_the_nearest_and_all(tmp_path):
    with pytest.raises(NotFoundError, match=r"no learner named 'pppo'\. Did you mean 'ppo'\? Known learners: dqn, gra"):
        make_learner("pppo", {}, tmp_path)


def test_a_peer_that_is_not_installed_is_left_out_with_what_installs_it(monkeypatch):
    monkeypatch.setattr(learners, "find_spec", lambda module: None)
    assert left_out("dqn", {}) == (
        "dqn is left out: stable-baselines3 is not installed (pip install 'holdfast[bench]')"
    )
    assert left_out("recurrent-ppo", {}) == (
        "recurrent-ppo is left out: stable-baselines3 and sb3-contrib are not installed (pip install 'holdfast[bench]')"
    )
    monkeypatch.setattr(learners, "find_spec", lambda module: object())
    assert left_out("dqn", {}) is None
    assert left_out("recall", {}) is None
    assert left_out("tabular-q", {}) is None


def test_a_policy_that_is_not_there_is_left_out_with_one_line():
    said = left_out("retention", {"policy": "retention:no-such-policy"})
    assert said is not None
    assert said.startswith("retention:no-such-policy is left out: ")
    assert "\n" not in said


def test_what_a_training_cost_is_read_from_the_recipe(monkeypatch):
    trained = SimpleNamespace(recipe={"env_steps": 1200, "cpu_seconds": 3.5, "more": "..."})
    monkeypatch.setattr("agent.make_policy", lambda name: trained)
    settings = {"policy": "retention:hidden-rule"}
    for name in ("retention", "retention-wiped", "retention-foreign"):
        assert training_of(name, settings) == Training(env_steps=1200, cpu_seconds=3.5)
    for name in ("recall", "ppo", "tabular-q"):
        assert training_of(name, settings) == Training(env_steps=0, cpu_seconds=0.0)


def test_a_budget_is_spent_when_either_part_is():
    both = Budget(episodes=3, env_steps=10)
    assert [both.spent(2, 9), both.spent(3, 0), both.spent(0, 10)] == [False, True, True]
    assert not Budget(episodes=3).spent(2, 10**9)
    for wrong in ({}, {"episodes": 0}, {"env_steps": -1}):
        with pytest.raises(ValueError, match="a budget needs episodes or env_steps, 1 or more, got"):
            Budget(**wrong)
