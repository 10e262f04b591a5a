from __future__ import annotations

import pytest

from evals.benches.loop import Loop, measure, rows_of, take_turns


def test_loops_take_turns_in_a_rotating_order():
    order = []

    def turn(name: str) -> float:
        order.append(name)
        return float(len(order))

    loops = [Loop(name=name, environment="e", turn=lambda name=name: turn(name)) for name in "abc"]
    assert take_turns(loops, 4) == [[1, 2, 3], [6, 4, 5], [8, 9, 7], [10, 11, 12]]
    assert "".join(order) == "abcbcacababc"


def test_rows_hold_medians_and_the_overhead_over_the_bare_loop_of_the_same_environment():
    def loop(name: str, environment: str) -> Loop:
        return Loop(name=name, environment=environment, turn=float)

    loops = [loop("bare", "e"), loop("agent", "e"), loop("agent", "f"), loop("bare", "f")]
    rows = rows_of(loops, [[1, 4, 20, 10], [2, 9, 30, 10], [100, 101, 25, 10]])
    assert [row["us_per_step"] for row in rows] == [2, 9, 25, 10]
    assert [row["overhead_us"] for row in rows] == [0, 3, 15, 0]  # medians of 3 7 1 and of 10 20 15
    assert rows[3] == {
        "name": "bare",
        "environment": "f",
        "us_per_step": 10,
        "overhead_us": 0,
        "steps_per_second": 1e5,
    }


def test_a_short_measurement_times_every_loop():
    rows = measure(steps=200, episodes=1, repeats=1)
    assert [(row["name"], row["environment"]) for row in rows] == [
        ("bare", "CartPole-v1"),
        ("idle, frozen", "CartPole-v1"),
        ("idle, each episode stored", "CartPole-v1"),
        ("retention, learning", "CartPole-v1"),
        ("bare", "FrozenLake-v1"),
        ("retention, learning", "FrozenLake-v1"),
    ]
    assert all(row["us_per_step"] > 0 for row in rows)


@pytest.mark.parametrize("wrong", ["steps", "episodes", "repeats"])
def test_wrong_numbers_are_named(wrong):
    with pytest.raises(ValueError, match="must be at least 1, got"):
        measure(**{wrong: 0})
