from __future__ import annotations

from itertools import product

import gymnasium
import numpy as np
import pytest

from evals.false_feedback import FalseFeedback
from evals.learners.learner import Budget
from evals.learners.posterior import PosteriorOracle


def brute_force(rates, actions: int, heard: list[tuple[int, bool]]) -> np.ndarray:
    """Enumerate every hypothesis and weigh it by the product of the chances of all that was heard."""
    weight = np.zeros(actions)
    for right, (prior, rate) in product(range(actions), rates):
        chance = prior / actions
        for action, said in heard:
            chance *= 1 - rate if said == (action == right) else rate
        weight[right] += chance
    return weight / weight.sum()


@pytest.mark.parametrize("rates", [[(1.0, 0.2)], [(0.8, 0.0), (0.2, 1.0)], [(0.5, 0.1), (0.5, 0.4)]])
def test_the_posterior_is_what_enumeration_gives(rates):
    oracle = PosteriorOracle(rates)
    world = gymnasium.make("holdfast/HiddenRule-v0", actions=4)
    heard = [(0, False), (1, True), (1, True), (2, False)]
    oracle._action(world, 7, np.random.default_rng(0))
    for action, said in heard:
        oracle._hear(7, action, said)
    assert oracle.probabilities(7) == pytest.approx(brute_force(rates, 4, heard))


def test_with_true_feedback_it_follows_the_optimal_schedule():
    shares = []
    for task in range(12):
        world = gymnasium.make("holdfast/HiddenRule-v0", task=task)
        learned = PosteriorOracle([(1.0, 0.0)]).learn(lambda world=world: world, budget=Budget(episodes=7), seed=task)
        shares.append(learned.returns)
    mean = np.mean(shares, axis=0)
    assert mean[:4] == pytest.approx([2, 4, 6, 8], abs=1.2)
    assert mean[4:].tolist() == [10.0] * 3


def test_lies_slow_it_down_and_it_knows_better_than_to_believe_once():
    world = FalseFeedback(gymnasium.make("holdfast/HiddenRule-v0", task=1), rate=0.2, seed=1)
    oracle = PosteriorOracle([(1.0, 0.2)])
    told = []
    returns = oracle.learn(lambda: world, budget=Budget(episodes=25), seed=1, after_episode=told.append).returns
    assert told == list(range(1, 26))
    assert np.mean(returns[-5:]) > 9.0
    assert np.mean(returns[4:7]) < 9.9
    true = gymnasium.make("holdfast/HiddenRule-v0", task=1)
    assert np.mean(oracle.play(lambda: true, episodes=2, seed=0)) > 9.0


def test_wrong_rates_are_named():
    for wrong in ([(0.5, 0.1)], [(1.0, 1.5)]):
        with pytest.raises(ValueError, match="rates must be pairs of a probability and a rate, summing to 1"):
            PosteriorOracle(wrong)
