"""Recall: the templates nearest to a vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray
from sqlite_utils import Database

from .episode_rows import find as find_episode
from .scope import Scope
from .template_rows import find
from .templates import Template
from .vectors import from_blobs, stored_size

K_LIMIT = 1000
"""The most templates that one recall returns."""

_CHUNK = 4096


@final
@dataclass(frozen=True, kw_only=True)
class Hit:
    """A template that was recalled.

    Attributes:
        template: the template.
        score: the cosine of its vector and the one asked for, in [-1, 1].
    """

    template: Template
    score: float


@final
@dataclass(frozen=True, kw_only=True)
class Recall:
    """What was recalled.

    Attributes:
        receipt_id: the record of it, which an outcome credits; ``None`` where nothing was found or may be written.
        hits: the templates, the nearest first; of equals the older first.
    """

    receipt_id: int | None
    hits: tuple[Hit, ...]


def cosines(vector: NDArray[np.float32], keys: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return ``v.k / (|v| |k|)`` for each key, 0 where a norm is 0.

    Args:
        vector: v, of shape (d,).
        keys: k, of shape (n, d).

    Returns:
        Cosines of shape (n,), float64.
    """
    wide, rows = vector.astype(np.float64), keys.astype(np.float64)
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(wide)
    found: NDArray[np.float64] = np.divide(rows @ wide, norms, out=np.zeros(len(rows)), where=norms > 0)
    return found.clip(-1, 1)


def nearest(db: Database, scope: Scope, vector: NDArray[np.float32], k: int, episode_id: str | None) -> tuple[Hit, ...]:
    """Return the active templates of a scope nearest to a vector, compared with all of them.

    Raises:
        NotFoundError: if the namespace has no such episode.
        ValueError: if there are templates, but none of the vector's width.
    """
    if episode_id is not None:
        find_episode(db, Scope(scope.namespace), episode_id)
    where = f"FROM templates WHERE {scope.where} AND status = 'active'"
    cursor = db.conn.execute(
        f"SELECT id, key {where} AND length(key) = :size", scope.bind(size=stored_size(len(vector)))
    )
    best_ids, best_scores = np.empty(0, np.int64), np.empty(0)
    while rows := cursor.fetchmany(_CHUNK):
        ids, keys = zip(*rows, strict=True)
        best_ids = np.concatenate([best_ids, np.array(ids, np.int64)])
        best_scores = np.concatenate([best_scores, cosines(vector, from_blobs(keys))])
        order = np.lexsort((best_ids, -best_scores))[: min(k, K_LIMIT)]
        best_ids, best_scores = best_ids[order], best_scores[order]
    if not len(best_ids):
        widths = [
            row[0] for row in db.conn.execute(f"SELECT DISTINCT length(key) / 4 {where} ORDER BY 1", scope.bind())
        ]
        if widths:
            raise ValueError(f"vector must have the width of the templates, {widths}, got {len(vector)}")
    return tuple(
        Hit(template=find(db, scope, int(number)), score=float(score))
        for number, score in zip(best_ids, best_scores, strict=True)
    )
