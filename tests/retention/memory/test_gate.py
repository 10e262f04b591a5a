from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention import FeedbackGate, Gate, GateConfig

returns = st.floats(-1e6, 1e6).map(lambda number: round(number, 3))


def test_the_middle_of_the_earlier_returns_is_where_polarity_turns() -> None:
    gate = FeedbackGate()
    assert gate.decide(5, [0, 1, 2, 3]) == Gate(polarity=1, weight=1)
    assert gate.decide(-5, [0, 1, 2, 3]) == Gate(polarity=-1, weight=1)
    # one below, one tied, two above: p = (1 + 1/2) / 4
    assert gate.decide(1, [0, 1, 2, 3]) == Gate(polarity=-1, weight=0.25)
    assert gate.decide(1, [1, 1, 1]) == Gate(polarity=1, weight=0.1)


def test_without_earlier_returns_the_sign_decides() -> None:
    assert FeedbackGate().decide(0.1, []) == Gate(polarity=1, weight=0.5)
    assert FeedbackGate().decide(0.0, []) == Gate(polarity=-1, weight=0.5)


def test_only_the_last_hundred_returns_count() -> None:
    earlier = [1000.0] * 50 + [0.0] * 100
    assert FeedbackGate().decide(1, earlier) == Gate(polarity=1, weight=1)


def test_explicit_success_decides_the_polarity() -> None:
    gate = FeedbackGate()
    assert gate.decide(5, [0, 1], success=False) == Gate(polarity=-1, weight=0.5)
    assert gate.decide(5, [0, 1], success=True) == Gate(polarity=1, weight=1)
    assert gate.decide(1, [1], success=True) == Gate(polarity=1, weight=0.5)


def test_the_rating_is_stronger_than_all_else() -> None:
    gate = FeedbackGate(GateConfig(floor=0.2))
    assert gate.decide(5, [0, 1], success=True, rating=-0.7) == Gate(polarity=-1, weight=0.7)
    assert gate.decide(-5, [0, 1], rating=0.01) == Gate(polarity=1, weight=0.2)
    assert gate.decide(5, [0, 1], rating=0) == gate.decide(5, [0, 1])


def test_admission() -> None:
    failure = Gate(polarity=-1, weight=1)
    assert FeedbackGate().admits(failure)
    assert not FeedbackGate(GateConfig(admit="success")).admits(failure)
    assert FeedbackGate(GateConfig(admit="success")).admits(Gate(polarity=1, weight=0))


@settings(deadline=None, max_examples=60)
@given(returns, st.lists(returns, max_size=20), st.floats(0.001, 1000), st.none() | st.booleans(), st.floats(0, 1))
def test_laws(return_: float, earlier: list[float], scale: float, success: bool | None, floor: float) -> None:
    gate = FeedbackGate(GateConfig(floor=floor))
    decision = gate.decide(return_, earlier, success)
    assert floor <= decision.weight <= 1
    assert math.copysign(1, decision.signed) == decision.polarity or decision.weight == 0
    # the unit of reward does not matter; powers of two scale without rounding
    power = 2.0 ** round(math.log2(scale))
    assert decision == gate.decide(return_ * power, [power * other for other in earlier], success)
    # a better return never lowers the gate
    assert gate.decide(return_ + 1, earlier).signed >= gate.decide(return_, earlier).signed - 2 * floor


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda: GateConfig(floor=1.5), "floor must lie in .* got 1.5"),
        (lambda: GateConfig(admit="failure"), "admit must be 'both' or 'success', got 'failure'"),
        (lambda: Gate(polarity=0, weight=1), "polarity must be -1 or 1, got 0"),
        (lambda: Gate(polarity=1, weight=math.nan), "weight must lie in"),
        (lambda: FeedbackGate().decide(math.nan, []), "return_ must be finite, got nan"),
        (lambda: FeedbackGate().decide(1, [], rating=2), "rating must lie in .* got 2"),
    ],
)
def test_wrong_values_are_refused(bad: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bad()
