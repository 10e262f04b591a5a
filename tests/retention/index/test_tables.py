"""The laws that hold for a table of any kind, against a dict and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CAPACITY, DIM = 300, 6
steps = st.lists(
    st.tuples(st.sampled_from(["put", "put", "drop", "search"]), st.integers(0, 2**32 - 1), st.integers(1, 200)),
    max_size=12,
)


def brute_force(held, queries, k):
    """The k best of a dict of vectors by position, in float64: ``[n, k]`` scores and positions."""
    positions = np.array(sorted(held), dtype=np.int64)
    truth = np.array([held[position] for position in positions], dtype=np.float64).reshape(-1, queries.shape[1])
    scores = queries.astype(np.float64) @ truth.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, axis=1), positions[order]


def check_against(held, table, vectors, queries, k, exact=True):
    scores, positions = table.search(queries, k, vectors)
    assert scores.shape == positions.shape == (len(queries), k)
    assert (scores.dtype, positions.dtype) == (np.float32, np.int64)
    there = min(k, len(held))
    assert (positions[:, there:] == -1).all()
    assert np.isneginf(scores[:, there:]).all()
    wanted, _ = brute_force(held, queries, k)
    for row in range(len(queries)):
        found = positions[row, :there]
        assert len(set(found.tolist())) == there
        assert set(found.tolist()) <= held.keys()
        truth = np.array([held[position] for position in found], dtype=np.float64).reshape(there, vectors.shape[1])
        np.testing.assert_allclose(scores[row, :there], truth @ queries[row], rtol=1e-4, atol=1e-4)
        assert (np.diff(scores[row, :there]) <= 0).all()
    if exact:
        np.testing.assert_allclose(scores[:, :there], wanted, rtol=1e-4, atol=1e-4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_a_table_holds_what_a_dict_holds_after_any_puts_and_drops(make_table, steps):
    table, held, vectors = make_table(CAPACITY, DIM), {}, np.full((CAPACITY, DIM), np.nan, dtype=np.float32)
    few = np.linspace(-1, 1, 7, dtype=np.float32)
    for action, seed, count in [*steps, ("search", 0, 9)]:
        generator = np.random.default_rng(seed)
        positions = generator.choice(CAPACITY, count, replace=False)
        if action == "put":
            new = generator.choice(few, (count, DIM)) * generator.choice([0.01, 1, 50], (count, 1)).astype(np.float32)
            table.put(positions, new)
            vectors[positions] = new
            held.update(zip(positions.tolist(), new, strict=True))
        elif action == "drop":
            table.drop(positions)
            vectors[positions] = np.nan
            for position in positions.tolist():
                held.pop(position, None)
        else:
            queries = generator.standard_normal((3, DIM), dtype=np.float32)
            exact = not hasattr(table, "train") or len(held) < 10
            check_against(held, table, vectors, queries, 1 + count % 40, exact=exact)
        assert len(table) == len(held)


def test_a_dropped_or_replaced_vector_is_never_found_again(make_table, generator):
    vectors = generator.standard_normal((100, 4)).astype(np.float32)
    table = make_table(100, 4)
    table.put(np.arange(100), vectors)
    target = 100 * np.ones((1, 4), dtype=np.float32)
    for position in (0, 31, 32, 63, 99):
        vectors[position] = target
        table.put(np.array([position]), target)
        assert table.search(target, 1, vectors)[1].tolist() == [[position]]
        vectors[position] = -target
        table.put(np.array([position]), -target)
        assert position not in table.search(target, 50, vectors)[1]
        table.drop(np.array([position]))
        assert position not in table.search(-target, 100, vectors)[1]
    assert len(table) == 95


def test_more_asked_for_than_there_are(make_table, generator):
    vectors = generator.standard_normal((50, 4)).astype(np.float32)
    table = make_table(50, 4)
    table.put(np.arange(40), vectors[:40])
    _, positions = table.search(vectors[:2], 64, vectors)
    assert [sorted(row) for row in positions.tolist()] == [[-1] * 24 + list(range(40))] * 2


def test_an_empty_table_finds_nothing_and_no_queries_find_nothing(make_table):
    table = make_table(10, 3)
    vectors = np.zeros((10, 3), dtype=np.float32)
    scores, positions = table.search(np.ones((2, 3), dtype=np.float32), 4, vectors)
    assert positions.tolist() == [[-1] * 4] * 2
    assert np.isneginf(scores).all()
    table.put(np.empty(0, dtype=np.int64), np.empty((0, 3), dtype=np.float32))
    table.drop(np.empty(0, dtype=np.int64))
    table.put(np.array([3]), np.ones((1, 3), dtype=np.float32))
    scores, positions = table.search(np.empty((0, 3), dtype=np.float32), 4, vectors)
    assert scores.shape == positions.shape == (0, 4)


def test_equal_vectors_are_all_found(make_table):
    vectors = np.ones((80, 3), dtype=np.float32)
    table = make_table(80, 3)
    table.put(np.arange(80), vectors)
    assert sorted(table.search(vectors[:1], 80, vectors)[1][0].tolist()) == list(range(80))
    assert len(set(table.search(vectors[:1], 30, vectors)[1][0].tolist())) == 30


def test_zero_vectors_and_zero_queries_are_found_and_find(make_table):
    vectors = np.zeros((40, 3), dtype=np.float32)
    table = make_table(40, 3)
    table.put(np.arange(40), vectors)
    scores, positions = table.search(vectors[:1], 5, vectors)
    assert scores.tolist() == [[0.0] * 5]
    assert (positions >= 0).all()


def test_dropping_what_is_not_there_or_twice_changes_nothing(make_table, generator):
    vectors = generator.standard_normal((60, 4)).astype(np.float32)
    table = make_table(60, 4)
    table.put(np.arange(40), vectors[:40])
    table.drop(np.array([5, 5, 50, 59]))
    table.drop(np.array([5]))
    assert len(table) == 39
    assert sorted(table.search(vectors[:1], 39, vectors)[1][0].tolist()) == [*range(5), *range(6, 40)]


def test_half_precision_vectors_are_taken(make_table, generator):
    vectors = generator.standard_normal((64, 4)).astype(np.float16)
    table = make_table(64, 4)
    table.put(np.arange(64), vectors)
    held = dict(enumerate(vectors.astype(np.float32)))
    check_against(held, table, vectors, generator.standard_normal((4, 4)).astype(np.float32), 64)


def test_a_table_says_how_many_bytes_it_holds(make_table, generator):
    table = make_table(500, 4)
    empty = table.nbytes
    vectors = generator.standard_normal((500, 4)).astype(np.float32)
    table.put(np.arange(500), vectors)
    table.search(vectors[:1], 1, vectors)
    assert empty >= 500
    assert table.nbytes == empty if type(table).__name__ == "DenseTable" else table.nbytes > empty + 500 * 4


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused_and_leaves_no_trace(make_table, bad):
    table = make_table(10, 2)
    vectors = np.zeros((10, 2), dtype=np.float32)
    wrong = np.array([[1, 2], [bad, 0]], dtype=np.float32)
    with pytest.raises(ValueError, match="vectors must be finite, got 1 values"):
        table.put(np.array([1, 2]), wrong)
    assert len(table) == 0
    with pytest.raises(ValueError, match="queries must be finite, got 1 values"):
        table.search(wrong, 1, vectors)


def test_wrong_arguments_are_named(make_table):
    table = make_table(10, 2)
    two = np.zeros((2, 2), dtype=np.float32)
    with pytest.raises(ValueError, match=r"positions must be in \[0, 10\), got 3 to 10"):
        table.put(np.array([3, 10]), two)
    with pytest.raises(ValueError, match=r"positions must be in \[0, 10\), got -1 to -1"):
        table.drop(np.array([-1]))
    with pytest.raises(ValueError, match=r"positions must be integers \[n\], got float64 \[2\]"):
        table.put(np.array([0.0, 1.0]), two)
    with pytest.raises(ValueError, match=r"positions must be integers \[n\], got int64 \[1, 2\]"):
        table.put(np.array([[0, 1]]), two)
    with pytest.raises(ValueError, match="positions must be unique, got 2 with 1 different"):
        table.put(np.array([4, 4]), two)
    with pytest.raises(ValueError, match=r"vectors must be of shape \[1, 2\], got \[2, 2\]"):
        table.put(np.array([4]), two)
    with pytest.raises(ValueError, match=r"queries must be of shape \[2, 2\], got \[2, 3\]"):
        table.search(np.zeros((2, 3), dtype=np.float32), 1, two)
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        table.search(two, 0, two)


def test_sizes_are_checked(make_table):
    for capacity, dim, message in (
        (0, 2, r"capacity must be in \[1, 2\*\*31\), got 0"),
        (2**31, 2, "capacity must be in"),
        (5, 0, "dim must be at least 1, got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            make_table(capacity, dim)
