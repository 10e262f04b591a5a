"""Images and other observations of many numbers: pooled and projected, they become short real keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, final

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

_WIDTH = 64
_GRID = 16  # cells of the pooled image along its longer side
_SEED = 20260


class Encoder(Protocol):
    """Turns arrays of one shape into short real vectors, the same one in every process."""

    @property
    def name(self) -> str:
        """What tells its vectors from those of another encoder; it is kept beside the templates."""
        ...

    @property
    def width(self) -> int:
        """The length of a vector."""
        ...

    def encode(self, observation: NDArray[Any]) -> NDArray[np.float32]:
        """Return the vector of an observation, ``[width]``."""
        ...


MakeEncoder = Callable[[spaces.Box], Encoder]


@final
class RandomProjection:
    """Average pooling, then a fixed random projection, which keeps distances (W. Johnson and J. Lindenstrauss, 1984).

    ``y = R pool((x - low) / (high - low))`` with R of standard normal numbers over the square root of the width, as in
    model-free episodic control (C. Blundell et al., 2016, arXiv 1606.04460, section 3.1). R follows from the shape
    alone. A dimension without bounds is taken as it is. Only arrays of 2 or 3 axes, ``[height, width]`` or ``[height,
    width, channels]``, are pooled, and only where they are larger than the grid.
    """

    def __init__(self, space: spaces.Box, *, width: int = _WIDTH, grid: int = _GRID) -> None:
        """Draw the projection for a space.

        Args:
            space: of the observations.
            width: the length of a vector.
            grid: cells of the pooled image along its longer side.

        Raises:
            ValueError: width or grid is not positive.
        """
        if width < 1 or grid < 1:
            raise ValueError(f"width and grid must be positive, got {width} and {grid}")
        self._shape = space.shape
        bounded = np.isfinite(space.low) & np.isfinite(space.high) & (space.high > space.low)
        low, high = space.low.astype(np.float64), space.high.astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):
            self._low = np.where(bounded, low, 0.0).astype(np.float32)
            self._unit = (1.0 / np.where(bounded, high - low, 1.0)).astype(np.float32)
        self._starts = [_starts(size, grid) for size in self._shape[:2]] if len(self._shape) in (2, 3) else []
        numbers = self._pool(np.zeros(self._shape, np.float32)).size
        draw = np.random.RandomState(_SEED)  # its numbers are the same in every version of numpy
        self._projection = (draw.standard_normal((numbers, width)) / np.sqrt(width)).astype(np.float32)
        self._width = width
        shape = "x".join(str(size) for size in self._shape)
        self._name = f"random-projection/1 {shape} grid {grid} width {width}"

    @property
    def name(self) -> str:
        """The shape it is for, the grid, and the width."""
        return self._name

    @property
    def width(self) -> int:
        """The length of a vector."""
        return self._width

    def encode(self, observation: NDArray[Any]) -> NDArray[np.float32]:
        """Return the vector of an observation, ``[width]``.

        Raises:
            ValueError: it has another shape than the space.
        """
        if observation.shape != self._shape:
            raise ValueError(f"an array of shape {observation.shape} where {self._shape} is declared")
        scaled = (observation.astype(np.float32) - self._low) * self._unit
        encoded: NDArray[np.float32] = self._pool(scaled).ravel() @ self._projection
        return encoded

    def _pool(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mean of each cell of the grid."""
        for axis, starts in enumerate(self._starts):
            if len(starts) < image.shape[axis]:
                sizes = np.diff(np.append(starts, image.shape[axis])).astype(np.float32)
                sums = np.add.reduceat(image, starts, axis=axis)
                image = (sums / sizes.reshape([-1] + [1] * (image.ndim - axis - 1))).astype(np.float32, copy=False)
        return image


def _starts(size: int, grid: int) -> NDArray[np.int64]:
    """Return where the cells of an axis begin: at most ``grid`` of them, as equal as can be."""
    cells = min(size, grid)
    return np.arange(cells, dtype=np.int64) * size // cells
