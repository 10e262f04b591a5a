"""A policy in a folder: what is saved comes back, and what is no policy is refused in one line."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from agent.meta import checkpoint
from agent.meta.checkpoint import load_checkpoint, rounded, save_checkpoint, shape_of, shipped
from agent.meta.families import FAMILIES, find_family
from agent.meta.network import MetaNetwork
from agent.meta.shape import Part, Shape
from retention import NotFoundError, SlotFileError

SHAPE = Shape(observation=None, actions=3, parts=(Part(),), noted="answer", width=16, heads=2, layers=1, hidden=8)


def network(seed: int = 0, shape: Shape = SHAPE) -> MetaNetwork:
    torch.manual_seed(seed)
    return MetaNetwork(shape)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "of" / "mine"
    save_checkpoint(network(), {"family": "hidden-rule", "scores": [1.0]}, path)
    return path


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_saved_comes_back(name: str, tmp_path: Path) -> None:
    made = rounded(network(1, FAMILIES[name].shape))
    save_checkpoint(made, {"family": name, "curve": [{"loss": 0.5}]}, tmp_path)
    found, recipe = load_checkpoint(str(tmp_path))
    assert found.shape == made.shape
    assert not found.training
    wanted = dict(made.named_parameters())
    assert all(torch.equal(weight, wanted[each]) for each, weight in found.named_parameters())
    assert (recipe["family"], recipe["curve"], recipe["format"]) == (name, [{"loss": 0.5}], 1)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["recipe.json", "weights.safetensors"]


def test_rounding_is_what_a_file_keeps(folder: Path) -> None:
    made = network()
    exact = {name: weight.detach().clone() for name, weight in made.named_parameters()}
    found = dict(load_checkpoint(str(folder))[0].named_parameters())
    assert any(not torch.equal(exact[name], weight) for name, weight in found.items())
    assert rounded(made) is made
    assert all(torch.equal(weight, found[name]) for name, weight in made.named_parameters())


def test_a_shape_comes_back_from_json() -> None:
    for family in FAMILIES.values():
        save = json.loads(json.dumps(asdict(family.shape)))
        assert shape_of(save) == family.shape


# -- refused


def test_neither_a_name_nor_a_folder(tmp_path: Path) -> None:
    for name in ("nonsense", str(tmp_path), str(tmp_path / "missing"), ""):
        with pytest.raises(NotFoundError, match=r"no policy '.*': neither one of the package \(.*\) nor a folder"):
            load_checkpoint(name)
    file = tmp_path / "file"
    file.write_text("{}")
    with pytest.raises(NotFoundError, match="nor a folder with a recipe"):
        load_checkpoint(str(file))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1]",
        b'"text"',
        b"{}",
        b"\xff\xfe",
        b'{"format": "new", "family": "hidden-rule", "shape": {}}',
        b'{"format": 1, "family": "hidden-rule"}',
        b'{"format": 1, "family": "hidden-rule", "shape": []}',
        b'{"format": 1, "family": "hidden-rule", "shape": {"parts": [1]}}',
    ],
)
def test_a_recipe_that_is_none(content: bytes, folder: Path) -> None:
    (folder / "recipe.json").write_bytes(content)
    with pytest.raises(SlotFileError, match=r"recipe.json is damaged: it is no recipe"):
        load_checkpoint(str(folder))


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    recipe = json.loads((folder / "recipe.json").read_text())
    change(recipe)
    (folder / "recipe.json").write_text(json.dumps(recipe))


@pytest.mark.parametrize(
    "change",
    [
        lambda recipe: recipe["shape"].pop("heads") and recipe["shape"].update(head=2),
        lambda recipe: recipe["shape"].update(width=16.0),
        lambda recipe: recipe["shape"].update(width=0),
        lambda recipe: recipe["shape"].update(noted="nothing"),
        lambda recipe: recipe["shape"].update(parts=[]),
        lambda recipe: recipe["shape"]["parts"][0].update(divide=0),
        lambda recipe: recipe.pop("family"),
    ],
    ids=["unknown", "fraction", "zero", "noted", "no parts", "divide", "no family"],
)
def test_a_recipe_with_a_wrong_value(change: Callable[[dict[str, Any]], object], folder: Path) -> None:
    changed(folder, change)
    with pytest.raises(SlotFileError, match=r"recipe.json is damaged: it is no recipe"):
        load_checkpoint(str(folder))


def test_a_newer_format(folder: Path) -> None:
    changed(folder, lambda recipe: recipe.update(format=2, shape="written otherwise"))
    with pytest.raises(SlotFileError, match="has format 2, this holdfast reads 1: upgrade holdfast"):
        load_checkpoint(str(folder))


def test_weights_of_another_shape(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    save_checkpoint(network(0, shape_of(asdict(SHAPE) | {"actions": 4})), {"family": "hidden-rule"}, other)
    (other / "weights.safetensors").replace(folder / "weights.safetensors")
    with pytest.raises(SlotFileError, match="does not fit its recipe: they are of two policies"):
        load_checkpoint(str(folder))


def test_weights_that_are_missing_damaged_or_foreign(folder: Path) -> None:
    file = folder / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 4
    file.write_bytes(content)
    with pytest.raises(SlotFileError, match="is damaged"):
        load_checkpoint(str(folder))
    file.write_bytes(content[:-20])
    with pytest.raises(SlotFileError, match="is not a safetensors file, or it is cut short"):
        load_checkpoint(str(folder))
    file.unlink()
    with pytest.raises(SlotFileError, match="does not exist"):
        load_checkpoint(str(folder))


# -- saved whole or not at all


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("stop_at", [1, 2])
def test_an_interruption_leaves_no_pieces(
    stop_at: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, calls = Path.replace, []

    def interrupted(self: Path, target: Path) -> Path:
        calls.append(target.name)
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    new = tmp_path / "new"
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(network(1), {"family": "hidden-rule"}, new)
    assert calls == ["weights.safetensors", "recipe.json"][:stop_at]
    assert names(new) == ["weights.safetensors"][: stop_at - 1]
    with pytest.raises(NotFoundError):
        load_checkpoint(str(new))
    load_checkpoint(str(folder))


@pytest.mark.parametrize("broken", ["recipe", "weights"])
def test_what_is_not_finite_leaves_the_folder_as_it_was(broken: str, folder: Path) -> None:
    before = {each.name: each.read_bytes() for each in folder.iterdir()}
    made = network(1)
    with torch.no_grad():
        made.head.bias.fill_(1e6 if broken == "weights" else 1.0)  # too large for 16 bits
    with pytest.raises(ValueError, match=r"not finite|not JSON compliant"):
        save_checkpoint(made, {"family": "hidden-rule", "score": float("nan") if broken == "recipe" else 1.0}, folder)
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a folder's mode does not keep one from writing into it")
def test_a_folder_that_cannot_be_written(
    as_someone_without_rights: Callable[[Path], AbstractContextManager[None]],
) -> None:
    with tempfile.TemporaryDirectory() as name:  # a folder of pytest's own cannot be entered by others at all
        with as_someone_without_rights(Path(name)):
            Path(name).chmod(0o555)
            for folder in (Path(name), Path(name) / "inside"):
                with pytest.raises(PermissionError):
                    save_checkpoint(network(1), {"family": "hidden-rule"}, folder)
            Path(name).chmod(0o755)
        assert names(Path(name)) == []


# -- what comes with the package


def test_every_family_is_shipped() -> None:
    assert shipped() == sorted(FAMILIES)


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_policy_is_small_was_cheap_and_is_of_its_family(name: str) -> None:
    made, recipe = load_checkpoint(name)
    family = find_family(name)
    assert recipe["family"] == recipe["plan"]["family"] == name
    assert made.shape == family.shape
    assert recipe["env_id"] == family.entry.env_id
    assert recipe["cpu_seconds"] <= 600
    assert recipe["plan"]["iterations"] == recipe["curve"][-1]["iteration"] == family.entry.iterations
    assert recipe["scores"]["kept"][-1] > recipe["scores"]["wiped"][-1]
    assert set(recipe["held_out"]) == set(family.held_out)
    files = list((checkpoint.SHIPPED / name).iterdir())
    assert sorted(each.name for each in files) == ["recipe.json", "weights.safetensors"]
    assert sum(each.stat().st_size for each in files) < 500_000
