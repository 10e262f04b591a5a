"""Files: what is saved comes back bit by bit, and nothing else is taken for it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from retention import (
    BlendWrite,
    BlockConfig,
    LeastRecentlyUsed,
    QueryPool,
    RetentionConfig,
    RetentionLayer,
    RetentionTransformer,
    SlotFileError,
    TransformerConfig,
    load_layer,
    load_slots,
    load_transformer,
    save_model,
    save_slots,
)
from retention.layer import sealed

CONFIG = RetentionConfig(
    width=8,
    heads=2,
    read_width=4,
    capacity=5,
    pool=QueryPool(queries=2),
    rule=BlendWrite(),
    eviction=LeastRecentlyUsed(),
)


def written(dtype=torch.float32, config=CONFIG):
    layer = RetentionLayer(config).to(dtype)
    state = layer.init_state(3)
    for _ in range(2):
        _, state = layer(torch.randn(3, 4, config.width, dtype=dtype), state)
    return layer, state


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_layer_and_slots_come_back_bit_equal_in_a_fresh_module(tmp_path, dtype, assert_same_state):
    layer, state = written(dtype)
    save_model(layer, tmp_path / "layer")
    save_slots(state, tmp_path / "slots")
    fresh = load_layer(tmp_path / "layer")
    back = load_slots(tmp_path / "slots", fresh)
    assert fresh.config == CONFIG
    assert not fresh.training
    assert_same_state(back, state.detach())
    assert not fresh.stale(back).any()
    x = torch.randn(3, 2, 8, dtype=dtype)
    y, after = layer.eval()(x, state)
    fresh_y, fresh_after = fresh(x, back)
    assert torch.equal(fresh_y, y)
    assert_same_state(fresh_after.detach(), after.detach())


@pytest.mark.parametrize("shared", [True, False])
def test_a_transformer_comes_back_bit_equal(tmp_path, shared):
    model = RetentionTransformer(TransformerConfig(block=BlockConfig(retention=CONFIG), depth=2, shared=shared))
    save_model(model, tmp_path / "model")
    fresh = load_transformer(tmp_path / "model")
    assert fresh.config == model.config
    x = torch.randn(1, 3, 8)
    _, states = model.eval()(x, model.init_state(1))
    assert torch.equal(fresh(x, states)[0], model(x, states)[0])
    keys = {id(block.retention.form.key) for block in fresh.blocks}
    assert len(keys) == (1 if shared else 2)


def test_slots_of_views_and_of_no_namespace_can_be_saved(tmp_path, assert_same_state):
    _, state = written()
    for part in (state.index(slice(1, 2)), state.index(slice(0, 0))):
        save_slots(part, tmp_path / "slots")
        assert_same_state(load_slots(tmp_path / "slots"), part.detach())


def test_slots_load_to_the_dtype_of_the_layer(tmp_path):
    layer, state = written()
    save_slots(state, tmp_path / "slots")
    assert load_slots(tmp_path / "slots", layer.double()).u.dtype == torch.float64


def refused(load, *arguments):
    with pytest.raises(SlotFileError) as caught:
        load(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert str(arguments[0]) in message
    return message


def resave(path, tensors=None, **header):
    """Write the file again with other tensors or another header, past every check."""
    with sealed.safe_open(path, framework="pt") as file:
        described = json.loads(file.metadata()["holdfast"]) | header
    save_file(load_file(path) if tensors is None else tensors, path, {"holdfast": json.dumps(described)})


@pytest.fixture
def slots_file(tmp_path):
    save_slots(written()[1], tmp_path / "slots")
    return tmp_path / "slots"


def test_a_missing_file(tmp_path):
    assert "does not exist" in refused(load_slots, tmp_path / "nothing")
    assert "is not a safetensors file" in refused(load_slots, tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04\x95pickle" * 20, b"SQLite format 3\x00" + b"\0" * 100])
def test_a_foreign_file(tmp_path, content):
    (tmp_path / "slots").write_bytes(content)
    assert "is not a safetensors file, or it is cut short" in refused(load_slots, tmp_path / "slots")


def test_a_safetensors_file_of_others(tmp_path):
    save_file({"u": torch.zeros(2)}, tmp_path / "slots")
    assert "not one of holdfast" in refused(load_slots, tmp_path / "slots")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_file(slots_file, share):
    content = slots_file.read_bytes()
    slots_file.write_bytes(content[: int(len(content) * share)])
    assert "cut short" in refused(load_slots, slots_file)


def test_a_flipped_bit(slots_file):
    content = bytearray(slots_file.read_bytes())
    content[-100] ^= 1
    slots_file.write_bytes(content)
    assert "damaged" in refused(load_slots, slots_file)


def test_a_newer_file(slots_file):
    resave(slots_file, schema=3)
    assert "has schema 3, this holdfast reads up to 2: upgrade holdfast" in refused(load_slots, slots_file)


def resave_as_first(path, tensors):
    resave(path, tensors, schema=1, fingerprint=sealed._fingerprint(tensors))


def slots_as_first(path):
    """The tensors of a slot file that the first schema had."""
    added = {"stamp", "pinned", "written", "writes"}
    return {name: t for name, t in load_file(path).items() if name not in added}


def test_slots_of_the_first_schema_get_stamps_and_no_pins(slots_file, assert_same_state):
    layer, state = written()
    save_slots(state.pin(state.id[:, :1]), slots_file)
    new = load_slots(slots_file)
    resave_as_first(slots_file, slots_as_first(slots_file))
    old = load_slots(slots_file, layer)
    made_up = {"pinned": torch.zeros_like(new.pinned), "written": new.id + 1, "writes": new.next_id}
    assert_same_state(old, replace(new, **made_up))
    assert old.stamp.ne(0).equal(old.occupied)


def test_a_damaged_file_of_the_first_schema(slots_file):
    tensors = slots_as_first(slots_file)
    for change in ({"u": tensors["u"].int()}, {"id": tensors["id"][:1].clone()}, {"pinned": torch.zeros(3, 5).bool()}):
        resave_as_first(slots_file, tensors | change)
        assert "is damaged" in refused(load_slots, slots_file)
    del tensors["occupied"]
    resave_as_first(slots_file, tensors)
    assert "is damaged" in refused(load_slots, slots_file)


def as_first(model):
    """The weights of a model by the names of the first schema, where the query had no bias."""
    tensors = dict(model.named_parameters())
    for name in [name for name in tensors if name.endswith("query_gate.bias")]:
        form = name.removesuffix("query_gate.bias")
        bias, weight = tensors.pop(name), tensors.pop(f"{form}query_gate.weight")
        del tensors[f"{form}slopes"]
        query, gate = weight.chunk(2)
        tensors |= {
            f"{form}query.weight": query,
            f"{form}read_gate.weight": gate,
            f"{form}read_gate.bias": bias.chunk(2)[1],
        }
    return {name: t.detach().clone() for name, t in tensors.items()}


@pytest.mark.parametrize("paper", [True, False])
def test_models_of_the_first_schema_load(tmp_path, paper):
    config = RetentionConfig.as_published(width=8, heads=2) if paper else CONFIG
    layer = RetentionLayer(config)
    model = RetentionTransformer(TransformerConfig(block=BlockConfig(retention=config), depth=2))
    for before, load in ((layer, load_layer), (model, load_transformer)):
        with torch.no_grad():
            for name, weight in before.named_parameters():
                weight.normal_()
                if name.endswith("query_gate.bias"):
                    weight[: config.reads].zero_()
                if name.endswith("slopes"):
                    weight.zero_()
        save_model(before, tmp_path / "model")
        resave_as_first(tmp_path / "model", as_first(before))
        after = dict(load(tmp_path / "model").named_parameters())
        for name, weight in before.named_parameters():
            assert torch.equal(after[name], weight), name


def test_a_damaged_model_of_the_first_schema(tmp_path):
    layer = RetentionLayer(CONFIG)
    save_model(layer, tmp_path / "layer")
    for missing in ("query.weight", "read_gate.weight", "read_gate.bias", "null_score"):
        tensors = as_first(layer)
        del tensors[f"form.{missing}"]
        resave_as_first(tmp_path / "layer", tensors)
        assert "missing or unknown tensors" in refused(load_layer, tmp_path / "layer")


def test_a_file_of_another_kind(tmp_path, slots_file):
    assert "holds slots, not a layer" in refused(load_layer, slots_file)
    save_model(written()[0], tmp_path / "layer")
    assert "holds a layer, not slots" in refused(load_slots, tmp_path / "layer")
    assert "holds a layer, not a transformer" in refused(load_transformer, tmp_path / "layer")


def test_a_file_with_nan(slots_file):
    tensors = load_file(slots_file)
    tensors["v"][0, 0, 0, 0] = torch.nan
    resave(slots_file, tensors, fingerprint=sealed._fingerprint(tensors))
    assert "v holds a value that is not finite" in refused(load_slots, slots_file)


def test_a_file_whose_tensors_do_not_fit_each_other(slots_file):
    for change in ({"v": torch.zeros(1)}, {"more": torch.zeros(1)}, {"id": torch.zeros(3, 5)}, {"u": None}):
        tensors = {name: t for name, t in (load_file(slots_file) | change).items() if t is not None}
        keep = slots_file.read_bytes()
        resave(slots_file, tensors, fingerprint=sealed._fingerprint(tensors))
        assert "is damaged" in refused(load_slots, slots_file)
        slots_file.write_bytes(keep)


@pytest.mark.parametrize("widths", [None, {}, {"width": "x", "heads": 2, "dim": 2}, {"width": 0, "heads": 2, "dim": 2}])
def test_a_header_that_makes_no_sense(slots_file, widths):
    resave(slots_file, widths=widths)
    assert "is damaged" in refused(load_slots, slots_file)
    resave(slots_file, schema=None)
    assert "is damaged" in refused(load_slots, slots_file)


@pytest.mark.parametrize("config", [None, {}, {"class": "object"}, {"class": "RetentionConfig"}, {"class": "MeanPool"}])
def test_a_config_that_makes_no_sense(tmp_path, config):
    save_model(written()[0], tmp_path / "layer")
    resave(tmp_path / "layer", config=config)
    assert "its config cannot be used" in refused(load_layer, tmp_path / "layer")


def test_slots_of_other_widths(tmp_path, slots_file):
    other = RetentionLayer(replace(CONFIG, heads=4))
    message = refused(load_slots, slots_file, other)
    assert "holds slots of width 8, heads 2, dim 2; the layer needs width 8, heads 4, dim 1" in message


def test_what_is_not_finite_is_not_saved_and_the_old_file_stays(tmp_path, slots_file):
    before = slots_file.read_bytes()
    _, state = written()
    with pytest.raises(ValueError, match="u holds a value that is not finite"):
        save_slots(replace(state, u=state.u * torch.nan), slots_file)
    assert slots_file.read_bytes() == before


def test_a_folder_that_is_not_there_is_named(tmp_path):
    layer = RetentionLayer(RetentionConfig(width=8))
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError, match="the folder does not exist; create it first") as caught:
        save_slots(layer.init_state(1), missing / "slots.safetensors")
    assert caught.value.filename == str(missing)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, slots_file, monkeypatch):
    before = slots_file.read_bytes()

    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        save_slots(written()[1], slots_file)
    assert slots_file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [slots_file]


def test_a_config_with_a_rule_of_ones_own_is_not_saved(tmp_path):
    @dataclass(frozen=True)
    class Mine:
        pass

    layer = RetentionLayer(RetentionConfig(width=8, rule=BlendWrite()))
    object.__setattr__(layer.config, "rule", Mine())
    with pytest.raises(ValueError, match="only holdfast's own rules can"):
        save_model(layer, tmp_path / "layer")
    assert not list(tmp_path.iterdir())


def test_slots_of_another_encoder_are_refused_and_the_header_names_both(tmp_path):
    layer = RetentionLayer(RetentionConfig(width=8, heads=2, capacity=4))
    state, path = layer.init_state(2), tmp_path / "slots.safetensors"
    save_slots(state, path, encoder="first")
    with pytest.raises(SlotFileError, match="holds what the encoder 'first' made, not 'second'"):
        load_slots(path, layer, encoder="second")
    for encoder in ("first", None):
        assert not layer.stale(load_slots(path, layer, encoder=encoder)).any()
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["holdfast"])
    assert header["encoder"] == "first"
    assert [int(weights, 16) for weights in header["weights"]] == [v % 2**64 for v in state.version.tolist()]
    save_slots(state, path)
    assert load_slots(path, layer, encoder="second").batch == 2
