"""What the memory in the loop keeps."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.gradient.decisions import Decision, Decisions

ONE = np.ones(1)


def decision(at, choice=0, advantage=1.0):
    return Decision(key=np.array([at], np.float32), decision=np.eye(2, dtype=np.float32)[choice], advantage=advantage)


def memory(capacity=3, fade=0.5, apart=0.5):
    return Decisions(capacity=capacity, fade=fade, apart=apart)


def places(decisions):
    return [float(each.key[0]) for each in decisions.held]


def test_the_least_useful_makes_room_and_a_failure_is_as_useful_as_a_success():
    held = memory()
    for at, advantage in ((0, 1.0), (2, -3.0), (4, 2.0)):
        assert held.write(decision(at, advantage=advantage), ONE)
    assert not held.write(decision(6, advantage=0.5), ONE)
    assert held.write(decision(8, advantage=1.5), ONE)
    assert places(held) == [2, 4, 8]
    assert [each.serial for each in held.held] == [2, 3, 4]


def test_what_is_old_fades():
    held = memory(capacity=1)
    held.write(decision(0, advantage=1.0), ONE)
    assert not held.write(decision(2, advantage=0.6), ONE)
    held.grow_old()
    assert held.write(decision(2, advantage=0.6), ONE)


def test_a_like_decision_takes_the_place_of_its_twin_if_it_is_as_useful():
    held = memory()
    held.write(decision(0, advantage=1.0), ONE)
    assert held.write(decision(0.25, advantage=2.0), ONE)
    assert places(held) == [0.25]
    assert not held.write(decision(0.25, advantage=1.0), ONE)
    assert held.write(decision(0.25, choice=1), ONE), "another choice at the same place is news"
    assert held.write(decision(0.5, advantage=1.0), np.array([0.1])), "far in units of its spread"


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1), st.floats(-3, 3)), max_size=30))
def test_the_capacity_holds_and_a_state_is_restored(offers):
    held = memory(capacity=4)
    for number, (at, choice, advantage) in enumerate(offers):
        held.write(decision(at, choice, advantage), ONE)
        if number % 5 == 4:
            held.grow_old()
    assert len(held.held) <= 4
    again = memory(capacity=4)
    again.restore(held.state())
    assert again.next_serial == held.next_serial
    for one, other in zip(held.held, again.held, strict=True):
        assert (one.key == other.key).all()
        assert (one.decision == other.decision).all()
        assert (one.advantage, one.age, one.serial) == (other.advantage, other.age, other.serial)


def test_a_smaller_memory_keeps_the_most_useful():
    held = memory(capacity=4)
    for at, advantage in ((0, 1.0), (2, -3.0), (4, 2.0)):
        held.write(decision(at, advantage=advantage), ONE)
    small = memory(capacity=2)
    small.restore(held.state())
    assert places(small) == [2, 4]


def test_a_memory_without_slots_holds_nothing():
    assert not memory(capacity=0).write(decision(0), ONE)
