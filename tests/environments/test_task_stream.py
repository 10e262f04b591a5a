from __future__ import annotations

import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from environments import DarkRoomEnv, EntityRewriteEnv, HiddenRuleEnv, TaskStream

RULES = [("holdfast/HiddenRule-v0", {"task": task}) for task in range(3)]


def episode(env, seed: int | None = None) -> list[Any]:
    """Play an episode by a fixed policy and return all that was seen."""
    observation, _ = env.reset(seed=seed)
    seen, over, step = [observation], False, 0
    while not over:
        observation, reward, terminated, truncated, _ = env.step(step % int(env.action_space.n))
        seen.append((observation, reward, terminated, truncated))
        over, step = terminated or truncated, step + 1
    return seen


def which_rule(env: gymnasium.Env, seed: int) -> int:
    """Which of the three tasks an episode is, told by its rewards."""
    seen = episode(env, seed)
    matches = [task for task in range(3) if episode(HiddenRuleEnv(task), seed) == seen]
    assert len(matches) == 1
    return matches[0]


@settings(max_examples=40, deadline=None)
@given(
    stages=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), min_size=1, max_size=4),
    cycle=st.booleans(),
    first=st.integers(0, 5),
)
def test_each_episode_is_that_of_the_task_whose_turn_it_is(stages, cycle, first):
    order, episodes = zip(*stages, strict=True)
    env = TaskStream(RULES, episodes, order, cycle=cycle, first_episode=first)
    turns = [task for task, count in stages for _ in range(count)]
    turns = turns * 20 if cycle else turns + [turns[-1]] * 20
    for number in range(first, first + 9):
        assert which_rule(env, seed=number) == turns[number]
        assert env.task == turns[number]


def test_one_number_of_episodes_is_for_every_stage_and_the_order_is_that_of_the_list_by_default():
    env = TaskStream(RULES, 2)
    assert [which_rule(env, seed) for seed in range(8)] == [0, 0, 1, 1, 2, 2, 2, 2]
    env = TaskStream(RULES, np.array([1, 2, 1]), cycle=True)
    assert [which_rule(env, seed) for seed in range(8)] == [0, 1, 1, 2, 0, 1, 1, 2]


def test_the_default_is_two_rules_for_twenty_episodes_each():
    env = gymnasium.make("holdfast/TaskStream-v0")
    assert [which_rule(env, seed) for seed in range(42)] == [0] * 20 + [1] * 22


def test_uncued_nothing_tells_the_task():
    env = TaskStream(RULES, 1)
    assert env.observation_space == spaces.Discrete(10)
    for seed in (5, 5, 5):
        observation, info = env.reset(seed=seed)
        assert (observation, info) == HiddenRuleEnv().reset(seed=5)
        observation, _, _, _, info = env.step(0)
        assert "task" not in info
        assert isinstance(observation, np.int64)


def test_the_cue_and_info_tell_the_place_of_the_task_in_the_list():
    env = TaskStream(RULES, [1, 1, 1, 1], [2, 0, 2, 1], cued=True, task_in_info=True)
    assert env.observation_space == spaces.Dict({"observation": spaces.Discrete(10), "task": spaces.Discrete(3)})
    for place in (2, 0, 2, 1):
        observation, info = env.reset(seed=1)
        assert observation == {"observation": HiddenRuleEnv().reset(seed=1)[0], "task": place}
        assert info == {"task": place}
        over = False
        while not over:
            observation, _, over, _, info = env.step(0)
            assert env.observation_space.contains(observation)
            assert observation["task"] == info["task"] == place
        assert info["success"] is False


def test_tasks_of_other_packages_and_ready_made_ones():
    lake = gymnasium.make("FrozenLake-v1", is_slippery=False)
    tasks = ["FrozenLake-v1", ["FrozenLake-v1", {"is_slippery": False}], lake, gymnasium.spec("FrozenLake-v1")]
    env = TaskStream(tasks, 1)
    assert env.tasks[2] is lake
    alone = [gymnasium.make("FrozenLake-v1"), lake, lake, gymnasium.make("FrozenLake-v1")]
    for seed, task in enumerate(alone):
        assert episode(env, seed) == episode(task, seed)
    assert lake.spec.id == env.tasks[0].spec.id
    with pytest.raises(AttributeError, match="optimal_return"):
        _ = env.optimal_return
    env.close()
    env.close()


def test_time_limits_of_the_tasks_hold_and_their_episodes_count():
    env = TaskStream([("CartPole-v1", {"max_episode_steps": 3}), ("CartPole-v1", {"max_episode_steps": 4})], 2)
    assert [len(episode(env, seed)) - 1 for seed in range(5)] == [3, 3, 4, 4, 4]
    limited = gymnasium.make("holdfast/TaskStream-v0", tasks=RULES, episodes=1, max_episode_steps=2, task_in_info=True)
    places = []
    for seed in range(4):  # an outer limit ends episodes that their task would go on with: they count as well
        places.append(limited.reset(seed=seed)[1]["task"])
        limited.step(0)
        assert limited.step(0)[3]
    assert places == [0, 1, 2, 2]


def test_resets_before_the_first_step_do_not_bring_the_next_task_nearer():
    env = TaskStream(RULES, 1)
    for _ in range(3):
        env.reset(seed=0)
        assert env.task == 0
    env.step(0)
    assert env.task == 0
    env.reset()
    assert env.task == 1


