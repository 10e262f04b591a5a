from __future__ import annotations

import numpy as np
import pytest

from retention.index.dense import DenseTable


@pytest.mark.parametrize("chunk", [1, 7, 10, 64])
def test_the_chunk_does_not_change_what_is_found(chunk):
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((64, 3), dtype=np.float32)
    table = DenseTable(64, 3, chunk=chunk)
    table.put(np.arange(50), vectors[:50])
    scores, positions = table.search(vectors, 9, vectors)
    wanted = np.argsort(-(vectors @ vectors[:50].T), axis=1)[:, :9]
    assert (positions == wanted).all()
    np.testing.assert_allclose(scores, np.take_along_axis(vectors @ vectors[:50].T, wanted, axis=1), rtol=1e-5)


def test_a_chunk_below_one_is_refused():
    with pytest.raises(ValueError, match="chunk must be at least 1, got 0"):
        DenseTable(3, 3, chunk=0)
