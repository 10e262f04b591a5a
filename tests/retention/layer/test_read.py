"""The read against loops in float64, and its laws."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retention import attend, distance_scores
from retention.layer.read import null_softmax, paper_read, retention_read, slot_bias, unit


def naive_attend(scores, values, null_score, null_value):
    """One query: explicit sums over python floats; values are floats or lists of floats."""
    exps = [math.exp(null_score)] + [math.exp(s) if s != -math.inf else 0.0 for s in scores]
    total = sum(exps)
    weights = [e / total for e in exps]
    if values and isinstance(values[0], list):
        output = [
            weights[0] * null_value + sum(w * v[d] for w, v in zip(weights[1:], values, strict=True))
            for d in range(len(values[0]))
        ]
    else:
        output = weights[0] * null_value + sum(w * v for w, v in zip(weights[1:], values, strict=True))
    return output, weights[1:], weights[0]


def close(got, wanted, tolerance=1e-12):
    torch.testing.assert_close(got, torch.tensor(wanted, dtype=got.dtype), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("vectors", [False, True])
def test_attend_is_the_softmax_with_a_valued_null_slot(vectors):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 3, 5, dtype=torch.float64, generator=generator)
    shape = (2, 3, 5, 4) if vectors else (2, 3, 5)
    values = torch.randn(shape, dtype=torch.float64, generator=generator)
    scores[0, 1, 2] = -torch.inf
    output, weights, null_mass = attend(scores, values, null_score=-0.7, null_value=3.0)
    for i in range(2):
        for j in range(3):
            wanted = naive_attend(scores[i, j].tolist(), values[i, j].tolist(), -0.7, 3.0)
            close(output[i, j], wanted[0])
            close(weights[i, j], wanted[1])
            close(null_mass[i, j], wanted[2])


def test_attend_takes_a_null_score_and_value_per_query():
    scores = torch.randn(2, 3, 5, dtype=torch.float64)
    values = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    null_score, null_value = torch.randn(3, dtype=torch.float64), torch.randn(2, 3, 4, dtype=torch.float64)
    output, _, _ = attend(scores, values, null_score=null_score, null_value=null_value)
    for i in range(2):
        for j in range(3):
            for d in range(4):
                wanted = naive_attend(
                    scores[i, j].tolist(), values[i, j, :, d].tolist(), null_score[j].item(), null_value[i, j, d].item()
                )
                close(output[i, j, d], wanted[0])


def test_queries_share_slots_by_a_length_of_one():
    scores, values = torch.randn(2, 3, 7, 5, dtype=torch.float64), torch.randn(2, 3, 1, 5, 4, dtype=torch.float64)
    shared, _, _ = attend(scores, values, null_score=0.0)
    copied, _, _ = attend(scores, values.expand(2, 3, 7, 5, 4), null_score=0.0)
    torch.testing.assert_close(shared, copied)


def test_a_masked_slot_is_as_if_it_were_not_there():
    scores, values = torch.randn(3, 5, dtype=torch.float64), torch.randn(3, 5, dtype=torch.float64)
    mask = torch.tensor([True, False, True, True, False])
    masked = attend(scores, values, null_score=0.3, null_value=2.0, mask=mask)
    gone = attend(scores[:, mask], values[:, mask], null_score=0.3, null_value=2.0)
    torch.testing.assert_close(masked[0], gone[0])
    torch.testing.assert_close(masked[1][:, mask], gone[1])
    assert masked[1][:, ~mask].eq(0).all()
    torch.testing.assert_close(masked[2], gone[2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("dim", [None, 3])
@pytest.mark.parametrize("case", ["no slots", "all masked", "all -inf"])
def test_an_empty_memory_answers_the_null_value_with_finite_gradients(dtype, dim, case):
    slots = 0 if case == "no slots" else 4
    scores = torch.zeros(2, slots, dtype=dtype)
    if case == "all -inf":
        scores.fill_(-torch.inf)
    scores.requires_grad_()
    values = torch.ones((2, slots) if dim is None else (2, slots, dim), dtype=dtype, requires_grad=True)
    null_score = torch.zeros(2, dtype=dtype, requires_grad=True)
    mask = torch.zeros(slots, dtype=torch.bool) if case == "all masked" else None
    output, weights, null_mass = attend(scores, values, null_score=null_score, null_value=1.5, mask=mask)
    assert output.dtype == dtype
    assert output.eq(1.5).all()
    assert output.shape == ((2,) if dim is None else (2, dim))
    assert null_mass.eq(1).all()
    assert weights.eq(0).all()
    output.sum().backward()
    for leaf in (scores, values, null_score):
        assert leaf.grad is not None
        assert leaf.grad.isfinite().all()


def test_huge_scores_stay_finite():
    output, weights, null_mass = attend(torch.tensor([1e30, -1e30]), torch.tensor([2.0, 7.0]), null_score=1e4)
    assert output == 2.0
    assert weights.tolist() == [1.0, 0.0]
    assert null_mass == 0.0


def test_values_of_a_wrong_rank_are_refused():
    with pytest.raises(ValueError, match=r"values \(4, 4\) are neither scalars nor vectors of scores \(3, 4, 4\)"):
        attend(torch.zeros(3, 4, 4), torch.zeros(4, 4), null_score=0.0)


def test_attend_gradients_match_finite_differences():
    scores = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    values = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    null_score = torch.randn(2, dtype=torch.float64, requires_grad=True)
    null_value = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda s, v, n, nv: attend(s, v, null_score=n, null_value=nv)[0], (scores, values, null_score, null_value)
    )


finite = st.floats(-30, 30)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(finite, finite), max_size=6), finite, finite, st.randoms())
def test_laws_of_attend(slots, null_score, null_value, random):
    """Masses sum to one, the output lies between the values, order does not matter, a shift changes nothing."""
    shuffled = random.sample(slots, len(slots))

    def run(pairs, shift=0.0):
        scores = torch.tensor([p[0] + shift for p in pairs], dtype=torch.float64)
        values = torch.tensor([p[1] for p in pairs], dtype=torch.float64)
        return attend(scores, values, null_score=null_score + shift, null_value=null_value)

    output, weights, null_mass = run(slots)
    assert (weights.sum() + null_mass).item() == pytest.approx(1.0)
    everything = [null_value, *(p[1] for p in slots)]
    assert min(everything) - 1e-9 <= output.item() <= max(everything) + 1e-9
    assert run(shuffled)[0].item() == pytest.approx(output.item(), abs=1e-9)
    assert run(slots, shift=100.0)[0].item() == pytest.approx(output.item(), abs=1e-9)


def test_distance_scores_match_the_loop():
    query, keys = torch.randn(3, 2, dtype=torch.float64), torch.randn(3, 4, 2, dtype=torch.float64)
    count = torch.tensor([[1, 2, 3, 4]] * 3)
    got = distance_scores(query, keys, beta=2.5, count=count)
    for i in range(3):
        for j in range(4):
            squared = sum((query[i, d] - keys[i, j, d]).item() ** 2 for d in range(2))
            assert got[i, j].item() == pytest.approx(-2.5 * squared + math.log(j + 1))


def test_a_count_weighs_like_so_many_equal_slots():
    query, one = torch.zeros(2), torch.tensor([[1.0, 0.0]])
    values = torch.tensor([5.0, -1.0, -1.0, -1.0])
    three = distance_scores(query, torch.cat((torch.zeros(1, 2), one)), beta=1.0, count=torch.tensor([1, 3]))
    each = distance_scores(query, torch.cat((torch.zeros(1, 2), one, one, one)), beta=1.0)
    merged, _, _ = attend(three, values[:2], null_score=-2.0)
    apart, _, _ = attend(each, values, null_score=-2.0)
    torch.testing.assert_close(merged, apart)


def test_a_count_of_zero_leaves_the_slot_out():
    scores = distance_scores(torch.zeros(2), torch.zeros(2, 2), beta=1.0, count=torch.tensor([0, 1]))
    assert scores.tolist() == [-math.inf, 0.0]


def test_query_and_keys_broadcast():
    query, keys = torch.randn(6, 1, 2), torch.randn(1, 3, 4, 2)
    got = distance_scores(query, keys, beta=1.0)
    assert got.shape == (6, 3, 4)
    assert got[5, 2, 1].item() == pytest.approx(-(query[5, 0] - keys[0, 2, 1]).square().sum().item(), rel=1e-5)


def test_null_softmax_is_the_softmax_with_one_more_score():
    scores, null_score = torch.randn(2, 3, 5, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    for nulls in (null_score, 0.4):
        weights, null_mass = null_softmax(scores, nulls)
        for i in range(2):
            for j in range(3):
                null = nulls[j].item() if isinstance(nulls, torch.Tensor) else nulls
                _, wanted, wanted_null = naive_attend(scores[i, j].tolist(), [0.0] * 5, null, 0.0)
                close(weights[i, j], wanted)
                close(null_mass[i, j], wanted_null)


def test_unit_has_length_one_or_stays_zero():
    x = torch.tensor([[3.0, 4.0], [0.0, 0.0], [1e-8, 0.0]], requires_grad=True)
    torch.testing.assert_close(unit(x), torch.tensor([[0.6, 0.8], [0.0, 0.0], [1.0, 0.0]]))
    unit(x).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()


def a_memory(dtype=torch.float64, slots=7, time=4, heads_of_bias=1):
    """Three rows: one with some slots, one full, one empty."""
    query, keys, values = (torch.randn(3, 2, n, 5, dtype=torch.float64) for n in (time, slots, slots))
    occupied = torch.arange(slots) % 3 != 1
    occupied = torch.stack((occupied, occupied | True, occupied & False))[:, None].expand(3, heads_of_bias, slots)
    bias = torch.randn(3, heads_of_bias, slots, dtype=torch.float64)
    null_score = torch.tensor([0.3, -0.8], dtype=torch.float64)
    tensors = [t.to(dtype) for t in (unit(query) * 4, unit(keys), values, null_score, bias)]
    return dict(zip(("query", "keys", "values", "null_score", "bias"), tensors, strict=True)), occupied


def naive_read(memory, occupied):
    """Row by row, head by head, query by query."""
    query, keys, values, null_score, bias = (t.double() for t in memory.values())
    bias, occupied = (t.expand(*keys.shape[:3]) for t in (bias, occupied))
    answer = torch.zeros_like(query)
    for b, h, t in torch.cartesian_prod(*(torch.arange(n) for n in query.shape[:3])).tolist():
        slots = [s for s in range(keys.shape[2]) if occupied[b, h, s]]
        dots = [sum(x * y for x, y in zip(query[b, h, t].tolist(), keys[b, h, s].tolist(), strict=True)) for s in slots]
        scores = [dot + bias[b, h, s].item() for s, dot in zip(slots, dots, strict=True)]
        exps = [math.exp(score) for score in scores]
        total = math.exp(null_score[h].item()) + sum(exps)
        for d in range(query.shape[3]):
            answer[b, h, t, d] = sum(e * values[b, h, s, d].item() for s, e in zip(slots, exps, strict=True)) / total
    return answer


TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-6, torch.bfloat16: 3e-2}


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("heads_of_bias", [1, 2])
@pytest.mark.parametrize(("slots", "time"), [(7, 4), (1, 1), (70, 1)])
def test_retention_read_matches_the_loop(fused, dtype, heads_of_bias, slots, time):
    memory, occupied = a_memory(dtype, slots, time, heads_of_bias)
    memory["bias"] = slot_bias(memory["bias"], occupied)
    with torch.set_grad_enabled(not fused):
        memory["values"].requires_grad_(not fused)
        got = retention_read(**memory)
    assert got.requires_grad is not fused
    assert got.dtype == dtype
    wanted = naive_read(memory, occupied)
    torch.testing.assert_close(got.double(), wanted, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
    assert got[2].eq(0).all()


def test_the_fused_read_is_the_one_without_a_graph():
    memory, occupied = a_memory(torch.float32, slots=1100, time=3)
    occupied = occupied & (torch.arange(1100) > 700)  # whole blocks of the fused pass hold nothing
    memory["bias"] = slot_bias(memory["bias"], occupied)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
        fused = retention_read(**memory)
    assert any("flash_attention_for_cpu" in event.name for event in seen.events())
    torch.testing.assert_close(fused, retention_read(**memory | {"values": memory["values"].requires_grad_()}))


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("scale", [1e4, 1e-30])
def test_huge_and_tiny_scores_stay_finite(fused, scale):
    memory, occupied = a_memory(torch.float32)
    memory["bias"] = slot_bias(memory["bias"], occupied)
    memory["query"] = memory["query"] * scale
    memory["values"].requires_grad_(not fused)
    assert retention_read(**memory).isfinite().all()


@pytest.mark.parametrize(("batch", "time"), [(3, 0), (0, 4)])
def test_a_read_without_queries_is_empty(batch, time):
    memory, occupied = a_memory()
    memory["bias"] = slot_bias(memory["bias"], occupied)
    memory = {name: t if name == "null_score" else t[:batch] for name, t in memory.items()}
    memory["query"] = memory["query"][:, :, :time]
    assert retention_read(**memory).shape == (batch, 2, time, 5)


def test_gradients_of_retention_read_match_finite_differences():
    memory, occupied = a_memory(slots=4, time=2)
    leaves = [t.requires_grad_() for t in memory.values()]

    def run(query, keys, values, null_score, bias):
        return retention_read(query, keys, values, null_score=null_score, bias=slot_bias(bias, occupied))

    assert torch.autograd.gradcheck(run, leaves)


def test_paper_read_is_the_published_formula():
    query, keys = torch.randn(2, 3, 4, dtype=torch.float64), torch.randn(2, 5, 4, dtype=torch.float64)
    values = torch.randn(2, 5, 6, dtype=torch.float64)
    mask = torch.tensor([True, True, False, True, True])
    got = paper_read(query, keys, values, mask=mask)
    for b in range(2):
        for t in range(3):
            logits = {j: sum((query[b, t, d] * keys[b, j, d]).item() for d in range(4)) / 2.0 for j in (0, 1, 3, 4)}
            total = sum(math.exp(logit) for logit in logits.values())
            wanted = [sum(math.exp(logits[j]) / total * values[b, j, d].item() for j in logits) for d in range(6)]
            close(got[b, t], wanted, 1e-10)


@pytest.mark.parametrize("slots", [0, 3])
def test_paper_read_of_an_empty_memory_is_zero_with_finite_gradients(slots):
    query, keys = torch.randn(2, 3, 4, requires_grad=True), torch.randn(2, slots, 4, requires_grad=True)
    output = paper_read(query, keys, keys, mask=torch.zeros(2, 1, slots, dtype=torch.bool))
    assert output.shape == (2, 3, 4)
    assert output.eq(0).all()
    if slots:
        output.sum().backward()
        assert query.grad is not None and query.grad.isfinite().all()
        assert keys.grad is not None and keys.grad.isfinite().all()
