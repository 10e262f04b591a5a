from __future__ import annotations

import functools
import itertools

import gymnasium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from environments import DarkRoomEnv


def best_by_search(size: int, steps: int, goal: int) -> int:
    """The best return, by dynamic programming over (cell, steps left), written without the environment."""
    side = range(size)

    @functools.cache
    def best(row: int, column: int, left: int) -> int:
        if left == 0:
            return 0
        return max(
            (r * size + c == goal) + best(r, c, left - 1)
            for r, c in [(row, column), (row - 1, column), (row, column + 1), (row + 1, column), (row, column - 1)]
            if r in side and c in side
        )

    return best(size // 2, size // 2, steps)


def towards_goal(env: DarkRoomEnv, cell: int) -> int:
    (row, column), (goal_row, goal_column) = divmod(int(cell), env.size), divmod(env.goal, env.size)
    if row != goal_row:
        return 1 if row > goal_row else 3
    if column != goal_column:
        return 2 if column < goal_column else 4
    return 0


def play(env: DarkRoomEnv, policy) -> tuple[float, int, dict]:
    observation, info = env.reset(seed=0)
    total, steps, truncated = 0.0, 0, False
    while not truncated:
        observation, reward, terminated, truncated, info = env.step(policy(observation))
        assert not terminated
        total, steps = total + reward, steps + 1
    return total, steps, info


def test_the_optimum_of_every_goal_is_what_search_finds_and_a_guide_earns():
    total = 0.0
    for task in range(80):
        env = DarkRoomEnv(task)
        returned, steps, info = play(env, functools.partial(towards_goal, env))
        assert returned == env.optimal_return == best_by_search(9, 20, env.goal)
        assert steps == 20
        assert info["success"] is True
        total += returned
    assert total / 80 == 16.5


@settings(max_examples=40, deadline=None)
@given(task=st.integers(0, 2**40), half=st.integers(1, 4), more=st.integers(0, 5), seed=st.integers(0, 2**31))
def test_the_optimum_is_never_exceeded(task, half, more, seed):
    size = 2 * half + 1
    env = DarkRoomEnv(task, size, size - 1 + more)
    env.action_space.seed(seed)
    returned, steps, info = play(env, lambda _: env.action_space.sample())
    assert steps == env.steps
    assert 0 <= returned <= env.optimal_return == best_by_search(size, env.steps, env.goal)
    assert info["success"] == (returned > 0)
    assert env.optimal_return == play(env, functools.partial(towards_goal, env))[0]


def test_tasks_take_every_cell_but_the_start_once_and_repeat():
    goals = [DarkRoomEnv(task).goal for task in range(80)]
    assert sorted(goals) == [cell for cell in range(81) if cell != 40]
    assert DarkRoomEnv(80).goal == goals[0]
    # written down, so that a change of the draw between versions cannot pass unseen
    assert goals[:5] == [12, 7, 41, 23, 52]


@pytest.mark.parametrize("action", range(5))
def test_moves_and_walls(action):
    env = DarkRoomEnv(size=3, steps=9)
    cell, _ = env.reset(seed=0)
    row, column = divmod(int(cell), 3)
    down, right = [(0, 0), (-1, 0), (0, 1), (1, 0), (0, -1)][action]
    for _ in range(2):  # the second move meets the wall
        row, column = min(max(row + down, 0), 2), min(max(column + right, 0), 2)
        assert divmod(int(env.step(action)[0]), 3) == (row, column)


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"task": -2}, ValueError, "task must be at least 0, got -2"),
        ({"size": 8}, ValueError, "size must be odd, so that the room has a centre, got 8"),
        ({"size": 1}, ValueError, "size must be at least 3, got 1"),
        ({"steps": 7}, ValueError, "steps must be at least 8, got 7"),
        ({"steps": None}, TypeError, "steps must be an integer, got None of type NoneType"),
    ],
)
def test_bad_arguments_are_named(kwargs, error, words):
    with pytest.raises(error, match=words):
        gymnasium.make("holdfast/DarkRoom-v0", **kwargs)


def test_wrong_use_is_named():
    env = DarkRoomEnv(size=3, steps=2)
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(gymnasium.error.InvalidAction, match=r"Discrete\(5\), got 9"):
        env.step(9)
    env.step(0)
    env.step(0)
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step(0)


def test_rendering_shows_agent_and_goal():
    env = DarkRoomEnv(size=3, steps=9, render_mode="ansi")
    env.reset(seed=0)
    text = env.render()
    assert text is not None
    cells = text.replace("\n", "")
    assert (cells[4], cells[env.goal], cells.count(".")) == ("A", "G", 7)
    cell = env.start
    for _ in range(4):
        cell, *_ = env.step(towards_goal(env, cell))
    assert env.render() == "".join(
        "".join("*" if 3 * r + c == env.goal else "." for c in range(3)) + "\n" for r in range(3)
    )
    with pytest.warns(UserWarning, match="render_mode='ansi'"):
        assert DarkRoomEnv().render() is None


def test_the_observation_tells_the_cell_and_nothing_of_the_goal():
    walk = list(itertools.islice(itertools.cycle([1, 2, 3, 3, 4]), 20))

    def cells(task: int) -> list[int]:
        env = DarkRoomEnv(task)
        env.reset(seed=0)
        return [int(env.step(action)[0]) for action in walk]

    assert cells(0) == cells(1) == cells(2)
