from __future__ import annotations

import json
import subprocess
import sys

import gymnasium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from environments import EntityRewriteEnv


class Reader:
    """Knows only what it is shown: it keeps the newest value told of each entity, or the first one."""

    def __init__(self, *, newest: bool = True) -> None:
        self.newest = newest
        self.notes: dict[int, int] = {}
        self.asked_of_old_facts = 0

    def play(self, env: EntityRewriteEnv, seed: int | None) -> tuple[float, list[tuple[int, int]], dict]:
        observation, info = env.reset(seed=seed)
        total, seen, terminated, told_now = 0.0, [], False, set()
        while not terminated:
            entity, value = (int(number) for number in observation)
            seen.append((entity, value))
            answer = 0
            if value == env.values:
                answer = self.notes[entity]  # a KeyError if it was never told
                self.asked_of_old_facts += entity not in told_now
            elif self.newest or entity not in self.notes:
                self.notes[entity] = value
                told_now.add(entity)
            observation, reward, terminated, truncated, info = env.step(answer)
            assert not truncated
            assert reward == 0.0 or value == env.values
            total += reward
        assert (int(observation[0]), int(observation[1])) == seen[-1]
        return total, seen, info


WORLDS = st.fixed_dictionaries(
    {
        "task": st.integers(0, 2**40),
        "entities": st.integers(1, 6),
        "values": st.integers(2, 6),
        "rewrites": st.integers(0, 4),
        "questions": st.integers(1, 8),
    }
)


@settings(max_examples=60, deadline=None)
@given(world=WORLDS, seed=st.integers(0, 2**31))
def test_who_keeps_the_newest_value_told_earns_the_optimum_in_every_episode(world, seed):
    env, reader = EntityRewriteEnv(**world), Reader()
    for episode in range(6):
        total, seen, info = reader.play(env, seed + episode)
        assert total == env.optimal_return == world["questions"]
        assert info == {"success": True}
        tellings = [entity for entity, value in seen if value < env.values]
        assert len(seen) - len(tellings) == world["questions"]
        if episode == 0:
            assert tellings == list(range(world["entities"]))
        else:
            assert len(tellings) == world["rewrites"]


@settings(max_examples=60, deadline=None)
@given(world=WORLDS, seed=st.integers(0, 2**31))
def test_every_telling_changes_its_fact_and_only_tellings_do(world, seed):
    env, reader, facts = EntityRewriteEnv(**world), Reader(), {}
    for episode in range(4):
        _, seen, _ = reader.play(env, seed + episode)
        for entity, value in seen:
            if value < env.values:
                assert facts.get(entity) != value
                facts[entity] = value


@settings(max_examples=40, deadline=None)
@given(world=WORLDS, seed=st.integers(0, 2**31))
def test_no_policy_exceeds_the_optimum(world, seed):
    env = EntityRewriteEnv(**world)
    env.action_space.seed(seed)
    for _ in range(3):
        env.reset()
        total, terminated, info = 0.0, False, {}
        while not terminated:
            observation, reward, terminated, _, info = env.step(env.action_space.sample())
            assert env.observation_space.contains(observation)
            total += reward
        assert 0 <= total <= env.optimal_return
        assert info["success"] == (total == env.optimal_return)


def test_facts_of_earlier_episodes_are_asked_for_and_old_ones_are_wrong():
    env, newest, first = EntityRewriteEnv(3), Reader(), Reader(newest=False)
    newest.play(env, 0)
    returns = [newest.play(env, episode)[0] for episode in range(1, 31)]
    assert returns == [8.0] * 30
    assert newest.asked_of_old_facts > 100
    env = EntityRewriteEnv(3)
    stale = [first.play(env, episode)[0] for episode in range(31)]
    assert stale[0] == 8.0
    assert sum(stale[-10:]) < 40.0  # more than half of what it says is out of date


def test_questions_come_before_and_after_the_telling_they_depend_on():
    env, reader = EntityRewriteEnv(0, entities=2, questions=2), Reader()
    reader.play(env, 0)
    kinds = set()
    for episode in range(1, 20):
        _, seen, _ = reader.play(env, episode)
        kinds.add((seen[0][1] == env.values, seen[-1][1] == env.values))
    assert len(kinds) == 4  # a telling or a question first, and last


def row(env: EntityRewriteEnv, seed: int | None = None) -> list[tuple[int, int]]:
    reader = Reader()
    reader.notes = dict.fromkeys(range(env.entities), 0)
    return reader.play(env, seed)[1]


