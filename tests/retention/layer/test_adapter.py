"""The adapter's maths against loops, and its laws."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from retention import AdapterConfig, FactAdapter, SlotFileError, load_adapter, rounded_adapter, save_adapter
from retention.layer.fact_pool import rotation

CONFIG = AdapterConfig(
    width=8,
    pool_layer=1,
    key_layers=(1, 3),
    token_heads=2,
    token_dim=4,
    fact_heads=2,
    fact_dim=3,
    top_facts=3,
    floor=0.5,
)
VOCABULARY = 20


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def adapter(generator) -> FactAdapter:
    """One whose every weight is drawn, as if it had been trained."""
    made = FactAdapter(CONFIG, seed=1).double().eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.3)
        made.null_score.fill_(3.0)
    made.set_statistics(torch.randn(200, 2, 8, generator=generator, dtype=torch.float64) * torch.arange(1.0, 9.0))
    return made


def texts(generator, sizes=(7, 5, 6, 4)):
    """Padded states, tokens and mask of a few texts."""
    longest = max(sizes)
    mask = torch.arange(longest) < torch.tensor(sizes)[:, None]
    states = torch.randn(len(sizes), longest, 2, 8, generator=generator, dtype=torch.float64)
    tokens = torch.randint(0, VOCABULARY, (len(sizes), longest), generator=generator)
    return states, tokens, mask


def naive_read(adapter, states, asked, facts, embeddings, floor):
    """One position at a time, slot by slot, in Python floats."""
    config = adapter.config
    rows = []
    for at in range(len(states)):
        white = [(states[at, n] - adapter.mean[n]) @ adapter.whiten[n] for n in range(2)]
        seen = torch.cat(white)
        total = torch.zeros(config.width, dtype=torch.float64)
        drawn = 0.0
        for head in range(config.token_heads):
            rows_of = slice(head * config.token_dim, (head + 1) * config.token_dim)
            query = adapter.query.weight[rows_of] @ seen
            query = query / query.norm()
            terms, values = [], []
            for fact in range(len(facts)):
                for slot in range(facts.token.shape[1]):
                    token = int(facts.token[fact, slot])
                    if token < 0:
                        continue
                    score = asked[at] @ facts.key[fact] + query @ facts.slot_key[fact, slot, head]
                    terms.append(math.exp(float(score + facts.bias[fact, slot, head])))
                    embedding = embeddings[token]
                    values.append(embedding / embedding.square().mean().sqrt())
            whole = math.exp(float(adapter.null_score[head])) + sum(terms)
            drawn += sum(terms) / whole / config.token_heads
            gate = 1 / (1 + math.exp(-float(adapter.gate.weight[head] @ seen + adapter.gate.bias[head])))
            mixed = sum((term / whole * value for term, value in zip(terms, values, strict=True)), torch.zeros(8))
            total = total + gate * adapter.scale[head] * mixed
        rms = states[at, -1].square().mean().sqrt()
        rows.append(rms * total if floor is None or drawn > floor else torch.zeros_like(total))
    return torch.stack(rows)


def asking(adapter, generator, count=5):
    states = torch.randn(count, 2, 8, generator=generator, dtype=torch.float64)
    asked = torch.randn(count, CONFIG.fact_heads * CONFIG.fact_dim, generator=generator, dtype=torch.float64)
    embeddings = torch.randn(VOCABULARY, 8, generator=generator, dtype=torch.float64)
    return states, asked, embeddings


@torch.no_grad()
def test_a_read_of_all_facts_is_the_softmax_over_their_slots_and_the_null(adapter, generator):
    facts = adapter.write(*texts(generator))
    states, asked, embeddings = asking(adapter, generator)
    read, mass, null, slot, token = adapter.read(states, asked, facts, embeddings, every=True)
    torch.testing.assert_close(read, naive_read(adapter, states, asked, facts, embeddings, None), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(mass.sum(dim=1) + null.mean(dim=1), torch.ones(5, dtype=torch.float64))
    for at in range(5):  # slot by slot: a fact with that one alone draws more than with any other alone
        drawn = {}
        for fact, number in (facts.token >= 0).nonzero().tolist():
            one = facts.index([fact])
            alone = replace(one, token=torch.full_like(one.token, -1).index_fill(1, torch.tensor([number]), 3))
            row = slice(at, at + 1)
            null = adapter.read(states[row], asked[row], alone, embeddings, every=True).null
            drawn[fact, number] = float((1 / null - 1).mean())
        assert int(token[at]) in facts.token[:, int(slot[at])].tolist()
        assert int(slot[at]) in {number for (_, number), much in drawn.items() if much > 0.3 * max(drawn.values())}


@torch.no_grad()
def test_how_much_is_drawn_is_told_by_the_best_slot_against_the_null(adapter, generator):
    facts = adapter.write(*texts(generator))
    states, asked, embeddings = asking(adapter, generator)

    def alone(fact: int, slot: int) -> torch.Tensor:
        one = facts.index([fact])
        token = torch.full_like(one.token, -1).index_fill(1, torch.tensor([slot]), 3)
        return (1 / adapter.read(states, asked, replace(one, token=token), embeddings, every=True).null - 1).log()

    scores = {place: alone(*place) for place in map(tuple, (facts.token >= 0).nonzero().tolist())}
    every = torch.stack([*scores.values()]).amax(dim=0).mean(dim=1)
    torch.testing.assert_close(adapter.drawn(states, asked, facts, among=9), every)
    best = (asked @ facts.key.T).argmax(dim=1)
    of_best = [torch.stack([each for place, each in scores.items() if place[0] == fact]) for fact in best.tolist()]
    wanted = torch.stack([each[:, at].amax(dim=0).mean() for at, each in enumerate(of_best)])
    torch.testing.assert_close(adapter.drawn(states, asked, facts, among=1), wanted)


@torch.no_grad()
def test_in_use_the_facts_that_fit_best_are_read_and_below_the_floor_nothing(adapter, generator):
    facts = adapter.write(*texts(generator))
    states, asked, embeddings = asking(adapter, generator, count=40)
    read, mass, null, *_ = adapter.read(states, asked, facts, embeddings)
    left = 0
    for at in range(40):
        best = (asked[at] @ facts.key.T).topk(CONFIG.top_facts).indices
        one = slice(at, at + 1)
        wanted = naive_read(adapter, states[one], asked[one], facts.index(best), embeddings, CONFIG.floor)
        torch.testing.assert_close(read[one], wanted, rtol=1e-5, atol=1e-6)
        assert set(mass[at].nonzero()[:, 0].tolist()) <= set(best.tolist())
        left += int(not read[at].any())
        assert bool(read[at].any()) == bool(1 - null[at].mean() > CONFIG.floor)
    assert 0 < left < 40


@torch.no_grad()
def test_training_hides_a_share_of_the_states_and_use_does_not(adapter, generator):
    text = texts(generator)
    still, again = adapter.write(*text), adapter.write(*text)
    assert torch.equal(still.key, again.key)
    adapter.train()
    one, two = adapter.write(*text), adapter.write(*text)
    assert not torch.equal(one.slot_key, two.slot_key)
    adapter.config = replace(CONFIG, dropout=0.0)
    assert torch.equal(adapter.write(*text).key, still.key)


@torch.no_grad()
def test_a_position_reads_only_what_it_may(adapter, generator):
    facts = adapter.write(*texts(generator))
    states, asked, embeddings = asking(adapter, generator)
    visible = torch.zeros(5, len(facts), dtype=torch.bool)
    visible[:, 2] = True
    got = adapter.read(states, asked, facts, embeddings, visible=visible, every=True)
    wanted = adapter.read(states, asked, facts.index([2]), embeddings, every=True)
    torch.testing.assert_close(got[0], wanted[0])
    assert not got[1][:, [0, 1, 3]].any()


@torch.no_grad()
def test_a_fact_is_written_the_same_whatever_is_written_beside_it(adapter, generator):
    states, tokens, mask = texts(generator)
    facts = adapter.write(states, tokens, mask)
    for row, size in enumerate(mask.sum(dim=1).tolist()):
        alone = adapter.write(states[row : row + 1, :size], tokens[row : row + 1, :size], mask[row : row + 1, :size])
        assert alone.token[0].tolist() == tokens[row, 1:size].tolist()  # no slot for the token before the fact
        for name in ("key", "slot_key", "bias"):
            both = getattr(facts.index([row]), name)
            both = both if name == "key" else both[:, : size - 1]
            torch.testing.assert_close(both, getattr(alone, name))


@torch.no_grad()
def test_the_token_before_a_fact_says_nothing_of_what_it_is_about(adapter, generator):
    states, tokens, mask = texts(generator)
    other = states.clone()
    other[:, 0] = torch.randn(other[:, 0].shape, generator=generator, dtype=torch.float64) * 100
    one, two = (adapter.write(each, tokens, mask) for each in (states, other))
    torch.testing.assert_close(one.key, two.key)
    torch.testing.assert_close(one.slot_key[:, 1:], two.slot_key[:, 1:])
    assert not torch.allclose(one.slot_key[:, 0], two.slot_key[:, 0])  # where the fact begins, it tells that


def test_every_weight_is_reached_by_the_gradient(adapter, generator):
    facts = adapter.write(*texts(generator))
    states, _, mask = texts(generator)
    scores, values = adapter.brought(states)
    asked = adapter.asked(scores, values, mask)
    embeddings = torch.randn(VOCABULARY, 8, generator=generator, dtype=torch.float64)
    read = adapter.read(states[:, 3], asked, facts, embeddings, every=True).read
    torch.autograd.backward(read.square().sum())
    still = [name for name, each in adapter.named_parameters() if each.grad is None or not each.grad.any()]
    assert still == []


@torch.no_grad()
def test_whitened_states_have_a_covariance_of_one_shrunk(generator):
    adapter = FactAdapter(CONFIG)
    spread = torch.tensor([100.0, 30, 10, 3, 1, 1, 0.1, 0.01])
    mixed = torch.randn(4000, 8, generator=generator) * spread @ rotation(8, 8, generator) + 5
    adapter.set_statistics(torch.stack((mixed, mixed * 3), dim=1))
    white = (mixed - adapter.mean[0]) @ adapter.whiten[0]
    assert white.mean(dim=0).abs().max() < 1e-3
    before, after = (torch.linalg.eigvalsh(torch.cov(each.T)) for each in (mixed, white))
    wanted = before / (before + 0.05 * before.mean())  # what has next to no variance is not blown up
    torch.testing.assert_close(after, wanted, rtol=1e-2, atol=1e-3)


@torch.no_grad()
def test_a_new_adapter_adds_nothing_and_finds_what_is_like_it(generator):
    adapter = FactAdapter(replace(CONFIG, fact_dim=4)).eval()
    adapter.set_statistics(torch.randn(500, 2, 8, generator=generator))
    states, tokens, mask = (each.float() if each.is_floating_point() else each for each in texts(generator))
    facts = adapter.write(states, tokens, mask)
    after_first = mask.clone()
    after_first[:, 0] = False
    asked = adapter.asked(*adapter.brought(states), after_first)
    read = adapter.read(states[:, 2], asked, facts, torch.randn(VOCABULARY, 8, generator=generator), every=True).read
    assert not read.any()
    assert (asked @ facts.key.T).argmax(dim=1).tolist() == [0, 1, 2, 3]


def test_an_adapter_comes_back_from_its_file_as_it_was_rounded(adapter, tmp_path):
    adapter = rounded_adapter(adapter.float())
    adapter.base = "a model"
    save_adapter(adapter, tmp_path / "adapter.safetensors")
    loaded = load_adapter(tmp_path / "adapter.safetensors")
    assert (loaded.config, loaded.base, loaded.fingerprint) == (adapter.config, "a model", adapter.fingerprint)
    assert not loaded.training and not any(each.requires_grad for each in loaded.parameters())
    changed = FactAdapter(adapter.config)
    assert changed.fingerprint != adapter.fingerprint


def test_a_file_that_is_no_adapter_is_refused(adapter, tmp_path):
    path = tmp_path / "adapter.safetensors"
    with pytest.raises(SlotFileError, match="does not exist"):
        load_adapter(path)
    save_adapter(adapter.float(), path)
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    with pytest.raises(SlotFileError, match="cut short"):
        load_adapter(path)
    path.write_bytes(content.replace(b'fact_dim\\": 3', b'fact_dim\\": 5'))
    with pytest.raises(SlotFileError, match="damaged"):
        load_adapter(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width": 0}, "width must be at least 1"),
        ({"key_layers": (3, 1)}, "key_layers must rise"),
        ({"key_layers": ()}, "key_layers must rise"),
        ({"pool_layer": -1}, "layers are counted from 0"),
        ({"floor": 1.0}, r"floor must lie in \[0, 1\)"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\)"),
    ],
)
def test_a_config_that_cannot_be_is_refused(change, said):
    with pytest.raises(ValueError, match=said):
        replace(CONFIG, **change)
