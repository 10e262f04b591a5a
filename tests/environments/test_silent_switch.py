from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from environments import HiddenRuleEnv, SilentSwitchEnv


def play(env, seed, policy) -> tuple[float, list, dict]:
    observation, info = env.reset(seed=seed)
    total, seen, terminated = 0.0, [(int(observation), info)], False
    while not terminated:
        observation, reward, terminated, truncated, info = env.step(policy(int(observation)))
        assert not truncated
        seen.append((int(observation), {} if terminated else info))
        total += reward
    return total, seen, info


@settings(max_examples=40, deadline=None)
@given(
    task=st.integers(0, 2**40),
    contexts=st.integers(1, 8),
    actions=st.integers(2, 6),
    switches=st.lists(st.integers(1, 12), unique=True, max_size=4).map(sorted),
    first=st.integers(0, 6),
)
def test_the_rule_changes_at_the_switches_and_the_optimum_is_earned_by_who_knows_it(
    task, contexts, actions, switches, first
):
    env = SilentSwitchEnv(task, contexts, actions, switches, first)
    a, b = env.rules
    assert all(x != y for x, y in zip(a, b, strict=True))
    for episode in range(first, first + 8):
        in_force = [a, b][sum(switch <= episode for switch in switches) % 2]
        total, seen, info = play(env, episode, lambda context, rule=in_force: rule[context])
        assert total == env.optimal_return == contexts
        assert info == {"success": True}
        assert env.rule == in_force
        assert sorted(context for context, _ in seen[:-1]) == list(range(contexts))


def test_who_keeps_to_the_first_rule_earns_nothing_until_it_is_back():
    env = SilentSwitchEnv(3)
    returns = [play(env, episode, lambda context: env.rules[0][context])[0] for episode in range(60)]
    assert returns == [10.0] * 20 + [0.0] * 20 + [10.0] * 20


def test_nothing_but_the_reward_tells_the_switch():
    env, never = SilentSwitchEnv(1, switches=[2, 4]), SilentSwitchEnv(1, switches=[])
    rule = HiddenRuleEnv(1)
    for episode in range(6):
        shown = [play(each, episode, lambda _: 0)[1] for each in (env, never, rule)]
        assert shown[0] == shown[1] == shown[2]
        assert all(info == {} for _, info in shown[0])


class Tracker:
    """Knows that every answer changes at a switch and back at the next; remembers all it tried and what that earned."""

    def __init__(self, contexts: int, actions: int) -> None:
        self.actions = actions
        self.ruled_out = [[set() for _ in range(contexts)] for _ in range(2)]
        self.known = [[None] * contexts for _ in range(2)]
        self.phase = 0

    def answer(self, context: int) -> int:
        known = self.known[self.phase][context]
        if known is not None:
            return known
        ruled_out = self.ruled_out[self.phase][context] | {self.known[1 - self.phase][context]}
        return next(action for action in range(self.actions) if action not in ruled_out)

    def learn(self, context: int, action: int, reward: float) -> None:
        if reward:
            self.known[self.phase][context] = action
        elif self.known[self.phase][context] == action:
            self.phase = 1 - self.phase
        else:
            self.ruled_out[self.phase][context].add(action)


def test_who_reacts_at_the_first_wrong_answer_earns_what_the_docstring_says():
    tasks, episodes = 300, 18
    earned = np.zeros(episodes)
    for task in range(tasks):
        env, tracker = SilentSwitchEnv(task, switches=[6, 12]), Tracker(10, 5)
        for episode in range(episodes):
            observation, _ = env.reset(seed=episode)
            terminated = False
            while not terminated:
                context = int(observation)
                action = tracker.answer(context)
                observation, reward, terminated, _, _ = env.step(action)
                tracker.learn(context, action, reward)
                earned[episode] += reward
    expected = [10 * min(1, k / 5) for k in range(1, 7)]
    expected += [9 * min(1, k / 4) + min(1, (k - 1) / 4) for k in range(1, 7)]
    expected += [9, 10, 10, 10, 10, 10]
    assert earned / tasks == pytest.approx(expected, abs=0.36)  # 4 standard errors of a mean over the tasks
    assert (earned[[5, 10, 11, 12, 13]] / tasks).tolist() == [10.0, 10.0, 10.0, 9.0, 10.0]


