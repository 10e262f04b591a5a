"""The slot state: moving, taking rows, cutting graphs, being a pytree."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from torch.utils._pytree import tree_flatten, tree_map

from retention import SlotState
from retention.layer.slots import empty_slots, marked, slot_stamps, weights_version


def filled(batch=2, capacity=4):
    state = empty_slots(batch, capacity, width=3, heads=2, dim=2)
    return replace(
        state,
        u=torch.randn(batch, capacity, 3, requires_grad=True),
        k=torch.randn(batch, 2, capacity, 2, requires_grad=True),
        v=torch.randn(batch, 2, capacity, 2, requires_grad=True),
        bias=torch.randn(batch, capacity, requires_grad=True),
        occupied=torch.tensor([[True, True, True, False]] * batch),
        id=torch.tensor([[5, 3, 4, -1]] * batch),
        age=torch.tensor([[2, 0, 2, 0]] * batch),
    )


def test_an_empty_state_is_zero_and_holds_nothing():
    state = empty_slots(2, 4, width=3, heads=2, dim=5, dtype=torch.float64)
    assert (state.batch, state.capacity) == (2, 4)
    assert state.k.shape == state.v.shape == (2, 2, 4, 5)
    assert state.id.eq(-1).all()
    assert not any(getattr(state, f.name).any() for f in fields(state) if f.name != "id")
    assert state.u.dtype == state.mass.dtype == torch.float64


@pytest.mark.parametrize("name", ["batch", "capacity", "width", "heads", "dim"])
def test_a_size_too_small_is_named(name):
    sizes = {"batch": 1, "capacity": 1, "width": 1, "heads": 1, "dim": 1}
    sizes[name] = -1 if name == "batch" else 0
    with pytest.raises(ValueError, match=f"{name} is too small: {sizes[name]}"):
        empty_slots(sizes.pop("batch"), sizes.pop("capacity"), **sizes)


def test_to_casts_floating_point_tensors_alone():
    state = filled().to(dtype=torch.float64)
    assert state.u.dtype == state.bias.dtype == state.utility.dtype == torch.float64
    assert (state.id.dtype, state.occupied.dtype) == (torch.int64, torch.bool)


def test_index_takes_rows(assert_same_state):
    state = filled(batch=3)
    rows = state.index(torch.tensor([2, 0]))
    assert torch.equal(rows.u, torch.stack((state.u[2], state.u[0])))
    assert rows.next_id.shape == (2,)
    assert_same_state(state.index(torch.tensor([False, True, False])), state.index(slice(1, 2)))


def test_detach_cuts_everything():
    state = filled().detach()
    assert not any(getattr(state, f.name).requires_grad for f in fields(state))


@pytest.mark.parametrize(("keep", "slots"), [(0, []), (1, [1]), (2, [0, 1]), (3, [0, 1, 2]), (9, [0, 1, 2, 3])])
def test_detach_keeps_the_graph_of_the_newest_slots(keep, slots):
    """Newest is least aged, then highest id; empty slots come last."""
    state = filled()
    cut = state.detach(keep_last=keep)
    (cut.u.sum() + cut.k.sum() + cut.v.sum() + cut.bias.sum()).backward()
    wanted = torch.zeros(4)
    wanted[slots] = 1.0
    assert torch.equal(state.u.grad[0, :, 0], wanted)
    assert torch.equal(state.k.grad[1, 1, :, 0], wanted)
    assert torch.equal(state.v.grad[1, 0, :, 1], wanted)
    assert torch.equal(state.bias.grad[1], wanted)
    assert torch.equal(cut.u, state.u)


def test_a_negative_keep_last_is_refused():
    with pytest.raises(ValueError, match="keep_last must be 0 or more, got -1"):
        filled().detach(keep_last=-1)


def test_after_read_counts_mass_and_ends_idleness_above_an_even_share():
    state = replace(filled(batch=1), idle=torch.tensor([[4, 4, 4, 0]]), mass=torch.ones(1, 4))
    after = state.after_read(torch.tensor([[2.5, 0.5, 1.0, 0.0]]), queries=4)
    assert after.mass.tolist() == [[3.5, 1.5, 2.0, 1.0]]
    assert after.idle.tolist() == [[0, 4, 4, 0]]


def test_what_was_read_as_nan_counts_as_nothing():
    state = replace(filled(batch=1), idle=torch.tensor([[4, 4, 4, 0]]), mass=torch.ones(1, 4))
    after = state.after_read(torch.tensor([[torch.nan, 3.0, torch.nan, 0.0]]), queries=4)
    assert after.mass.tolist() == [[1.0, 4.0, 1.0, 1.0]]
    assert after.idle.tolist() == [[4, 0, 4, 0]]


def test_marking_slots_by_number():
    slots = torch.tensor([[2, -1, 0, 2], [-1, -1, -1, -1]])
    assert marked(slots, 3).tolist() == [[True, False, True], [False, False, False]]
    assert marked(slots[:, :0], 3).eq(False).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("width", [1, 3, 8])
def test_a_stamp_changes_with_any_bit_and_with_the_id(dtype, width):
    u, id = torch.randn(2, 5, width, dtype=dtype), torch.arange(10).reshape(2, 5)
    stamps = slot_stamps(u, id)
    assert stamps.ne(0).all()
    assert stamps.unique().numel() == 10
    assert torch.equal(slot_stamps(u.clone(), id), stamps)
    assert torch.equal(slot_stamps(u[1:], id[1:]), stamps[1:])
    assert slot_stamps(u, id + 1).ne(stamps).all()
    for at in range(width):
        changed = u.clone()
        changed[:, :, at] = torch.nextafter(changed[:, :, at], torch.tensor(9.0, dtype=dtype))
        assert slot_stamps(changed, id).ne(stamps).all()
    assert width == 1 or slot_stamps(u.flip(2), id).ne(stamps).all()


def test_a_hundred_thousand_stamps_are_all_different():
    u = torch.randint(-2, 3, (1, 100_000, 4)).float()
    assert slot_stamps(u, torch.arange(100_000)[None]).unique().numel() == 100_000


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("numbers", [(0.0, 1.0, 2.0, 4.0, 8.0), (-2.0, -1.0, 0.0, 1.0, 2.0), (0.0, 0.25, 0.5, 0.75)])
def test_round_vectors_of_one_id_have_different_stamps(dtype, numbers):
    for width in (2, 5, 6):
        u = torch.cartesian_prod(*[torch.tensor(numbers, dtype=dtype)] * width)[None]
        assert slot_stamps(u, torch.zeros(u.shape[:2], dtype=torch.int64)).unique().numel() == u.shape[1]


def test_stamps_of_one_vector_and_of_one_id_are_all_different():
    u, id = torch.randn(1, 20_000, 6), torch.arange(20_000)[None]
    assert slot_stamps(u, torch.zeros_like(id)).unique().numel() == 20_000
    assert slot_stamps(u[:, :1].expand_as(u), id).unique().numel() == 20_000


def test_a_state_is_a_pytree_of_its_tensors(assert_same_state):
    state = filled()
    leaves, _ = tree_flatten(state)
    assert len(leaves) == len(fields(state))
    doubled = tree_map(lambda t: t.clone(), state)
    assert isinstance(doubled, SlotState)
    assert_same_state(doubled, state)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_weights_version_sees_any_single_change(dtype):
    first, second = torch.randn(5, 4, dtype=dtype), torch.randn(3, dtype=dtype)
    version = weights_version(first, second)
    assert weights_version(first.clone(), second.clone()) == version
    assert weights_version(second, first) != version
    for i in range(20):
        changed = first.clone()
        changed.view(-1)[i] = torch.nextafter(changed.view(-1)[i], torch.tensor(9.0, dtype=dtype))
        assert weights_version(changed, second) != version
    assert weights_version(first.flip(0), second) != version
