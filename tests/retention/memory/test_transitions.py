from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retention import EpisodeDraft, EpisodicMemory, Transitions


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
    assert rows.episode.tolist() == [0, 0]
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


def test_the_latest_episode_that_visited_a_transition_is_known() -> None:
    def draft(number: int, task: str = "t", namespace: str = "alice") -> EpisodeDraft:
        return EpisodeDraft(
            namespace=namespace,
            task=task,
            number=number,
            seed=None,
            return_=0.0,
            length=2,
            success=None,
            seconds=0.0,
        )

    both = Transitions(**columns(episode=np.array([70, 80])))  # what is handed in is not looked at
    second = Transitions(**{name: getattr(both, name)[1:] for name, _ in columns().items()})
    with EpisodicMemory.open(None) as memory:
        memory.commit_episode(draft(3), both)
        memory.commit_episode(draft(9, task="other"), both)
        memory.commit_episode(draft(11, namespace="bob"), both)
        revision = memory.transitions(namespace="alice", task="t")[1]
        told = memory.commit_episode(draft(5), second)
        assert memory.transitions(namespace="alice", task="t")[0].episode.tolist() == [3, 5]
        assert memory.transitions(namespace="alice", task="t", after=revision)[0].episode.tolist() == [5]
        memory.feedback(told.episode_id, namespace="alice", rating=1.0)
        assert memory.transitions(namespace="alice", task="t")[0].episode.tolist() == [3, 5]


def test_a_fraction_is_no_number_of_an_episode() -> None:
    with pytest.raises(TypeError, match="episode must hold int64, got float64"):
        Transitions(**columns(episode=np.array([0.0, 1.5])))
