from __future__ import annotations

import gymnasium
import pytest

from evals.learners.diary import Diary
from evals.learners.learner import Budget


class Counting(gymnasium.Env):
    """Ends after ``length`` steps; pays 1 a step, and says in ``info`` that it was 3."""

    observation_space = gymnasium.spaces.Discrete(2)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, length: int, *, tells: bool = False) -> None:
        self.length, self.tells, self.at = length, tells, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = 0
        return 0, {}

    def step(self, action):
        self.at += 1
        return 0, 1.0, False, self.at >= self.length, {"true_reward": 3.0} if self.tells else {}


def episode(world, steps: int) -> None:
    world.reset()
    for _ in range(steps):
        world.step(0)


def test_episodes_of_several_worlds_are_noted_as_they_end():
    diary = Diary(Budget(episodes=3))
    short, long = diary.note(Counting(2)), diary.note(Counting(3, tells=True))
    long.reset()
    long.step(0)
    episode(short, 2)
    assert (diary.returns, diary.lengths, diary.env_steps, diary.spent) == ([2.0], [2], 3, False)
    long.step(0)
    long.step(0)
    episode(short, 1)
    episode(short, 2)  # the one before was broken off: its step counts, its return does not
    assert (diary.returns, diary.lengths, diary.env_steps, diary.spent) == ([2.0, 9.0, 2.0], [2, 3, 2], 8, True)
    episode(short, 2)
    learning = diary.learning()
    assert (learning.returns, learning.lengths, learning.env_steps) == ((2.0, 9.0, 2.0), (2, 3, 2), 10)
    assert list(learning.clock) == sorted(learning.clock)
    assert learning.clock[-1] <= learning.cpu_seconds
    assert learning.as_dict()["lengths"] == [2, 3, 2]


@pytest.mark.parametrize(("steps", "spent"), [(3, False), (4, True)])
def test_steps_spend_a_budget_too(steps, spent):
    diary = Diary(Budget(env_steps=4))
    world = diary.note(Counting(9))
    episode(world, steps)
    assert diary.spent is spent
