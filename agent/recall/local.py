"""Local linear regression: what holds at a query, from what is known at its neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RIDGE = 0.01  # on the slopes, in units of the window: a slope that few neighbours carry stays small
_SMALLEST_WINDOW = 1e-6  # squared
_WIDEST = 10  # numbers in a key: beyond, the neighbours are too few to carry slopes

_Reals = NDArray[np.float64]


def window(squared: _Reals, count: _Reals) -> tuple[_Reals, _Reals]:
    """Weigh neighbours by ``count (1 - d^2 / h^2)^2``, where h reaches just beyond the farthest of them.

    The window follows the density of what is known, as in locally weighted regression (W. S. Cleveland, 1979), and a
    neighbour enters and leaves it with no weight, so that what is read does not jump.

    Args:
        squared: squared distances, ``[queries, k]``; infinite where there is no neighbour.
        count: visits of each neighbour, ``[queries, k]``.

    Returns:
        Weights that sum to 1 (or to 0 where there is no neighbour), ``[queries, k]``, and ``h^2``, ``[queries]``.
    """
    reach = squared.max(axis=-1)
    if not np.isfinite(reach).all():
        finite = np.isfinite(squared)
        squared, count = np.where(finite, squared, 0.0), finite * count
        reach = squared.max(axis=-1)
    reach = np.maximum(reach, _SMALLEST_WINDOW) * 1.01
    weights = np.square(1.0 - squared / reach[..., None]) * count
    return weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1e-300), reach


def slopes_carry(width: int) -> bool:
    """Whether keys of a width are narrow enough for slopes."""
    return width <= _WIDEST


def fit(offsets: _Reals, weights: _Reals, reach: _Reals) -> tuple[_Reals, _Reals]:
    """Prepare a weighted ridge regression on ``[1, x_j - x]`` at each query.

    Args:
        offsets: ``x_j - x``, ``[queries, k, width]``.
        weights: of the neighbours, ``[queries, k]``.
        reach: the squared window, ``[queries]``: the unit of the ridge.

    Returns:
        The design with its weights, ``F' W``, ``[queries, 1 + width, k]``, and ``F' W F`` with the ridge,
        ``[queries, 1 + width, 1 + width]``.
    """
    queries, k, width = offsets.shape
    design = np.empty((queries, k, 1 + width))
    design[..., 0] = 1.0
    design[..., 1:] = offsets
    weighted = (design * weights[..., None]).transpose(0, 2, 1)
    gram = weighted @ design
    slopes = np.arange(1, 1 + width)
    gram[:, slopes, slopes] += RIDGE * reach[:, None]
    gram[:, 0, 0] += 1e-9
    return weighted, gram


def linear_weights(offsets: _Reals, weights: _Reals, reach: _Reals) -> _Reals:
    """Return the weights with which a local linear fit reads its intercept off the neighbours, ``[queries, k]``.

    They sum to 1 and may be negative: what the neighbours' centre lies off the query is corrected for.
    """
    weighted, gram = fit(offsets, weights, reach)
    first = np.zeros((len(gram), gram.shape[1], 1))
    first[:, 0] = 1.0
    corrected: _Reals = np.linalg.solve(gram, first).transpose(0, 2, 1) @ weighted
    return corrected[:, 0]


def linear_fit(offsets: _Reals, weights: _Reals, reach: _Reals, targets: _Reals) -> tuple[_Reals, _Reals]:
    """Fit vector targets linearly around each query.

    Args:
        offsets: ``x_j - x``, ``[queries, k, width]``.
        weights: of the neighbours, ``[queries, k]``.
        reach: the squared window, ``[queries]``.
        targets: ``[queries, k, values]``.

    Returns:
        The fit at the query, ``[queries, values]``, and the weighted mean square of what it leaves unexplained,
        averaged over the values, ``[queries]``.
    """
    weighted, gram = fit(offsets, weights, reach)
    coefficients = np.asarray(np.linalg.solve(gram, weighted @ targets), np.float64)
    left = targets - coefficients[:, :1] - offsets @ coefficients[:, 1:]
    unexplained: _Reals = np.einsum("qk,qkv->q", weights, np.square(left)) / targets.shape[-1]
    return coefficients[:, 0], unexplained


def mean_fit(weights: _Reals, targets: _Reals) -> tuple[_Reals, _Reals]:
    """Fit vector targets by their weighted mean: as :func:`linear_fit`, without slopes."""
    mean = np.einsum("qk,qkv->qv", weights, targets)
    left = targets - mean[:, None]
    return mean, np.einsum("qk,qkv->q", weights, np.square(left)) / targets.shape[-1]
