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
    slots.settle_values()
    assert slots.read(place(0)[None])[0].null_mass.max() < 1.0
    known = 1.0 - slots.read(place(0)[None])[0].null_mass
    promised = (1.0 - known) * slots.optimism
    assert slots.read(place(0)[None])[0].values.tolist() == pytest.approx((known * [-1.0, 1.0] + promised).tolist())


@KINDS
def test_a_full_memory_makes_room_and_keeps_what_is_held(kind: str) -> None:
    slots = slots_of(kind, capacity=8)
    for at in range(8):
        assert write(slots, at // 2, at % 2, at // 2, True, float(at % 2)) == at
    slots.settle_values()
    assert slots.full
    assert write(slots, 20, 0, 0, False, 0.0) is None
    before, rows = held(slots), [tuple(slots.columns.key[i].tolist()) for i in range(8)]
    heirs = slots.thin(np.arange(2))
    assert len(slots) == 7
    assert held(slots).items() <= before.items()
    assert heirs[:2].tolist() == [0, 1]  # these were held
    for slot, heir in enumerate(heirs):
        if heir >= 0 and kind == "symbols":
            assert tuple(slots.columns.key[heir].tolist()) == rows[slot]
    assert write(slots, 20, 0, 0, False, 0.0) == 7
    for (at, action, then, over), (count, _) in held(slots).items():  # every slot is found where it lies now
        slot = write(slots, at, action, then, over, 0.0)
        assert slot is not None
        assert slots.columns.count[slot] == count + 1.0


def test_an_action_that_was_forgotten_is_not_tried_as_if_it_were_new() -> None:
    slots = slots_of("symbols", capacity=8)
    for at in range(4):
        write(slots, at, 0, at, True, 5.0)
        write(slots, at, 1, at, True, -float(at))
    slots.settle_values()
    slots.thin(np.zeros(0, np.int64))
    gone = slots.read(place(3)[None])[0]
    assert gone.null_mass[1] == 1.0  # the worst of all went
    assert gone.values[1] == slots.lowest < gone.values[0]
    assert slots.read(place(2)[None])[0].null_mass[1] < 1.0


def test_of_real_keys_those_go_that_have_a_near_twin() -> None:
    slots = slots_of("numbers", capacity=16)
    for at in range(14):
        write(slots, at, 0, at, False, 0.0)
    twin = slots.write(place(3) + F32(0.01), 0, 0.0, place(3), False)
    end = slots.write(place(5) + F32(0.01), 0, 0.0, place(5), True)
    assert (twin, end) == (14, 15)
    heirs = slots.thin(np.zeros(0, np.int64))
    kept = slots.columns.key[: len(slots)]
    assert (np.abs(kept - place(3)).max(axis=1) < 0.1).sum() == 1  # one of the two
    assert (np.abs(kept - place(5)).max(axis=1) < 0.1).sum() == 2  # these two differ in their end
    assert heirs[3] == heirs[14]


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
    read = slots.read(place(0)[None])[0]
    assert read.null_mass.tolist() == [1.0, 1.0]
    assert read.values.tolist() == [slots.optimism] * 2
    slots.learn(10)
    slots.settle_values()
    assert slots.read(place(0)[None])[0].values.tolist() == [slots.optimism] * 2
    assert slots.lowest == 0.0
