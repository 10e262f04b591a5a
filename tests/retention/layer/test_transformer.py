"""The stack: shared and separate memories, and what may pass between calls."""

from __future__ import annotations

import pytest
import torch

from retention import BlockConfig, ChunkPool, RetentionConfig, RetentionTransformer, TransformerConfig


def transformer_of(shared, paper=False, depth=3):
    if paper:
        retention = RetentionConfig.as_published(width=8, capacity=4)
    else:
        retention = RetentionConfig(width=8, heads=2, capacity=4, pool=ChunkPool(size=2))
    block = BlockConfig(retention=retention, heads=2)
    return RetentionTransformer(TransformerConfig(block=block, depth=depth, shared=shared)).double()


def vectors(time=4):
    return torch.randn(2, time, 8, dtype=torch.float64)


@pytest.mark.parametrize("paper", [True, False])
def test_a_shared_memory_is_read_by_all_and_written_once_by_the_last(paper, assert_same_state):
    model = transformer_of(shared=True, paper=paper)
    _, (state,) = model(vectors(), model.init_state(2))
    x = vectors()
    got, (after,) = model(x, (state,))
    masses = []
    for block in model.blocks:
        received = x
        recalled, info = block.retention.read(x, state)
        assert recalled.abs().sum() > 0
        masses.append(info.slot_mass)
        x, _ = block(x, state, write=False)
    torch.testing.assert_close(got, x)
    last = model.blocks[-1].retention
    noted = state.after_read(sum(masses) / len(masses), received.shape[1])
    wanted, _ = last.write(noted, *[last.candidates(received)[0]])
    assert_same_state(after, wanted)


def test_keys_and_values_fit_every_block_of_a_shared_memory():
    model = transformer_of(shared=True)
    _, (state,) = model(vectors(), model.init_state(2))
    for block in model.blocks:
        k, v = block.retention.form.project(state.u[:, :2])
        torch.testing.assert_close(state.k[:, :, :2], k)
        torch.testing.assert_close(state.v[:, :, :2], v)
        assert not block.retention.stale(state).any()


def test_separate_memories_belong_to_their_blocks(assert_same_state):
    model = transformer_of(shared=False)
    states = model.init_state(2)
    assert len(states) == 3
    x = vectors()
    got, after = model(x, states)
    for block, state, new in zip(model.blocks, states, after, strict=True):
        x, wanted = block(x, state)
        assert_same_state(new, wanted)
    torch.testing.assert_close(got, x)


@pytest.mark.parametrize("shared", [True, False])
def test_a_call_sees_only_what_earlier_calls_wrote(shared):
    model = transformer_of(shared=shared)
    first, second = vectors(), vectors()
    empty = model.init_state(2)
    _, states = model(first, empty)
    remembering, _ = model(second, states)
    forgetful, _ = model(second, empty)
    alone, same = model(second, empty, write=False)
    torch.testing.assert_close(forgetful, alone)
    assert (remembering - forgetful).abs().max() > 1e-6
    assert all(a is b for a, b in zip(same, empty, strict=True))


@pytest.mark.parametrize("shared", [True, False])
def test_refresh_mends_every_state(shared, assert_same_state):
    model = transformer_of(shared=shared)
    _, states = model(vectors(), model.init_state(2))
    with torch.no_grad():
        for block in model.blocks:
            block.retention.form.value.weight.mul_(0.5)
    states = model.refresh(states)
    for state, block in zip(states, model.blocks[-len(states) :], strict=True):
        assert_same_state(state, block.retention.refresh(state))
        assert not block.retention.stale(state).any()


def test_a_loss_on_the_second_call_trains_every_block():
    model = transformer_of(shared=True)
    _, states = model(vectors(), model.init_state(2))
    out, _ = model(vectors(), states)
    out.square().sum().backward()
    idle = {"pool_queries", "write_gate.weight", "write_gate.bias"}
    for name, parameter in model.named_parameters():
        if not name.endswith(tuple(idle)):
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    gate = model.blocks[-1].retention.form.write_gate.bias.grad
    assert gate is not None and gate.abs() > 0


def test_what_is_wrong_is_named():
    model = transformer_of(shared=False)
    with pytest.raises(ValueError, match=r"this transformer has 3 slot state\(s\), got 1"):
        model(vectors(), model.init_state(2)[:1])
    with pytest.raises(ValueError, match="depth must be 1 or more, got 0"):
        transformer_of(shared=True, depth=0)
