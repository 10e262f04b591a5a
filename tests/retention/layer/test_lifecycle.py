"""Pinning, forgetting, evicting and merging slots, against lists of slots."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retention import AppendWrite, FirstInFirstOut, LeastUseful, RetentionConfig, RetentionLayer
from retention.layer.lifecycle import evict_slots
from retention.layer.slots import slot_stamps

NONE = torch.zeros(2, 0, dtype=torch.int64)


def layer_of(**changes):
    settings = {"width": 8, "heads": 2, "capacity": 6, "rule": AppendWrite(), "eviction": FirstInFirstOut()} | changes
    return RetentionLayer(RetentionConfig(**settings)).double()


def filled(layer, calls=4):
    """Two rows with a few slots, whose counters all differ."""
    state = layer.init_state(2)
    for _ in range(calls):
        u = torch.randn(2, 1, 8, dtype=torch.float64)
        state, _ = layer.write(state, u, torch.randn(2, 1, dtype=torch.float64))
        state = state.after_read(torch.rand(2, layer.config.capacity, dtype=torch.float64) * state.occupied, 4)
    return replace(state, count=state.count + torch.arange(layer.config.capacity) * state.occupied).detach()


def ids(*rows):
    return torch.tensor(rows)


def slot(state, row, at):
    """Everything of one slot, as lists."""
    columns = {f.name: getattr(state, f.name)[row] for f in fields(state) if getattr(state, f.name).dim() > 1}
    return {name: (t[:, at] if name in {"k", "v"} else t[at]).tolist() for name, t in columns.items()}


def is_nothing(values):
    flat = values if isinstance(values, list) else [values]
    return all(is_nothing(value) if isinstance(value, list) else not value for value in flat)


def assert_empty(state, row, at):
    for name, values in slot(state, row, at).items():
        assert values == -1 if name == "id" else is_nothing(values), name


def test_where_finds_slots_by_their_ids():
    state = filled(layer_of(capacity=3), calls=5)
    assert state.id.tolist() == [[3, 4, 2]] * 2
    assert state.where(ids([4, 0, -1, 3], [2, 9, 4, -1])).tolist() == [[1, -1, -1, 0], [2, -1, 1, -1]]
    assert state.where(NONE).shape == (2, 0)
    empty = layer_of().init_state(2)
    assert empty.where(ids([-1, 0], [-1, 0])).eq(-1).all()


def test_a_pinned_slot_outlives_every_eviction():
    layer = layer_of(capacity=3)
    state = filled(layer).pin(ids([3, -1], [2, 77]))
    kept = [slot(state, 0, 0), slot(state, 1, 2)]
    for _ in range(5):
        state, info = layer.write(state, torch.randn(2, 2, 8, dtype=torch.float64))
        assert not info.refused.any()
    for row, at in ((0, 0), (1, 2)):
        now = slot(state, row, at)
        assert now | {"age": 0, "idle": 0} == kept[row] | {"age": 0, "idle": 0}
    free = state.pin(ids([3], [2]), pinned=False)
    assert not free.pinned.any()
    state, _ = layer.write(free, torch.randn(2, 1, 8, dtype=torch.float64))
    assert state.where(ids([3], [2])).eq(-1).all()


def test_where_all_is_pinned_what_is_new_is_refused():
    layer = layer_of(capacity=3)
    state = filled(layer)
    state = state.pin(state.id)
    after, info = layer.write(state, torch.randn(2, 2, 8, dtype=torch.float64))
    assert info.refused.all()
    assert info.accept_rate.tolist() == [0.0, 0.0]
    assert torch.equal(after.u, state.u)
    assert torch.equal(after.id, state.id)
    assert torch.equal(after.next_id, state.next_id)


def test_pinning_what_is_not_there_changes_nothing(assert_same_state):
    state = filled(layer_of())
    assert_same_state(state.pin(ids([-1, 99], [4, -5])), state)
    assert_same_state(state.pin(NONE), state)


def test_of_a_forgotten_slot_nothing_is_left(assert_same_state):
    layer = layer_of()
    state = filled(layer).pin(ids([1], [3]))
    after, found = state.forget(ids([1, 99, -1], [3, 0, 3]))
    assert found.tolist() == [[True, False, False], [True, True, True]]
    for row, gone in ((0, [1]), (1, [3, 0])):
        for at in range(6):
            if at in gone:
                assert_empty(after, row, at)
            else:
                assert slot(after, row, at) == slot(state, row, at)
    again, found = after.forget(ids([1], [3]))
    assert not found.any()
    assert_same_state(again, after)
    assert_same_state(state.forget(NONE)[0], state)


def test_what_is_forgotten_is_not_read_and_its_id_is_not_given_again():
    layer = layer_of()
    state = filled(layer)
    after, _ = state.forget(state.id)
    x = torch.randn(2, 3, 8, dtype=torch.float64)
    y, info = layer.read(x, after)
    assert y.eq(0).all()
    assert info.null_mass.eq(1).all()
    assert after.next_id.tolist() == [4, 4]
    after, _ = layer.write(after, x)
    assert after.id[:, :3].tolist() == [[4, 5, 6]] * 2


def test_reading_without_a_slot_is_as_if_it_had_never_been_written():
    layer = layer_of()
    u = torch.randn(2, 3, 8, dtype=torch.float64)
    without, _ = layer.write(layer.init_state(2), u[:, [0, 2]])
    after, _ = layer.write(layer.init_state(2), u)[0].forget(ids([1], [1]))
    x = torch.randn(2, 3, 8, dtype=torch.float64)
    torch.testing.assert_close(layer.read(x, after)[0], layer.read(x, without)[0])


@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
def test_evicting_takes_those_that_would_go_first(count, assert_same_state):
    layer = layer_of(eviction=LeastUseful(age=0.2))
    state = filled(layer).pin(ids([1], [-1]))
    after = layer.evict(state, count)
    scores = layer.config.eviction(state)
    for row in range(2):
        held = [at for at in range(6) if state.occupied[row, at] and not state.pinned[row, at]]
        gone = sorted(held, key=scores[row].tolist().__getitem__)[:count]
        for at in range(6):
            if at in gone:
                assert_empty(after, row, at)
            else:
                assert slot(after, row, at) == slot(state, row, at)
    if count == 0:
        assert_same_state(after, state)


def test_a_negative_count_is_refused():
    with pytest.raises(ValueError, match="count must be 0 or more, got -1"):
        evict_slots(layer_of().init_state(2), FirstInFirstOut(), -1)


def naive_merge(state, row, pairs):
    """The slots by id, joined pair by pair."""
    slots = {slot(state, row, at)["id"]: slot(state, row, at) for at in range(state.capacity)}
    slots.pop(-1, None)
    for into, gone in pairs:
        if into == gone or into not in slots or gone not in slots:
            continue
        a, b = slots[into], slots.pop(gone)
        share = a["count"] / (a["count"] + b["count"])
        a["u"] = [share * x + (1 - share) * y for x, y in zip(a["u"], b["u"], strict=True)]
        a["utility"] = share * a["utility"] + (1 - share) * b["utility"]
        a |= {name: a[name] + b[name] for name in ("count", "mass")}
        a |= {name: min(a[name], b[name]) for name in ("age", "idle")}
        a["written"] = max(a["written"], b["written"])
        a["pinned"] = a["pinned"] or b["pinned"]
    return slots


def assert_merged(layer, state, after, pairs):
    for row in range(2):
        wanted = naive_merge(state, row, pairs[row])
        assert {i for i in after.id[row].tolist() if i >= 0} == set(wanted)
        for at in range(6):
            got = slot(after, row, at)
            if got["id"] < 0:
                assert_empty(after, row, at)
                continue
            for name, values in wanted[got["id"]].items():
                if name not in {"k", "v", "stamp"}:
                    assert got[name] == pytest.approx(values, rel=1e-12), name
    k, v = layer.form.project(after.u)
    torch.testing.assert_close(after.k, k)
    torch.testing.assert_close(after.v, v)
    stamps = slot_stamps(after.u, after.id).masked_fill(~after.occupied, 0)
    assert torch.equal(after.stamp, stamps)
    assert torch.equal(after.next_id, state.next_id)


@pytest.mark.parametrize(
    "pairs",
    [
        [[(0, 2)], [(3, 1)]],
        [[(0, 2), (0, 3)], [(3, 1), (0, 3)]],  # two into one; a chain
        [[(0, 2), (2, 1)], [(0, 2), (1, 2)]],  # into one that has gone; one that has gone already
        [[(1, 1), (-1, 2)], [(0, 99), (99, 0)]],  # itself, none, unknown
        [[(2, 0), (2, 1), (2, 3)], [(0, 1), (2, 3), (0, 2)]],  # all into one; a tree
    ],
)
def test_merging_is_the_weighed_mean_pair_by_pair(pairs):
    layer = layer_of()
    state = filled(layer).pin(ids([2], [1]))
    into, gone = (torch.tensor([[pair[i] for pair in row] + [-1] * (3 - len(row)) for row in pairs]) for i in (0, 1))
    assert_merged(layer, state, layer.merge(state, into, gone), pairs)


def test_merging_nothing_changes_nothing(assert_same_state):
    layer = layer_of()
    state = filled(layer)
    assert_same_state(layer.merge(state, NONE, NONE), state)
    assert_same_state(layer.merge(state, ids([-1], [9]), ids([0], [1])).detach(), state)


def test_gradients_reach_both_slots_of_a_merge():
    layer = layer_of()
    u = torch.randn(1, 2, 8, dtype=torch.float64, requires_grad=True)
    state, _ = layer.write(layer.init_state(1), u)
    after = layer.merge(state, ids([1]), ids([0]))
    (slope,) = torch.autograd.grad(after.u[0, 1].sum(), u)
    torch.testing.assert_close(slope, torch.full_like(u, 0.5))


operations = st.lists(
    st.tuples(st.sampled_from(["write", "forget", "evict", "merge", "pin"]), st.integers(0, 9), st.integers(0, 9)),
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(operations)
def test_laws_of_a_life(steps):
    """Whatever happens: ids come once, empty slots are zero, and only what was written anew takes an id."""
    layer = layer_of(capacity=4)
    state, given_ids = layer.init_state(1), set()
    for name, a, b in steps:
        before = state
        if name == "write":
            state, _ = layer.write(state, torch.randn(1, 1 + a % 3, 8, dtype=torch.float64))
        elif name == "forget":
            state, _ = state.forget(ids([a, b]))
        elif name == "evict":
            state = layer.evict(state, a % 3)
        elif name == "merge":
            state = layer.merge(state, ids([a]), ids([b]))
        else:
            state = state.pin(ids([a, b]), pinned=a > 4)
        state = state.detach()
        now = set(state.id[0].tolist()) - {-1}
        new = now - set(before.id[0].tolist())
        assert not new & given_ids
        given_ids |= new
        assert len(now) == int(state.occupied.sum())
        assert (not new) or name == "write"
        lost = set(before.id[0].tolist()) - now - {-1}
        pinned = set(before.id[before.pinned].tolist())
        assert name in {"forget", "merge"} or not lost & pinned
        for at in range(4):
            if not state.occupied[0, at]:
                assert_empty(state, 0, at)
