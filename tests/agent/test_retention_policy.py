"""The retention policy on tasks whose right answer is known: what it acts on, what it writes, what it keeps."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from toy_worlds import SHOWN, Arms, Corridor, Line, Signs, Steered, Wordy

from agent import Agent, RecallConfig, Recollection, RetentionPolicy, Task
from retention import UnsupportedSpaceError

Columns = Callable[..., dict[str, Any]]

WITHOUT = RecallConfig(enabled=False)


# -- acting on what is recalled


@pytest.mark.parametrize("kind", SHOWN)
def test_every_kind_of_observation_is_learned(kind: str) -> None:
    env = Signs(kind, steps=1)
    with Agent.open(None, namespace="alice", seed=1) as agent:
        history = agent.run(env, episodes=100)
        assert history.returns[:12].mean() < 0.7
        assert history.returns[-40:].mean() >= 0.9  # chance is 0.25
        policy = agent.policy
        assert isinstance(policy, RetentionPolicy)
        best = [int(policy.recall(SHOWN[kind][1](context)).values.argmax()) for context in range(4)]
        assert best == [1, 2, 3, 0]


@pytest.mark.parametrize("kind", ["discrete", "box"])
def test_episodes_of_several_contexts_are_learned_above_chance(kind: str) -> None:
    with Agent.open(None, namespace="alice", seed=1) as agent:
        history = agent.run(Signs(kind, steps=4), episodes=150)
    assert history.returns[-50:].mean() > 2.0  # of 4; chance is 1


def test_it_repeats_what_paid_and_without_recall_it_does_not() -> None:
    pays = (0.0, 0.0, 1.0, 0.0, 0.0)
    with_memory, without = Arms(pays), Arms(pays)
    with Agent.open(None, namespace="alice", seed=3) as agent:
        agent.run(with_memory, episodes=60)
    assert with_memory.chosen[-40:] == [2] * 40
    assert sorted(set(with_memory.chosen[:5])) != [2]  # it had to find it
    with Agent.open(None, namespace="alice", seed=3, policy=RetentionPolicy(WITHOUT)) as agent:
        history = agent.run(without, episodes=400)
        assert agent.template_count == 5  # it writes all the same: the arm without memory differs in acting alone
    counts = np.bincount(without.chosen, minlength=5)
    assert counts.min() > 50  # 80 each on average, 8 the standard deviation
    assert counts.max() < 115
    assert history.returns[:200].mean() == pytest.approx(history.returns[200:].mean(), abs=0.12)


def test_without_recall_it_acts_at_random_even_if_the_memory_knows(path: Path) -> None:
    with Agent.open(path, namespace="alice") as agent:
        agent.run(Arms((0.0, 0.0, 1.0)), episodes=30)
    env = Arms((0.0, 0.0, 1.0))
    with Agent.open(path, namespace="alice", policy=RetentionPolicy(WITHOUT), frozen=True) as agent:
        agent.run(env, episodes=300)
    assert np.bincount(env.chosen, minlength=3).min() > 65


def test_ties_are_broken_at_random_and_by_the_seed() -> None:
    def first(seed: int) -> int:
        env = Arms((0.0,) * 4)
        with Agent.open(None, namespace="alice", seed=seed) as agent:
            agent.run(env, episodes=1)
        return env.chosen[0]

    chosen = [first(seed) for seed in range(30)]
    assert set(chosen) == {0, 1, 2, 3}
    assert chosen == [first(seed) for seed in range(30)]


def test_the_unknown_is_tried_before_the_known_that_earned_nothing() -> None:
    env = Arms((0.0,) * 6)
    with Agent.open(None, namespace="alice", seed=2) as agent:
        agent.run(env, episodes=6)
    assert sorted(env.chosen) == list(range(6))


def test_actions_are_those_of_the_environment() -> None:
    env = Arms((0.0, 1.0, 0.0), start=7)
    with Agent.open(None, namespace="alice") as agent:
        agent.run(env, episodes=30)
        assert set(env.chosen) == {7, 8, 9}
        assert env.chosen[-10:] == [8] * 10
        assert agent.act(env.shown) == 8


def test_a_reward_reaches_back_through_the_templates() -> None:
    env = Corridor(cells=8, limit=40)
    with Agent.open(None, namespace="alice", seed=1) as agent:
        history = agent.run(env, episodes=25)
        assert history.lengths[-10:].tolist() == [7] * 10
        values = [agent.policy.recall(np.int64(cell)).values[1] for cell in range(7)]
        assert values == sorted(values)  # the nearer to the end, the more promising


# -- frozen


@pytest.mark.parametrize("kind", ["discrete", "box"])
def test_frozen_it_learns_nothing(kind: str, path: Path, columns_of: Columns) -> None:
    with Agent.open(path, namespace="alice", seed=1) as agent:
        agent.run(Signs(kind), episodes=15)
        before, revision = agent.memory.transitions(namespace="alice", task=agent.task)
    seen: dict[str, Any] = {}
    with Agent.open(path, namespace="alice", seed=2, frozen=True) as agent:
        env = Signs(kind)
        agent.bind(env)
        policy = agent.policy
        assert isinstance(policy, RetentionPolicy)
        seen["values"] = [policy.recall(SHOWN[kind][1](c)).values.tolist() for c in range(4)]
        settings = policy.settings()
        history = agent.run(env, episodes=10)
        assert [policy.recall(SHOWN[kind][1](c)).values.tolist() for c in range(4)] == seen["values"]
        assert policy.settings() == settings
        assert [(each.episode_id, each.gate, each.written) for each in history.episodes] == [(None, 0.0, 0)] * 10
        after, same_revision = agent.memory.transitions(namespace="alice", task=agent.task)
        assert columns_of(after) == columns_of(before)
        assert same_revision == revision
        assert agent.memory.episode_count(namespace="alice", task=agent.task) == 15


def test_frozen_on_an_empty_memory_it_still_acts() -> None:
    with Agent.open(None, namespace="alice", frozen=True, seed=1) as agent:
        env = Arms((1.0,) * 4)
        history = agent.run(env, episodes=60)
        assert len(history) == 60
        assert set(env.chosen) == {0, 1, 2, 3}
        assert agent.template_count == 0


def test_frozen_it_does_not_seek_the_unknown(path: Path) -> None:
    """What memory never saw looks promising to one who can learn, and bad to one who cannot."""
    with Agent.open(path, namespace="alice", seed=5) as agent:
        env = Arms((0.5,) + (0.0,) * 40)
        while 0 not in env.chosen:
            agent.run(env, episodes=1)
        known = len(set(env.chosen))
        assert known < 41  # some arms are unknown; if not, take another seed
    env = Arms((0.5,) + (0.0,) * 40)
    with Agent.open(path, namespace="alice", seed=6, frozen=True) as agent:
        agent.run(env, episodes=20)
    assert env.chosen == [0] * 20


# -- what is written


def test_templates_are_the_transitions_that_happened(columns_of: Columns) -> None:
    log: list[Any] = []

    class Taught(Corridor):
        def reset(self, **how: Any) -> Any:
            self.before, info = super().reset(**how)
            return self.before, info

        def step(self, action: Any) -> Any:
            then, reward, terminated, truncated, info = super().step(action)
            log.append((float(self.before), int(action), float(then), reward, terminated))
            self.before = then
            return then, reward, terminated, truncated, info

    with Agent.open(None, namespace="alice", seed=4) as agent:
        agent.run(Taught(), episodes=12)
        rows, _ = agent.memory.transitions(namespace="alice", task=agent.task)
    found = {
        (float(key[0]), int(action), float(then[0]), float(reward), bool(over)): int(count)
        for key, action, then, reward, over, count in zip(
            rows.key, rows.action, rows.next_key, rows.reward, rows.terminated, rows.count, strict=True
        )
    }
    wanted: dict[Any, int] = {}
    for each in log:
        wanted[each] = wanted.get(each, 0) + 1
    assert found == wanted


@pytest.mark.parametrize("reuse", [False, True])
def test_an_environment_may_change_its_observation_in_place(reuse: bool) -> None:
    """Many environments hand out the array they work on; a template keeps what was seen when it was seen."""
    env = Line(stride=0.25, limit=30, reuse=reuse)
    with Agent.open(None, namespace="alice", seed=1) as agent:
        agent.run(env, episodes=4)
        rows, _ = agent.memory.transitions(namespace="alice", task=agent.task)
    moved = (rows.next_key - rows.key)[:, 0]
    wanted = {(np.float32(a), np.float32(b)) for line in env.visited for a, b in pairwise(line)}
    assert {(a, b) for a, b in zip(rows.key[:, 0], rows.next_key[:, 0], strict=True)} == wanted
    assert np.abs(moved).max() > 0.2


def test_receipts_name_the_templates_that_acting_relied_on() -> None:
    with Agent.open(None, namespace="alice", seed=1) as agent:
        agent.run(Arms((0.0, 1.0)), episodes=12)
        templates = {each.action: each for each in agent.memory.templates(namespace="alice")}
        assert set(templates) == {0, 1}
        # the arm that pays was recalled again and again with an outcome above the task's mean
        assert templates[1].utility > 0.0
        assert templates[1].utility > templates[0].utility


# -- how long an action is held


def runs_of(actions: list[int]) -> list[int]:
    ends = [i + 1 for i in range(len(actions)) if i + 1 == len(actions) or actions[i + 1] != actions[i]]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def test_where_steps_are_short_an_action_is_held(columns_of: Columns) -> None:
    env = Line(stride=0.01, limit=110)
    with Agent.open(None, namespace="alice", seed=1) as agent:
        agent.run(env, episodes=1)
        assert agent.policy.settings()["pace"]["hold"] is None  # too few steps to know
        rows, _ = agent.memory.transitions(namespace="alice", task=agent.task)
        assert int(rows.count.sum()) == len(env.taken[0])
        agent.run(env, episodes=1)
        hold = agent.policy.settings()["pace"]["hold"]
        assert hold > 1
        assert agent.template_count == 0  # templates of single steps are void now
        history = agent.run(env, episodes=25)
        for taken in env.taken[2:]:
            assert all(length % hold == 0 for length in runs_of(taken)[:-1])
        rows, _ = agent.memory.transitions(namespace="alice", task=agent.task)
        moved = np.abs(rows.next_key - rows.key)[:, 0]
        assert float(np.median(moved)) == pytest.approx(0.01 * hold, rel=1e-3)
        assert history.returns[-10:].mean() >= 0.9
        assert agent.memory.verify() == []


def test_where_steps_are_long_no_action_is_held() -> None:
    with Agent.open(None, namespace="alice", seed=1) as agent:
        agent.run(Signs("box", steps=30), episodes=10)
        assert agent.policy.settings()["pace"]["hold"] == 1
        assert agent.template_count > 0


def test_the_hold_is_known_to_the_next_session(path: Path) -> None:
    with Agent.open(path, namespace="alice", seed=1) as agent:
        agent.run(Line(stride=0.01, limit=110), episodes=6)
        hold = agent.policy.settings()["pace"]["hold"]
        count = agent.template_count
    assert hold > 1
    assert count > 0
    env = Line(stride=0.01, limit=110)
    with Agent.open(path, namespace="alice", seed=2) as agent:
        agent.run(env, episodes=4)
        assert agent.template_count > count  # nothing was thrown away again
        assert agent.policy.settings()["pace"]["hold"] == hold
    for taken in env.taken:
        assert all(length % hold == 0 for length in runs_of(taken)[:-1])


# -- restored, it is the same


def compare(one: Recollection, other: Recollection, *, exactly: bool) -> None:
    same = np.testing.assert_array_equal if exactly else np.testing.assert_allclose
    same(one.values, other.values)
    same(one.null_mass, other.null_mass)


@pytest.mark.parametrize("kind", SHOWN)
def test_restored_it_recalls_what_the_saved_one_did(kind: str, path: Path) -> None:
    with Agent.open(path, namespace="alice", seed=1) as agent:
        agent.run(Signs(kind), episodes=25)
        saved = [agent.policy.recall(SHOWN[kind][1](context)) for context in range(4)]
    for frozen in (False, True):
        with Agent.open(path, namespace="alice", seed=9, frozen=frozen) as agent:
            agent.bind(Signs(kind))
            assert isinstance(agent.policy, RetentionPolicy)
            for context in range(4):
                again = agent.policy.recall(SHOWN[kind][1](context))
                np.testing.assert_allclose(again.null_mass, saved[context].null_mass, rtol=1e-6)
                if not frozen:  # frozen, the null slot promises less
                    np.testing.assert_allclose(again.values, saved[context].values, rtol=1e-6)


def test_the_range_of_returns_is_that_of_episodes_that_ended(path: Path) -> None:
    """What was kept before the first one ends says nothing of it; no return of 0 is in it then."""
    for episodes in (0, 1, 1):
        with Agent.open(path, namespace="alice", seed=1) as agent:
            earned = agent.run(gymnasium.make("CliffWalking-v1", max_episode_steps=20), episodes=episodes).returns
            kept = agent.policy.settings()
        if not episodes:
            assert (kept["return_low"], kept["return_high"]) == (None, None)
    assert max(earned) <= kept["return_high"] <= -20


def test_restored_a_symbolic_memory_is_the_same_bit_for_bit(path: Path) -> None:
    with Agent.open(path, namespace="alice", seed=1) as agent:
        agent.run(Corridor(), episodes=15)
        saved = [agent.policy.recall(np.int64(cell)) for cell in range(6)]
    with Agent.open(path, namespace="alice", seed=9) as agent:
        agent.bind(Corridor())
        for cell in range(6):
            again = agent.policy.recall(np.int64(cell))
            compare(again, saved[cell], exactly=True)
            known = saved[cell].weights > 0
            assert (again.slots[known] == saved[cell].slots[known]).all()


@pytest.mark.parametrize("noise", [0.01, 0.0])
@pytest.mark.parametrize("stride", [0.3, 0.01])
def test_restored_a_real_memory_is_the_same(stride: float, noise: float, path: Path) -> None:
    """Without noise the very same transitions come again; where steps are short an action is held."""
    probes = [np.array([at], np.float32) for at in np.linspace(0.0, 1.0, 9)]
    with Agent.open(path, namespace="alice", seed=1) as agent:
        agent.run(Line(stride=stride, noise=noise * stride, limit=60), episodes=12)
        saved = [agent.policy.recall(at) for at in probes]
    with Agent.open(path, namespace="alice", seed=9) as agent:
        agent.bind(Line(stride=stride, noise=noise * stride, limit=60))
        for at, before in zip(probes, saved, strict=True):
            again = agent.policy.recall(at)
            np.testing.assert_allclose(again.null_mass, before.null_mass, rtol=1e-5)
            np.testing.assert_allclose(again.values, before.values, rtol=1e-5)


def test_the_same_real_transition_weighs_as_often_as_it_was_seen_before_and_after_a_restart(path: Path) -> None:
    """One state with real observations: every episode is the very same transition."""
    env = Arms((1.0, 1.0), real=True)
    with Agent.open(path, namespace="alice", seed=1) as agent:
        agent.run(env, episodes=60)
        before = agent.policy.recall(env.shown)
    with Agent.open(path, namespace="alice", seed=1) as agent:
        agent.bind(env)
        again = agent.policy.recall(env.shown)
    np.testing.assert_allclose(again.null_mass, before.null_mass, rtol=1e-4)
    np.testing.assert_allclose(again.values, before.values, rtol=1e-4)


# -- what an observation recalls can be looked at


def test_it_explains_what_it_recalls() -> None:
    env = Arms((0.0, 1.0, 0.0))
    with Agent.open(None, namespace="alice", seed=1) as agent:
        agent.bind(env)
        policy = agent.policy
        assert isinstance(policy, RetentionPolicy)
        nothing = policy.recall(env.shown)
        assert nothing.null_mass.tolist() == [1.0] * 3
        assert len(set(nothing.values.tolist())) == 1
        agent.run(env, episodes=20)
        known = policy.recall(env.shown)
        assert known.values.shape == known.null_mass.shape == (3,)
        assert known.slots.shape == known.weights.shape
        assert int(known.values.argmax()) == 1
        np.testing.assert_allclose(known.weights.sum(axis=1) + known.null_mass, 1.0)
        visits = np.bincount(env.chosen, minlength=3)
        again = (visits - 1).sum()  # each led to the same place, so that one visit teaches more
        mass = 0.6 * min(1.0, 2.0 / (again + 1.0))
        np.testing.assert_allclose(known.null_mass, mass / (visits + mass))
        assert (np.argsort(known.null_mass) == np.argsort(-visits)).all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"discount": 1.0}, "discount must lie in (0, 1), got 1.0"),
        ({"discount": 0.0}, "got 0.0"),
        ({"null_mass": 0.0}, "null_mass must be positive and finite, got 0.0"),
        ({"beta": float("inf")}, "beta must be positive and finite, got inf"),
        ({"null_distance": -1.0}, "null_distance must be positive and finite, got -1.0"),
        ({"neighbours": 0}, "neighbours must be at least 1, got 0"),
        ({"capacity": 0}, "capacity must be at least 1, got 0"),
        ({"learn_every": 0}, "learn_every must be at least 1, got 0"),
        ({"neighbours": 40}, "landmarks must be at least neighbours (40), got 32"),
        ({"tolerance": -0.1}, "tolerance must not be negative, got -0.1"),
        ({"beta": float("nan")}, "beta"),
        ({"tolerance": float("nan")}, "tolerance"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as raised:
        RecallConfig(**changes)
    assert said in str(raised.value)


@pytest.mark.parametrize("real", [False, True])
def test_a_full_memory_forgets_and_goes_on_learning(real: bool, path: Path) -> None:
    """The policy holds no more than its capacity; the file keeps every template, and a later session takes its pick."""
    policy = RetentionPolicy(RecallConfig(capacity=24))
    env: gymnasium.Env[Any, Any] = Line(stride=0.25, limit=30, noise=0.02) if real else Corridor(cells=20, limit=60)
    with Agent.open(path, namespace="alice", policy=policy, seed=1) as agent:
        history = agent.run(env, episodes=60)
        assert len(policy.values()[0]) <= 24
        assert agent.template_count > 24
        assert history.returns[-20:].mean() >= 0.9
        assert agent.memory.verify() == []
    later = RetentionPolicy(RecallConfig(capacity=24))
    with Agent.open(path, namespace="alice", policy=later, seed=2) as agent:
        assert agent.run(env, episodes=20).returns.mean() >= 0.8
        assert len(later.values()[0]) <= 24


@pytest.mark.parametrize("env", [Wordy(), Steered()])
def test_what_it_cannot_serve_it_says_at_once(env: gymnasium.Env[Any, Any]) -> None:
    with Agent.open(None, namespace="alice") as agent, pytest.raises(UnsupportedSpaceError, match="not supported yet"):
        agent.run(env, episodes=1)


def test_a_task_is_told_by_its_spaces() -> None:
    policy = RetentionPolicy()
    policy.begin(Task(observation_space=spaces.Discrete(3), action_space=spaces.Discrete(2)))
    assert policy.recall(np.int64(1)).values.shape == (2,)
