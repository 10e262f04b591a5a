"""Scores candidates exactly, from the true vectors."""

from __future__ import annotations

import numpy as np

from .table import Floats, Positions, Vectors


def rescore(queries: Floats, candidates: Positions, vectors: Vectors, k: int) -> tuple[Floats, Positions]:
    """Return the ``k`` best of the candidates of each query, by their inner products with the true vectors.

    Args:
        queries: ``[n, dim]``.
        candidates: positions, ``[n, c]``, each at most once a query; -1 stands for none.
        vectors: the truth.
        k: how many.

    Returns:
        scores: ``[n, k]``, best first; ``-inf`` where there are fewer candidates.
        positions: ``[n, k]``; -1 where there are fewer candidates.
    """
    missing = candidates < 0
    places = np.where(missing, 0, candidates) if missing.any() else candidates
    found = np.asarray(vectors[places.ravel()], dtype=np.float32).reshape(*candidates.shape, queries.shape[1])
    with np.errstate(invalid="ignore", over="ignore"):  # what stands at position 0 need not be a vector
        scores = (found @ queries[:, :, None])[..., 0]
    scores[missing] = -np.inf
    return best(scores, candidates, k)


def best(scores: Floats, positions: Positions, k: int) -> tuple[Floats, Positions]:
    """Sort positions by their scores, best first, and cut or fill them to ``k``.

    Args:
        scores: ``[n, c]``.
        positions: ``[n, c]``.
        k: how many.

    Returns:
        ``[n, k]`` scores and positions; ``-inf`` and -1 where ``c`` is smaller.
    """
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    rows = np.arange(len(scores))[:, None]
    scores, positions = scores[rows, order], positions[rows, order]
    missing = k - positions.shape[1]
    if missing <= 0:
        return scores, positions
    return (
        np.pad(scores, ((0, 0), (0, missing)), constant_values=-np.inf),
        np.pad(positions, ((0, 0), (0, missing)), constant_values=-1),
    )
