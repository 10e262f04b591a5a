from __future__ import annotations

import numpy as np
import pytest

from evals.benches import index_vectors
from evals.benches.index_vectors import draw_vectors, nearest


@pytest.mark.parametrize("kind", ["clustered", "iid"])
def test_vectors_have_length_one_and_come_again_with_their_seed(kind):
    vectors, queries = draw_vectors(kind, 500, 20, dim=16)
    assert (vectors.shape, queries.shape, vectors.dtype) == ((500, 16), (20, 16), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    again, _ = draw_vectors(kind, 500, 20, dim=16)
    assert (vectors == again).all()
    assert not (vectors == draw_vectors(kind, 500, 20, dim=16, seed=1)[0]).any()


def test_queries_have_near_neighbours_among_clusters_and_none_otherwise():
    best = {}
    for kind in ("clustered", "iid"):
        vectors, queries = draw_vectors(kind, 20_000, 100)
        assert (queries @ vectors.T).max() < 1 - 1e-6
        best[kind] = np.median((queries @ vectors.T).max(axis=1))
    assert best["clustered"] > 0.85
    assert best["iid"] < 0.6


def test_clusters_are_of_unequal_size():
    vectors, _ = draw_vectors("clustered", 5000, 1)
    near = (vectors[:500] @ vectors.T > 0.5).sum(axis=1)
    assert near.max() > 10 * np.median(near)


def test_an_unknown_kind_is_named():
    with pytest.raises(ValueError, match="kind must be one of clustered, iid, got 'flat'"):
        draw_vectors("flat", 10, 1)


@pytest.mark.parametrize("chunk", [1, 7, 100, 1000])
def test_the_nearest_are_those_of_a_sort(monkeypatch, chunk):
    monkeypatch.setattr(index_vectors, "_TRUTH_CHUNK", chunk)
    generator = np.random.default_rng(0)
    vectors, queries = generator.standard_normal((100, 5)), generator.standard_normal((9, 5))
    wanted = np.argsort(-(queries @ vectors.T), axis=1)
    assert (nearest(vectors, queries, 12) == wanted[:, :12]).all()
    assert (nearest(vectors, queries, 200) == wanted).all()
