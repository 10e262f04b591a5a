"""Which slot makes room, against sorted lists."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retention import FirstInFirstOut, LeastRecentlyUsed, LeastUseful, RandomEviction
from retention.layer.evict import rooms
from retention.layer.slots import empty_slots

SCORES = {
    FirstInFirstOut(): lambda slot: slot["id"],
    LeastRecentlyUsed(): lambda slot: -slot["idle"],
    LeastUseful(mass=0.7, utility=1.3, age=0.05): lambda slot: (
        0.7 * math.log(1 + slot["mass"]) + 1.3 * slot["utility"] - 0.05 * slot["age"]
    ),
}


def full(**columns):
    state = empty_slots(1, 4, width=2, heads=1, dim=2, dtype=torch.float64)
    state = replace(state, occupied=torch.ones(1, 4, dtype=torch.bool), id=torch.arange(4)[None])
    return replace(state, **{name: torch.tensor([column]) for name, column in columns.items()})


def order(state, eviction, wanted=None, kept=None):
    kept = torch.zeros_like(state.occupied) if kept is None else torch.tensor([kept])
    return rooms(state, eviction, state.capacity if wanted is None else wanted, kept)[0].tolist()


def naive_order(columns, kept, score):
    """The empty slots, then the others by score; what stays is left out, and -1 fills the rest."""
    slots = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    empty = [j for j, slot in enumerate(slots) if not slot["occupied"] and not kept[j]]
    held = [j for j, slot in enumerate(slots) if slot["occupied"] and not slot["pinned"] and not kept[j]]
    free = empty + sorted(held, key=lambda j: score(slots[j]))
    return free + [-1] * (len(slots) - len(free))


@pytest.mark.parametrize(
    "eviction", [FirstInFirstOut(), LeastRecentlyUsed(), LeastUseful(), RandomEviction(seed=3)], ids=repr
)
def test_empty_slots_come_first_in_their_order(eviction):
    state = full(occupied=[True, False, True, False], id=[1, -1, 0, -1], idle=[9, 0, 0, 0], utility=[-5.0, 0, 0, 0])
    assert order(state, eviction)[:2] == [1, 3]
    assert sorted(order(state, eviction)) == [0, 1, 2, 3]
    assert order(state, eviction, wanted=1) == [1]


def test_first_in_first_out():
    assert order(full(id=[7, 3, 9, 4], age=[0, 0, 0, 50]), FirstInFirstOut()) == [1, 3, 0, 2]


def test_least_recently_used():
    assert order(full(id=[7, 3, 9, 4], idle=[1, 0, 6, 2]), LeastRecentlyUsed()) == [2, 3, 0, 1]


def test_least_useful_is_the_formula():
    columns = {"mass": [0.0, 3.0, 1.0, 0.5], "utility": [0.4, -0.5, 0.1, 0.3], "age": [1, 2, 30, 4]}
    rule = LeastUseful(mass=0.7, utility=1.3, age=0.05)
    scores = rule(full(**columns))[0].tolist()
    for score, mass, utility, age in zip(scores, *columns.values(), strict=True):
        assert score == pytest.approx(0.7 * math.log(1 + mass) + 1.3 * utility - 0.05 * age)
    assert order(full(**columns), rule) == sorted(range(4), key=scores.__getitem__)


def test_of_equal_scores_the_first_slot_goes_first():
    state = empty_slots(1, 300, width=1, heads=1, dim=1)
    state = replace(state, occupied=torch.ones(1, 300, dtype=torch.bool), id=torch.arange(300)[None])
    for eviction in (LeastRecentlyUsed(), LeastUseful()):
        assert order(state, eviction) == list(range(300))
    split = replace(state, idle=torch.tensor([[1, 0, 0] * 100]))
    assert order(split, LeastRecentlyUsed())[:100] == list(range(0, 300, 3))


def test_what_is_pinned_or_kept_is_not_named():
    state = full(pinned=[True, False, False, False])
    assert order(state, FirstInFirstOut()) == [1, 2, 3, -1]
    assert order(state, FirstInFirstOut(), kept=[False, True, False, True]) == [2, -1, -1, -1]
    assert order(full(pinned=[True] * 4), FirstInFirstOut()) == [-1] * 4
    empty = full(occupied=[False] * 4, id=[-1] * 4)
    assert order(empty, FirstInFirstOut(), kept=[True, False, False, False]) == [1, 2, 3, -1]


def test_scores_are_told_apart_at_any_size():
    assert order(full(id=[10**8 + 2, 10**8, 10**8 + 3, 10**8 + 1]), FirstInFirstOut()) == [1, 3, 0, 2]
    assert order(full(utility=[1e30, -1e30, 0.0, -1e-6]), LeastUseful()) == [1, 3, 2, 0]


column = st.lists(st.integers(0, 9), min_size=6, max_size=6)
flags = st.lists(st.booleans(), min_size=6, max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    eviction=st.sampled_from(list(SCORES)),
    occupied=flags,
    pinned=flags,
    kept=flags,
    ids=st.permutations(range(6)),
    idle=column,
    mass=column,
    utility=column,
    age=column,
)
def test_rooms_match_the_list(eviction, occupied, pinned, kept, ids, idle, mass, utility, age):
    columns = {"occupied": occupied, "pinned": pinned, "id": list(ids), "idle": idle, "age": age}
    columns |= {"mass": [float(m) for m in mass], "utility": [u / 4 for u in utility]}
    state = empty_slots(1, 6, width=1, heads=1, dim=1, dtype=torch.float64)
    state = replace(state, **{name: torch.tensor([values]) for name, values in columns.items()})
    wanted = naive_order(columns, kept, SCORES[eviction])
    assert order(state, eviction, kept=kept) == wanted
    assert order(state, eviction, wanted=2, kept=kept) == wanted[:2]


def test_random_eviction_is_even_and_repeats():
    state = replace(full().index(torch.zeros(4000, dtype=torch.int64)), next_id=torch.arange(4000))
    kept = torch.zeros_like(state.occupied)
    first = rooms(state, RandomEviction(seed=1), 4, kept)
    assert torch.equal(first, rooms(state, RandomEviction(seed=1), 4, kept))
    for turn in range(4):
        assert all(abs(count - 1000) < 120 for count in first[:, turn].bincount().tolist())


def test_random_eviction_differs_by_seed():
    states = [replace(full(), next_id=torch.tensor([step])) for step in range(20)]
    draws = [[order(state, RandomEviction(seed=seed)) for state in states] for seed in (1, 2)]
    assert draws[0] != draws[1]
