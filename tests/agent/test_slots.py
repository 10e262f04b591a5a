"""Slots of one task: the very same transition is one slot, wherever it comes from; values as the sweep gives them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import RecallConfig
from agent.recall.keys import key_space
from agent.recall.slots import TransitionSlots
from retention import Transitions

F32 = np.float32
SPACES = {"symbols": spaces.MultiDiscrete([9, 9]), "numbers": spaces.Box(-9.0, 9.0, (2,), F32)}
KINDS = pytest.mark.parametrize("kind", SPACES)

step = st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 3), st.booleans(), st.integers(-4, 4))


def slots_of(kind: str, **changes: Any) -> TransitionSlots:
    return TransitionSlots(key_space(SPACES[kind]), 2, RecallConfig(**changes))


def place(number: int) -> Any:
    return np.array([number, 2 * number], F32)


def write(slots: TransitionSlots, at: int, action: int, then: int, over: bool, reward: float) -> int | None:
    return slots.write(place(at), action, reward, place(then), over)


def stored(rows: list[tuple[Any, ...]]) -> Transitions:
    """Templates as the memory returns them: (at, action, then, over, count, reward, rating)."""
    at, action, then, over, count, reward, rating = zip(*rows, strict=True)
    return Transitions(
        key=np.stack([place(each) for each in at]),
        action=np.array(action),
        reward=np.array(reward, float),
        next_key=np.stack([place(each) for each in then]),
        terminated=np.array(over, bool),
        count=np.array(count),
        rating=np.array(rating, float),
        id=np.arange(1, len(rows) + 1),
    )


def held(slots: TransitionSlots) -> dict[tuple[Any, ...], tuple[float, float]]:
    """Transition to count and mean reward; every transition must be there once."""
    columns = slots.columns
    rows = [
        (int(columns.key[i, 0]), int(columns.action[i]), int(columns.next_key[i, 0]), bool(columns.terminated[i]))
        for i in range(len(slots))
    ]
    assert len(set(rows)) == len(rows), "a transition has two slots"
    return {row: (float(columns.count[i]), float(columns.reward[i])) for i, row in enumerate(rows)}


@KINDS
@given(steps=st.lists(step, max_size=60), known=st.lists(step, max_size=20))
@settings(max_examples=40, deadline=None)
def test_a_transition_is_one_slot_with_its_count_and_mean_reward(kind: str, steps: list[Any], known: list[Any]) -> None:
    slots, rewards = slots_of(kind), defaultdict(list)
    for *transition, reward in steps:
        slot = write(slots, *transition, reward)
        assert slot is not None
        rewards[tuple(transition)].append(float(reward))
    wanted = {row: (float(len(got)), pytest.approx(np.mean(got))) for row, got in rewards.items()}
    assert held(slots) == wanted
    # what another process counted takes the place of what was counted here, and nothing becomes two
    told = {tuple(transition): (7.0, float(reward)) for *transition, reward in known}
    if told:
        slots.load(stored([(*row, 7, reward, 0.0) for row, (_, reward) in told.items()]))
    assert held(slots) == wanted | told


@KINDS
def test_what_was_loaded_is_found_again_when_it_is_met(kind: str) -> None:
    slots = slots_of(kind)
    slots.load(stored([(0, 0, 1, False, 3, 0.5, 0.0)]))
    assert write(slots, 0, 0, 1, False, 2.5) == 0
    assert held(slots) == {(0, 0, 1, False): (4.0, 1.0)}
    assert int(slots.columns.id[0]) == 1


@KINDS
def test_a_rating_is_worth_its_unit(kind: str) -> None:
    slots = slots_of(kind)
    slots.rating_unit = 4.0
    slots.load(stored([(0, 0, 1, True, 1, 1.0, -0.5), (0, 1, 1, True, 1, 1.0, 0.0)]))
    slots.sweep(1)
    assert slots.columns.value[:2].tolist() == pytest.approx([-1.0, 1.0])
    slots.back_up(0, 100.0)  # nothing follows where the episode is over
    assert slots.columns.value[0] == pytest.approx(-1.0)


@KINDS
def test_a_full_memory_still_counts_what_it_knows(kind: str) -> None:
    slots = slots_of(kind, capacity=2)
    assert [write(slots, at, 0, 0, False, 0.0) for at in (0, 1, 2, 1)] == [0, 1, None, 1]
    assert slots.full
    # what is new does not fit, but what comes after it and is known is heard
    slots.load(stored([(3, 0, 0, False, 9, 0.0, 0.0), (0, 0, 0, False, 5, 2.0, 0.0)]))
    assert held(slots) == {(0, 0, 0, False): (5.0, 2.0), (1, 0, 0, False): (2.0, 0.0)}


@KINDS
def test_visits_come_back_as_the_rows_to_store(kind: str) -> None:
    slots = slots_of(kind)
    visits = [write(slots, *each) for each in ((0, 0, 1, False, 1.0), (1, 1, 2, True, 3.0), (0, 0, 1, False, 2.0))]
    assert visits == [0, 1, 0]
    rows = slots.visited([0, 1, 0], [1.0, 3.0, 2.0])
    assert rows.key[:, 0].tolist() == [0.0, 1.0, 0.0]
    assert rows.next_key[:, 0].tolist() == [1.0, 2.0, 1.0]
    assert (rows.action.tolist(), rows.terminated.tolist()) == ([0, 1, 0], [False, True, False])
    assert (rows.reward.tolist(), rows.count.tolist()) == ([1.0, 3.0, 2.0], [1, 1, 1])


@KINDS
def test_an_empty_memory_reads_and_sweeps(kind: str) -> None:
    slots = slots_of(kind)
    read = slots.read(place(0))
    assert read.null_mass.tolist() == [1.0, 1.0]
    assert read.values.tolist() == [slots.optimism] * 2
    assert slots.sweep(10) == 0.0
    assert slots.lowest == 0.0