@pytest.mark.parametrize("order", [None, [0, 1, 0, 2]])
def test_one_seed_at_the_start_determines_the_run(order):
    def run(seed: int) -> list[Any]:
        env = TaskStream(RULES, 2, order, cycle=True)
        return [episode(env, seed), *(episode(env) for _ in range(12))]

    assert run(1) == run(1) != run(2)
    firsts = [seen[0] for seen in run(1)]
    assert len({tuple(int(o[0]) for o in seen[1:]) for seen in run(1)}) == len(firsts)  # no episode comes twice


def test_a_new_seed_determines_what_follows_also_in_a_task_that_was_played_before():
    used, fresh = TaskStream(RULES, 1, [0, 1, 0, 1], cycle=True), TaskStream(RULES, 1, [0, 1, 0, 1], cycle=True)
    before = [episode(used, 7), episode(used)]
    after = [episode(used, 3), episode(used), episode(used), episode(used)]
    assert after == [episode(fresh, 3), episode(fresh), episode(fresh), episode(fresh)]
    assert before != after[:2]


def test_a_world_that_goes_on_is_where_it_was_left():
    facts, other = EntityRewriteEnv(1), EntityRewriteEnv(2)
    env = TaskStream([facts, other], 1, [0, 1, 0])
    lengths = [len(episode(env, seed)) - 1 for seed in range(3)]
    assert lengths == [16, 16, 10]  # the first episode of a history tells all, the later ones tell two


def test_the_optimum_is_that_of_the_present_task():
    rooms = [DarkRoomEnv(task) for task in (0, 2)]
    assert rooms[0].optimal_return != rooms[1].optimal_return
    env = TaskStream(rooms, 1)
    for room in rooms:
        env.reset(seed=0)
        assert env.optimal_return == room.optimal_return
        env.step(0)


@pytest.mark.parametrize("cued", [False, True])
@pytest.mark.parametrize(
    "tasks",
    [
        ["FrozenLake-v1", ("FrozenLake-v1", {"is_slippery": False})],
        ["Acrobot-v1", ("Acrobot-v1", {"max_episode_steps": 90})],
        RULES,
    ],
    ids=["lake", "acrobot", "rules"],
)
def test_gymnasium_accepts_streams(tasks, cued):
    env = gymnasium.make("holdfast/TaskStream-v0", tasks=tasks, cued=cued, task_in_info=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=tasks is not RULES)  # others need pygame to draw


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"tasks": []}, ValueError, r"tasks must not be empty, got \[\]"),
        ({"tasks": "CartPole-v1"}, TypeError, "tasks must be a list, got 'CartPole-v1' of type str"),
        ({"tasks": [3]}, TypeError, r"tasks\[0\] must be an id, a pair .* got 3 of type int"),
        ({"tasks": [("CartPole-v1", 3)]}, TypeError, r"tasks\[0\] must be an id, a pair"),
        ({"tasks": ["NoSuchThing-v0"]}, gymnasium.error.NameNotFound, "NoSuchThing"),
        (
            {"tasks": ["FrozenLake-v1", ("FrozenLake-v1", {"map_name": "8x8"})]},
            ValueError,
            r"same observation_space: tasks\[0\], FrozenLake-v1, has Discrete\(16\), but tasks\[1\], "
            r"FrozenLake-v1, has Discrete\(64\)",
        ),
        (
            {"tasks": [*RULES, ("holdfast/HiddenRule-v0", {"actions": 3})]},
            ValueError,
            r"same action_space: tasks\[0\].*Discrete\(5\), but tasks\[3\].*Discrete\(3\)",
        ),
        ({"tasks": [HiddenRuleEnv(), HiddenRuleEnv(render_mode="ansi")]}, ValueError, "same render_mode"),
        ({"episodes": 0}, ValueError, "episodes must be at least 1, got 0"),
        ({"episodes": [3, 0]}, ValueError, r"episodes\[1\] must be at least 1, got 0"),
        ({"episodes": [3]}, ValueError, "one number, or one for each of 2 stages, got 1"),
        ({"episodes": "3"}, TypeError, "episodes must be an integer, got '3' of type str"),
        ({"order": [0, 2]}, ValueError, r"order\[1\] must be the place of one of 2 tasks, counted from 0, got 2"),
        ({"order": []}, ValueError, "order must not be empty"),
        ({"order": [-1]}, ValueError, r"order\[0\] must be at least 0, got -1"),
        ({"cued": 1}, TypeError, "cued must be True or False, got 1 of type int"),
        ({"first_episode": -1}, ValueError, "first_episode must be at least 0, got -1"),
    ],
)
def test_bad_arguments_are_named(kwargs, error, words):
    with pytest.raises(error, match=words):
        TaskStream(**kwargs)


def test_wrong_use_is_named():
    env = TaskStream([HiddenRuleEnv()])
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(gymnasium.error.InvalidAction, match=r"Discrete\(5\), got 5"):
        env.step(5)


def test_rendering_is_that_of_the_present_task():
    env = TaskStream([DarkRoomEnv(task, size=3, render_mode="ansi") for task in (0, 1)], 1)
    assert env.render_mode == "ansi"
    assert env.metadata["render_modes"] == ["ansi"]
    for task in (0, 1):
        alone = DarkRoomEnv(task, size=3, render_mode="ansi")
        alone.reset(seed=0)
        env.reset(seed=0)
        assert env.render() == alone.render()
        env.step(0)
