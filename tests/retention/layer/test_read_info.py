"""What a read saw, and the read over a few slots, against loops."""

from __future__ import annotations

import math

import pytest
import torch

from retention.layer.read import null_softmax, retention_read, slot_bias, unit
from retention.layer.read_info import DenseReadInfo, ReadInfo, TopReadInfo, selected, top_read

HEADS, SLOTS, DIM = 2, 6, 3


def a_memory(time=4, heads_of_bias=1):
    """Three rows: one with some slots, one full, one empty."""
    query, keys, values = (torch.randn(3, HEADS, n, DIM, dtype=torch.float64) for n in (time, SLOTS, SLOTS))
    occupied = torch.tensor([[True, False, True, True, False, True], [True] * SLOTS, [False] * SLOTS])
    keys = unit(keys) * occupied[:, None, :, None]
    bias = slot_bias(
        torch.randn(3, heads_of_bias, SLOTS, dtype=torch.float64), occupied[:, None].expand(-1, heads_of_bias, -1)
    )
    null_score = torch.tensor([0.4, -1.1], dtype=torch.float64)
    return unit(query) * 3, keys, values, null_score, bias, occupied


def dense(query, keys, null_score, bias):
    return DenseReadInfo(query=query, keys=keys, bias=bias, null_score=null_score)


def naive_numbers(query, keys, null_score, bias, occupied, chosen=None):
    """Null mass, entropy, largest cosine and slot mass per row, by loops; ``chosen`` names the slots of a query."""
    batch, heads, time, _ = query.shape
    bias = bias.expand(batch, heads, SLOTS)
    null_mass, entropy, nearest, mass = ([0.0] * batch for _ in range(4))
    mass = [[0.0] * SLOTS for _ in range(batch)]
    for b in range(batch):
        for h in range(heads):
            for t in range(time):
                slots = range(SLOTS) if chosen is None else [s for s in chosen[b, h, t].tolist() if s >= 0]
                slots = [s for s in slots if occupied[b, s]]
                q = query[b, h, t].tolist()
                dots = [sum(x * y for x, y in zip(q, keys[b, h, s].tolist(), strict=True)) for s in slots]
                exps = [math.exp(dot + bias[b, h, s].item()) for s, dot in zip(slots, dots, strict=True)]
                total = math.exp(null_score[h].item()) + sum(exps)
                shares = [math.exp(null_score[h].item()) / total, *(e / total for e in exps)]
                length = math.sqrt(sum(x * x for x in q))
                null_mass[b] += shares[0] / (heads * time)
                entropy[b] -= sum(p * math.log(p) for p in shares) / (heads * time)
                nearest[b] += max(0.0, max((dot / length for dot in dots), default=0.0)) / (heads * time)
                for s, share in zip(slots, shares[1:], strict=True):
                    mass[b][s] += share / heads
    return null_mass, entropy, nearest, mass


def assert_numbers(info, wanted):
    assert isinstance(info, ReadInfo)
    for name, numbers in zip(("null_mass", "entropy", "max_cosine", "slot_mass"), wanted, strict=True):
        got = getattr(info, name)
        assert not got.requires_grad
        torch.testing.assert_close(got, torch.tensor(numbers, dtype=got.dtype), msg=name)


@pytest.mark.parametrize("heads_of_bias", [1, HEADS])
def test_a_dense_read_tells_its_numbers(heads_of_bias):
    query, keys, _, null_score, bias, occupied = a_memory(heads_of_bias=heads_of_bias)
    info = dense(query.requires_grad_(), keys, null_score, bias)
    assert_numbers(info, naive_numbers(query, keys, null_score, bias, occupied))
    assert (info.null_mass[2], info.entropy[2], info.max_cosine[2]) == (1.0, 0.0, 0.0)
    torch.testing.assert_close(info.slot_mass.sum(1), 4 * (1 - info.null_mass))


def test_numbers_known_by_heart():
    scores = torch.tensor([math.log(2), 0.0]).double()
    one = DenseReadInfo(
        query=torch.ones(1, 1, 1, 1).double(),
        keys=torch.zeros(1, 1, 2, 1).double(),
        bias=scores[None, None],
        null_score=torch.zeros(1).double(),
    )
    assert one.null_mass.item() == pytest.approx(0.25)
    assert one.entropy.item() == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(4))
    torch.testing.assert_close(one.slot_mass, torch.tensor([[0.5, 0.25]]).double())
    assert one.max_cosine.item() == 0.0