def test_the_history_depends_on_the_task_alone_and_the_questions_on_the_seed():
    def tellings(task: int, seed: int) -> list[list[tuple[int, int]]]:
        env = EntityRewriteEnv(task)
        return [[event for event in row(env, seed + i) if event[1] < 5] for i in range(4)]

    assert tellings(1, 0) == tellings(1, 77) != tellings(2, 0)
    assert row(EntityRewriteEnv(1), 5) == row(EntityRewriteEnv(1), 5) != row(EntityRewriteEnv(1), 6)
    env, again = EntityRewriteEnv(1), EntityRewriteEnv(1)
    env.reset(seed=9)
    again.reset(seed=9)
    assert [row(env) for _ in range(4)] == [row(again) for _ in range(4)]  # one seed, and none after it
    # written down, so that a change of the draw between versions cannot pass unseen
    assert [value for _, value in tellings(0, 0)[0]] == [2, 3, 0, 4, 3, 2, 0, 4]
    assert tellings(0, 0)[1] == [(6, 1), (6, 2)]


def test_an_episode_that_is_broken_off_is_begun_again():
    env = EntityRewriteEnv(5)
    row(env, 0)
    env.reset(seed=1)
    for _ in range(4):
        env.step(0)
    env.reset(seed=1)
    env.reset(seed=1)
    straight = EntityRewriteEnv(5)
    row(straight, 0)
    assert row(env, 1) == row(straight, 1)
    assert row(env, 2) == row(straight, 2)


def test_a_process_goes_on_where_another_one_stopped(tmp_path, clean_environment):
    env, reader = EntityRewriteEnv(6), Reader()
    for episode in range(5):
        reader.play(env, episode)
    code = (
        "import json, sys, gymnasium, environments\n"
        "notes = {int(entity): value for entity, value in json.loads(sys.argv[1]).items()}\n"
        "env = gymnasium.make('holdfast/EntityRewrite-v0', task=6, first_episode=5)\n"
        "(entity, value), _ = env.reset(seed=5)\n"
        "total, over, told = 0.0, False, 0\n"
        "while not over:\n"
        "    if value < 5: notes[int(entity)], told = int(value), told + 1\n"
        "    (entity, value), reward, over, _, _ = env.step(notes[int(entity)])\n"
        "    total += reward\n"
        "print(json.dumps([total, told, notes]))"
    )
    out = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, json.dumps(reader.notes)],
        cwd=tmp_path,
        env=clean_environment | {"PYTHONPATH": ":".join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    reader.play(env, 5)
    assert json.loads(out) == [8.0, 2, {str(entity): value for entity, value in reader.notes.items()}]


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"task": -1}, ValueError, "task must be at least 0, got -1"),
        ({"entities": 0}, ValueError, "entities must be at least 1, got 0"),
        ({"values": 1}, ValueError, "values must be at least 2, got 1"),
        ({"rewrites": -1}, ValueError, "rewrites must be at least 0, got -1"),
        ({"rewrites": 0.5}, TypeError, "rewrites must be an integer, got 0.5 of type float"),
        ({"questions": 0}, ValueError, "questions must be at least 1, got 0"),
        ({"first_episode": -1}, ValueError, "first_episode must be at least 0, got -1"),
    ],
)
def test_bad_arguments_are_named(kwargs, error, words):
    with pytest.raises(error, match=words):
        gymnasium.make("holdfast/EntityRewrite-v0", **kwargs)


def test_wrong_use_is_named():
    env = EntityRewriteEnv(entities=1, questions=1)
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(gymnasium.error.InvalidAction, match=r"Discrete\(5\), got 5"):
        env.step(5)
    env.step(0)
    env.step(0)
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step(0)


def test_rendering_tells_what_is_shown():
    env = EntityRewriteEnv(entities=1, questions=1, render_mode="ansi")
    (_, value), _ = env.reset(seed=0)
    assert env.render() == f"episode 0  entity 0 is now {value}  answered 0/1  right 0\n"
    env.step(0)
    assert env.render() == "episode 0  what is entity 0?  answered 0/1  right 0\n"
    env.step(value)
    assert env.render() == "episode 0  -  answered 1/1  right 1\n"
    with pytest.warns(UserWarning, match="render_mode='ansi'"):
        assert EntityRewriteEnv().render() is None
