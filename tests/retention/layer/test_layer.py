"""The layer: its formulas, what trains, whom a row may hear, and that it learns."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from retention import (
    AppendWrite,
    BlendWrite,
    ChunkPool,
    FirstInFirstOut,
    MergeWrite,
    QueryPool,
    RetentionConfig,
    RetentionLayer,
)


def layer_of(**changes):
    settings = {"width": 8, "heads": 2, "capacity": 6, "pool": ChunkPool(size=1)} | changes
    return RetentionLayer(RetentionConfig(**settings)).double()


def layer_like(layer, **changes):
    """The same weights with another config."""
    other = RetentionLayer(replace(layer.config, **changes)).double()
    other.load_state_dict(layer.state_dict())
    return other.train(layer.training)


def hidden(batch=2, time=3, width=8):
    return torch.randn(batch, time, width, dtype=torch.float64)


def normed(layer, x):
    mean, variance = x.mean(), x.var(unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt() * layer.form.norm.weight + layer.form.norm.bias


def scramble(module):
    """Make no parameter special, so that an oracle cannot agree by a zero or a one."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "log_temperature" not in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return module


@pytest.mark.parametrize("top", [False, True])
def test_the_default_read_is_the_formula(top):
    """Two rows, one with more and one with fewer filled slots than eight, so that the temperature has grown in one."""
    layer = scramble(layer_of(read_width=4, tau=1.0, capacity=12))
    state = layer.init_state(2)
    for mask in (torch.tensor([[True] * 6, [True] * 3 + [False] * 3]), torch.tensor([[True] * 6, [False] * 6])):
        feedback = torch.randn(2, 6, dtype=torch.float64)
        _, state = layer(hidden(time=6), state, mask=mask, feedback=feedback)
    state = state.forget(torch.tensor([[2], [1]]))[0]
    assert state.occupied.sum(1).tolist() == [11, 2]
    assert state.utility[state.occupied].abs().gt(0).all()
    form, x = layer.form, hidden(time=2)
    every = torch.where(state.occupied, torch.arange(12), -1)[:, None, None].expand(2, 2, 2, 12)
    y, info = layer.read(x, state, (lambda query, slots: every) if top else None)
    for b in range(2):
        filled = [j for j in range(12) if state.occupied[b, j]]
        crowd = max(1.0, math.sqrt(math.log(len(filled) + 1) / math.log(9)))
        for t in range(2):
            h = normed(layer, x[b, t])
            asked = form.query_gate.weight @ h + form.query_gate.bias
            gate = torch.sigmoid(asked[4:])
            mixed = []
            for head in range(2):
                rows = slice(2 * head, 2 * head + 2)
                q = asked[:4][rows]
                exps, values = [math.exp(form.null_score[head].item())], [torch.zeros(2, dtype=torch.float64)]
                for j in filled:
                    k = form.key.weight[rows] @ state.u[b, j]
                    cosine = (q @ k / (q.norm() * k.norm())).item()
                    beta = form.log_temperature[head].exp().item() * crowd
                    recency = -math.log(1 + (state.writes[b] - state.written[b, j]).item())
                    recent, useful = (10 * form.slopes[:, head]).tolist()
                    bias = state.bias[b, j].item() + recent * recency + useful * state.utility[b, j].item()
                    exps.append(math.exp(beta * cosine + bias))
                    values.append(form.value.weight[rows] @ state.u[b, j])
                mixed.append(sum(e / sum(exps) * v for e, v in zip(exps, values, strict=True)))
            torch.testing.assert_close(y[b, t], form.output.weight @ (gate * torch.cat(mixed)))
    assert info.null_mass.shape == (2,)
    assert info.slot_mass[~state.occupied].eq(0).all()


