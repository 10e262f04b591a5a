from __future__ import annotations

import importlib
from dataclasses import replace

import pytest
import torch

from retention.errors import MissingExtraError
from retention.index.trained import TrainedConfig
from retention.layer.config import RetentionConfig
from retention.layer.index import IndexConfig, SlotIndex, exact_top
from retention.layer.layer import RetentionLayer
from retention.layer.slots import empty_slots, slot_stamps

WIDTH, HEADS, DIM = 8, 2, 4
TIERS = ["dense", "scan", "trained"]


@pytest.fixture(params=TIERS)
def index(request):
    """An index of each tier; few vectors are enough for the trained one to have lists, all of which it visits."""
    if request.param == "trained":
        pytest.importorskip("faiss", reason="the trained tier is made with faiss, of the extra [index]")
    return SlotIndex(IndexConfig(tier=request.param, trained=TrainedConfig(untrained=16, lists=3, probes=3)))


def state_of(batch=2, slots=80, filled=60, seed=0, dtype=torch.float32):
    """A state whose first slots of each row are filled with random vectors."""
    generator = torch.Generator().manual_seed(seed)
    state = empty_slots(batch, slots, width=WIDTH, heads=HEADS, dim=DIM, dtype=dtype)
    return written(state, list(range(filled)), generator)


def written(state, slots, generator, rows=None):
    """Overwrite slots, of all rows or some, with random vectors and ids that are new."""
    u, k, id, stamp = (tensor.clone() for tensor in (state.u, state.k, state.id, state.stamp))
    for row in range(state.batch) if rows is None else rows:
        u[row, slots] = torch.randn(len(slots), WIDTH, generator=generator).to(u.dtype)
        k[row][:, slots] = torch.randn(HEADS, len(slots), DIM, generator=generator).to(k.dtype)
        id[row, slots] = torch.arange(len(slots)) + 1 + id[row].max()
    stamp[:, slots] = slot_stamps(u[:, slots], id[:, slots])
    return replace(state, u=u, k=k, id=id, stamp=stamp.masked_fill(id < 0, 0), occupied=id >= 0)


def naive_top(query, keys, mask, k):
    """Sort everything, in float64."""
    products = (query.double() @ keys.double().transpose(-1, -2)).masked_fill(~mask[:, None, None], -torch.inf)
    order = products.argsort(dim=-1, descending=True)[..., :k]
    scores = products.gather(-1, order)
    order = order.masked_fill(scores.isinf(), -1)
    missing = k - order.shape[-1]
    return torch.nn.functional.pad(order, (0, missing), value=-1) if missing > 0 else order


def check(index, state, k=5, n=7, seed=1):
    query = torch.randn(state.batch, state.k.shape[1], n, DIM, generator=torch.Generator().manual_seed(seed))
    found = index.search(query, k, state)
    assert torch.equal(found, naive_top(query, state.k, state.occupied, k))


# -- the pure function


@pytest.mark.parametrize("chunk", [1, 42, 300, 1 << 24])
@pytest.mark.parametrize("k", [1, 3, 60, 61, 100])
def test_exact_top_is_a_sort(chunk, k):
    state = state_of()
    query = torch.randn(2, HEADS, 7, DIM)
    scores, slots = exact_top(query, state.k, state.occupied, k, chunk)
    assert torch.equal(slots, naive_top(query, state.k, state.occupied, k))
    products = query @ state.k.transpose(-1, -2)
    there = slots >= 0
    torch.testing.assert_close(scores[there], products.gather(-1, slots.clamp(min=0))[there])
    assert scores[~there].isneginf().all()


def test_exact_top_of_nothing_and_for_nobody():
    state = state_of(filled=0)
    assert (exact_top(torch.randn(2, HEADS, 3, DIM), state.k, state.occupied, 4)[1] == -1).all()
    assert exact_top(torch.randn(2, HEADS, 0, DIM), state.k, state.occupied, 4)[1].shape == (2, HEADS, 0, 4)
    with pytest.raises(ValueError, match="k and chunk must be at least 1, got 0 and 5"):
        exact_top(torch.randn(2, HEADS, 1, DIM), state.k, state.occupied, 0, 5)


