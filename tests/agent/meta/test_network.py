"""The network of meta-trained policies: in torch and in numpy, with what it must not depend on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from agent.meta import network as in_torch
from agent.meta import reader as in_numpy
from agent.meta.families import FAMILIES, seeded
from agent.meta.lesson import recency
from agent.meta.network import MetaNetwork, Notes, imitation_loss
from agent.meta.reader import Reader, code_of
from agent.meta.shape import Part, Shape


def shaken(shape: Shape, seed: int = 0) -> MetaNetwork:
    """A network of which no weight is at its start, where some are zero."""
    torch.manual_seed(seed)
    network = MetaNetwork(shape).eval()
    with torch.no_grad():
        for name, weight in network.named_parameters():
            weight.add_(0.1 * torch.randn_like(weight))
            if "log_temperature" in name:
                weight.add_(torch.randn_like(weight))  # some beyond what it is held in
    return network


NETWORKS = {name: shaken(family.shape) for name, family in FAMILIES.items()}


def observations(shape: Shape, n: int, draw: torch.Generator) -> np.ndarray:
    """Draw keys as the environments of a shape show them, ``[n, key width]``."""
    if shape.observation is None:
        return torch.randint(6, (n, 1), generator=draw).numpy().astype(np.float32)
    if shape.observation.startswith("Discrete("):
        cells = int(shape.observation[9:-1])
        return torch.randint(cells, (n, 1), generator=draw).numpy().astype(np.float32)
    return torch.stack([torch.randint(8, (n,), generator=draw), torch.randint(6, (n,), generator=draw)], 1).numpy()


def parts_of(shape: Shape, keys: np.ndarray) -> tuple[Tensor, ...]:
    """What the network sees of keys of one memory, without a reader: int64 ``[1, n]`` or codes ``[1, n, width]``."""
    parts = []
    for part in shape.parts:
        if part.size:
            assert part.index is not None
            numbers = [int(key[part.index]) // part.divide % part.size for key in keys]
            parts.append(torch.tensor([numbers], dtype=torch.int64))
        else:
            chosen = [np.float32(key if part.index is None else key[part.index]).tobytes() for key in keys]
            codes = [code_of(symbol, shape.width) for symbol in chosen]
            parts.append(torch.tensor(np.array(codes, np.float32).reshape(1, len(keys), shape.width)))
    return tuple(parts)


def noted(shape: Shape, slots: int, seed: int) -> tuple[Notes, np.ndarray, np.ndarray]:
    """Draw a memory of some slots, all filled, its keys, and four keys to ask for."""
    draw = seeded(seed)
    keys = observations(shape, slots, draw).astype(np.float32)
    notes = Notes(
        parts=parts_of(shape, keys),
        action=torch.randint(shape.actions, (1, slots), generator=draw),
        reward=torch.randint(3, (1, slots), generator=draw) / 2.0,
        count=torch.randint(1, 300, (1, slots), generator=draw).float(),
        age=torch.randint(0, 300, (1, slots), generator=draw).float(),
        rank=torch.randperm(slots, generator=draw)[None],
        filled=torch.ones(1, slots, dtype=torch.bool),
    )
    return notes, keys, observations(shape, 4, draw).astype(np.float32)


def padded(notes: Notes, more: int) -> Notes:
    """Add slots that are not filled, of random content."""

    def longer(tensor: Tensor) -> Tensor:
        extra = torch.randint(2, (1, more, *tensor.shape[2:]), generator=seeded(9)).to(tensor.dtype)
        return torch.cat((tensor, extra), dim=1)

    wide = {name: longer(getattr(notes, name)) for name in ("action", "reward", "count", "age", "rank")}
    filled = torch.cat((notes.filled, torch.zeros(1, more, dtype=torch.bool)), dim=1)
    return Notes(parts=tuple(longer(part) for part in notes.parts), filled=filled, **wide)


def arranged(notes: Notes, order: Tensor) -> Notes:
    """Put the slots into another order."""
    fields = {name: getattr(notes, name)[:, order] for name in ("action", "reward", "count", "age", "rank", "filled")}
    return Notes(parts=tuple(part[:, order] for part in notes.parts), **fields)


cases = given(name=st.sampled_from(sorted(FAMILIES)), slots=st.integers(0, 40), seed=st.integers(0, 2**20))


@cases
@settings(max_examples=40, deadline=None)
def test_the_reader_computes_what_the_network_computes(name: str, slots: int, seed: int) -> None:
    network = NETWORKS[name]
    notes, keys, asked = noted(network.shape, slots, seed)
    with torch.no_grad():
        wanted = network(padded(notes, 3), parts_of(network.shape, asked))[0].numpy()
    reader = Reader(network)
    dim = network.shape.width // network.shape.heads
    k = v = np.zeros((0, network.shape.layers, network.shape.heads, dim), np.float32)
    if slots:
        u = [reader.noted(key, int(a)) for key, a in zip(keys, notes.action[0], strict=True)]
        count, age = (column[0].numpy().astype(np.int64) for column in (notes.count, notes.age))
        k, v = reader.project(u, count, age, notes.reward[0].numpy())
    k, v = (np.pad(each.transpose(1, 2, 0, 3), ((0, 0), (0, 0), (1, 0), (0, 0))) for each in (k, v))  # the null slot
    for key, scores in zip(asked, wanted, strict=True):
        rank = notes.rank[0].numpy().astype(np.float32)
        leans = np.zeros((3, 1 + slots), np.float32)
        leans[0, 1:], leans[1, 1:], leans[2, 0] = np.log1p(rank), notes.reward[0].numpy(), 1.0
        found, drawn = reader.scores(reader.asked(key), k, v, reader.leaning(leans))
        assert found == pytest.approx(scores, rel=2e-4, abs=2e-4)
        assert drawn.shape == (slots,)
        assert (drawn >= 0).all()
        assert drawn.sum() <= 1.0 + 1e-5


@cases
@settings(max_examples=25, deadline=None)
def test_the_order_of_slots_and_what_is_not_filled_do_not_count(name: str, slots: int, seed: int) -> None:
    network = NETWORKS[name]
    notes, _, asked = noted(network.shape, slots, seed)
    parts = parts_of(network.shape, asked)
    wide = padded(notes, 5)
    with torch.no_grad():
        once = network(padded(notes, 1), parts)
        assert torch.allclose(network(wide, parts), once, atol=1e-4)
        assert torch.allclose(
            network(arranged(wide, torch.randperm(slots + 5, generator=seeded(seed))), parts), once, atol=1e-4
        )


@pytest.mark.parametrize("name", FAMILIES)
def test_every_column_of_a_note_counts(name: str) -> None:
    network = NETWORKS[name]
    notes, _, asked = noted(network.shape, 12, 1)
    parts = parts_of(network.shape, asked)
    with torch.no_grad():
        before = network(notes, parts)
        for column in ("reward", "count", "age", "rank", "action"):
            changed = replace(notes, **{column: getattr(notes, column).roll(1, dims=1)})
            moved = not torch.allclose(network(changed, parts), before, atol=1e-5)
            assert moved == (column != "action" or network.shape.noted == "answer"), column
        fewer = replace(notes, filled=torch.arange(12)[None] > 0)
        assert not torch.allclose(network(fewer, parts), before, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_an_empty_memory_gives_scores_and_gradients(name: str) -> None:
    network = NETWORKS[name]
    notes, _, asked = noted(network.shape, 4, 1)
    empty = replace(notes, filled=torch.zeros(1, 4, dtype=torch.bool))
    scores = network(empty, parts_of(network.shape, asked))
    wanted = torch.full_like(scores, 1.0 / network.shape.actions)
    network.zero_grad()
    torch.autograd.backward(imitation_loss(scores, wanted, torch.ones(1, 4)))
    assert scores.isfinite().all()
    assert all(weight.grad.isfinite().all() for weight in network.parameters() if weight.grad is not None)
    network.zero_grad()


@given(x=st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=8), places=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_bumps_sum_to_one_and_lie_where_the_logarithm_is(x: list[float], places: int) -> None:
    values = np.array(x, np.float32)
    spread = in_torch.bumps(torch.tensor(values), places)
    assert spread.sum(dim=-1).tolist() == pytest.approx([1.0] * len(x), abs=1e-5)
    assert (spread >= 0).all()
    where = (spread * torch.arange(places)).sum(dim=-1).tolist()
    log = np.minimum(np.log2(1.0 + values.astype(np.float64)), places - 1)
    assert where == pytest.approx(log, abs=1e-4)
    assert in_numpy.bumps(values, places) == pytest.approx(spread.numpy(), abs=1e-5)


def test_codes_are_the_same_in_every_process_and_tell_symbols_apart() -> None:
    code = code_of(np.float32(3.0).tobytes(), 12)
    assert code.tolist() == [-1, 1, -1, -1, 1, 1, 1, 1, -1, 1, -1, -1] or set(np.abs(code)) == {1.0}
    assert np.array_equal(code_of(b"a", 600)[:64], code_of(b"a", 64))
    many = {code_of(np.float32(n).tobytes(), 64).tobytes() for n in range(500)}
    assert len(many) == 500
    wide = code_of(b"a", 1500)
    assert abs(float(wide.mean())) < 0.1
    assert not np.array_equal(wide[:512], wide[512:1024])


def test_recency_counts_what_was_noted_later() -> None:
    assert recency(torch.tensor([[5, -1, 9, 7, -1]])).tolist() == [[2, 3, 0, 1, 4]]


def test_the_loss_is_the_weighted_cross_entropy() -> None:
    draw = seeded(0)
    scores, weight = torch.randn(2, 3, 4, generator=draw), torch.rand(2, 3, generator=draw)
    wanted = torch.rand(2, 3, 4, generator=draw).softmax(dim=-1)
    total = 0.0
    for b in range(2):
        for t in range(3):
            exp = [float(np.exp(s)) for s in scores[b, t].double().tolist()]
            logs = [np.log(each / sum(exp)) for each in exp]
            total -= float(weight[b, t]) * sum(w * log for w, log in zip(wanted[b, t].tolist(), logs, strict=True))
    assert float(imitation_loss(scores, wanted, weight)) == pytest.approx(total / float(weight.sum()), rel=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Part(index=0, divide=0), "divide 1 or more"),
        (lambda: Part(index=-1), "index and size must be 0 or more"),
        (lambda: Part(size=3), "only a code can be of the whole key"),
        (
            lambda: Shape(observation=None, actions=0, parts=(Part(),), noted="answer"),
            "actions must be at least 1, got 0",
        ),
        (lambda: Shape(observation=None, actions=2, parts=(), noted="answer"), "at least one part, got none"),
        (
            lambda: Shape(observation=None, actions=2, parts=(Part(),), noted="answer", heads=5),
            "64 does not split into 5",
        ),
        (lambda: Shape(observation=None, actions=2, parts=(Part(),), noted="all"), "got 'all'"),
    ],
)
def test_impossible_shapes_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