@pytest.mark.parametrize(
    ("time", "queries", "kept"),
    [(7, 3, [0, 3, 6]), (7, 7, list(range(7))), (7, 99, list(range(7))), (8, 4, [0, 2, 4, 6]), (5, 1, [0]), (0, 3, [])],
)
def test_thinning_keeps_evenly_spaced_queries(time, queries, kept):
    query, keys, _, null_score, bias, _ = a_memory(time=time)
    few, times = dense(query, keys, null_score, bias).thin(queries)
    assert torch.equal(few.query, query[:, :, kept])
    assert len(kept) <= queries
    assert times == (time / len(kept) if kept else 1.0)


def filled_only(slots, occupied):
    """Leave out the empty ones, as who selects must."""
    held = occupied[:, None, None].expand(*slots.shape[:3], SLOTS).gather(3, slots.clamp(min=0))
    return slots.masked_fill(~held, -1)


def test_a_top_read_of_every_slot_is_the_dense_read_with_its_gradients_and_numbers():
    query, keys, values, null_score, bias, occupied = a_memory()
    given = (query, keys, values, null_score, bias[:, 0].masked_fill(~occupied, 0.0))
    slots = filled_only(torch.rand(3, HEADS, 4, SLOTS).argsort(dim=3), occupied)
    answers, slopes, weights = [], [], torch.randn(3, HEADS, 4, DIM, dtype=torch.float64)
    for top in (False, True):
        query, keys, values, null_score, offset = (t.clone().requires_grad_() for t in given)
        if top:
            chosen = selected(offset, slots)
            answer, info = top_read(query, keys, values, null_score=null_score, bias=chosen, slots=slots)
            assert_numbers(info, naive_numbers(query, keys, null_score, bias, occupied))
        else:
            full = slot_bias(offset, occupied)[:, None]
            answer = retention_read(query, keys, values, null_score=null_score, bias=full)
        answers.append(answer)
        slopes.append(torch.autograd.grad((answer * weights).sum(), (query, keys, values, null_score, offset)))
    torch.testing.assert_close(answers[1], answers[0])
    for got, wanted in zip(slopes[1], slopes[0], strict=True):
        torch.testing.assert_close(got, wanted)


@pytest.mark.parametrize("heads_of_bias", [1, HEADS])
def test_a_top_read_is_the_softmax_over_the_selected_slots(heads_of_bias):
    query, keys, values, null_score, bias, occupied = a_memory(heads_of_bias=heads_of_bias)
    slots = filled_only(torch.rand(3, HEADS, 4, SLOTS).argsort(dim=3)[..., :3], occupied)
    slots[:, :, 1, 1:] = -1
    slots[:, 1, 2] = -1
    offset = bias.expand(3, HEADS, SLOTS)[:, :, None].expand(3, HEADS, 4, SLOTS).gather(3, slots.clamp(min=0))
    answer, info = top_read(query, keys, values, null_score=null_score, bias=offset, slots=slots)
    assert isinstance(info, TopReadInfo)
    assert_numbers(info, naive_numbers(query, keys, null_score, bias, occupied, slots))
    scores = query @ keys.transpose(-1, -2) + bias[:, :, None]
    chosen = torch.zeros(3, HEADS, 4, SLOTS + 1, dtype=torch.bool)
    chosen = chosen.scatter(3, slots.masked_fill(slots < 0, SLOTS), True)[..., :SLOTS]
    weights, null = null_softmax(scores.masked_fill(~chosen, -torch.inf), null_score[:, None])
    torch.testing.assert_close(answer, weights @ values)
    torch.testing.assert_close(info.null, null)
    assert answer[:, 1, 2].eq(0).all()
    assert info.thin(1) == (info, 1.0)


def test_selected_takes_what_each_slot_has():
    of_slots, slots = torch.randn(3, SLOTS), torch.randint(-1, SLOTS, (3, HEADS, 4, 2))
    got = selected(of_slots, slots)
    for b, h, t, i in torch.cartesian_prod(*(torch.arange(n) for n in slots.shape)).tolist():
        assert got[b, h, t, i] == of_slots[b, max(0, slots[b, h, t, i].item())]


def test_only_selected_slots_learn_from_a_top_read():
    query, keys, values, null_score, _, _ = a_memory()
    values.requires_grad_()
    keys.requires_grad_()
    slots = torch.tensor([0, 3]).expand(3, HEADS, 4, 2)
    bias = torch.zeros(3, 1, 4, 2, dtype=torch.float64)
    top_read(query, keys, values, null_score=null_score, bias=bias, slots=slots)[0].square().sum().backward()
    for leaf in (keys, values):
        assert leaf.grad[:2, :, [0, 3]].abs().sum(dim=3).gt(0).all()
        assert leaf.grad[:, :, [1, 2, 4, 5]].eq(0).all()