def test_no_gradient_flows_through_the_choice():
    state = state_of()
    query = torch.randn(2, HEADS, 3, DIM, requires_grad=True)
    assert not exact_top(query, state.k, state.occupied, 4)[0].requires_grad
    assert not SlotIndex(IndexConfig(tier="scan")).search(query, 4, state).requires_grad


# -- finding


def test_what_is_found_is_what_a_sort_finds(index):
    check(index, state_of())
    check(index, state_of(), k=70)


def test_an_index_of_an_empty_state_finds_nothing(index):
    check(index, state_of(filled=0))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_keys_of_half_precision_are_searched(index, dtype):
    state = state_of(dtype=dtype)
    query = torch.randn(2, HEADS, 4, DIM).to(dtype)
    found = index.search(query, 3, state)
    products = query.double() @ state.k.double().transpose(-1, -2)
    best = products[..., :60].topk(3).values
    torch.testing.assert_close(products.gather(-1, found), best, rtol=2e-2, atol=2e-2)


def test_the_top_of_the_config_counts_where_no_k_is_given():
    state = state_of()
    assert SlotIndex(IndexConfig(top=6)).search(torch.randn(2, HEADS, 3, DIM), None, state).shape[-1] == 6
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        SlotIndex().search(torch.randn(2, HEADS, 3, DIM), 0, state)


def test_a_query_that_is_not_finite_disturbs_no_other(index):
    state = state_of()
    query = torch.randn(2, HEADS, 4, DIM)
    wanted = index.search(query, 5, state)
    query[1, 0, 2] = torch.nan
    query[1, 1, 3, 0] = torch.inf
    found = index.search(query, 5, state)
    touched = torch.zeros(2, HEADS, 4, dtype=torch.bool)
    touched[1, 0, 2] = touched[1, 1, 3] = True
    assert torch.equal(found[~touched], wanted[~touched])


def test_a_namespace_finds_the_same_whatever_the_others_hold(index):
    state, query = state_of(batch=3), torch.randn(3, HEADS, 4, DIM)
    alone = SlotIndex(index.config).search(query[1:2], 5, state.index(slice(1, 2)))
    assert torch.equal(index.search(query, 5, state)[1:2], alone)
    other = written(state, list(range(80)), torch.Generator().manual_seed(5), rows=[0, 2])
    assert torch.equal(index.search(query, 5, other)[1:2], alone)


# -- following a state


def test_an_index_follows_a_layer_through_everything_that_is_done_to_slots(index):
    layer = RetentionLayer(RetentionConfig(width=16, heads=2, capacity=40))
    state = layer.init_state(2)
    generator = torch.Generator().manual_seed(3)

    def follow(state):
        query = torch.randn(2, 2, 3, state.k.shape[-1], generator=generator)
        found = index.search(query, 4, state)
        products = (query @ state.k.transpose(-1, -2)).masked_fill(~state.occupied[:, None, None], -torch.inf)
        scores, _ = products.topk(4, dim=-1)
        got = products.gather(-1, found.clamp(min=0)).masked_fill(found < 0, -torch.inf)
        torch.testing.assert_close(got, scores)
        assert torch.equal(found < 0, scores.isinf())

    with torch.no_grad():
        for step in range(12):
            _, state = layer(torch.randn(2, 16, 16, generator=generator), state)
            follow(state)
            if step % 3 == 2:
                state, _ = state.forget(state.id[:, :3])
                follow(state)
                state = layer.evict(state, 2)
                follow(state)
                state = layer.merge(state, state.id[:, 5:6], state.id[:, 7:8])
                follow(state)
            if step == 6:
                for weight in layer.parameters():
                    weight.add_(torch.randn(weight.shape, generator=generator))
                state = layer.refresh(state)
                follow(state)
    follow(state.detach())


@pytest.mark.parametrize("tier", TIERS[1:])
def test_only_what_changed_is_taken_in(tier):
    if tier == "trained":
        pytest.importorskip("faiss", reason="the trained tier is made with faiss, of the extra [index]")
    index, state = SlotIndex(IndexConfig(tier=tier)), state_of()
    assert index.sync(state) == 120
    assert index.sync(state) == 0
    assert index.sync(replace(state, stamp=state.stamp.clone())) == 0
    state = written(state, [3, 70], torch.Generator().manual_seed(2))
    assert index.sync(state) == 4
    state, _ = state.forget(state.id[:, 5:8])
    assert index.sync(state) == 6
    assert index.nbytes > 0


