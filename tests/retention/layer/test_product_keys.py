"""Product keys against a search over every key, in float64."""

from __future__ import annotations

import math

import pytest
import torch

from retention.layer.product_keys import ProductKeyConfig, ProductKeyMemory


def memory_of(**changes):
    settings = {"width": 6, "side": 9, "heads": 2, "key_width": 4, "top": 5} | changes
    memory = ProductKeyMemory(ProductKeyConfig(**settings)).double()
    with torch.no_grad():
        for name, parameter in memory.named_parameters():
            if name != "log_temperature":
                parameter.add_(0.3 * torch.randn_like(parameter))
    return memory


def half_cosine(a, b):
    lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / lengths


def every_cosine(memory, x):
    """The cosine of one hidden state with all keys of each head, by loops."""
    mean, variance = x.mean(), x.var(unbiased=False)
    h = (x - mean) / (variance + 1e-5).sqrt() * memory.norm.weight + memory.norm.bias
    asked = memory.query.weight @ h + memory.query.bias
    config = memory.config
    half = config.key_width // 2
    cosines = []
    for head in range(config.heads):
        q = asked[head * config.key_width : (head + 1) * config.key_width].tolist()
        halves = (q[:half], q[half:])
        sides = [[half_cosine(halves[s], key) for key in memory.half_keys[head, s].tolist()] for s in (0, 1)]
        cosines.append([(a + b) / 2 for a in sides[0] for b in sides[1]])
    return cosines


@pytest.mark.parametrize(("side", "top"), [(9, 5), (9, 9), (9, 1), (4, 3), (1, 1), (17, 12)])
def test_the_search_is_exact(side, top):
    memory, x = memory_of(side=side, top=top), torch.randn(2, 3, 6, dtype=torch.float64)
    cosine, slots = memory.nearest(x)
    for b in range(2):
        for t in range(3):
            for head, wanted in enumerate(every_cosine(memory, x[b, t])):
                order = sorted(range(side**2), key=lambda slot: -wanted[slot])[:top]
                assert slots[b, head, t].tolist() == order
                assert cosine[b, head, t].tolist() == pytest.approx([wanted[slot] for slot in order])


def test_the_read_is_the_softmax_over_the_best_and_the_null_slot():
    memory, x = memory_of(), torch.randn(2, 3, 6, dtype=torch.float64)
    y, info = memory(x)
    for b in range(2):
        mass = torch.zeros(81, dtype=torch.float64)
        for t in range(3):
            answer = torch.zeros(6, dtype=torch.float64)
            for head, wanted in enumerate(every_cosine(memory, x[b, t])):
                order = sorted(range(81), key=wanted.__getitem__)[-5:]
                beta, null = memory.log_temperature[head].exp().item(), math.exp(memory.null_score[head].item())
                exps = {slot: math.exp(beta * wanted[slot]) for slot in order}
                total = null + sum(exps.values())
                for slot, e in exps.items():
                    answer = answer + e / total * memory.values[slot]
                    mass[slot] += e / total / 2
                assert info.null[b, head, t].item() == pytest.approx(null / total)
                assert info.nearest[b, head, t].item() == pytest.approx(max(wanted))
            torch.testing.assert_close(y[b, t], answer)
        torch.testing.assert_close(info.slot_mass[b], mass)
    assert info.null_mass.shape == info.max_cosine.shape == info.entropy.shape == (2,)


@pytest.mark.parametrize("sparse", [False, True])
def test_gradients_reach_the_selected_values_alone(sparse):
    memory = memory_of(sparse=sparse).float()
    y, info = memory(torch.randn(2, 3, 6))
    y.square().sum().backward()
    grad = memory.values.grad
    assert grad.is_sparse is sparse
    chosen = torch.zeros(81, dtype=torch.bool)
    chosen[info.slots.flatten()] = True
    reached = grad.to_dense().abs().sum(dim=1) > 0
    assert torch.equal(reached, chosen)
    assert not chosen.all()
    for name, parameter in memory.named_parameters():
        assert parameter.grad is not None and parameter.grad.to_dense().abs().sum() > 0, name


def test_gradients_match_finite_differences():
    memory = memory_of(side=4, top=3)
    x = torch.randn(1, 2, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *_: memory(x)[0], (x, *memory.parameters()))


def test_no_hidden_states_read_nothing():
    y, info = memory_of()(torch.zeros(2, 0, 6, dtype=torch.float64))
    assert y.shape == (2, 0, 6)
    assert info.slot_mass.eq(0).all()


def test_it_learns_a_table():
    """Forty hidden states are each to answer a vector of their own."""
    memory = ProductKeyMemory(ProductKeyConfig(width=16, side=16, heads=2, key_width=16, top=8, sparse=True))
    asked, wanted = torch.randn(1, 40, 16), torch.randn(1, 40, 16)
    rest = [p for name, p in memory.named_parameters() if name != "values"]
    optimizers = [torch.optim.SparseAdam([memory.values], lr=5e-2), torch.optim.Adam(rest, lr=5e-3)]
    first = (memory(asked)[0] - wanted).square().mean().item()
    for _ in range(200):
        loss = (memory(asked)[0] - wanted).square().mean()
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
    assert first > 0.8
    assert loss.item() < 0.02


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"side": 0}, "side must be 1 or more, got 0"),
        ({"key_width": 5}, "a key width of 5 does not split into two halves"),
        ({"top": 10}, "top must be at most side, 9, got 10"),
        ({"temperature": 50.0}, r"temperature must be in \[1, 40.0\], got 50.0"),
    ],
)
def test_config_names_what_is_wrong(changes, message):
    with pytest.raises(ValueError, match=message):
        memory_of(**changes)
