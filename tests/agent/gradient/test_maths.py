"""The pure functions of the gradient policy, against naive ones."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.gradient.advantage import advantages
from agent.gradient.choice import (
    best_hot,
    drawn_hot,
    hot_entropy,
    hot_log_prob,
    point_entropy,
    point_log_prob,
)
from agent.gradient.loss import clipped_loss, divergence
from agent.gradient.running import RunningSpread

small = st.floats(-5.0, 5.0)


def naive_advantages(rewards, values, last, discount, trace):
    """Each estimate as the weighted mean of all its n-step advantages, arXiv 1506.02438, equations 11 to 16."""
    every = [*values, last]
    found = []
    for t in range(len(rewards)):
        total = 0.0
        for k in range(len(rewards) - t):
            delta = rewards[t + k] + discount * every[t + k + 1] - every[t + k]
            total += (discount * trace) ** k * delta
        found.append(total)
    return found


@given(st.lists(st.tuples(small, small), min_size=1, max_size=12), small, st.floats(0, 1), st.floats(0, 1))
def test_advantages_are_those_of_the_sum(steps, last, discount, trace):
    rewards, values = (np.array(column) for column in zip(*steps, strict=True))
    found = advantages(rewards, values, last_value=last, discount=discount, trace=trace)
    assert np.allclose(found, naive_advantages(rewards, values, last, discount, trace), atol=1e-9)


def test_advantages_of_a_full_trace_are_the_return_less_the_value():
    found = advantages(np.array([1.0, 2.0, 4.0]), np.array([0.5, 0.25, 0.0]), last_value=8.0, discount=0.5, trace=1.0)
    assert found.tolist() == [1 + 1 + 1 + 1 - 0.5, 2 + 2 + 2 - 0.25, 4 + 4 - 0.0]


def test_advantages_want_as_many_values_as_rewards():
    with pytest.raises(ValueError, match=r"rewards \(2,\) and values \(3,\)"):
        advantages(np.zeros(2), np.zeros(3), last_value=0.0, discount=0.9, trace=0.9)


@given(st.lists(st.tuples(small, small, small), min_size=1, max_size=8), st.floats(0.05, 0.5))
def test_the_clipped_loss_is_that_of_the_paper(rows, clip):
    total = 0.0
    for new, old, gained in rows:
        ratio = math.exp(new - old)
        total += min(ratio * gained, min(max(ratio, 1 - clip), 1 + clip) * gained)
    new, old, gained = torch.tensor(rows, dtype=torch.float64).T
    assert clipped_loss(new, old, gained, clip=clip).item() == pytest.approx(-total / len(rows), rel=1e-9, abs=1e-9)


def test_the_clipped_loss_pays_nothing_beyond_the_clip():
    log_prob = torch.tensor([math.log(1.5), math.log(0.5)], requires_grad=True)
    clipped_loss(log_prob, torch.zeros(2), torch.tensor([1.0, -1.0]), clip=0.2).backward()
    assert log_prob.grad.tolist() == [0.0, 0.0]
    log_prob = torch.tensor([math.log(1.5), math.log(0.5)], requires_grad=True)
    clipped_loss(log_prob, torch.zeros(2), torch.tensor([-1.0, 1.0]), clip=0.2).backward()
    assert (log_prob.grad.abs() > 0.1).all()


def test_the_divergence_is_zero_where_nothing_moved_and_positive_elsewhere():
    old = torch.tensor([-1.0, -2.0])
    assert divergence(old, old).item() == 0.0
    assert divergence(old + 0.5, old).item() == pytest.approx(math.exp(0.5) - 1.5)


def test_log_probabilities_and_entropies_are_those_of_torch():
    torch.manual_seed(0)
    scores, mean, log_std = torch.randn(5, 3), torch.randn(5, 2), torch.randn(2)
    chosen, points = torch.tensor([0, 2, 1, 1, 0]), torch.randn(5, 2)
    hot = torch.nn.functional.one_hot(chosen, 3).float()
    some = torch.distributions.Categorical(logits=scores)
    assert torch.allclose(hot_log_prob(scores, hot), some.log_prob(chosen))
    assert torch.allclose(hot_entropy(scores), some.entropy())
    normal = torch.distributions.Normal(mean, log_std.exp())
    assert torch.allclose(point_log_prob(mean, log_std, points), normal.log_prob(points).sum(dim=1), atol=1e-5)
    assert torch.allclose(point_entropy(log_std), normal.entropy()[0].sum())


def test_choices_are_drawn_as_often_as_they_are_probable():
    scores = np.log(np.array([0.1, 0.6, 0.3], np.float32))
    drawn = sum(drawn_hot(scores, (i + 0.5) / 1000) for i in range(1000))
    assert np.abs(drawn - [100, 600, 300]).max() <= 1
    assert drawn_hot(scores, 0.999999999999).tolist() == [0, 0, 1]
    assert best_hot(np.array([1.0, 2.0, 2.0], np.float32)).tolist() == [0, 1, 0]


@settings(max_examples=30)
@given(st.lists(st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=2), min_size=2, max_size=20))
def test_the_running_spread_is_the_spread(rows):
    keys = np.array(rows, np.float32)
    running = RunningSpread(2)
    for key in keys:
        running.add(key)
    assert np.allclose(running.mean, keys.astype(np.float64).mean(axis=0), atol=1e-6)
    wide = keys.astype(np.float64).std(axis=0)
    assert np.allclose(running.spread()[wide > 1e-3], wide[wide > 1e-3], rtol=1e-6)


def test_symbols_are_not_scaled_and_numbers_are_cut():
    running = RunningSpread(2)
    for key in ([0.0, 4.0], [0.0, 6.0], [1.0, 4.0], [0.0, 6.0]):
        running.add(np.array(key, np.float32))
    assert running.scaled(np.array([[1.0, 6.0], [0.0, 1000.0]], np.float32)).tolist() == [[1.0, 1.0], [0.0, 10.0]]
