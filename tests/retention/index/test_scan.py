from __future__ import annotations

import numpy as np
import pytest
import torch

from retention.index import scan
from retention.index.scan import ScanTable, encoded, float_product, integer_product


def vectors_of(count, dim=16, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def recall(table, vectors, queries, k, among=None):
    products = queries @ vectors.T
    if among is not None:
        products[:, ~among] = -np.inf
    wanted = np.argsort(-products, axis=1)[:, :k]
    found = table.search(queries, k, vectors)[1]
    return np.mean([len(set(a) & set(b)) / k for a, b in zip(found.tolist(), wanted.tolist(), strict=True)])


@pytest.mark.parametrize("count", [1, 31, 32, 33, 127, 128, 129, 1000, 5000])
@pytest.mark.parametrize("chunk", [1, 100, 1 << 18])
def test_the_nearest_are_all_found_wherever_chunks_and_blocks_end(count, chunk):
    vectors, queries = vectors_of(count), vectors_of(40, seed=1)
    table = ScanTable(count, 16, chunk=chunk)
    table.put(np.arange(count), vectors)
    assert recall(table, vectors, queries, min(count, 5)) == 1.0


def test_the_last_row_of_each_block_is_found_after_rows_have_moved():
    vectors = vectors_of(2000)
    table = ScanTable(2000, 16)
    table.put(np.arange(2000), vectors)
    left = np.ones(2000, dtype=bool)
    left[np.random.default_rng(3).choice(2000, 900, replace=False)] = False
    table.drop(np.flatnonzero(~left))
    assert len(table) == 1100
    assert recall(table, vectors, vectors_of(40, seed=1), 8, among=left) == 1.0
    own = table.search(vectors[left], 1, vectors)[1][:, 0]
    assert own.tolist() == np.flatnonzero(left).tolist()


def test_rows_beyond_the_last_are_never_found_also_where_every_product_is_negative():
    vectors = np.abs(vectors_of(1700))
    table = ScanTable(5000, 16)
    table.put(np.arange(1700), vectors)
    table.drop(np.arange(1600, 1700))
    found = table.search(-np.abs(vectors_of(3, seed=1)), 300, vectors)[1]
    assert (found >= 0).all()
    assert (found < 1600).all()


def test_what_stood_in_rows_beyond_the_last_does_not_count_in_their_block():
    vectors = np.full((50 * 32 + 20, 1), 0.01, dtype=np.float32)
    vectors[: 50 * 32 : 32, 0] = np.linspace(1, 2, 50)  # one that is near in each block
    vectors[50 * 32 + 10 :] = 100
    table = ScanTable(len(vectors), 1)
    table.put(np.arange(len(vectors)), vectors)
    table.drop(np.arange(50 * 32 + 10, len(vectors)))
    scores, positions = table.search(np.ones((1, 1), dtype=np.float32), 3, vectors)
    assert positions.tolist() == [[49 * 32, 48 * 32, 47 * 32]]
    assert scores[0, 0] == 2


def test_codes_are_within_half_a_step_of_the_vectors():
    vectors = vectors_of(50) * np.logspace(-6, 6, 50, dtype=np.float32)[:, None]
    codes, scale = encoded(vectors)
    assert codes.dtype == np.int8
    assert (np.abs(codes).max(axis=1) == 127).all()
    assert (np.abs(codes * scale[:, None] - vectors) <= 0.5001 * scale[:, None]).all()
    codes, scale = encoded(np.zeros((1, 4), dtype=np.float32))
    assert not codes.any()
    assert not scale.any()


@pytest.mark.parametrize("dim", [1, 64, 1040, 1041, 3000])
def test_both_integer_products_are_exact(dim):
    generator = torch.Generator().manual_seed(0)
    left = torch.randint(-127, 128, (33, dim), dtype=torch.int8, generator=generator)
    left[0] = 127
    right = torch.randint(-127, 128, (dim, 5), dtype=torch.int8, generator=generator)
    right[:, 0] = 127
    exact = left.long() @ right.long()
    assert torch.equal(float_product(left, right).long(), exact)
    assert torch.equal(integer_product()(left, right).long(), exact)


@pytest.mark.parametrize("fault", ["missing", "refusing", "wrong"])
def test_a_torch_without_a_right_integer_product_is_served_in_floats(monkeypatch, fault):
    def refuse(left, right):
        raise RuntimeError("not for this CPU")

    integer_product.cache_clear()
    if fault == "missing":
        monkeypatch.delattr(torch, "_int_mm")
    else:
        monkeypatch.setattr(torch, "_int_mm", refuse if fault == "refusing" else lambda a, b: float_product(a, b) + 1)
    try:
        assert integer_product() is scan.float_product
        vectors = vectors_of(3000)
        table = ScanTable(3000, 16, chunk=3000)
        table.put(np.arange(3000), vectors)
        assert recall(table, vectors, vectors_of(10, seed=1), 8) == 1.0
    finally:
        integer_product.cache_clear()


def test_a_chunk_below_one_is_refused():
    with pytest.raises(ValueError, match="chunk must be at least 1, got 0"):
        ScanTable(3, 3, chunk=0)