def test_it_starts_as_an_associative_memory():
    """A fact comes back by its own words, before any training; the mean of both gates and of the null slot is left."""
    layer = RetentionLayer(RetentionConfig(width=32, heads=2, capacity=64, pool=ChunkPool(size=1)))
    x = torch.randn(2, 20, 32)
    _, state = layer(x, layer.init_state(2))
    assert state.occupied.sum(1).tolist() == [20, 20]
    y, _ = layer.read(x, state)
    same = F.normalize(y, dim=2) @ F.normalize(layer.form.norm(x), dim=2).transpose(1, 2)
    assert torch.equal(same.argmax(dim=2), torch.arange(20).expand(2, 20))
    assert same.diagonal(dim1=1, dim2=2).mean() > 0.8


@pytest.mark.parametrize("heads", [1, 2])
def test_the_paper_read_and_write_are_the_formula(heads):
    layer = RetentionLayer(RetentionConfig.as_published(width=4, heads=heads, capacity=3)).double()
    form, calls = layer.form, [hidden(width=4), hidden(width=4)]
    state = layer.init_state(2)
    for x in calls:
        _, state = layer(x, state)
    memory = torch.stack([call.mean(dim=1) @ form.update.weight.T for call in calls], dim=1)
    torch.testing.assert_close(state.u[:, :2], memory)
    x = hidden(time=2, width=4)
    y, info = layer.read(x, state)
    dim = 4 // heads
    for b in range(2):
        for head in range(heads):
            rows = slice(dim * head, dim * head + dim)
            q, k, v = (
                x[b] @ form.query.weight[rows].T,
                *(memory[b] @ w.weight[rows].T for w in (form.key, form.value)),
            )
            wanted = torch.softmax(q @ k.T / dim**0.5, dim=1) @ v
            torch.testing.assert_close(y[b, :, rows], wanted)
    assert info.null_mass.eq(0).all()
    torch.testing.assert_close(info.slot_mass.sum(1), torch.full((2,), 2.0, dtype=torch.float64))


@pytest.mark.parametrize("config", [{}, {"paper": True}])
def test_an_empty_memory_answers_zero_with_finite_gradients(config):
    layer = layer_of(**config)
    x = hidden().requires_grad_()
    y, info = layer.read(x, layer.init_state(2))
    assert y.eq(0).all()
    assert info.null_mass.eq(1).all()
    assert info.entropy.eq(0).all()
    y.square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in (x, *layer.parameters()))


def test_a_read_does_not_see_the_write_of_its_own_call():
    layer, x = layer_of(), hidden()
    state = layer.init_state(2)
    first, after = layer(x, state)
    assert first.eq(0).all()
    assert after.occupied.any()
    second, _ = layer(x, after)
    assert second.ne(0).all()


def test_without_writing_the_state_comes_back_as_it_was():
    layer = layer_of()
    _, state = layer(hidden(), layer.init_state(2))
    _, same = layer(hidden(), state, write=False)
    assert same is state


def test_padding_is_not_written():
    layer = layer_of()
    x, mask = hidden(), torch.tensor([[True, False, True], [False, False, False]])
    x[~mask] = 1e9
    _, state = layer(x, layer.init_state(2), mask=mask)
    assert state.occupied.sum(1).tolist() == [2, 0]
    torch.testing.assert_close(state.u[0, :2], torch.stack([normed(layer, x[0, t]) for t in (0, 2)]))


def test_gradient_reaches_the_write_through_a_later_read():
    layer = layer_of(pool=QueryPool(queries=2), tau=1.0)
    x = hidden().requires_grad_()
    _, state = layer(x, layer.init_state(2), feedback=torch.tensor([[1.0, -1.0], [0.5, 0.2]]).double())
    layer(hidden(), state)[0].square().sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("rule", [MergeWrite(), BlendWrite()])
def test_gradient_reaches_the_gate_through_an_update_in_place(rule):
    layer = layer_of(rule=rule, capacity=2, tau=0.8)
    x = hidden(batch=1, time=2)
    _, state = layer(x, layer.init_state(1))
    _, state = layer(x + 0.1 * hidden(batch=1, time=2), state.detach())
    assert state.count.sum() == 4
    layer(hidden(batch=1), state)[0].square().sum().backward()
    assert layer.form.write_gate.bias.grad.abs() > 0


