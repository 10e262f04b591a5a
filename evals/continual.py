"""What is measured where tasks come one after another, as pure functions of a table of scores.

``R[i, j]`` is the score on task j after task i was learned, in [0, 1]; T tasks are learned in the order of the table.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .metrics import finite_scores


def average_performance(scores: ArrayLike) -> float:
    """Return ACC, the mean score on all tasks once the last one has been learned: ``(1/T) sum_j R[T, j]``.

    Args:
        scores: ``R``, shape ``(tasks, tasks)``: the score on task j (column) after task i (row) was learned, in [0, 1].

    Raises:
        ValueError: it is not square, or a score is not finite.

    Reference: Lopez-Paz and Ranzato 2017, "Gradient Episodic Memory" (arXiv 1706.08840), section 2.
    """
    return float(_after_each_task(scores)[-1].mean())


def backward_transfer(scores: ArrayLike) -> float:
    """Return BWT, what learning later tasks did to earlier ones: ``1/(T-1) sum_{j<T} (R[T, j] - R[j, j])``.

    Below 0 where something was forgotten. ``nan`` where there is one task.

    Args:
        scores: see :func:`average_performance`.

    Raises:
        ValueError: it is not square, or a score is not finite.

    Reference: arXiv 1706.08840, section 2.
    """
    table = _after_each_task(scores)
    return float(np.mean((table[-1] - np.diag(table))[:-1])) if len(table) > 1 else float("nan")


def forgetting(scores: ArrayLike) -> float:
    """Return how far the tasks fell below their best: ``1/(T-1) sum_{j<T} (max_{j<=l<T} R[l, j] - R[T, j])``.

    The best is taken from where a task was learned to before the last one. ``nan`` where there is one task.

    Args:
        scores: see :func:`average_performance`.

    Raises:
        ValueError: it is not square, or a score is not finite.

    Reference: Chaudhry et al. 2018, "Riemannian Walk" (arXiv 1801.10112), section 4.
    """
    table = _after_each_task(scores)
    if len(table) == 1:
        return float("nan")
    return float(np.mean([table[j:-1, j].max() - table[-1, j] for j in range(len(table) - 1)]))


def forward_transfer(scores: ArrayLike, untrained: ArrayLike) -> float:
    """Return FWT, what earlier tasks did to ones not yet learned: ``1/(T-1) sum_{j>1} (R[j-1, j] - b[j])``.

    ``nan`` where there is one task.

    Args:
        scores: see :func:`average_performance`.
        untrained: ``b``, shape ``(tasks,)``: the score on each task before anything was learned.

    Raises:
        ValueError: the shapes do not fit, or a score is not finite.

    Reference: arXiv 1706.08840, section 2.
    """
    table, before = _after_each_task(scores), finite_scores("untrained", untrained)
    if before.shape != (len(table),):
        raise ValueError(f"untrained must hold a score for each of {len(table)} tasks, got shape {before.shape}")
    return float(np.mean(np.diag(table, 1) - before[1:])) if len(table) > 1 else float("nan")


def _after_each_task(scores: ArrayLike) -> NDArray[np.float64]:
    table = finite_scores("scores", scores)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ValueError(f"scores must be of shape (tasks, tasks), got shape {table.shape}")
    return table
