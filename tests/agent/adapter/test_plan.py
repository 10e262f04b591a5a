"""The plan of a training: its rates, and what cannot be one."""

from __future__ import annotations

from typing import Any

import pytest

from agent.adapter.plan import AdapterPlan
from agent.commands.train_adapter import ITERATIONS, PEOPLE, STEP


def test_the_rate_warms_up_and_falls_to_a_twentieth() -> None:
    plan = AdapterPlan(model="any", iterations=100, rate=1.0, warm_up=9)
    rates = [plan.rate_at(iteration) for iteration in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[50] == pytest.approx(0.525)
    assert rates[100] == pytest.approx(0.05)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_the_command_trains_as_a_plan_does_by_default() -> None:
    plan = AdapterPlan(model="any")
    assert (plan.iterations, plan.people, plan.rate) == (ITERATIONS, PEOPLE, STEP)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iterations": 0}, "iterations must be at least 1, got 0"),
        ({"people": 9}, "people must be at least 10, got 9"),
        ({"most_facts": 7}, "most_facts must be at least 8, got 7"),
        ({"rate": 0.0}, "rate must be positive and finite, got 0.0"),
        ({"clip": float("nan")}, "clip must be positive and finite, got nan"),
        ({"seed": -1}, "seed must not be negative, got -1"),
        ({"keep": float("inf")}, "keep must not be negative"),
        ({"asked": 1.5}, r"asked must lie in \[0, 1\], got 1.5"),
    ],
)
def test_impossible_plans_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdapterPlan(model="any", **change)