def test_no_gradient_reaches_a_detached_write():
    layer, x, old = layer_of(), hidden().requires_grad_(), hidden().requires_grad_()
    _, state = layer(old, layer.init_state(2))
    _, state = layer(x, state)
    layer(hidden(), state.detach(keep_last=3))[0].square().sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0
    assert old.grad is None or old.grad.eq(0).all()


def test_zero_output_starts_silent_and_still_learns():
    layer = layer_of(zero_output=True)
    _, state = layer(hidden(), layer.init_state(2))
    y, _ = layer(hidden(), state)
    assert y.eq(0).all()
    y.sum().backward()
    assert layer.form.output.weight.grad.abs().sum() > 0


def test_in_use_the_gate_is_a_threshold_and_in_training_a_weight():
    layer = layer_of(threshold=0.9)
    candidates, feedback = hidden(batch=1, time=2), torch.tensor([[5.0, -5.0]], dtype=torch.float64)
    trained, info = layer.write(layer.init_state(1), candidates, feedback)
    assert trained.occupied.sum() == 2
    assert info.accept_rate.tolist() == [1.0]
    used, info = layer.eval().write(layer.init_state(1), candidates, feedback)
    assert used.occupied.tolist() == [[True] + [False] * 5]
    assert info.accept_rate.tolist() == [0.5]
    assert used.bias[0, 0] == trained.bias[0, 0]
    _, v = layer.form.project(candidates)
    error = v[0].square().mean(dim=(0, 2)).sqrt()
    logit = 1.0 + error + feedback[0] - 0.5
    torch.testing.assert_close(trained.bias[0, :2], F.logsigmoid(logit))


def test_a_known_candidate_is_less_welcome_than_a_new_one():
    layer = layer_of(rule=AppendWrite())
    candidates = hidden(batch=1, time=1)
    state, first = layer.write(layer.init_state(1), candidates)
    again, known = layer.write(state, candidates)
    other, new = layer.write(state, hidden(batch=1, time=1))
    assert [info.duplicates.item() for info in (first, known, new)] == [0, 1, 0]
    assert again.bias[0, 1] < other.bias[0, 1]


@pytest.mark.parametrize("paper", [True, False])
def test_what_a_call_tells_twice_is_one_slot(paper):
    layer = layer_of(rule=MergeWrite(erase=0.6, write=0.6), paper=paper)
    x = hidden(time=2)
    state, info = layer.write(layer.init_state(2), torch.cat((x, 1.5 * x, x[:, :1]), dim=1))
    assert state.occupied.sum(1).tolist() == [2, 2]
    assert state.count[:, :2].tolist() == [[3, 2]] * 2
    assert info.duplicates.tolist() == [3, 3]
    assert info.accept_rate.tolist() == [1.0, 1.0]
    assert not info.refused.any()
    appending = layer_like(layer, rule=AppendWrite())
    gates = appending.write(layer.init_state(2), torch.cat((x, 1.5 * x), dim=1))[0].bias.exp()
    once = x[:, 0] + 0.6 * gates[:, 2:3] * (1.5 * x[:, 0] - x[:, 0])
    again = once + 0.6 * gates[:, :1] * (x[:, 0] - once)
    torch.testing.assert_close(state.u[:, 0], again)


@pytest.mark.parametrize("rule", [AppendWrite(), BlendWrite(), MergeWrite()], ids=repr)
def test_more_candidates_than_slots_are_written_in_parts(rule, assert_same_state):
    layer = layer_of(rule=rule, capacity=4)
    candidates, feedback = hidden(time=10), torch.randn(2, 10, dtype=torch.float64)
    candidates[0, 9] = math.nan
    mask = torch.rand(2, 10) > 0.2
    mask[0, 9] = True
    got, info = layer.write(layer.init_state(2), candidates, feedback, mask=mask)
    state, infos = layer.init_state(2), []
    for part in (slice(0, 4), slice(4, 8), slice(8, 10)):
        state, few = layer.write(state, candidates[:, part], feedback[:, part], mask=mask[:, part])
        infos.append((few, mask[:, part].sum(1)))
    assert_same_state(got, state)
    assert torch.equal(info.evictions, sum(few.evictions for few, _ in infos))
    assert torch.equal(info.duplicates, sum(few.duplicates for few, _ in infos))
    assert torch.equal(info.refused, torch.cat([few.refused for few, _ in infos], dim=1))
    assert info.refused.nonzero().tolist() == [[0, 9]]
    accepted = sum((few.accept_rate * offered).round() for few, offered in infos)
    torch.testing.assert_close(info.accept_rate, accepted / mask.sum(1))


