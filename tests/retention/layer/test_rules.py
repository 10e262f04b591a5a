"""What a write rule decides, case by case; ``test_write.py`` holds whole writes against a simulation."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from retention import AppendWrite, BlendWrite, FirstInFirstOut, MergeWrite, Offer
from retention.layer.slots import empty_slots

FIFO = FirstInFirstOut()
HALF = MergeWrite(erase=0.5, write=0.5)


def held(capacity, filled, pinned=()):
    """``filled`` slots with the vectors ``[j + 1, 0]`` and the ids of their places."""
    state = empty_slots(1, capacity, width=2, heads=1, dim=2, dtype=torch.float64)
    here = torch.arange(capacity)[None]
    u = torch.stack((here[0] + 1.0, torch.zeros(capacity)), dim=1)[None].double()
    return replace(
        state,
        occupied=here < filled,
        id=here.masked_fill(here >= filled, -1),
        u=u.masked_fill((here >= filled)[:, :, None], 0.0),
        pinned=torch.tensor([[j in pinned for j in range(capacity)]]),
    )


def offer(state, u, near=None, beside=None, gate=None, admit=None, tau=0.9):
    """An offer whose cosines are given as ``{(candidate, slot): cosine}`` and ``{(later, earlier): cosine}``."""
    n = len(u)
    cosine = torch.full((1, n, state.capacity), -1.0, dtype=torch.float64).masked_fill(state.occupied[:, None], 0.0)
    among = torch.full((1, n, n), -1.0, dtype=torch.float64)
    for table, values in ((cosine, near), (among, beside)):
        for (i, j), value in (values or {}).items():
            table[0, i, j] = value
    return Offer(
        u=torch.tensor([u], dtype=torch.float64),
        gate=torch.tensor([gate or [1.0] * n], dtype=torch.float64),
        admit=torch.tensor([admit or [True] * n]),
        cosine=cosine.amax(dim=2),
        nearest=cosine.argmax(dim=2),
        among=among,
        tau=tau,
    )


def slots_after(state, change):
    """The vectors of the slots, by loops; each may be named once."""
    after = {j: u.tolist() for j, u in enumerate(state.u[0])}
    named = [slot for slot in change.slot[0].tolist() if slot >= 0]
    assert len(named) == len(set(named))
    for slot, u in zip(change.slot[0].tolist(), change.u[0].tolist(), strict=True):
        if slot >= 0:
            after[slot] = u
    return [pytest.approx(u) for u in after.values()]


def test_append_gives_each_admitted_candidate_a_slot_of_its_own():
    state = held(4, 2)
    change = AppendWrite()(state, offer(state, [[5, 5], [6, 6], [7, 7]], admit=[True, False, True]), FIFO)
    assert change.target.tolist() == [[2, -1, 3]]
    assert change.fresh.tolist() == [[True, False, True]]
    assert slots_after(state, change) == [[1, 0], [2, 0], [5, 5], [7, 7]]


def test_append_evicts_what_is_not_pinned_and_refuses_the_rest():
    state = held(4, 4, pinned=(0, 2))
    change = AppendWrite()(state, offer(state, [[5, 5], [6, 6], [7, 7]]), FIFO)
    assert change.target.tolist() == change.slot.tolist() == [[1, 3, -1]]
    assert change.fresh.tolist() == [[True, True, False]]
    assert AppendWrite()(held(2, 2, pinned=(0, 1)), offer(held(2, 2), [[5, 5]]), FIFO).target.tolist() == [[-1]]


def test_several_duplicates_of_a_slot_join_it_one_after_the_other():
    state, rule = held(3, 2), MergeWrite(erase=0.5, write=0.25)
    change = rule(state, offer(state, [[8, 8], [4, 4]], {(0, 1): 0.95, (1, 1): 0.99}, gate=[1.0, 0.5]), FIFO)
    assert change.target.tolist() == [[1, 1]]
    assert not change.fresh.any()
    first = [0.5 * 2 + 0.25 * 8, 0.25 * 8]
    second = [0.75 * first[0] + 0.125 * 4, 0.75 * first[1] + 0.125 * 4]
    assert slots_after(state, change) == [[1, 0], second, [0, 0]]


def test_a_duplicate_of_an_earlier_candidate_goes_where_that_one_went():
    state = held(3, 1)
    change = HALF(state, offer(state, [[8, 8], [4, 4], [2, 2]], beside={(2, 0): 0.95}), FIFO)
    assert change.target.tolist() == [[1, 2, 1]]
    assert change.fresh.tolist() == [[True, True, False]]
    assert slots_after(state, change) == [[1, 0], [5, 5], [4, 4]]


def test_a_chain_of_duplicates_ends_in_one_slot():
    state = held(7, 0)
    u, beside = [[2.0**i, 0] for i in range(7)], {(i + 1, i): 0.95 for i in range(6)}
    change = HALF(state, offer(state, u, beside=beside), FIFO)
    assert change.target.tolist() == [[0] * 7]
    assert change.fresh.tolist() == [[True] + [False] * 6]
    value = 1.0
    for i in range(1, 7):
        value = 0.5 * value + 0.5 * 2**i
    assert slots_after(state, change)[0] == [value, 0]


def test_a_follower_of_one_that_joins_a_slot_goes_into_it():
    state = held(3, 2)
    change = HALF(state, offer(state, [[8, 8], [4, 4]], {(0, 1): 0.95}, {(1, 0): 0.95}), FIFO)
    assert change.target.tolist() == [[1, 1]]
    assert slots_after(state, change) == [[1, 0], [0.25 * 2 + 0.25 * 8 + 2, 4], [0, 0]]


@pytest.mark.parametrize(("slot", "candidate", "target"), [(0.95, 0.97, 1), (0.97, 0.95, 0), (0.95, 0.95, 0)])
def test_the_nearer_of_slot_and_earlier_candidate_decides(slot, candidate, target):
    state = held(3, 1)
    change = HALF(state, offer(state, [[8, 8], [4, 4]], {(1, 0): slot}, {(1, 0): candidate}), FIFO)
    assert change.target.tolist() == [[1, target]]


def test_tau_itself_is_no_duplicate():
    state = held(3, 1)
    change = HALF(state, offer(state, [[8, 8], [4, 4]], {(0, 0): 0.9}, {(1, 0): 0.9}), FIFO)
    assert change.target.tolist() == [[1, 2]]


def test_a_slot_that_a_duplicate_joins_is_not_evicted_by_another():
    state = held(3, 3, pinned=(2,))
    change = HALF(state, offer(state, [[8, 8], [4, 4]], {(1, 0): 0.95}), FIFO)
    assert change.target.tolist() == [[1, 0]]
    change = HALF(state, offer(state, [[8, 8], [4, 4], [2, 2]], {(1, 0): 0.95}), FIFO)
    assert change.target.tolist() == [[1, 0, -1]]


def test_without_room_a_candidate_and_its_followers_are_refused_but_a_pinned_slot_is_joined():
    state = held(3, 3, pinned=(0, 1, 2))
    change = HALF(state, offer(state, [[8, 8], [4, 4], [2, 2]], {(2, 1): 0.95}, {(1, 0): 0.95}), FIFO)
    assert change.target.tolist() == [[-1, -1, 1]]
    assert not change.fresh.any()
    assert slots_after(state, change) == [[1, 0], [2, 1], [3, 0]]


def test_what_is_not_admitted_takes_no_room():
    state = held(3, 2)
    near = {(0, 1): 0.95, (1, 1): 0.95}
    change = HALF(state, offer(state, [[8, 8], [4, 4], [2, 2]], near, admit=[False, True, True]), FIFO)
    assert change.target.tolist() == [[-1, 1, 2]]
    assert slots_after(state, change) == [[1, 0], [3, 2], [2, 2]]


@pytest.mark.parametrize(
    ("erase", "write", "wanted"), [(0.0, 0.0, [1, 0]), (1.0, 1.0, [8, 8]), (0.0, 1.0, [9, 8]), (1.0, 0.0, [0, 0])]
)
def test_erasing_and_writing_are_apart(erase, write, wanted):
    state = held(2, 1)
    change = MergeWrite(erase=erase, write=write)(state, offer(state, [[8, 8]], {(0, 0): 0.95}), FIFO)
    assert slots_after(state, change)[0] == wanted


@pytest.mark.parametrize("strengths", [{"erase": 1.5}, {"write": -0.1}])
def test_merge_strengths_are_checked(strengths):
    ((name, strength),) = strengths.items()
    with pytest.raises(ValueError, match=rf"{name} must be in \[0, 1\], got {strength}"):
        MergeWrite(**strengths)


def test_blending_fills_free_slots_first_and_moves_only_those_that_were_there():
    state = held(4, 3, pinned=(2,))
    change = BlendWrite()(state, offer(state, [[5, 5], [1, 1], [2, 2]], gate=[1.0, 0.5, 0.25]), FIFO)
    slots = [[1.0, 0.0], [2.0, 0.0]]
    for u, gate in (([1.0, 1.0], 0.5), ([2.0, 2.0], 0.25)):
        exps = [math.exp(u[0] * place / math.sqrt(2)) for place in (1.0, 2.0)]
        for slot, weight in zip(slots, exps, strict=True):
            step = gate * weight / sum(exps)
            slot[:] = [(1 - step) * a + step * b for a, b in zip(slot, u, strict=True)]
    assert slots_after(state, change) == [*slots, [3, 0], [5, 5]]
    assert change.target.tolist() == [[3, 1, 1]]
    assert change.fresh.tolist() == [[True, False, False]]


def test_blending_refuses_where_all_is_pinned():
    state = held(2, 2, pinned=(0, 1))
    change = BlendWrite()(state, offer(state, [[5, 5]]), FIFO)
    assert change.target.tolist() == [[-1]]
    assert slots_after(state, change) == [[1, 0], [2, 0]]


def test_blending_leaves_what_is_not_admitted_out():
    state = held(2, 2)
    one = BlendWrite()(state, offer(state, [[5, 5]], gate=[0.5]), FIFO)
    two = BlendWrite()(state, offer(state, [[5, 5], [9, 9]], gate=[0.5, 1.0], admit=[True, False]), FIFO)
    assert slots_after(state, one) == [a.expected for a in slots_after(state, two)]
    assert two.target.tolist() == [[1, -1]]
