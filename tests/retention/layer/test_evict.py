"""Which slot makes room."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from retention import FirstInFirstOut, LeastRecentlyUsed, LeastUseful, RandomEviction
from retention.layer.evict import place
from retention.layer.slots import empty_slots


def full(**columns):
    state = empty_slots(1, 4, width=2, heads=1, dim=2)
    state = replace(state, occupied=torch.ones(1, 4, dtype=torch.bool), id=torch.arange(4)[None])
    return replace(state, **{name: torch.tensor([column]) for name, column in columns.items()})


def evicted(state, eviction):
    at = place(state, eviction)
    assert at.sum() == 1
    return at[0].nonzero().item()


@pytest.mark.parametrize(
    "eviction", [FirstInFirstOut(), LeastRecentlyUsed(), LeastUseful(), RandomEviction(seed=3)], ids=repr
)
def test_empty_slots_are_filled_first(eviction):
    state = full(occupied=[True, True, False, False], id=[1, 0, -1, -1], idle=[9, 0, 0, 0], utility=[-5.0, 0, 0, 0])
    assert evicted(state, eviction) == 2


def test_first_in_first_out():
    assert evicted(full(id=[7, 3, 9, 4], age=[0, 0, 0, 50]), FirstInFirstOut()) == 1


def test_least_recently_used():
    assert evicted(full(id=[7, 3, 9, 4], idle=[1, 0, 6, 2]), LeastRecentlyUsed()) == 2


def test_least_useful_is_the_formula():
    columns = {"mass": [0.0, 3.0, 1.0, 0.5], "utility": [0.4, -0.5, 0.1, 0.3], "age": [1, 2, 30, 4]}
    rule = LeastUseful(mass=0.7, utility=1.3, age=0.05)
    scores = rule(full(**columns))[0].tolist()
    for score, mass, utility, age in zip(scores, *columns.values(), strict=True):
        assert score == pytest.approx(0.7 * torch.tensor(1.0 + mass).log().item() + 1.3 * utility - 0.05 * age)
    assert evicted(full(**columns), rule) == scores.index(min(scores))


def test_random_eviction_is_even_and_repeats():
    state = replace(full().index(torch.zeros(4000, dtype=torch.int64)), next_id=torch.arange(4000))
    at = place(state, RandomEviction(seed=1))
    assert torch.equal(at, place(state, RandomEviction(seed=1)))
    assert all(abs(count - 1000) < 120 for count in at.sum(dim=0).tolist())


def test_random_eviction_differs_by_seed():
    states = [replace(full(), next_id=torch.tensor([step])) for step in range(20)]
    draws = [[evicted(state, RandomEviction(seed=seed)) for state in states] for seed in (1, 2)]
    assert draws[0] != draws[1]
