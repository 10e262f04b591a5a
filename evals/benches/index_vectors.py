"""Vectors to search among, in numbers of up to tens of millions, and what is truly nearest to a query."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

KINDS = ("clustered", "iid")

_CLUSTERS = 1000
_CHUNK = 1 << 18
_TRUTH_CHUNK = 1 << 16


def draw_vectors(kind: str, count: int, queries: int, *, dim: int = 64, seed: int = 0) -> tuple[Floats, Floats]:
    """Draw vectors of length 1, and queries of the same distribution that are not among them.

    ``clustered``: 1,000 clusters whose sizes follow a Pareto law with exponent 1.5. Within a cluster the standard
    deviations along a rotation of its own fall as ``j ** -0.75``; their root sum of squares is 0.7 of the length of the
    centre. ``iid``: uniform on the sphere, which is the worst case for an index: no query has a near neighbour.

    Args:
        kind: ``clustered`` or ``iid``.
        count: how many vectors.
        queries: how many queries.
        dim: their width.
        seed: of all that is drawn.

    Returns:
        ``[count, dim]`` and ``[queries, dim]``.

    Raises:
        ValueError: there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    generator = np.random.default_rng(seed)
    every = np.empty((count + queries, dim), dtype=np.float32)
    clusters = _Clusters(generator, dim) if kind == "clustered" else None
    for start in range(0, len(every), _CHUNK):
        part = every[start : start + _CHUNK]
        generator.standard_normal(out=part, dtype=np.float32)
        if clusters is not None:
            clusters.shape(generator, part)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return every[queries:], every[:queries]


class _Clusters:
    def __init__(self, generator: np.random.Generator, dim: int) -> None:
        sizes = 1 + generator.pareto(1.5, _CLUSTERS)
        self.shares = sizes / sizes.sum()
        centres = generator.standard_normal((_CLUSTERS, dim), dtype=np.float32)
        self.centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
        spectrum = np.arange(1, dim + 1, dtype=np.float32) ** -0.75
        rotations = np.linalg.qr(generator.standard_normal((_CLUSTERS, dim, dim), dtype=np.float32))[0]
        self.shapes = (0.7 * spectrum / np.linalg.norm(spectrum))[:, None] * rotations

    def shape(self, generator: np.random.Generator, normal: Floats) -> None:
        """Turn rows of a standard normal distribution into members of clusters, in place."""
        cluster = generator.choice(_CLUSTERS, size=len(normal), p=self.shares)
        order = np.argsort(cluster, kind="stable")
        bounds = np.searchsorted(cluster[order], np.arange(_CLUSTERS + 1))
        for number in range(_CLUSTERS):
            rows = order[bounds[number] : bounds[number + 1]]
            normal[rows] = self.centres[number] + normal[rows] @ self.shapes[number]


def nearest(vectors: Floats, queries: Floats, k: int) -> NDArray[np.int64]:
    """Return the positions of the ``k`` vectors with the largest inner product with each query, best first.

    Args:
        vectors: ``[count, dim]``.
        queries: ``[n, dim]``.
        k: how many; fewer where there are fewer vectors.

    Returns:
        ``[n, min(k, count)]``.
    """
    scores = np.empty((len(queries), 0), dtype=np.float32)
    positions = np.empty((len(queries), 0), dtype=np.int64)
    for start in range(0, len(vectors), _TRUTH_CHUNK):
        products = queries @ vectors[start : start + _TRUTH_CHUNK].T
        top = _largest(products, k)
        scores = np.concatenate((scores, np.take_along_axis(products, top, axis=1)), axis=1)
        positions = np.concatenate((positions, top + start), axis=1)
        top = _largest(scores, k)
        scores, positions = np.take_along_axis(scores, top, axis=1), np.take_along_axis(positions, top, axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")
    return np.take_along_axis(positions, order, axis=1)


def _largest(scores: Floats, k: int) -> NDArray[np.int64]:
    least = max(0, scores.shape[1] - k)
    return np.argpartition(scores, least, axis=1)[:, least:]
