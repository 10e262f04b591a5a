"""Retrieval for real keys: the exact nearest slots of each action, in units of the observations' own spread."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .columns import Columns, grown
from .retrieval import Retrieved
from .successors import SuccessorTable

_RESCALE_AT = 32  # slots at which the first scale is taken; again at each doubling
_SCALE_TOLERANCE = 0.1  # a scale that moved by less is kept: a new one rebuilds the table


def unit_scale(spread: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return what divides each dimension by its spread; a dimension that has not varied keeps its unit."""
    return np.divide(1.0, spread, out=np.ones_like(spread), where=spread > 1e-8).astype(np.float32)


@final
class NearRetrieval:
    """The ``k`` nearest slots of each action, scored ``-beta |q - k|^2 / width + log count``.

    Keys are taken from the first one and divided by the observations' spread, so that neither where zero lies nor the
    units matter. The null slot stands at distance ``null_distance``: what is farther from everything met counts as
    unknown.
    """

    def __init__(self, actions: int, width: int, *, neighbours: int, beta: float, null_distance: float) -> None:
        """Start empty, with a scale of 1.

        Args:
            actions: how many actions there are.
            width: the length of a key.
            neighbours: k, how many slots of each action are retrieved.
            beta: how fast a score falls with the squared distance, averaged over the dimensions.
            null_distance: where the null slot stands: a root mean square of standard deviations.
        """
        self.null_score = -beta * null_distance**2
        self.scale = np.ones(width, np.float32)
        self._origin = np.zeros(width, np.float32)
        self._beta = beta / width
        self._k = neighbours
        self._rescaled_at = _RESCALE_AT // 2
        self._fill = np.zeros(actions, np.int64)
        self._keys = np.zeros((actions, 256, width), np.float32)
        self._norms = np.full((actions, 256), np.inf, np.float32)
        self._slots = np.zeros((actions, 256), np.int64)
        self._table = SuccessorTable(actions, neighbours)

    def add(self, slot: int, columns: Columns) -> None:
        """Take in a new slot; slots come in order."""
        action = int(columns.action[slot])
        place = int(self._fill[action])
        self._keys = grown(self._keys, place + 1, axis=1)
        self._norms = grown(self._norms, place + 1, axis=1, fill=np.inf)
        self._slots = grown(self._slots, place + 1, axis=1)
        if slot == 0:
            self._origin = columns.key[0].copy()
        scaled = self._scaled(columns.key[slot])
        self._keys[action, place] = scaled
        self._norms[action, place] = scaled @ scaled
        self._slots[action, place] = slot
        self._fill[action] += 1

    def recount(self, slot: int, columns: Columns) -> None:
        """Do nothing: counts are read when slots are retrieved."""

    def near(self, key: NDArray[np.float32], columns: Columns) -> Retrieved:
        """Return the k nearest slots of each action."""
        scaled = self._scaled(key)
        filled = max(int(self._fill.max()), 1)
        query = torch.from_numpy(scaled)
        products = torch.from_numpy(self._keys[:, :filled]) @ query
        squared = torch.from_numpy(self._norms[:, :filled]).add(products, alpha=-2.0)
        squared, place = squared.topk(min(self._k, filled), dim=1, largest=False)
        index = torch.from_numpy(self._slots).gather(1, place)
        return Retrieved(index=index, scores=self._score(squared.add_(float(scaled @ scaled)), index, columns))

    def successors(self, columns: Columns) -> tuple[Retrieved, Tensor]:
        """Return the k nearest slots of each action to every slot's next key; what is known of them is kept."""
        queries = torch.from_numpy(self._scaled(columns.next_key[: columns.size]))
        keys = [torch.from_numpy(self._keys[action, :filled]) for action, filled in enumerate(self._fill)]
        slots = [torch.from_numpy(self._slots[action, :filled]) for action, filled in enumerate(self._fill)]
        self._table.extend(queries, keys, slots)
        index = self._table.index[: columns.size]
        retrieved = Retrieved(
            index=index, scores=self._score(self._table.squared[: columns.size].clone(), index, columns)
        )
        return retrieved, torch.arange(columns.size)

    def rescale(self, spread: NDArray[np.float64], columns: Columns) -> None:
        """Take the observations' spread as the unit of distance, at 32 slots and at each doubling of them.

        Args:
            spread: standard deviation of the observations so far, ``[width]``; where it is 0 the unit stays 1.
            columns: the slots.
        """
        if columns.size < 2 * self._rescaled_at:
            return
        self._rescaled_at = columns.size
        scale = unit_scale(spread)
        if np.abs(scale / self.scale - 1.0).max() > _SCALE_TOLERANCE:
            self.set_scale(scale, columns)

    def set_scale(self, scale: NDArray[np.float32], columns: Columns) -> None:
        """Project every key again under another scale, ``[width]``."""
        self.scale = scale.astype(np.float32)
        self._rescaled_at = max(self._rescaled_at, columns.size)
        for action, filled in enumerate(self._fill):
            scaled = self._scaled(columns.key[self._slots[action, :filled]])
            self._keys[action, :filled] = scaled
            self._norms[action, :filled] = np.square(scaled).sum(axis=1)
        self._table = SuccessorTable(len(self._fill), self._k)

    def _scaled(self, keys: NDArray[np.float32]) -> NDArray[np.float32]:
        return (keys - self._origin) * self.scale

    def _score(self, squared: Tensor, index: Tensor, columns: Columns) -> Tensor:
        """Turn squared distances into scores in place: ``-beta d^2 / width + log count``; infinity becomes ``-inf``."""
        scores = squared.clamp_(min=0.0).mul_(-self._beta)
        if (columns.count[: columns.size] == 1.0).all():
            return scores
        return scores + torch.from_numpy(columns.count)[index].clamp_(min=1.0).log().to(scores.dtype)
