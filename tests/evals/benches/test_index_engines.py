from __future__ import annotations

import numpy as np
import pytest

from evals.benches.index import engines
from evals.benches.index_engines import OURS
from evals.benches.index_vectors import draw_vectors, nearest


@pytest.mark.parametrize("name", sorted(engines(peers=True)))
def test_an_engine_finds_most_and_nothing_that_was_deleted(name):
    if name == "holdfast trained":
        pytest.importorskip("faiss", reason="the trained table is made with faiss, of the extra [index]")
    vectors, queries = draw_vectors("clustered", 2000, 20)
    wanted = nearest(vectors, queries, 32)
    engine = engines(peers=True)[name]()
    engine.build(vectors)
    found = engine.search(queries, 32)
    assert found.shape == (20, 32)
    assert found.dtype == np.int64
    share = (found[:, :, None] == wanted[:, None]).any(axis=1).mean()
    assert share == 1.0 if name in OURS else share > 0.8
    assert engine.removes == ("HNSW" not in name)
    if not engine.removes:
        return
    gone = int(wanted[0, 0])
    engine.delete(gone)
    assert gone not in engine.search(queries, 32)
    engine.add(gone, vectors[gone : gone + 1])
    assert engine.search(queries[:1], 1)[0, 0] == gone