def test_the_very_same_stamps_are_not_compared(monkeypatch):
    index, state = SlotIndex(IndexConfig(tier="scan")), state_of()
    index.sync(state)

    def refuse(*_):
        raise AssertionError("compared")

    monkeypatch.setattr(SlotIndex, "_sync_row", refuse)
    index.search(torch.randn(2, HEADS, 1, DIM), 3, replace(state, mass=state.mass + 1))
    with pytest.raises(AssertionError, match="compared"):
        index.sync(replace(state, stamp=state.stamp.clone()))


def test_stamps_edited_in_place_are_noticed():
    index, state = SlotIndex(IndexConfig(tier="scan")), state_of()
    index.sync(state)
    state.stamp[0, 4] = 0
    assert index.sync(state) == 1
    state.version[1] = 9
    assert index.sync(state) == 60


def test_stamps_made_in_inference_mode_are_compared_each_time(index):
    with torch.inference_mode():
        state = state_of()
        check(index, state)
        state.stamp[0, 4] = 0
        state.occupied[0, 4] = False
        check(index, state)


def test_two_states_that_grew_from_one_are_each_found_right(index):
    root = state_of()
    check(index, root)
    left = written(root, [1, 2, 65], torch.Generator().manual_seed(8))
    right, _ = written(root, [2, 3], torch.Generator().manual_seed(9)).forget(root.id[:, 10:20])
    for state in (left, right, root, right, left):
        check(index, state)


def test_a_namespace_projected_by_other_weights_is_taken_in_anew(index):
    state = state_of()
    check(index, state)
    k = state.k.clone()
    k[1] = k[1].roll(1, dims=-1)
    refreshed = replace(state, k=k, version=torch.tensor([0, 7]))
    taken = index.sync(refreshed)
    assert taken == (0 if index.config.tier == "dense" else 60)
    check(index, refreshed)


def test_a_state_of_another_shape_is_taken_in_anew(index):
    for state in (state_of(), state_of(batch=3), state_of(slots=100), state_of(batch=3).index(torch.tensor([2, 0]))):
        check(index, state)


def test_a_key_that_is_not_finite_is_refused_and_the_index_recovers():
    index, state = SlotIndex(IndexConfig(tier="scan")), state_of()
    k = state.k.clone()
    k[1, 0, 5, 0] = torch.nan
    with pytest.raises(ValueError, match="vectors must be finite, got 1 values"):
        index.sync(replace(state, k=k))
    check(index, state)


# -- settings


@pytest.mark.parametrize(("slots", "tier"), [(99, "dense"), (100, "scan"), (999, "scan"), (1000, "trained")])
def test_the_tier_goes_by_the_capacity_unless_it_is_given(slots, tier):
    state = empty_slots(1, slots, width=2, heads=1, dim=2)
    assert SlotIndex(IndexConfig(dense_below=100, trained_from=1000)).tier(state) == tier
    assert SlotIndex(IndexConfig(tier="scan")).tier(state) == "scan"


def test_any_device_but_the_cpu_is_searched_densely():
    state = replace(state_of(batch=1), k=torch.empty(1, HEADS, 80, DIM, device="meta"))
    assert SlotIndex(IndexConfig(tier="scan")).tier(state) == "dense"


def test_a_trained_tier_without_faiss_says_what_to_install(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    index = SlotIndex(IndexConfig(tier="trained"))
    for _ in range(2):
        with pytest.raises(MissingExtraError, match=r"pip install 'holdfast\[index\]'"):
            index.search(torch.randn(2, HEADS, 1, DIM), 1, state_of())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"top": 0}, "top must be at least 1, got 0"),
        ({"chunk": 0}, "chunk must be at least 1, got 0"),
        ({"dense_below": -1}, "dense_below must not be negative, got -1"),
        ({"trained_from": -1}, "trained_from must not be negative, got -1"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        IndexConfig(**settings)
