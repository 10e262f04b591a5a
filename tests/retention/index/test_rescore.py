from __future__ import annotations

import numpy as np

from retention.index.rescore import best, rescore


def test_candidates_are_scored_with_the_truth_and_gaps_stay_gaps():
    vectors = np.array([[np.nan, np.nan], [1, 0], [0, 2], [3, 3]], dtype=np.float32)
    queries = np.array([[1, 0], [0, -1]], dtype=np.float32)
    scores, positions = rescore(queries, np.array([[1, -1, 3], [2, 1, -1]]), vectors, 4)
    assert positions.tolist() == [[3, 1, -1, -1], [1, 2, -1, -1]]
    assert scores.tolist() == [[3, 1, -np.inf, -np.inf], [0, -2, -np.inf, -np.inf]]


def test_only_the_best_are_kept_in_order():
    scores, positions = best(np.array([[1, 3, 2]], dtype=np.float32), np.array([[10, 11, 12]]), 2)
    assert (scores.tolist(), positions.tolist()) == ([[3, 2]], [[11, 12]])
