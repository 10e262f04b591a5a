from __future__ import annotations

import json
import subprocess
import sys
from collections import deque

import gymnasium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from environments import DarkKeyDoorEnv


def shortest_by_search(size: int, key: int, door: int) -> int:
    """The steps of the shortest solution, by breadth-first search written without the environment."""
    start = (size // 2, size // 2, False)
    frontier, seen = deque([(start, 0)]), {start}
    while frontier:
        (row, column, has_key), steps = frontier.popleft()
        if has_key and row * size + column == door:
            return steps
        for r, c in [(row - 1, column), (row, column + 1), (row + 1, column), (row, column - 1)]:
            if r in range(size) and c in range(size):
                state = (r, c, has_key or r * size + c == key)
                if state not in seen:
                    seen.add(state)
                    frontier.append((state, steps + 1))
    raise AssertionError("no way to the door")


def way(size: int, cell: int, target: int) -> list[int]:
    """The actions from a cell to another one, rows first."""
    (row, column), (target_row, target_column) = divmod(cell, size), divmod(target, size)
    down, right = target_row - row, target_column - column
    return [3 if down > 0 else 1] * abs(down) + [2 if right > 0 else 4] * abs(right)


def play(env: DarkKeyDoorEnv, actions) -> tuple[list[float], bool, bool, dict]:
    env.reset(seed=0)
    rewards, terminated, truncated, info = [], False, False, {}
    for action in actions:
        _, reward, terminated, truncated, info = env.step(action)
        rewards.append(reward)
        if terminated or truncated:
            break
    return rewards, terminated, truncated, info


def plan(env: DarkKeyDoorEnv) -> list[int]:
    return way(env.size, env.start, env.key) + way(env.size, env.key, env.door)


def small(*, key: int, door: int, **kwargs) -> DarkKeyDoorEnv:
    """The task of 3 x 3 cells with this layout."""
    rooms = (DarkKeyDoorEnv(task, size=3, steps=20, **kwargs) for task in range(56))
    return next(env for env in rooms if (env.key, env.door) == (key, door))


def test_who_knows_the_layout_earns_the_optimum_in_the_fewest_steps():
    for task in range(0, 6320, 79):
        env = DarkKeyDoorEnv(task)
        rewards, terminated, truncated, info = play(env, plan(env))
        assert (sum(rewards), terminated, truncated) == (env.optimal_return, True, False)
        assert len(rewards) == env.optimal_steps == shortest_by_search(9, env.key, env.door)
        assert info == {"success": True}


def test_the_mean_and_the_range_of_the_fewest_steps_are_those_of_the_docstring():
    steps = [DarkKeyDoorEnv(task, size=3).optimal_steps for task in range(56)]
    assert sorted(steps) == sorted(shortest_by_search(3, k, d) for k in range(9) for d in range(9) if k != d != 4 != k)
    # for 9 x 9 over all pairs, written without the environment
    middle = (4, 4)
    cells = [(r, c) for r in range(9) for c in range(9) if (r, c) != middle]
    apart = [
        abs(k[0] - 4) + abs(k[1] - 4) + abs(k[0] - d[0]) + abs(k[1] - d[1]) for k in cells for d in cells if k != d
    ]
    assert (min(apart), max(apart), round(sum(apart) / len(apart), 1)) == (2, 24, 10.5)


@settings(max_examples=40, deadline=None)
@given(task=st.integers(0, 2**40), half=st.integers(1, 4), more=st.integers(0, 5), seed=st.integers(0, 2**31))
def test_laws_of_a_random_walk(task, half, more, seed):
    size = 2 * half + 1
    env = DarkKeyDoorEnv(task, size, 3 * (size - 1) + more)
    env.action_space.seed(seed)
    cell, _ = env.reset(seed=seed)
    total, steps, over, had = 0.0, 0, False, False
    while not over:
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        has, cell = divmod(int(observation), size * size)
        assert env.observation_space.contains(observation)
        assert has >= had  # the key is never lost
        assert reward == float((has and not had) or (had and cell == env.door))
        assert terminated == info["success"] == (had and cell == env.door)
        total, steps, over, had = total + reward, steps + 1, terminated or truncated, bool(has)
    assert truncated == (steps == env.steps and not terminated)
    assert total == had + info["success"] <= env.optimal_return
    assert len({env.key, env.door, env.start}) == 3
    assert play(env, plan(env))[1]  # the least steps allowed suffice


def test_a_door_that_opens_with_the_last_step_ends_the_episode_and_does_not_truncate_it():
    env = small(key=0, door=8)
    env = DarkKeyDoorEnv(env.task, size=3, steps=6)
    assert env.optimal_steps == env.steps
    rewards, terminated, truncated, _ = play(env, plan(env))
    assert (len(rewards), terminated, truncated) == (6, True, False)


def test_the_door_is_shut_without_the_key_and_the_key_pays_once():
    env = small(key=6, door=2)
    to_the_door = way(3, env.start, env.door)  # does not pass the key
    rewards, terminated, *_ = play(env, to_the_door)
    assert rewards == [0.0] * len(to_the_door)
    assert not terminated
    rewards, *_ = play(env, [*way(3, env.start, env.key), 0, 0])
    assert rewards == [0.0] * (len(rewards) - 3) + [1.0, 0.0, 0.0]


def test_layouts_are_all_different_until_they_repeat():
    layouts = [(env.key, env.door) for env in (DarkKeyDoorEnv(task, size=3) for task in range(56))]
    assert set(layouts) == {(k, d) for k in range(9) for d in range(9) if k != d != 4 != k}
    assert [key for key, _ in layouts[:8]] == [key for key, _ in layouts[48:]]
    assert sorted({key for key, _ in layouts[:8]}) == [0, 1, 2, 3, 5, 6, 7, 8]
    again = DarkKeyDoorEnv(56, size=3)
    assert (again.key, again.door) == layouts[0]
    # written down, so that a change of the draw between versions cannot pass unseen
    assert [(env.key, env.door) for env in map(DarkKeyDoorEnv, range(3))] == [(9, 32), (77, 73), (31, 66)]


@pytest.mark.parametrize("show_key", [True, False])
def test_the_observation_tells_nothing_of_the_layout_before_the_reward_does(show_key):
    rooms = [DarkKeyDoorEnv(task, show_key=show_key) for task in range(20)]
    walk = [1, 1, 2, 3, 4, 4, 3, 3, 2, 0, 2, 2, 2, 1] * 3

    def seen(env: DarkKeyDoorEnv) -> list[tuple[int, float]]:
        env.reset(seed=0)
        return [(int(observation), reward) for observation, reward, *_ in map(env.step, walk)]

    paths = []
    for env in rooms:
        path = []
        for observation, reward in seen(env):
            if reward:
                break
            path.append(observation)
        paths.append(path)
    longest = max(paths, key=len)
    assert len({len(path) for path in paths}) > 2  # keys were found at different times
    assert all(path == longest[: len(path)] for path in paths)


def test_the_key_is_shown_once_it_is_held_or_not_at_all():
    for show_key, size in ((True, 162), (False, 81)):
        env = DarkKeyDoorEnv(task=4, show_key=show_key)
        assert env.observation_space.n == size
        observation, _ = env.reset(seed=0)
        for action in way(9, env.start, env.key):
            assert observation < 81
            observation, *_ = env.step(action)
        assert observation == env.key + 81 * show_key


FINDER = """
import json, sys
import gymnasium, environments
env = gymnasium.make("holdfast/DarkKeyDoor-v0", task=11, steps=200)
observation, _ = env.reset(seed=1)
found = []  # the cells that paid, known from observations and rewards alone
for sweep in range(2):  # from the corner through all cells, row by row; twice, as the door may come before the key
    walk = [1] * 8 + [4] * 8 + ([2] * 8 + [3] + [4] * 8 + [3]) * 4 + [2] * 8
    for action in walk:
        observation, reward, terminated, truncated, _ = env.step(action)
        if reward:
            found.append(int(observation) % 81)
        if terminated or truncated:
            break
    if terminated:
        break
json.dump(found, open(sys.argv[1], "w"))
"""

USER = """
import json, sys
import gymnasium, environments
env = gymnasium.make("holdfast/DarkKeyDoor-v0", task=11)
cell, _ = env.reset(seed=2)
total, steps = 0.0, 0
for target in json.load(open(sys.argv[1])):
    while int(cell) % 81 != target:
        (row, column), (to_row, to_column) = divmod(int(cell) % 81, 9), divmod(target, 9)
        action = (3 if to_row > row else 1) if to_row != row else (2 if to_column > column else 4)
        cell, reward, terminated, _, _ = env.step(action)
        total, steps = total + reward, steps + 1
print(json.dumps([total, steps, terminated]))
"""


def test_one_process_finds_the_key_and_the_door_and_another_one_uses_them(tmp_path, clean_environment):
    outcome = ""
    for code in (FINDER, USER):
        script = tmp_path / "process.py"
        script.write_text(code)
        outcome = subprocess.run(
            [sys.executable, script, tmp_path / "found.json"],
            cwd=tmp_path,
            env=clean_environment | {"PYTHONPATH": ":".join(p for p in sys.path if p)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    here = DarkKeyDoorEnv(11)
    assert json.loads((tmp_path / "found.json").read_text()) == [here.key, here.door]
    assert json.loads(outcome) == [2.0, here.optimal_steps, True]


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"task": -2}, ValueError, "task must be at least 0, got -2"),
        ({"size": 8}, ValueError, "size must be odd, so that the room has a centre, got 8"),
        ({"size": 1}, ValueError, "size must be at least 3, got 1"),
        ({"steps": 23}, ValueError, "steps must be at least 24, got 23"),
        ({"steps": 2.0}, TypeError, "steps must be an integer, got 2.0 of type float"),
        ({"show_key": 1}, TypeError, "show_key must be True or False, got 1 of type int"),
    ],
)
def test_bad_arguments_are_named(kwargs, error, words):
    with pytest.raises(error, match=words):
        gymnasium.make("holdfast/DarkKeyDoor-v0", **kwargs)


def test_wrong_use_is_named():
    env = DarkKeyDoorEnv(size=3, steps=6)
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(gymnasium.error.InvalidAction, match=r"Discrete\(5\), got 9"):
        env.step(9)
    for _ in range(6):
        *_, truncated, _ = env.step(0)
    assert truncated
    with pytest.raises(gymnasium.error.ResetNeeded, match="all 6 steps are used: call reset"):
        env.step(0)
    assert play(env, plan(env))[1]
    with pytest.raises(gymnasium.error.ResetNeeded, match="the door is open: call reset"):
        env.step(0)


def test_rendering_shows_agent_key_and_door():
    env = small(key=6, door=2, render_mode="ansi")
    env.reset(seed=0)
    pictures = [env.render()]
    for action in plan(env):
        env.step(action)
        pictures.append(env.render())
    assert pictures[0] == "..D\n.A.\nK..\n"
    assert pictures[2] == "..D\n...\na..\n"
    assert pictures[-1] == "..*\n...\n...\n"
    with pytest.warns(UserWarning, match="render_mode='ansi'"):
        assert DarkKeyDoorEnv().render() is None
