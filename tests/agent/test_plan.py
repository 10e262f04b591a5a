"""Recall by real keys: neighbours against brute force, fits against least squares, and a plan against plain sweeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import RecallConfig
from agent.recall.columns import Columns
from agent.recall.foresight import Worth, action_values
from agent.recall.local import linear_fit, linear_weights, window
from agent.recall.near import unit_scale
from agent.recall.neighbours import NearestKeys
from agent.recall.planned import PlannedRetrieval

F32 = np.float32
WORTH = Worth(optimism=5.0, discount=0.9, rating_unit=2.0)


@pytest.mark.parametrize("width", [1, 3, 20])
def test_the_nearest_are_those_of_brute_force_however_keys_come(width: int) -> None:
    rng = np.random.default_rng(width)
    near, points = NearestKeys(width), np.zeros((0, width))
    for batch in (1, 2, 30, 600, 1, 70, 900, 5):  # below a tree, with a tree, with a tail, with a new tree
        new = rng.normal(size=(batch, width))
        near.add(new)
        points = np.concatenate([points, new])
        queries = rng.normal(size=(20, width))
        squared, index = near.nearest(queries, 7)
        every = np.square(queries[:, None] - points).sum(axis=2)
        wanted = np.sort(every, axis=1)[:, :7]
        known = min(7, len(points))
        np.testing.assert_allclose(squared[:, :known], wanted, atol=1e-9)
        assert np.isinf(squared[:, known:]).all()
        rows = np.arange(20)[:, None]
        np.testing.assert_allclose(every[rows, index[:, :known]], wanted, atol=1e-9)
        assert (index[:, known:] == index[:, :1]).all()


@given(width=st.integers(1, 6), seed=st.integers(0, 2**20))
@settings(max_examples=40, deadline=None)
def test_a_local_fit_reads_a_plane_off_uneven_neighbours(width: int, seed: int) -> None:
    """Neighbours mostly on one side of the query: their mean is wrong, the fit is nearly right."""
    rng = np.random.default_rng(seed)
    offsets = rng.uniform(-0.2, 0.6, (3, 60, width))
    slope = rng.uniform(0.5, 2.0, width)
    weights, reach = window(np.square(offsets).sum(axis=2), np.ones((3, 60)))
    assert weights.sum(axis=1) == pytest.approx(np.ones(3))
    plane = 2.0 + offsets @ slope
    read = linear_weights(offsets, weights, reach)
    assert read.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-6)
    mean_off = np.abs((weights * plane).sum(axis=1) - 2.0)
    assert (np.abs((read * plane).sum(axis=1) - 2.0) <= 0.5 * mean_off + 1e-3).all()
    fitted, left = linear_fit(offsets, weights, reach, plane[..., None])
    assert fitted[:, 0] == pytest.approx((read * plane).sum(axis=1), abs=1e-6)
    assert (left < np.square(slope).sum() + 1e-9).all()


@given(
    width=st.sampled_from([1, 2, 4, 12]),
    slots=st.sampled_from([1, 7, 40, 300, 700]),
    rows=st.integers(1, 9),
    scatter=st.sampled_from([0.0, 0.5]),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=40, deadline=None)
def test_keys_that_are_read_together_are_read_as_each_alone(
    width: int, slots: int, rows: int, scatter: float, seed: int
) -> None:
    """To the bit: with ties among the neighbours, with a tree and without, foretold and by chance."""
    rng = np.random.default_rng(seed)
    columns, config = Columns(width), RecallConfig()
    for _ in range(slots):
        at = np.round(rng.uniform(size=width), 1).astype(F32)
        then = (at + 0.1 + scatter * rng.normal(size=width)).astype(F32)
        over, value = bool(rng.random() < 0.1), float(rng.normal())
        columns.append(at, int(rng.integers(3)), float(rng.normal()), then, over, value=value)
    keys = rng.uniform(size=(rows, width)).astype(F32)
    keys[::2] = np.round(keys[::2], 1)
    together = PlannedRetrieval(columns, 3, width, config)
    together.load()
    found = together.read(keys, WORTH)
    assert len(found) == rows
    one_by_one = PlannedRetrieval(columns, 3, width, config)
    one_by_one.load()
    for key, read in zip(keys, found, strict=True):
        (alone,) = one_by_one.read(key[None], WORTH)
        for name in ("values", "null_mass", "slots", "weights"):
            assert np.array_equal(getattr(read, name), getattr(alone, name)), name


def walk(count: int, *, scatter: float = 0.0, seed: int = 0) -> tuple[Columns, PlannedRetrieval]:
    """Steps of 0.1 left (0) or right (1) on [0, 1]; beyond 1 it ends and earns 1."""
    rng = np.random.default_rng(seed)
    columns = Columns(1)
    planned = PlannedRetrieval(columns, 2, 1, RecallConfig())
    planned.model.set_scale(np.array([3.0], F32), columns)
    for _ in range(count):
        at, action = rng.uniform(), int(rng.integers(2))
        then = at + (0.1 if action else -0.1) if not scatter else rng.uniform(0.0, scatter)
        over = then >= 1.0
        slot = columns.append(F32([at]), action, float(over), F32([max(then, 0.0)]), over, value=0.0)
        planned.add(slot)
    return columns, planned


def test_values_are_those_of_the_true_task() -> None:
    columns, planned = walk(600)
    planned.settle(WORTH)
    for at in (0.15, 0.45, 0.75):
        read = planned.read(F32([[at]]), WORTH)[0]
        steps = int(np.ceil((1.0 - at) / 0.1 - 1e-9))
        assert read.values[1] == pytest.approx(0.9 ** (steps - 1), abs=0.12)
        assert read.values[1] > read.values[0]
        assert read.null_mass.max() < 0.1
        assert (columns.action[read.slots[1]] == 1).all()
    assert planned.read(F32([[30.0]]), WORTH)[0].values.tolist() == pytest.approx([5.0, 5.0])


def test_where_it_leads_is_chance_the_mean_of_what_followed_counts() -> None:
    """From anywhere to anywhere: the mean place would be the middle, the mean value is not the middle's value."""
    columns, planned = walk(400, scatter=1.2)
    planned.model.extend(columns)
    planned._plan.grow(columns.size)
    columns.value[:400] = np.where(columns.key[:400, 0] < 0.5, 0.0, 1.0)
    read = planned.read(F32([[0.5]]), WORTH)[0]
    share, ends = 0.5 / 1.2, 0.2 / 1.2  # led to the upper half, or beyond the end
    assert read.values.tolist() == pytest.approx([0.9 * share + ends] * 2, abs=0.3)
    seen = planned.model.foresee(F32([[0.5]]), columns)
    assert len(np.unique(seen.index[0, 0])) > 8  # many places speak, not those around one


