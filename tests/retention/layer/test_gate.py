"""The write gate and what it judges by."""

from __future__ import annotations

import math

import pytest
import torch

from retention.layer.gate import LIMIT, WriteGate, novelty, read_error


def test_the_gate_is_the_formula_and_starts_between_its_ends():
    gate = WriteGate()
    with torch.no_grad():
        known, new = gate(*torch.tensor([[[0.0, 1.0]], [[0.0, 0.5]], [[0.0, 0.0]]])).sigmoid()[0].tolist()
    assert known == pytest.approx(1 / (1 + math.exp(0.5)))
    assert new == pytest.approx(1 / (1 + math.exp(-1.0)))
    with torch.no_grad():
        gate.weight.copy_(torch.tensor([2.0, -1.0, 3.0]))
        gate.bias.fill_(0.25)
        logit = gate(torch.tensor([[0.5]]), torch.tensor([[0.3]]), torch.tensor([[-0.2]])).item()
    assert logit == pytest.approx(2 * 0.5 - 0.3 - 3 * 0.2 + 0.25)


def test_novelty():
    nearest = torch.tensor([[0.9, 1.0, 0.0], [-0.3, -1.0, 0.25]])
    torch.testing.assert_close(novelty(nearest), torch.tensor([[0.1, 0.0, 1.0], [1.0, 1.0, 0.75]]))


def test_what_overflows_says_a_number():
    huge = torch.full((1, 1, 2, 3), 1e30)
    error = read_error(huge, -huge)
    assert error.tolist() == [[LIMIT, LIMIT]]
    gate = WriteGate()
    for weight in (1.0, 0.0, -1e30):
        torch.nn.init.constant_(gate.weight, weight)
        assert gate(torch.ones(1, 2), error, torch.full((1, 2), 1e30)).abs().le(LIMIT).all()


def test_read_error():
    value, answer = torch.randn(2, 3, 4, 5, dtype=torch.float64), torch.randn(2, 3, 4, 5, dtype=torch.float64)
    got = read_error(value, answer)
    for b in range(2):
        for c in range(4):
            squares = [(value[b, h, c, d] - answer[b, h, c, d]).item() ** 2 for h in range(3) for d in range(5)]
            assert got[b, c].item() == pytest.approx(math.sqrt(sum(squares) / 15))
