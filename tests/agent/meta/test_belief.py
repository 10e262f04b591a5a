from itertools import product
from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.meta.belief import belief, rates


def naive(heard: list[list[list[int]]], rate: list[float], probability: list[float]) -> list[list[float]]:
    """What is known of one task, by summing over every rule and every rate."""
    contexts, actions = len(heard), len(heard[0])
    mass = [[0.0] * actions for _ in range(contexts)]
    for p, weight in zip(rate, probability, strict=True):
        for rule in product(range(actions), repeat=contexts):
            likelihood = prod(
                (1 - p if (action == rule[c]) == (h == 1) else p) ** heard[c][action][h]
                for c in range(contexts)
                for action in range(actions)
                for h in range(2)
            )
            for c in range(contexts):
                mass[c][rule[c]] += weight * likelihood
    return [[each / sum(row) for each in row] for row in mass]


heards = st.lists(
    st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=2), min_size=3, max_size=3), min_size=2, max_size=2
)


@settings(max_examples=60, deadline=None)
@given(heard=heards)
def test_it_is_the_sum_over_all_rules_and_rates(heard: list[list[list[int]]]) -> None:
    rate, probability = torch.tensor([0.05, 0.2, 0.4]), torch.tensor([0.5, 0.3, 0.2])
    found = belief(torch.tensor([heard], dtype=torch.float32), rate, probability)[0]
    wanted = torch.tensor(naive(heard, rate.tolist(), probability.tolist()))
    torch.testing.assert_close(found, wanted, atol=2e-5, rtol=0)


def test_where_nothing_was_heard_every_action_is_as_likely() -> None:
    found = belief(torch.zeros(3, 4, 5, 2), *rates(0.3, 0.75))
    torch.testing.assert_close(found, torch.full((3, 4, 5), 0.2))


def test_a_task_in_which_answers_contradict_each_other_is_believed_less() -> None:
    heard = torch.zeros(2, 2, 3, 2)
    heard[:, 0, 0, 1] = 1.0  # heard once as right in both tasks
    heard[0, 1, 1] = torch.tensor([2.0, 2.0])  # the other context of the first task: twice wrong and twice right
    sure = belief(heard, *rates(0.3, 0.5))[:, 0, 0]
    assert 0.5 < sure[0] < sure[1] - 0.05


def test_a_prior_is_even_in_its_noisy_part() -> None:
    rate, probability = rates(0.3, 0.75)
    assert float(probability.sum()) == pytest.approx(1.0)
    assert (float(rate[0]), float(probability[0])) == (0.0, 0.25)
    assert float((rate * probability).sum()) == pytest.approx(0.75 * 0.15)
