"""Templates to slots and back, ids kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from retention import (
    EpisodicMemory,
    RetentionConfig,
    RetentionLayer,
    TemplateDraft,
    TemplateRows,
    slots_from_templates,
    templates_from_slots,
)


@dataclass(frozen=True)
class Kept:
    id: int
    key: np.ndarray
    utility: float
    count: int


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return RetentionLayer(RetentionConfig(width=4, heads=2, capacity=6)).eval()


def rows(n=3, width=4):
    generator = np.random.default_rng(0)
    return TemplateRows(
        id=np.array([7, 3, 12, 5][:n], dtype=np.int64),
        key=generator.normal(size=(n, width)).astype(np.float32),
        utility=generator.normal(size=n).astype(np.float32).astype(np.float64),
        count=np.array([1, 4, 2, 9][:n], dtype=np.int64),
    )


def assert_same_rows(got, wanted):
    for name in ("id", "key", "utility", "count"):
        left, right = getattr(got, name), getattr(wanted, name)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_there_and_back(layer, n):
    state = slots_from_templates(rows(n), layer)
    assert state.occupied.tolist() == [[True] * n + [False] * (6 - n)]
    assert_same_rows(templates_from_slots(state), rows(n))


def test_the_slots_are_ready_to_read_and_to_write(layer):
    given = rows()
    state = slots_from_templates(given, layer, capacity=4)
    held = torch.zeros(1, 4, 4)  # a row for each slot: on some processors another number of rows rounds otherwise
    held[0, :3] = torch.from_numpy(given.key)
    k, v = layer.form.project(held)
    assert torch.equal(state.k[:, :, :3], k[:, :, :3])
    assert torch.equal(state.v[:, :, :3], v[:, :, :3])
    assert not layer.stale(state).any()
    assert not state.k[:, :, 3:].any() and not state.v[:, :, 3:].any()
    after, _ = layer.write(state, torch.randn(1, 1, 4), torch.ones(1))
    assert after.id.tolist() == [[7, 3, 12, 13]]


def test_objects_with_the_four_fields_serve(layer):
    given = rows()
    objects = [Kept(*row) for row in zip(given.id.tolist(), given.key, given.utility.tolist(), given.count.tolist())]  # noqa: B905
    assert_same_rows(templates_from_slots(slots_from_templates(objects, layer)), given)
    assert slots_from_templates([], layer).occupied.sum() == 0


def test_each_namespace_by_itself(layer):
    _, state = layer(torch.randn(2, 8, 4), layer.init_state(2), feedback=torch.tensor([1.0, 1.0]))
    first, second = templates_from_slots(state), templates_from_slots(state, row=1)
    np.testing.assert_array_equal(first.key, state.u[0, state.occupied[0]].detach().numpy())
    np.testing.assert_array_equal(second.key, state.u[1, state.occupied[1]].detach().numpy())
    with pytest.raises(ValueError, match=r"row must be in \[0, 2\), got 2"):
        templates_from_slots(state, row=2)


def test_what_does_not_fit_is_named(layer):
    with pytest.raises(ValueError, match="3 templates do not fit 2 slots"):
        slots_from_templates(rows(), layer, capacity=2)
    with pytest.raises(ValueError, match="templates of width 5 do not fit a layer of width 4"):
        slots_from_templates(rows(width=5), layer)
    with pytest.raises(ValueError, match=r"template 9 has a vector of shape \(5,\), wanted \(4,\)"):
        slots_from_templates([Kept(9, np.zeros(5, dtype=np.float32), 0.0, 1)], layer)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": [1, 1]}, "ids must be 0 or more, each once"),
        ({"id": [-1, 1]}, "ids must be 0 or more, each once"),
        ({"count": [0, 1]}, "counts must be 1 or more, got 0"),
        ({"utility": [np.nan, 1.0]}, "keys and utilities must be finite"),
        ({"key": [[np.inf], [1.0]]}, "keys and utilities must be finite"),
        ({"count": [1]}, "wanted rows of id, key, utility and count"),
        ({"key": [1.0, 1.0]}, "wanted rows of id, key, utility and count"),
    ],
)
def test_rows_are_checked(changes, message):
    columns = {"id": [1, 2], "key": [[1.0], [2.0]], "utility": [0.0, 0.0], "count": [1, 1]} | changes
    with pytest.raises(ValueError, match=message):
        TemplateRows(**{name: np.array(column) for name, column in columns.items()})


def test_templates_of_a_memory_become_slots_that_are_read(layer, tmp_path):
    keys = np.eye(4, dtype=np.float32)[:3]
    with EpisodicMemory.open(tmp_path / "notes.db") as memory:
        ids = memory.write([TemplateDraft(key=key, content=f"note {key}") for key in keys], namespace="alice")
    with EpisodicMemory.open(tmp_path / "notes.db", mode="ro") as memory:
        state = slots_from_templates(memory.templates(namespace="alice"), layer)
    back = templates_from_slots(state)
    assert back.id.tolist() == ids
    np.testing.assert_array_equal(back.key, keys)
    _, seen = layer.read(torch.from_numpy(keys[None, :1]), state)
    assert seen.null_mass.item() < 1.0
