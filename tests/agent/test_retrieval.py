"""Recall by symbolic keys, against a dictionary and the retention layer's own read."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.recall.columns import Columns
from agent.recall.config import RecallConfig
from agent.recall.exact import ExactRetrieval
from agent.recall.foresight import Worth
from retention import attend

F32 = np.float32
WORTH = Worth(optimism=2.0, discount=0.9, rating_unit=1.0)


# -- symbolic keys: a dictionary

step = st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 4), st.booleans())


class ByDictionary:
    """What ExactRetrieval should say, kept as counts per state and action."""

    def __init__(self) -> None:
        self.slot_of: dict[Any, int] = {}
        self.count: dict[int, int] = {}
        self.outcomes: dict[tuple[int, int], set[int]] = defaultdict(set)

    def null_mass(self, largest: float) -> float:
        """The less of the repeated visits led elsewhere than the others of their state and action, the smaller."""
        visits = [[self.count[slot] for slot in slots] for slots in self.outcomes.values() if slots]
        again = sum(sum(counts) - 1 for counts in visits)
        elsewhere = sum(sum(counts) - max(counts) for counts in visits)
        return largest * min(1.0, 2 * (elsewhere + 1) / (again + 1))


def vector(state: int) -> Any:
    return np.array([state, -state], F32)


def exact(actions: int) -> tuple[Columns, ExactRetrieval]:
    columns = Columns(2)
    return columns, ExactRetrieval(columns, actions, RecallConfig(null_mass=0.3))


@given(st.lists(step, max_size=80), st.lists(st.integers(0, 6), min_size=1, max_size=8), st.integers(0, 2**20))
@settings(max_examples=40, deadline=None)
def test_states_that_are_read_together_are_read_as_each_alone(
    steps: list[tuple[int, int, int, bool]], states: list[int], seed: int
) -> None:
    columns, retrieval = exact(3)
    rng = np.random.default_rng(seed)
    for state, action, then, over in dict.fromkeys(steps):
        retrieval.add(columns.append(vector(state), action, 0.0, vector(then), over, value=float(rng.normal())))
    if len(columns.value[: columns.size]):
        retrieval._forgotten[0] = True
    for state, read in zip(states, retrieval.read(np.array([vector(each) for each in states]), WORTH), strict=True):
        (alone,) = retrieval.read(vector(state)[None], WORTH)
        for name in ("values", "null_mass", "slots", "weights"):
            assert np.array_equal(getattr(read, name), getattr(alone, name)), name


@given(st.lists(step, max_size=120), st.integers(0, 2**20))
@settings(max_examples=60, deadline=None)
def test_a_symbolic_read_is_the_layers_attention_over_a_dictionary(
    steps: list[tuple[int, int, int, bool]], seed: int
) -> None:
    (columns, retrieval), model = exact(3), ByDictionary()
    rng = np.random.default_rng(seed)
    for state, action, then, over in steps:
        slot = model.slot_of.get((state, action, then, over))
        if slot is None:
            slot = columns.append(vector(state), action, 0.0, vector(then), over, value=float(rng.normal()))
            retrieval.add(slot)
            model.slot_of[state, action, then, over] = slot
            model.count[slot] = 1
            model.outcomes[state, action].add(slot)
        else:
            columns.count[slot] += 1.0
            retrieval.changed(slot)
            model.count[slot] += 1
    for state in range(5):
        found = retrieval.read(vector(state)[None], WORTH)[0]
        for action in range(3):
            mine = sorted(model.outcomes[state, action])
            value, weights, null_mass = attend(
                torch.tensor([math.log(model.count[slot]) for slot in mine], dtype=torch.float64),
                torch.from_numpy(columns.value[mine]),
                null_score=math.log(model.null_mass(0.3)),
                null_value=WORTH.optimism,
            )
            assert found.values[action] == pytest.approx(float(value), abs=1e-12)
            assert found.null_mass[action] == pytest.approx(float(null_mass), abs=1e-12)
            recalled = {
                int(slot): weight
                for slot, weight in zip(found.slots[action], found.weights[action], strict=True)
                if weight > 0.0
            }
            assert recalled == pytest.approx(dict(zip(mine, weights.tolist(), strict=True)))


def test_symbolic_recall_grows() -> None:
    """More states, more outcomes of one action and more slots than there is room for at first."""
    columns, retrieval = exact(2)
    for number in range(700):  # one state, one action, 700 outcomes; and each outcome a state of its own
        retrieval.add(columns.append(vector(0), 1, 0.0, vector(number), True, value=0.0))
    found = retrieval.read(vector(0)[None], WORTH)[0]
    assert set(found.slots[1][found.weights[1] > 0.0].tolist()) == set(range(700))
    assert found.null_mass.tolist() == pytest.approx([1.0, 0.3 / 700.3])  # no two visits led to the same place
    columns.reward[:700] = 4.0
    retrieval.settle(WORTH)
    assert columns.value[:700].tolist() == [4.0] * 700


def test_a_state_never_met_recalls_nothing() -> None:
    columns, retrieval = exact(2)
    for state in (1, 3):
        assert retrieval.read(vector(state)[None], WORTH)[0].values.tolist() == [WORTH.optimism] * 2
    retrieval.add(columns.append(vector(0), 0, 0.0, vector(1), False, value=0.0))
    for state in (1, 3):  # 1 was met, but nothing was done there
        assert retrieval.read(vector(state)[None], WORTH)[0].null_mass.tolist() == [1.0, 1.0]