@pytest.mark.parametrize("rule", [AppendWrite(), BlendWrite(), MergeWrite()], ids=repr)
@torch.no_grad()
def test_writing_in_place_is_writing(rule, assert_same_state):
    layer = layer_of(rule=rule, capacity=4)
    state, inside = layer.init_state(2), layer.init_state(2)
    for time in (3, 2, 6, 1):
        x = hidden(time=time)
        x[0, 0] = math.nan if time == 2 else x[0, 0]
        x = torch.cat((x, x[:, :1] + 1e-3), dim=1)
        state, inside = state.pin(state.id[:, :1]), inside.pin(inside.id[:, :1])
        y, state = layer(x, state)
        memory = inside.u.data_ptr()
        inside_y, inside = layer(x, inside, in_place=True)
        assert inside.u.data_ptr() == memory
        torch.testing.assert_close(inside_y, y, equal_nan=True)
        assert_same_state(inside, state)


def test_writing_in_place_is_refused_while_gradients_are_kept():
    layer = layer_of()
    with pytest.raises(ValueError, match=r"writing in place has no gradient: write under torch.no_grad\(\)"):
        layer.write(layer.init_state(2), hidden(), in_place=True)


def test_writing_nothing_changes_nothing(assert_same_state):
    layer = layer_of()
    state, _ = layer.write(layer.init_state(2), hidden())
    after, info = layer.write(state, hidden(time=0))
    assert_same_state(after, state)
    assert info.refused.shape == (2, 0)
    assert info.accept_rate.tolist() == [0.0, 0.0]
    y, same = layer(hidden(time=0), state)
    assert y.shape == (2, 0, 8)
    assert_same_state(same, state)


def test_feedback_per_row_is_feedback_of_each_candidate(assert_same_state):
    layer, candidates = layer_of(), hidden()
    one, _ = layer.write(layer.init_state(2), candidates, torch.tensor([1.0, -1.0], dtype=torch.float64))
    each, _ = layer.write(layer.init_state(2), candidates, torch.tensor([[1.0] * 3, [-1.0] * 3], dtype=torch.float64))
    assert_same_state(one, each)
    assert one.utility[0, :3].tolist() == [1.0] * 3


@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_never_written_and_never_trains_to_nan(poison):
    layer = layer_of()
    candidates = hidden()
    candidates[0, 1, 3] = poison
    feedback = torch.tensor([[0.0] * 3, [0.0, 0.0, poison]], dtype=torch.float64)
    state, info = layer.write(layer.init_state(2), candidates, feedback)
    assert state.occupied.sum(1).tolist() == [2, 2]
    assert torch.equal(state.u[0, :2], candidates[0, [0, 2]])
    torch.testing.assert_close(info.accept_rate, torch.tensor([2 / 3, 2 / 3], dtype=info.accept_rate.dtype))
    assert info.refused.tolist() == [[False, True, False], [False, False, True]]
    y, _ = layer(hidden(), state)
    y.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in layer.parameters())


