"""Retrieval against a dictionary (symbolic keys) and against brute force (real keys), in whatever order things come."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.recall.columns import Columns
from agent.recall.exact import ExactRetrieval
from agent.recall.near import NearRetrieval, unit_scale

F32 = np.float32
BETA = 3.0


# -- symbolic keys: a dictionary

step = st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 4), st.booleans())


class ByDictionary:
    """What ExactRetrieval should say, kept as counts per state and action."""

    def __init__(self) -> None:
        self.slot_of: dict[Any, int] = {}
        self.count: dict[int, int] = {}
        self.outcomes: dict[tuple[int, int], set[int]] = defaultdict(set)
        self.states: set[int] = set()
        self.leads_to: list[int] = []


def vector(state: int) -> Any:
    return np.array([state, -state], F32)


def seen_in(index: Any, scores: Any) -> dict[int, float]:
    """Slot to count, for one state and action; entries of no meaning dropped."""
    found = {int(slot): math.exp(score) for slot, score in zip(index, scores, strict=True) if score > -math.inf}
    assert len(found) == sum(score > -math.inf for score in scores), "a slot was retrieved twice"
    return found


@given(st.lists(step, max_size=120))
@settings(max_examples=60, deadline=None)
def test_symbolic_retrieval_is_a_dictionary(steps: list[tuple[int, int, int, bool]]) -> None:
    columns, retrieval, model = Columns(2), ExactRetrieval(3, null_mass=0.3), ByDictionary()
    assert retrieval.null_score == pytest.approx(math.log(0.3))
    for state, action, then, over in steps:
        slot = model.slot_of.get((state, action, then, over))
        if slot is None:
            slot = columns.append(vector(state), action, 0.0, vector(then), over, value=0.0)
            retrieval.add(slot, columns)
            model.slot_of[state, action, then, over] = slot
            model.count[slot] = 1
            model.outcomes[state, action].add(slot)
            model.leads_to.append(then)
        else:
            columns.count[slot] += 1.0
            retrieval.recount(slot, columns)
            model.count[slot] += 1
        model.states |= {state, then}
    for state in range(5):
        found = retrieval.near(vector(state), columns)
        for action in range(3):
            recalled = seen_in(found.index[action].tolist(), found.scores[action].tolist())
            wanted = {slot: model.count[slot] for slot in model.outcomes[state, action]}
            assert recalled == pytest.approx(wanted)
    every, row_of = retrieval.successors(columns)
    assert len(row_of) == columns.size
    assert len(every.index) == len(every.scores) == len(model.states)
    for slot, then in enumerate(model.leads_to):
        row = int(row_of[slot])
        for action in range(3):
            recalled = seen_in(every.index[row, action].tolist(), every.scores[row, action].tolist())
            assert recalled == pytest.approx({each: model.count[each] for each in model.outcomes[then, action]})


def test_symbolic_retrieval_grows() -> None:
    """More states, more outcomes of one action and more slots than there is room for at first."""
    columns, retrieval = Columns(2), ExactRetrieval(2, null_mass=0.3)
    for number in range(700):  # one state, one action, 700 outcomes; and each outcome a state of its own
        retrieval.add(columns.append(vector(0), 1, 0.0, vector(number), False, value=0.0), columns)
    found = retrieval.near(vector(0), columns)
    assert seen_in(found.index[1].tolist(), found.scores[1].tolist()).keys() == set(range(700))
    assert seen_in(found.index[0].tolist(), found.scores[0].tolist()) == {}
    _, row_of = retrieval.successors(columns)
    assert len(set(row_of.tolist())) == 700


def test_a_state_never_met_retrieves_nothing() -> None:
    columns, retrieval = Columns(2), ExactRetrieval(2, null_mass=0.3)
    assert (retrieval.near(vector(1), columns).scores == -math.inf).all()
    retrieval.add(columns.append(vector(0), 0, 0.0, vector(1), False, value=0.0), columns)
    assert (retrieval.near(vector(3), columns).scores == -math.inf).all()
    assert (retrieval.near(vector(1), columns).scores == -math.inf).all()  # met, but nothing was done there


# -- real keys: brute force


class BruteForce:
    """NearRetrieval beside the plain list of what was put into it."""

    def __init__(self, actions: int, width: int, k: int) -> None:
        self.columns = Columns(width)
        self.near = NearRetrieval(actions, width, neighbours=k, beta=BETA, null_distance=1.25)
        self.actions, self.width, self.k = actions, width, k

    def add(self, key: Any, action: int, next_key: Any, count: float = 1.0) -> None:
        slot = self.columns.append(np.asarray(key, F32), action, 0.0, np.asarray(next_key, F32), False, value=0.0)
        self.columns.count[slot] = count
        self.near.add(slot, self.columns)
        self.near.recount(slot, self.columns)

    def check(self, query: Any, index: Any, scores: Any) -> None:
        """Compare what one query retrieved, ``[actions, k]``, with all slots measured one by one."""
        size = self.columns.size
        scaled = self.columns.key[:size].astype(np.float64) * self.near.scale
        squared = np.square(scaled - np.asarray(query, np.float64) * self.near.scale).sum(axis=1)
        for action in range(self.actions):
            mine = np.flatnonzero(self.columns.action[:size] == action)
            found = scores[action] > -np.inf
            slots = index[action][found]
            assert found.sum() == min(self.k, len(mine), len(found))
            assert len(found) == self.k or len(mine) <= len(found)
            assert len(set(slots.tolist())) == len(slots), "a slot was retrieved twice"
            assert (self.columns.action[slots] == action).all()
            np.testing.assert_allclose(np.sort(squared[slots]), np.sort(squared[mine])[: len(slots)], atol=2e-4)
            wanted = -BETA * squared[slots] / self.width + np.log(self.columns.count[slots])
            np.testing.assert_allclose(scores[action][found], wanted, atol=1e-3)

    def check_near(self, query: Any) -> None:
        found = self.near.near(np.asarray(query, F32), self.columns)
        self.check(query, found.index.numpy(), found.scores.numpy())

    def check_successors(self, rows: Any = None) -> None:
        found, row_of = self.near.successors(self.columns)
        assert len(row_of) == self.columns.size
        index, scores = found.index.numpy(), found.scores.numpy()
        assert index.shape == scores.shape == (self.columns.size, self.actions, self.k)
        for slot in range(self.columns.size) if rows is None else rows:
            self.check(self.columns.next_key[slot], index[int(row_of[slot])], scores[int(row_of[slot])])


def test_nothing_is_near_in_an_empty_memory() -> None:
    tried = BruteForce(2, 3, 4)
    assert (tried.near.near(np.zeros(3, F32), tried.columns).scores == -math.inf).all()
    tried.check_successors()


def test_the_null_slot_stands_at_its_distance() -> None:
    tried = BruteForce(1, 2, 4)
    tried.add([0.0, 0.0], 0, [0.0, 0.0])
    at_the_null_distance = tried.near.near(np.array([1.25, 1.25], F32), tried.columns)
    assert float(at_the_null_distance.scores.max()) == pytest.approx(tried.near.null_score)


act = st.one_of(
    st.tuples(st.just("add"), st.integers(1, 12)),
    st.tuples(st.just("recount"), st.integers(2, 9)),
    st.tuples(st.just("rescale"), st.floats(0.2, 5.0)),
    st.tuples(st.just("set_scale"), st.floats(0.2, 5.0)),
    st.tuples(st.just("successors"), st.just(0)),
    st.tuples(st.just("near"), st.just(0)),
)


@given(
    acts=st.lists(act, min_size=4, max_size=25),
    actions=st.integers(1, 3),
    width=st.integers(1, 3),
    k=st.integers(1, 6),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=60, deadline=None)
def test_real_retrieval_is_brute_force_whatever_the_order(
    acts: list[tuple[str, Any]], actions: int, width: int, k: int, seed: int
) -> None:
    rng, tried = np.random.default_rng(seed), BruteForce(actions, width, k)
    for what, amount in acts:
        if what == "add":
            for _ in range(amount):
                # coarse numbers, so that the same key comes again; counts of 1 at first
                tried.add(rng.integers(-3, 4, width) / 2, int(rng.integers(actions)), rng.integers(-3, 4, width) / 2)
        elif what == "recount" and tried.columns.size:
            slot = int(rng.integers(tried.columns.size))
            tried.columns.count[slot] = amount
            tried.near.recount(slot, tried.columns)
        elif what == "rescale":
            tried.near.rescale(rng.uniform(0.5, 1.5, width) * amount, tried.columns)
        elif what == "set_scale":
            tried.near.set_scale((rng.uniform(0.5, 1.5, width) * amount).astype(F32), tried.columns)
        elif what == "successors":
            tried.check_successors()
        elif what == "near":
            tried.check_near(rng.normal(size=width))
    tried.check_successors()
    tried.check_near(rng.normal(size=width))


@pytest.mark.parametrize("seed", range(2))
def test_the_table_of_successors_stays_true_through_a_long_life(seed: int) -> None:
    """Past every size at which something is made larger or split, and with actions that come late or stay rare."""
    rng, tried = np.random.default_rng(seed), BruteForce(3, 2, 5)
    at = np.zeros(2)
    for size in range(1, 3001):
        then = at + rng.normal(size=2) * 0.3 if size % 40 else rng.normal(size=2)
        action = 2 if size > 1000 and size % 97 == 0 else int(rng.random() < 0.2)
        tried.add(at, action, then, count=1.0 if size < 1500 else float(rng.integers(1, 4)))
        at = then
        if size % 331 == 0 or size in (1, 2, 33, 257, 2050):
            tried.near.rescale(np.array([0.5 + size / 1000, 1.0]), tried.columns)
            tried.check_successors(rng.integers(0, size, 12))
            tried.check_successors([0, size - 1])  # asked again, with nothing new
            tried.check_near(at)
    tried.check_successors()
    fresh = BruteForce(3, 2, 5)  # the same slots all at once, as a later session loads them
    fresh.near.set_scale(tried.near.scale, fresh.columns)
    for slot in range(3000):
        fresh.add(
            tried.columns.key[slot],
            int(tried.columns.action[slot]),
            tried.columns.next_key[slot],
            count=tried.columns.count[slot],
        )
    grown, loaded = tried.near.successors(tried.columns)[0], fresh.near.successors(fresh.columns)[0]
    np.testing.assert_allclose(
        np.sort(grown.scores.numpy(), axis=-1), np.sort(loaded.scores.numpy(), axis=-1), rtol=1e-4, atol=1e-3
    )


def test_the_table_of_successors_takes_in_many_slots_at_once() -> None:
    rng, tried = np.random.default_rng(4), BruteForce(1, 1, 3)
    places = rng.normal(size=(9001, 1))
    for at, then in pairwise(places):
        tried.add(at, 0, then)
    edges = [each + beside for each in (2048, 4096, 8192) for beside in (-1, 0, 1)]  # where blocks may meet
    tried.check_successors([0, 8999, *edges, *rng.integers(0, 9000, 40)])
    tried.add([9.0], 0, [9.5])
    tried.check_successors([0, 8999, 9000, *edges, *rng.integers(0, 9000, 20)])


def test_the_scale_follows_the_spread_at_32_slots_and_at_each_doubling() -> None:
    rng, tried = np.random.default_rng(5), BruteForce(2, 2, 3)
    scales = []
    for size in range(1, 300):
        tried.add(rng.normal(size=2), size % 2, rng.normal(size=2))
        tried.near.rescale(np.array([float(size), 0.0]), tried.columns)
        scales.append(tried.near.scale.tolist())
    changed = [size for size in range(2, 300) if scales[size - 1] != scales[size - 2]]
    assert changed == [32, 64, 128, 256]
    assert scales[31] == pytest.approx([1 / 32, 1.0])  # a dimension that never varied keeps its unit
    tried.check_successors()


def test_a_scale_that_hardly_moved_is_kept() -> None:
    tried = BruteForce(1, 1, 3)
    for number in range(40):
        tried.add([number], 0, [number])
    tried.near.rescale(np.array([2.0]), tried.columns)
    for number in range(40):
        tried.add([number], 0, [number])
    tried.near.rescale(np.array([2.1]), tried.columns)
    assert tried.near.scale.tolist() == [0.5]


def test_unit_scale() -> None:
    assert unit_scale(np.array([2.0, 0.0, 1e-12, 0.25])).tolist() == [0.5, 1.0, 1.0, 4.0]


@pytest.mark.parametrize("offset", [0.0, 100.0, 10_000.0])
def test_what_is_near_does_not_depend_on_where_zero_is(offset: float) -> None:
    """A thermometer in kelvin or a position far from the origin: the same differences, the same neighbours."""
    tried = BruteForce(2, 2, 4)
    rng = np.random.default_rng(6)
    for number in range(200):
        tried.add(rng.integers(-64, 65, 2) / 32 + offset, number % 2, rng.integers(-64, 65, 2) / 32 + offset)
    for _ in range(10):
        tried.check_near(rng.integers(-64, 65, 2) / 32 + offset)
    tried.check_successors(range(20))
