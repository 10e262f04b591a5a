from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from environments import HiddenRuleEnv

TASKS = st.integers(0, 2**40)
SEEDS = st.integers(0, 2**31)


def play(env: HiddenRuleEnv, seed: int, policy) -> tuple[float, list[int], dict]:
    observation, info = env.reset(seed=seed)
    total, seen, terminated = 0.0, [], False
    while not terminated:
        seen.append(int(observation))
        observation, reward, terminated, truncated, info = env.step(policy(observation))
        assert not truncated
        total += reward
    return total, seen, info


@settings(max_examples=40, deadline=None)
@given(task=TASKS, seed=SEEDS, contexts=st.integers(1, 12), actions=st.integers(2, 6))
def test_who_knows_the_rule_earns_the_optimum_and_each_context_comes_once(task, seed, contexts, actions):
    env = HiddenRuleEnv(task, contexts, actions)
    total, seen, info = play(env, seed, lambda context: env.rule[context])
    assert total == env.optimal_return == contexts
    assert sorted(seen) == list(range(contexts))
    assert info["success"] is True


@settings(max_examples=40, deadline=None)
@given(task=TASKS, seed=SEEDS)
def test_no_policy_exceeds_the_optimum(task, seed):
    env = HiddenRuleEnv(task)
    env.action_space.seed(seed)
    total, _, info = play(env, seed, lambda _: env.action_space.sample())
    assert 0 <= total <= env.optimal_return
    assert info["success"] == (total == env.optimal_return)


def test_the_bayes_optimal_schedule_is_what_trying_each_action_once_earns():
    episodes, tasks = 6, 400
    earned = np.zeros(episodes)
    for task in range(tasks):
        env = HiddenRuleEnv(task)
        known, tried = {}, np.zeros(10, dtype=int)
        for episode in range(episodes):
            observation, _ = env.reset(seed=episode)
            terminated = False
            while not terminated:
                context = int(observation)
                action = known.get(context, int(tried[context]) % 5)
                observation, reward, terminated, _, _ = env.step(action)
                tried[context] += 1
                if reward:
                    known[context] = action
                earned[episode] += reward
    expected = [HiddenRuleEnv().expected_return(e) for e in range(1, episodes + 1)]
    assert expected == [2.0, 4.0, 6.0, 8.0, 10.0, 10.0]
    assert earned / tasks == pytest.approx(expected, abs=0.31)  # 4 standard errors of a mean over the tasks
    assert earned[4] == earned[5] == 10 * tasks


def test_the_rule_depends_on_the_task_alone():
    rules = [HiddenRuleEnv(task).rule for task in range(200)]
    assert len(set(rules)) == 200
    env = HiddenRuleEnv(7)
    env.reset(seed=1)
    env.reset(seed=2)
    assert env.rule == HiddenRuleEnv(7).rule
    # written down, so that a change of the draw between versions cannot pass unseen
    assert HiddenRuleEnv(0).rule == (1, 0, 0, 2, 0, 3, 2, 4, 3, 4)


def test_the_order_depends_on_the_seed_alone():
    orders = {tuple(play(HiddenRuleEnv(task), 5, lambda _: 0)[1]) for task in range(5)}
    assert len(orders) == 1
    env = HiddenRuleEnv()
    assert len({tuple(play(env, seed, lambda _: 0)[1]) for seed in range(20)}) == 20


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"task": -1}, ValueError, "task must be at least 0, got -1"),
        ({"task": 1.5}, TypeError, "task must be an integer, got 1.5 of type float"),
        ({"task": True}, TypeError, "task must be an integer, got True"),
        ({"task": "3"}, TypeError, "task must be an integer, got '3' of type str"),
        ({"contexts": 0}, ValueError, "contexts must be at least 1, got 0"),
        ({"actions": 1}, ValueError, "actions must be at least 2, got 1"),
    ],
)
def test_bad_arguments_are_named(kwargs, error, words):
    with pytest.raises(error, match=words):
        gymnasium.make("holdfast/HiddenRule-v0", **kwargs)


def test_wrong_use_is_named():
    env = HiddenRuleEnv()
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(gymnasium.error.InvalidAction, match=r"Discrete\(5\), got 5"):
        env.step(5)
    for _ in range(10):
        env.step(0)
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step(0)


def test_rendering_tells_the_state_of_the_episode():
    env = HiddenRuleEnv(3, render_mode="ansi")
    context, _ = env.reset(seed=0)
    assert env.render() == f"context {context}  answered 0/10  right 0\n"
    for _ in range(10):
        context, *_ = env.step(env.rule[context])
    assert env.render() == "context -  answered 10/10  right 10\n"
    with pytest.warns(UserWarning, match="render_mode='ansi'"):
        assert HiddenRuleEnv().render() is None