@pytest.mark.parametrize("rule", [AppendWrite(), BlendWrite(), MergeWrite()], ids=repr)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("paper", [True, False])
def test_a_row_is_bit_equal_whatever_the_others_hold(rule, training, paper, assert_same_state):
    """Row 1 alone is fixed; the others are other vectors, NaN, or other rows in another order."""
    layer = layer_of(rule=rule, paper=paper).train(training).float()

    def run(streams):
        state = layer.init_state(streams[0].shape[0])
        for x in streams:
            y, state = layer(x, state)
        return y, state

    with torch.no_grad():
        streams = [torch.randn(4, 3, 8) for _ in range(4)]
        y, state = run(streams)
        for noise in (torch.randn(4, 3, 8), torch.full((4, 3, 8), torch.nan)):
            poisoned = [torch.where(torch.arange(4)[:, None, None] == 1, x, noise) for x in streams]
            other_y, other = run(poisoned)
            assert torch.equal(other_y[1], y[1])
            assert_same_state(other.index(slice(1, 2)), state.index(slice(1, 2)))
        order = torch.tensor([3, 0, 1, 2])
        other_y, other = run([x[order] for x in streams])
        assert torch.equal(other_y, y[order])
        assert_same_state(other, state.index(order))


def test_a_call_that_is_not_finite_leaves_what_is_held_finite():
    layer = layer_of()
    _, state = layer(hidden(), layer.init_state(2))
    _, after = layer(torch.full((2, 3, 8), math.nan, dtype=torch.float64), state)
    assert torch.equal(after.u, state.u)
    assert torch.equal(after.mass, state.mass)
    assert layer.read(hidden(), after)[0].isfinite().all()


def test_stale_slots_are_told_and_refreshed():
    layer = layer_of()
    state, info = layer.write(layer.init_state(2), hidden())
    assert not info.stale.any()
    with torch.no_grad():
        layer.form.key.weight.mul_(-1.5)
    assert layer.stale(state).all()
    state, info = layer.write(state, hidden(time=1))
    assert info.stale.all()
    fresh = layer.refresh(state)
    assert not layer.stale(fresh).any()
    k, v = layer.form.project(state.u)
    assert torch.equal(fresh.k, k)
    assert torch.equal(fresh.v, v)
    assert torch.equal(fresh.u, state.u)


def test_a_call_notes_what_it_read():
    layer = layer_of()
    _, state = layer(hidden(), layer.init_state(2))
    x = hidden()
    _, info = layer.read(x, state)
    _, after = layer(x, state)
    torch.testing.assert_close(after.mass[:, :3], info.slot_mass[:, :3])


def test_a_slot_that_is_written_anew_forgets_what_it_drew():
    layer = layer_of(capacity=3, rule=AppendWrite(), eviction=FirstInFirstOut())
    _, state = layer(hidden(), layer.init_state(2))
    state = state.after_read(torch.ones(2, 3, dtype=torch.float64), 3)
    after, info = layer.write(state, hidden(time=1))
    assert after.mass.tolist() == [[0.0, 1.0, 1.0]] * 2
    assert info.evictions.tolist() == [1.0, 1.0]


def test_a_rule_of_ones_own_serves():
    @dataclass(frozen=True)
    class FirstOnly:
        def __call__(self, state, offer, eviction):
            first = offer.admit & (offer.admit.cumsum(dim=1) == 1)
            return AppendWrite()(state, replace(offer, admit=first), eviction)

    layer = layer_of(rule=FirstOnly())
    state, info = layer.write(layer.init_state(2), hidden())
    assert state.occupied.sum(1).tolist() == [1, 1]
    assert info.refused.tolist() == [[False, True, True]] * 2