def test_an_episode_counts_once_a_step_was_taken():
    env = SilentSwitchEnv(0, switches=[1])
    for seed in range(5):
        env.reset(seed=seed)
        assert env.rule == env.rules[0]
    env.step(0)
    assert env.rule == env.rules[0]  # never within an episode
    env.reset()
    assert env.rule == env.rules[1]
    env = SilentSwitchEnv(0, switches=[2])
    env.reset(seed=0)
    env.step(0)
    for _ in range(5):  # one step counts for one episode, however many resets follow
        env.reset()
        assert env.rule == env.rules[0]


def test_rules_depend_on_the_task_alone_and_the_order_on_the_seed_alone():
    assert len({SilentSwitchEnv(task).rules for task in range(100)}) == 100
    assert SilentSwitchEnv(7).rules == SilentSwitchEnv(7).rules
    orders = [tuple(c for c, _ in play(SilentSwitchEnv(task), 5, lambda _: 0)[1]) for task in range(5)]
    assert len(set(orders)) == 1
    env = SilentSwitchEnv()
    assert len({tuple(c for c, _ in play(env, seed, lambda _: 0)[1]) for seed in range(20)}) == 20
    one, other = SilentSwitchEnv(), SilentSwitchEnv()
    one.reset(seed=3)
    other.reset(seed=3)
    for _ in range(4):
        assert play(one, None, lambda c: c % 5) == play(other, None, lambda c: c % 5)
    # written down, so that a change of the draw between versions cannot pass unseen
    assert SilentSwitchEnv(0, contexts=5).rules == ((4, 2, 1, 1, 0), (1, 4, 0, 2, 1))


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"task": -1}, ValueError, "task must be at least 0, got -1"),
        ({"contexts": 0}, ValueError, "contexts must be at least 1, got 0"),
        ({"actions": 1}, ValueError, "actions must be at least 2, got 1"),
        ({"first_episode": -3}, ValueError, "first_episode must be at least 0, got -3"),
        ({"switches": [3, 3]}, ValueError, r"switches must increase, got \[3, 3\]"),
        ({"switches": [5, 3]}, ValueError, r"switches must increase, got \[5, 3\]"),
        ({"switches": [0]}, ValueError, r"switches\[0\] must be at least 1, got 0"),
        ({"switches": [1, 2.5]}, TypeError, r"switches\[1\] must be an integer, got 2.5"),
        ({"switches": 20}, TypeError, "switches must be a list, got 20 of type int"),
        ({"switches": "20"}, TypeError, "switches must be a list, got '20' of type str"),
    ],
)
def test_bad_arguments_are_named(kwargs, error, words):
    with pytest.raises(error, match=words):
        gymnasium.make("holdfast/SilentSwitch-v0", **kwargs)


def test_wrong_use_is_named():
    env = SilentSwitchEnv(contexts=1)
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(gymnasium.error.InvalidAction, match=r"Discrete\(5\), got 5"):
        env.step(5)
    env.step(0)
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step(0)


def test_rendering_tells_the_rule():
    env = SilentSwitchEnv(switches=[1], contexts=2, render_mode="ansi")
    context, _ = env.reset(seed=0)
    assert env.render() == f"episode 0  rule A  context {context}  answered 0/2  right 0\n"
    env.step(0)
    context, _ = env.reset(seed=0)
    assert env.render() == f"episode 1  rule B  context {context}  answered 0/2  right 0\n"
    with pytest.warns(UserWarning, match="render_mode='ansi'"):
        assert SilentSwitchEnv().render() is None
