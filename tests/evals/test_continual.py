from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evals import continual

TABLE = [  # rows: after task 1, 2, 3; columns: the score on task 1, 2, 3
    [0.9, 0.3, 0.2],
    [1.0, 0.8, 0.4],
    [0.5, 0.7, 0.6],
]


def test_the_metrics_by_hand():
    assert continual.average_performance(TABLE) == pytest.approx((0.5 + 0.7 + 0.6) / 3)
    assert continual.backward_transfer(TABLE) == pytest.approx(((0.5 - 0.9) + (0.7 - 0.8)) / 2)
    assert continual.forgetting(TABLE) == pytest.approx(((1.0 - 0.5) + (0.8 - 0.7)) / 2)  # the best before the last
    assert continual.forward_transfer(TABLE, [0.2, 0.2, 0.1]) == pytest.approx(((0.3 - 0.2) + (0.4 - 0.1)) / 2)


def naive(table, untrained):
    """The formulas of the papers, as plain loops with tasks from 1 to T."""
    count = len(table)
    score = {(i + 1, j + 1): table[i][j] for i in range(count) for j in range(count)}
    acc = sum(score[count, j] for j in range(1, count + 1)) / count
    bwt = sum(score[count, j] - score[j, j] for j in range(1, count)) / (count - 1)
    lost = sum(max(score[i, j] for i in range(j, count)) - score[count, j] for j in range(1, count)) / (count - 1)
    fwt = sum(score[j - 1, j] - untrained[j - 1] for j in range(2, count + 1)) / (count - 1)
    return acc, bwt, lost, fwt


@settings(max_examples=60, deadline=None)
@given(
    data=st.integers(2, 6).flatmap(
        lambda n: st.tuples(
            arrays(np.float64, (n, n), elements=st.floats(0, 1)), arrays(np.float64, n, elements=st.floats(0, 1))
        )
    )
)
def test_the_metrics_agree_with_plain_loops(data):
    table, untrained = data
    found = (
        continual.average_performance(table),
        continual.backward_transfer(table),
        continual.forgetting(table),
        continual.forward_transfer(table, untrained),
    )
    assert found == pytest.approx(naive(table.tolist(), untrained.tolist()))
    assert found[2] >= -found[1] - 1e-12  # the best is at least what it was when it was learned


def test_one_task_has_no_transfer():
    assert continual.average_performance([[0.7]]) == 0.7
    for value in (
        continual.backward_transfer([[0.7]]),
        continual.forgetting([[0.7]]),
        continual.forward_transfer([[0.7]], [0.1]),
    ):
        assert math.isnan(value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: continual.average_performance([[1.0, 0.0]]), r"of shape \(tasks, tasks\), got shape \(1, 2\)"),
        (lambda: continual.forgetting([[math.nan]]), "scores must be finite"),
        (lambda: continual.forward_transfer(TABLE, [0.1]), r"for each of 3 tasks, got shape \(1,\)"),
    ],
)
def test_wrong_tables_are_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
