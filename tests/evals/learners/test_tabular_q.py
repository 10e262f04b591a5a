from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from evals.learners.learner import Budget
from evals.learners.tabular_q import TabularQ, TabularQConfig


class Corridor(gymnasium.Env):
    """Cells 0 to 2; action 1 goes right, and right of cell 2 is the end, which pays 1."""

    observation_space = gymnasium.spaces.Discrete(3)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.cell = 0
        return 0, {}

    def step(self, action):
        self.cell = max(0, self.cell + (1 if action == 1 else -1))
        over = self.cell == 3
        return min(self.cell, 2), float(over), over, False, {}


def test_values_are_what_the_rule_says_by_hand():
    learner = TabularQ(TabularQConfig(learning_rate=0.5, discount=0.9, epsilon=0.0, start=0.25))
    world = Corridor()
    # with equal values the first choice is random: prefer right a little
    for cell in range(3):
        learner._values(world, cell)[:] = [0.2, 0.25]
    learner.learn(lambda: world, budget=Budget(episodes=1), seed=0)
    first, second, third = (learner._values(world, cell)[1] for cell in range(3))
    assert first == pytest.approx(0.25 + 0.5 * (0.9 * 0.25 - 0.25))
    assert second == pytest.approx(0.25 + 0.5 * (0.9 * 0.25 - 0.25))
    assert third == pytest.approx(0.25 + 0.5 * (1.0 - 0.25))  # the end has no future


def test_it_learns_and_the_same_seed_is_the_same_run():
    def learned(seed: int):
        learner = TabularQ(TabularQConfig())
        return learner, learner.learn(Corridor, budget=Budget(episodes=200), seed=seed)

    learner, first = learned(1)
    assert np.mean(first.lengths[-20:]) < 4.5
    assert learner.play(Corridor, episodes=3, seed=0) == [1.0] * 3
    assert learned(1)[1].returns == first.returns
    assert learned(1)[1].lengths == first.lengths
    assert learned(2)[1].lengths != first.lengths


def test_a_time_limit_is_no_end_and_dicts_are_keys():
    cued = gymnasium.make(
        "holdfast/TaskStream-v0", cued=True, tasks=[("holdfast/HiddenRule-v0", {"task": task}) for task in (0, 1)]
    )
    learner = TabularQ(TabularQConfig(discount=0.0))
    told = []
    learning = learner.learn(lambda: cued, budget=Budget(episodes=4), seed=0, after_episode=told.append)
    assert told == [1, 2, 3, 4]
    assert learning.lengths == (10,) * 4
    assert len(learner._table) == 10


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="learning_rate, discount or epsilon is out of its range"):
        TabularQConfig(learning_rate=0.0)
    with pytest.raises(TypeError, match="tabular Q needs Discrete actions, got Box"):
        TabularQ(TabularQConfig()).learn(lambda: gymnasium.make("Pendulum-v1"), budget=Budget(episodes=1), seed=0)
