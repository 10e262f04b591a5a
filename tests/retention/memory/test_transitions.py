from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retention import Transitions


def columns(**changes: Any) -> dict[str, Any]:
    return {
        "key": np.zeros((2, 3)),
        "action": np.array([0, 1]),
        "reward": np.array([0.5, -1.0]),
        "next_key": np.ones((2, 3)),
        "terminated": np.array([False, True]),
    } | changes


def test_columns_that_are_left_out_have_their_default() -> None:
    rows = Transitions(**columns())
    assert rows.count.tolist() == [1, 1]
    assert np.isnan(rows.value).all()
    assert rows.rating.tolist() == [0, 0]
    assert rows.id.tolist() == [0, 0]
    assert (len(rows), rows.width) == (2, 3)
    assert [rows.key.dtype, rows.action.dtype, rows.reward.dtype] == [np.float32, np.int64, np.float64]


def test_no_rows_have_a_width() -> None:
    rows = Transitions.empty(4)
    assert (len(rows), rows.width) == (0, 4)
    assert rows.terminated.dtype == np.bool_


def test_minus_zero_is_zero() -> None:
    rows = Transitions(**columns(key=np.array([[-0.0, 1, 2], [0, -0.0, 0]])))
    assert not np.signbit(rows.key).any()


def test_later_changes_of_the_callers_array_do_not_reach_the_keys() -> None:
    key = np.zeros((2, 3), np.float32)
    rows = Transitions(**columns(key=key))
    key[:] = 9
    assert (rows.key == 0).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"key": np.zeros(3)}, ValueError, r"key must have shape \(n, d\) with d >= 1, got \(3,\)"),
        ({"key": np.zeros((2, 0))}, ValueError, r"d >= 1, got \(2, 0\)"),
        ({"key": np.full((2, 3), np.nan)}, ValueError, "key must be finite"),
        ({"next_key": np.full((2, 3), 1e39)}, ValueError, "next_key must be finite"),
        ({"key": np.array([["a", "b", "c"]] * 2)}, TypeError, "key must hold numbers"),
        ({"next_key": np.ones((2, 4))}, ValueError, r"one shape, got \(2, 3\) and \(2, 4\)"),
        ({"action": np.array([0])}, ValueError, r"action must have shape \(2,\)"),
        ({"action": np.array([])}, ValueError, r"action must have shape \(2,\)"),
        ({"action": np.array([0.0, 1.5])}, TypeError, "action must hold int64, got float64"),
        ({"reward": np.array([0.0, np.inf])}, ValueError, "reward must be finite"),
        ({"terminated": np.array([0, 2])}, TypeError, "terminated must hold bool"),
        ({"count": np.array([1, 0])}, ValueError, "count must be at least 1, got 0"),
        ({"value": np.array([0.0, -np.inf])}, ValueError, "value must be finite, or nan"),
        ({"rating": np.array([0.0, np.nan])}, ValueError, "rating must be finite"),
    ],
)
def test_wrong_columns_are_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Transitions(**columns(**change))
