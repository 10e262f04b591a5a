"""Each sign is shown by a layer that fails so, and a healthy one shows none."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from retention import (
    AppendWrite,
    ChunkPool,
    FirstInFirstOut,
    RetentionConfig,
    RetentionLayer,
)
from retention.layer.diagnose import Finding, diagnose


def layer_of(**changes):
    settings = {"width": 32, "heads": 2, "capacity": 32, "pool": ChunkPool(size=1)} | changes
    return RetentionLayer(RetentionConfig(**settings)).eval()


@torch.no_grad()
def lived(layer, facts, asked=None, calls=8, **writing):
    """Write the facts over a few calls, then ask for what is asked; return all that ``diagnose`` takes."""
    state, writes, reads = layer.init_state(facts.shape[0]), [], []
    for part in facts.chunk(calls, dim=1):
        candidates, real = layer.candidates(part)
        state, info = layer.write(state, candidates, mask=real, **writing)
        writes.append(info)
    asked = facts if asked is None else asked
    for part in asked.chunk(4, dim=1):
        _, info = layer.read(part, state)
        reads.append(info)
        state = state.after_read(info.slot_mass, part.shape[1])
    return {"state": state, "layer": layer, "reads": reads, "writes": writes}


def facts(batch=2, time=24, width=32):
    return torch.randn(batch, time, width)


def many_times(x, times=10):
    return x.repeat(1, times, 1)


def names(findings, row):
    return [finding.name for finding in findings if finding.row == row]


def only(findings, name, rows=(0, 1)):
    """The finding of each row: one, and of this name."""
    assert [finding.row for finding in findings] == list(rows), findings
    assert {finding.name for finding in findings} == {name}, findings
    assert all("\n" not in finding.words and math.isfinite(finding.number) for finding in findings)
    return findings[0]


@pytest.mark.parametrize("time", [1, 4, 24, 32])
def test_a_healthy_memory_shows_nothing(time):
    x = facts(time=time)
    life = lived(layer_of(), x, asked=many_times(x))
    assert diagnose(**life) == ()
    assert diagnose(life["state"]) == ()
    assert diagnose(life["state"], reads=life["reads"]) == ()


def test_an_empty_memory_shows_nothing():
    layer = layer_of()
    state = layer.init_state(2)
    _, info = layer.read(facts(), state)
    assert diagnose(state, layer=layer, reads=[info]) == ()


def test_a_healthy_memory_that_is_full_and_evicts_slowly_shows_nothing():
    layer = layer_of(threshold=0.0)
    x = facts(time=40)
    life = lived(layer, x, asked=many_times(x[:, 20:]), calls=40)
    assert life["state"].occupied.all()
    novelty = [replace(info, accept_rate=0.9 * info.accept_rate) for info in life["writes"]]
    assert diagnose(**life | {"writes": novelty}) == ()


def test_a_memory_that_is_asked_past_is_not_read():
    layer = layer_of()
    torch.nn.init.constant_(layer.form.null_score, 40.0)
    finding = only(diagnose(**lived(layer, facts())), "not read")
    assert finding.number > 0.99
    assert "24 filled slots" in finding.words


def test_cold_reads_are_diffuse():
    layer = layer_of(temperature=1.0)
    finding = only(diagnose(**lived(layer, facts())), "diffuse")
    assert 0.9 < finding.number <= 1.0


def test_answers_to_what_was_never_told_have_no_support():
    layer = layer_of(width=256, heads=1, temperature=40.0)
    torch.nn.init.constant_(layer.form.null_score, -10.0)
    x = facts(width=256)
    finding = only(diagnose(**lived(layer, x, asked=facts(time=60, width=256))), "no support")
    assert finding.number < 0.25
    assert diagnose(**lived(layer, x)) == ()


def test_facts_that_are_all_alike_collapse():
    x = 0.1 * facts() + torch.randn(32)
    layer = layer_of(rule=AppendWrite(), threshold=0.0)
    found = diagnose(**lived(layer, x))
    assert names(found, 0) == names(found, 1) == ["collapsed", "diffuse"]
    assert found[0].number > 0.9


def test_facts_told_again_and_again_are_duplicates():
    layer = layer_of(rule=AppendWrite(), threshold=0.0)
    x = facts(time=8).repeat_interleave(3, dim=1)
    finding = only(diagnose(**lived(layer, x, asked=many_times(x))), "duplicates")
    assert finding.number == 1.0
    assert "above 0.95" in finding.words
    assert diagnose(**lived(layer_of(threshold=0.0), x, asked=many_times(x))) == ()


def test_one_slot_that_answers_everything():
    layer = layer_of()
    life = lived(layer, facts())
    state = replace(life["state"], bias=life["state"].bias + 40.0 * (torch.arange(32) == 3))
    reads = [layer.read(many_times(facts()), state)[1]]
    found = diagnose(state, reads=reads)
    assert "one slot" in names(found, 0)
    assert "never read" in names(found, 0)
    finding = next(finding for finding in found if finding.name == "one slot")
    assert "slot 3 draws" in finding.words
    assert finding.number > 0.9


def test_slots_that_no_one_asks_for_are_never_read():
    x = facts()
    finding = only(diagnose(**lived(layer_of(), x, asked=many_times(x[:, :3], times=100))), "never read")
    assert finding.number > 0.75


def test_a_gate_that_lets_nothing_through_is_shut():
    life = lived(layer_of(threshold=1.0), facts())
    assert only(diagnose(**life), "gate shut").number == 0.0
    assert diagnose(**life | {"writes": life["writes"][:3]}) == ()


def test_a_gate_that_lets_everything_through_of_a_full_row_is_open():
    layer = layer_of(threshold=0.0, eviction=FirstInFirstOut())
    x = facts(time=60)
    life = lived(layer, x, asked=many_times(x[:, 30:]), calls=60)
    assert only(diagnose(**life), "gate open").number > 0.98


def test_a_memory_that_is_replaced_as_a_whole_thrashes():
    layer = layer_of(capacity=8, eviction=FirstInFirstOut(), threshold=0.0)
    x = facts(time=80)
    life = lived(layer, x, asked=many_times(x[:, -8:]), calls=10)
    found = diagnose(**life)
    assert names(found, 0) == ["gate open", "thrash"]
    assert found[1].number == pytest.approx(8 / (72 / 10), rel=1e-3)
    finding = only(diagnose(life["state"]), "thrash")
    assert finding.number == 1.0


def test_slots_of_other_weights_are_stale():
    life = lived(layer_of(), facts())
    with torch.no_grad():
        life["layer"].form.value.weight[0, 0] += 1e-3
    assert only(diagnose(**life), "stale").number == 24
    assert diagnose(life["layer"].refresh(life["state"]), layer=life["layer"]) == ()


def test_refused_candidates_are_named_with_their_row():
    layer, x = layer_of(), facts()
    x[1, 7] = math.nan
    state, writes = layer.init_state(2), []
    for part in x.chunk(6, dim=1):
        state, info = layer.write(state, part)
        writes.append(info)
    finding = only(diagnose(state, writes=writes), "refused", rows=(1,))
    assert finding.number == 1.0
    assert "of row 1 were refused, first candidate 3 of write 1" in finding.words


def test_a_row_full_of_pins():
    layer = layer_of(capacity=8)
    life = lived(layer, facts(time=8))
    state = life["state"].pin(life["state"].id[:1].expand(2, 8) * torch.tensor([[1], [-1]]))
    finding = only(diagnose(state), "full of pins", rows=(0,))
    assert finding.number == 8.0
    state, info = layer.write(state, facts(time=1))
    assert names(diagnose(state, writes=[info]), 0) == ["full of pins", "refused"]


def test_what_is_not_finite_is_said_first_and_alone():
    life = lived(layer_of(), facts())
    v = life["state"].v.clone()
    v[1, 0, 5] = math.nan
    found = diagnose(replace(life["state"], v=v), layer=life["layer"])
    assert only(found, "not finite", rows=(1,)).words.startswith("v hold")


def test_a_row_is_judged_by_itself():
    sick, well = facts(batch=1), facts(batch=1)
    sick = 0.1 * sick + sick[:, :1]
    layer = layer_of(rule=AppendWrite(), threshold=0.0)
    both = diagnose(**lived(layer, torch.cat((well, sick))))
    assert names(both, 0) == []
    alone = diagnose(**lived(layer, sick))
    assert [(finding.row, finding.name) for finding in both] == [(1, finding.name) for finding in alone]
    for ours, other in zip(both, alone, strict=True):
        assert ours.number == pytest.approx(other.number)


def test_a_finding_says_all_it_is():
    finding = Finding(row=2, name="stale", number=3.0, words="staleness")
    assert (finding.row, finding.name, finding.number, finding.words) == (2, "stale", 3.0, "staleness")
