"""Actions: a number for each, and back to what the environment takes."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import Agent, IdlePolicy
from agent.recall.actions import numbered_actions
from retention import UnsupportedSpaceError

F32 = np.float32


def all_of(space: spaces.Space[Any]) -> list[Any]:
    actions = numbered_actions(space)
    return [actions.take(number) for number in range(actions.count)]


def test_discrete_actions_are_counted_from_the_first() -> None:
    assert all_of(spaces.Discrete(3)) == [0, 1, 2]
    assert all_of(spaces.Discrete(2, start=-3)) == [-3, -2]


def test_combinations_count_with_the_last_place_fastest() -> None:
    made = all_of(spaces.MultiDiscrete([2, 3], start=[0, 5]))
    assert [each.tolist() for each in made] == [[0, 5], [0, 6], [0, 7], [1, 5], [1, 6], [1, 7]]
    assert [each.tolist() for each in all_of(spaces.MultiBinary(2))] == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_a_box_is_a_grid_with_both_ends() -> None:
    made = all_of(spaces.Box(-2.0, 2.0, (1,), F32))
    assert [each.tolist() for each in made] == [[-2.0], [-1.0], [0.0], [1.0], [2.0]]
    made = all_of(spaces.Box(np.array([0.0, -1.0], F32), np.array([4.0, 1.0], F32)))
    assert [each.tolist() for each in made] == [[x, y] for x in (0.0, 2.0, 4.0) for y in (-1.0, 0.0, 1.0)]
    assert len(all_of(spaces.Box(-1.0, 1.0, (2, 2), F32))) == 81
    assert [each.tolist() for each in all_of(spaces.Box(0, 2, (1,), np.int64))] == [[0], [1], [2]]


@given(
    space=st.one_of(
        st.builds(lambda n, start: spaces.Discrete(n, start=start), st.integers(1, 9), st.integers(-5, 5)),
        st.lists(st.integers(1, 4), min_size=1, max_size=3).map(spaces.MultiDiscrete),
        st.lists(st.integers(1, 2), min_size=1, max_size=3).map(lambda shape: spaces.MultiBinary(shape)),
        st.builds(
            lambda low, span, shape: spaces.Box(low, low + span, shape, F32),
            st.floats(-5, 5, width=32),
            st.floats(0.5, 5, width=32),
            st.sampled_from([(1,), (2,), (2, 2), (1, 3)]),
        ),
    )
)
@settings(max_examples=60, deadline=None)
def test_every_number_is_another_action_of_the_space(space: spaces.Space[Any]) -> None:
    made = all_of(space)
    assert all(space.contains(each) for each in made)
    assert len({np.asarray(each).tobytes() for each in made}) == len(made)


def test_what_an_environment_does_to_an_action_does_not_last() -> None:
    actions = numbered_actions(spaces.MultiDiscrete([2, 2]))
    actions.take(0)[:] = 1
    assert actions.take(0).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (spaces.Tuple([spaces.Discrete(2)]), "actions of Tuple are not supported yet; supported: Discrete, Multi"),
        (spaces.Text(3), "wrap it in agent.NumberedCandidates"),
        (spaces.MultiDiscrete([17, 241]), "MultiDiscrete actions of 4097 combinations are too many; at most 4096 are"),
        (spaces.MultiBinary(70), "MultiBinary actions of 1180591620717411303424 combinations are too many"),
        (spaces.Box(-1.0, 1.0, (5,), F32), "actions of Box with 5 numbers are not supported yet; at most 4 are"),
        (spaces.Box(-np.inf, 1.0, (1,), F32), "actions of a Box without bounds are not supported yet"),
    ],
)
def test_what_cannot_be_numbered_is_named(space: spaces.Space[Any], said: str) -> None:
    with pytest.raises(UnsupportedSpaceError, match=said):
        numbered_actions(space)


def test_as_many_combinations_as_are_allowed_are_taken() -> None:
    assert numbered_actions(spaces.MultiBinary(12)).count == 4096


class Lock(gymnasium.Env[Any, Any]):
    """Opens to one combination of three wheels: 1, 0, 2."""

    def __init__(self) -> None:
        self.observation_space, self.action_space = spaces.Discrete(1), spaces.MultiDiscrete([2, 2, 3])

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return np.int64(0), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        return np.int64(0), float(action.tolist() == [1, 0, 2]), True, False, {}


def test_a_combination_is_learned() -> None:
    with Agent.open(None, namespace="alice", seed=1) as agent:
        assert agent.run(Lock(), episodes=40).returns[-20:].tolist() == [1.0] * 20
        assert agent.act(np.int64(0)).tolist() == [1, 0, 2]


@pytest.mark.parametrize("env_id", ["Pendulum-v1", "MountainCarContinuous-v0"])
def test_real_actions_are_played_one_by_one_and_in_lanes(env_id: str) -> None:
    with Agent.open(None, namespace="alice", seed=1) as agent:
        history = agent.run(gymnasium.make(env_id, max_episode_steps=40), episodes=2)
        assert history.env_steps == 80
    lanes = gymnasium.vector.SyncVectorEnv([lambda: gymnasium.make(env_id, max_episode_steps=40)] * 2)
    with Agent.open(None, namespace="alice", policy=IdlePolicy(), seed=1) as agent:
        assert agent.run(lanes, episodes=2).env_steps == 80