def test_a_plan_kept_up_step_by_step_is_the_plan_made_at_once() -> None:
    columns, planned = walk(0)
    rng = np.random.default_rng(3)
    for number in range(600):
        at, action = rng.uniform(), int(rng.integers(2))
        then = at + (0.1 if action else -0.1)
        columns.append(F32([at]), action, float(then >= 1.0), F32([max(then, 0.0)]), then >= 1.0, value=0.0)
        if number % 16 == 15:
            planned.learn(WORTH, 16)
    for _ in range(8):
        planned.learn(WORTH, 256)
    kept = columns.value[:600].copy()
    planned.settle(WORTH)
    assert np.abs(kept - columns.value[:600]).max() < 0.02
    # and where nothing is pending, a value is what is foreseen at its slot
    seen = planned.model.foresee(columns.key[:600], columns)
    np.testing.assert_allclose(action_values(seen, columns.value, WORTH).max(axis=1), columns.value[:600], atol=0.02)


def test_another_value_of_the_unknown_reaches_those_who_rely_on_it() -> None:
    columns, planned = walk(40)
    planned.settle(WORTH)
    before = columns.value[:40].copy()
    less = Worth(optimism=0.0, discount=0.9, rating_unit=2.0)
    planned.reconsider(less, WORTH.optimism)
    planned._plan.back_up(100_000, columns, less, 1e-6)
    told = columns.value[:40].copy()
    planned._plan.sweep(300, columns, less, 1e-9)
    assert np.abs(told - columns.value[:40]).max() < 1e-3
    assert np.abs(told - before).max() > 0.01


def test_a_move_at_the_end_reaches_the_beginning() -> None:
    """Only the slots near the end are told that it pays thrice as much; the rest hears it from those it reads."""
    columns, planned = walk(600)
    planned.settle(WORTH)
    before = columns.value[:600].copy()
    columns.reward[:600] *= 3.0
    planned._plan.foresee(np.flatnonzero(columns.key[:600, 0] > 0.7), columns, WORTH)
    planned._plan.back_up(1_000_000, columns, WORTH, 1e-4)
    early = columns.key[:600, 0] < 0.3
    assert (columns.value[:600] / before)[early].min() > 2.0


def test_learning_costs_the_same_whatever_the_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: slots foreseen and slots backed up in one call."""
    work: dict[int, list[int]] = {}
    for size in (1000, 6000):
        columns, planned = walk(size)
        planned.load()
        seen: list[int] = []
        move, foresee = planned._plan._move, planned.model.foresee
        monkeypatch.setattr(planned._plan, "_move", lambda s, *a, m=move, n=seen: n.append(len(s)) or m(s, *a))
        monkeypatch.setattr(planned.model, "foresee", lambda k, c, f=foresee, n=seen: n.append(len(k)) or f(k, c))
        for _ in range(5):
            columns.append(F32([0.5]), 1, 0.0, F32([0.6]), False, value=0.0)
            planned.learn(WORTH, 16)
        work[size] = seen
    assert max(sum(each) for each in work.values()) <= 5 * (16 * 128 + 256 + 8 + 16)


def test_unit_scale() -> None:
    assert unit_scale(np.array([2.0, 0.0, 0.5])).tolist() == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_what_is_read_does_not_depend_on_where_zero_is(offset: float) -> None:
    read: list[Any] = []
    for shift in (0.0, offset):
        columns = Columns(1)
        planned = PlannedRetrieval(columns, 1, 1, RecallConfig())
        for number in range(30):
            columns.append(F32([shift + number / 8]), 0, number / 30, F32([shift + number / 8 + 0.5]), False, value=0.0)
        planned.settle(WORTH)
        read.append(planned.read(F32([[shift + 1.3125]]), WORTH)[0].values)
    np.testing.assert_allclose(read[1], read[0], atol=1e-6)
