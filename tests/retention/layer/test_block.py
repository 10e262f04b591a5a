"""Where the block puts retention, against the formulas written out."""

from __future__ import annotations

import pytest
import torch

from retention import BlockConfig, ChunkPool, RetentionBlock, RetentionConfig


def block_of(paper, causal=True):
    if paper:
        retention = RetentionConfig.as_published(width=8, heads=2, capacity=4)
    else:
        retention = RetentionConfig(width=8, heads=2, capacity=4, pool=ChunkPool(size=2))
    block = RetentionBlock(BlockConfig(retention=retention, heads=2, hidden=12, causal=causal)).double()
    with torch.no_grad():
        for norm in (block.norm, block.feed_forward_norm):
            norm.weight.add_(0.2 * torch.randn(8))
            norm.bias.add_(0.2 * torch.randn(8))
    return block


def layer_norm(norm, x):
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, unbiased=False, keepdim=True)
    return (x - mean) / (variance + norm.eps).sqrt() * norm.weight + norm.bias


def self_attention(attention, x, mask, causal):
    """``Z`` by loops over positions and heads."""
    batch, time, width = x.shape
    dim = width // attention.heads
    projected = x @ attention.projections.weight.T + attention.projections.bias
    query, key, value = projected.split(width, dim=2)
    mixed = torch.zeros_like(x)
    for b in range(batch):
        for t in range(time):
            seen = [s for s in range(time) if mask[b, s] and (s <= t or not causal)]
            for h in range(attention.heads):
                at = slice(h * dim, h * dim + dim)
                scores = torch.stack([query[b, t, at] @ key[b, s, at] / dim**0.5 for s in seen])
                mixed[b, t, at] = sum(w * value[b, s, at] for w, s in zip(scores.softmax(0), seen, strict=True))
    return mixed @ attention.output.weight.T + attention.output.bias


def feed_forward(block, y):
    first, _, second = block.feed_forward
    return torch.nn.functional.gelu(y @ first.weight.T + first.bias) @ second.weight.T + second.bias


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("paper", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_placement(paper, causal, masked):
    """The paper: ``LN(X + Z + R)`` before the feed-forward. Ours: ``X + Z(n(X)) + R(X)``."""
    block = block_of(paper, causal)
    _, state = block(torch.randn(2, 3, 8, dtype=torch.float64), block.retention.init_state(2))
    x = torch.randn(2, 4, 8, dtype=torch.float64)
    mask = torch.tensor([[True, True, False, True], [True] * 4]) if masked else None
    got, _ = block(x, state, mask=mask)

    seen = torch.ones(2, 4, dtype=torch.bool) if mask is None else mask
    recalled, _ = block.retention.read(x, state)
    assert recalled.abs().sum() > 0
    if paper:
        y = layer_norm(block.norm, x + self_attention(block.attention, x, seen, causal) + recalled)
        wanted = layer_norm(block.feed_forward_norm, y + feed_forward(block, y))
    else:
        y = x + self_attention(block.attention, layer_norm(block.norm, x), seen, causal) + recalled
        wanted = y + feed_forward(block, layer_norm(block.feed_forward_norm, y))
    torch.testing.assert_close(got, wanted)


def test_the_block_writes_what_it_received(assert_same_state):
    block = block_of(paper=False)
    x, empty = torch.randn(2, 4, 8, dtype=torch.float64), block.retention.init_state(2)
    _, state = block(x, empty, feedback=torch.ones(2, dtype=torch.float64))
    _, wanted = block.retention(x, empty, feedback=torch.ones(2, dtype=torch.float64))
    assert_same_state(state, wanted)
    assert block(x, state, write=False)[1] is state


def test_config_names_what_is_wrong():
    retention = RetentionConfig(width=8)
    with pytest.raises(ValueError, match="a width of 8 does not split into 3 heads"):
        BlockConfig(retention=retention, heads=3)
    with pytest.raises(ValueError, match="hidden must be 1 or more, got 0"):
        BlockConfig(retention=retention, hidden=0)
