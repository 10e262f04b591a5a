from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("faiss", reason="the trained table is made with faiss, of the extra [index]")

from retention.index.trained import TrainedConfig, TrainedTable


def clusters(count, dim=16, seed=0):
    """Vectors of 20 clusters, of length 1."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((20, dim))
    vectors = centres[generator.integers(20, size=count)] + 0.3 * generator.standard_normal((count, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def recall(table, vectors, queries, k=32):
    wanted = np.argsort(-(queries @ vectors.T), axis=1)[:, :k]
    found = table.search(queries, k, vectors)[1]
    return np.mean([len(set(a) & set(b)) / k for a, b in zip(found.tolist(), wanted.tolist(), strict=True)])


def filled(vectors, **config):
    table = TrainedTable(len(vectors), vectors.shape[1], TrainedConfig(**config))
    table.put(np.arange(len(vectors)), vectors)
    return table


def test_few_vectors_are_searched_one_by_one():
    vectors = clusters(500)
    table = filled(vectors)
    assert recall(table, vectors, clusters(50, seed=1)) == 1.0
    assert table.probes == 0


def test_as_many_lists_are_visited_as_the_recall_needs():
    vectors, queries = clusters(6000), clusters(200, seed=1)
    table = filled(vectors)
    assert recall(table, vectors, queries) >= 0.98
    assert 1 <= table.probes < 40


def test_data_without_structure_is_searched_in_more_lists_not_less_well():
    generator = np.random.default_rng(0)
    vectors, queries = generator.standard_normal((5000, 16), dtype=np.float32), clusters(100, seed=1)
    table = filled(vectors)
    assert recall(table, vectors, queries) >= 0.97
    assert table.probes > filled_probes(clusters(5000))


def filled_probes(vectors):
    table = filled(vectors)
    table.train(vectors)
    return table.probes


def test_lists_and_probes_can_be_given():
    vectors = clusters(5000)
    table = filled(vectors, lists=10, probes=3)
    table.train(vectors)
    assert table.probes == 3
    assert recall(table, vectors, clusters(50, seed=1)) > 0.5
    assert recall(filled(vectors, lists=10, probes=99), vectors, clusters(50, seed=1)) > 0.99


def test_what_is_put_after_training_is_found_and_what_is_dropped_is_not():
    vectors = clusters(5000)
    table = TrainedTable(5100, 16)
    more = np.concatenate((vectors, clusters(100, seed=2)))
    table.put(np.arange(5000), vectors)
    table.train(more)
    table.put(np.arange(5000, 5100), more[5000:])
    own = table.search(more[5000:], 1, more)[1][:, 0]
    assert own.tolist() == list(range(5000, 5100))
    table.drop(np.arange(5000, 5100))
    assert not np.isin(table.search(more[5000:], 8, more)[1], range(5000, 5100)).any()
    assert not table.drifted


def test_no_queries_find_nothing_and_many_asked_for_are_found_in_other_lists():
    vectors = clusters(5000)
    table = filled(vectors, probes=1)
    table.train(vectors)
    assert table.search(vectors[:0], 3, vectors)[1].shape == (0, 3)
    found = table.search(vectors[:2], 4000, vectors)[1]
    assert (found >= 0).all()
    assert all(len(set(row)) == 4000 for row in found.tolist())


def test_one_position_replaced_again_and_again_does_not_hide_the_others():
    vectors = clusters(5000)
    table = filled(vectors, drift=10.0)
    table.train(vectors)
    near = vectors[7]
    for number in range(400):
        vectors[4999] = near * (1 + number / 1e4)
        table.put(np.array([4999]), vectors[4999:])
    found = table.search(near[None], 32, vectors)[1][0]
    assert len(set(found.tolist())) == 32
    assert {7, 4999} <= set(found.tolist())
    assert not table.drifted


def test_the_lists_are_made_anew_when_a_quarter_is_replaced_or_twice_as_many_are_there():
    vectors = clusters(9000)
    table = TrainedTable(9000, 16)
    table.put(np.arange(4500), vectors[:4500])
    assert table.drifted
    table.search(vectors[:1], 1, vectors)
    assert not table.drifted
    table.put(np.arange(1125), vectors[:1125])
    assert not table.drifted
    table.put(np.arange(1), vectors[:1])
    assert table.drifted
    table.search(vectors[:1], 1, vectors)
    assert not table.drifted
    table.put(np.arange(4500, 8999), vectors[4500:8999])
    assert not table.drifted
    table.put(np.array([8999]), vectors[8999:])
    assert table.drifted


def test_a_table_that_shrinks_far_loses_its_lists():
    vectors = clusters(5000)
    table = filled(vectors)
    table.train(vectors)
    table.drop(np.arange(100, 5000))
    found = table.search(vectors[:100], 1, vectors)[1][:, 0]
    assert found.tolist() == list(range(100))
    assert table.probes == 0


def test_vectors_moved_by_drift_are_found_after_training_anew():
    vectors = clusters(5000)
    table = filled(vectors)
    table.train(vectors)
    moved = np.roll(vectors, 3, axis=1) * 2
    table.put(np.arange(5000), moved)
    queries = np.roll(clusters(100, seed=1), 3, axis=1)
    assert recall(table, moved, queries) >= 0.97


def test_the_same_seed_makes_the_same_lists():
    vectors, queries = clusters(5000), clusters(20, seed=1)
    one, two = filled(vectors), filled(vectors)
    assert (one.search(queries, 8, vectors)[1] == two.search(queries, 8, vectors)[1]).all()
    assert one.probes == two.probes


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"lists": 0}, "lists must be at least 1, got 0"),
        ({"probes": 0}, "probes must be at least 1, got 0"),
        ({"untrained": 0}, "untrained must be at least 1, got 0"),
        ({"recall": 0.0}, r"recall must be in \(0, 1\], got 0.0"),
        ({"recall": 1.1}, r"recall must be in \(0, 1\], got 1.1"),
        ({"drift": 0.0}, "drift must be positive, got 0.0"),
    ],
)
def test_wrong_settings_are_named(config, message):
    with pytest.raises(ValueError, match=message):
        TrainedConfig(**config)
