"""What a call offers for writing, against loops."""

from __future__ import annotations

import math

import pytest
import torch

from retention import ChunkPool, MeanPool, QueryPool

NONE = torch.zeros(0, 3, dtype=torch.float64)


def offered(x, mask, groups):
    """The mean of the real states of each group of positions, by hand."""
    rows = []
    for b in range(x.shape[0]):
        means = []
        for group in groups:
            real = [x[b, t] for t in group if mask[b, t]]
            means.append(sum(real) / len(real) if real else torch.zeros_like(x[b, 0]))
        rows.append(torch.stack(means))
    return torch.stack(rows), torch.tensor([[any(mask[b, t] for t in g) for g in groups] for b in range(len(mask))])


@pytest.mark.parametrize(
    ("pool", "groups"),
    [
        (MeanPool(), [range(7)]),
        (ChunkPool(size=3), [range(0, 3), range(3, 6), range(6, 7)]),
        (ChunkPool(size=1), [[t] for t in range(7)]),
    ],
    ids=repr,
)
def test_means(pool, groups):
    x = torch.randn(2, 7, 3, dtype=torch.float64)
    mask = torch.tensor([[True, True, False, True, True, True, False], [False, False, False, True, True, True, True]])
    x[~mask] = torch.nan
    got, real = pool(x, mask, NONE)
    wanted, wanted_real = offered(x, mask, groups)
    torch.testing.assert_close(got, wanted)
    assert torch.equal(real, wanted_real)


def test_learned_queries():
    x, learned = torch.randn(2, 5, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    mask = torch.tensor([[True, True, False, True, True], [False] * 5])
    got, real = QueryPool(queries=2)(x, mask, learned)
    for p in range(2):
        exps = {t: math.exp(sum((learned[p, d] * x[0, t, d]).item() for d in range(3)) / 3**0.5) for t in (0, 1, 3, 4)}
        wanted = sum(weight / sum(exps.values()) * x[0, t] for t, weight in exps.items())
        torch.testing.assert_close(got[0, p], wanted)
    assert real.tolist() == [[True, True], [False, False]]
    assert got[1].eq(0).all()


def test_sizes_are_checked():
    with pytest.raises(ValueError, match="size must be 1 or more, got 0"):
        ChunkPool(size=0)
    with pytest.raises(ValueError, match="queries must be 1 or more, got 0"):
        QueryPool(queries=0)