def test_refreshing_with_new_vectors_keeps_what_else_is_known_of_a_slot():
    layer = layer_of()
    state, _ = layer.write(layer.init_state(2), hidden())
    state = state.forget(torch.tensor([[1], [2]]))[0].detach()
    u = torch.randn_like(state.u)
    after = layer.refresh(state, u)
    assert torch.equal(after.u, u * state.occupied[:, :, None])
    k, v = layer.form.project(after.u)
    assert torch.equal(after.k, k)
    assert torch.equal(after.v, v)
    assert torch.equal(after.stamp != state.stamp, state.occupied)
    assert torch.equal(after.stamp, layer.refresh(state, u).stamp)
    assert torch.equal(layer.refresh(after, state.u).stamp, state.stamp)
    for name in ("id", "count", "age", "idle", "mass", "utility", "bias", "occupied", "pinned", "next_id"):
        assert torch.equal(getattr(after, name), getattr(state, name)), name


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_refreshing_with_what_does_not_fit_is_refused(poison):
    layer = layer_of()
    state = layer.init_state(2)
    u = torch.zeros_like(state.u)
    u[1, 2, 3] = poison
    with pytest.raises(ValueError, match=r"wanted finite u of shape \(2, 6, 8\), got \(2, 6, 8\)"):
        layer.refresh(state, u)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 0}, "width must be 1 or more, got 0"),
        ({"capacity": -1}, "capacity must be 1 or more, got -1"),
        ({"width": 9}, "a read width of 9 does not split into 2 heads"),
        ({"read_width": 3}, "a read width of 3 does not split into 2 heads"),
        ({"threshold": 1.5}, r"threshold must be in \[0, 1\], got 1.5"),
        ({"tau": -2.0}, r"tau must be in \[-1, 1\], got -2.0"),
        ({"temperature": 50.0}, r"temperature must be in \[1, 40.0\], got 50.0"),
        ({"paper": True, "zero_output": True}, "takes neither read_width nor zero_output"),
    ],
)
def test_config_names_what_is_wrong(changes, message):
    with pytest.raises(ValueError, match=message):
        layer_of(**changes)


def test_what_does_not_fit_is_named():
    layer, other = layer_of(), layer_of(width=6)
    with pytest.raises(ValueError, match=r"slots of width 6 and keys of \(2, 2, 6, 3\) do not fit a layer of width 8"):
        layer.read(hidden(), other.init_state(2))
    with pytest.raises(ValueError, match=r"hidden states \(3, 3, 8\) do not fit 2 namespaces of width 8"):
        layer.read(hidden(batch=3), layer.init_state(2))


@pytest.mark.parametrize(("detached", "lowest", "highest"), [(False, 0.95, 1.0), (True, 0.4, 0.6)])
def test_it_learns_what_to_write_through_one_write_and_one_read(detached, lowest, highest):
    """Each key is told with two values, one praised and one blamed; a later call asks for the praised one.

    Only the write gate can tell them apart, for what utility is worth to a read is not trained here, and it starts
    blind to feedback: with its gradient cut the two stay a coin toss. Chance without any memory is 1/8.
    """
    symbols, width, pairs = 8, 32, 3
    keys, values = nn.Embedding(symbols, width), nn.Embedding(symbols, width)
    config = RetentionConfig(
        width=width, heads=1, capacity=2 * pairs, pool=ChunkPool(size=1), rule=AppendWrite(), eviction=FirstInFirstOut()
    )
    layer, head = RetentionLayer(config), nn.Linear(width, symbols)
    nn.init.zeros_(layer.form.write_gate.weight)
    layer.form.slopes.requires_grad_(False)
    optimizer = torch.optim.Adam([p for m in (keys, values, layer, head) for p in m.parameters()], lr=2e-2)

    def recall(batch):
        asked = torch.rand(batch, symbols).argsort(dim=1)[:, :pairs]
        told = torch.rand(batch, pairs, symbols).argsort(dim=2)[:, :, :2]
        facts = (keys(asked)[:, :, None] + values(told)).flatten(1, 2)
        praise = torch.tensor([1.0, -1.0]).repeat(pairs).expand(batch, -1)
        _, state = layer(facts, layer.init_state(batch), feedback=praise)
        return head(layer.read(keys(asked), state.detach() if detached else state)[0]), told[:, :, 0]

    for _ in range(100):
        logits, wanted = recall(32)
        optimizer.zero_grad()
        F.cross_entropy(logits.flatten(0, 1), wanted.flatten()).backward()
        optimizer.step()
    with torch.no_grad():
        logits, wanted = recall(512)
    assert lowest <= (logits.argmax(-1) == wanted).float().mean() <= highest
