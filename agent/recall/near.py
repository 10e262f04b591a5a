"""Foresight for real keys: local linear models over the nearest templates of each action."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from .columns import Columns, grown
from .foresight import Foresight
from .local import linear_fit, linear_weights, mean_fit, slopes_carry, window
from .neighbours import NearestKeys

_RESCALE_AT = 4  # slots at which the first scale is taken; again at each doubling
_SCALE_TOLERANCE = 0.1  # a scale that moved by less is kept
_CHANCE = 0.05  # squared spreads that a fit may leave unexplained; beyond, where an action leads is chance

_Reals = NDArray[np.float64]


def unit_scale(spread: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return what divides each dimension by its spread; a dimension that has not varied keeps its unit."""
    return np.divide(1.0, spread, out=np.ones_like(spread), where=spread > 1e-8).astype(np.float32)


@final
class NearModel:
    """Where each action leads from a key, and which slots' values speak for that place.

    Keys are taken from the first one and divided by the observations' spread, so that neither where zero lies nor the
    units matter; distances are root mean squares over the dimensions.

    The nearest templates of an action foretell its *offset* (next key minus key) by local linear regression, and the
    slots nearest to the place foreseen tell its value in the same way. Both actions of a choice are so compared on the
    same slots, and what differs is where they lead. Where the offsets scatter too much to be foretold, what followed is
    chance: then the places where the templates themselves led speak, each with its weight.

    The null slot stands at ``null_distance``: what is farther from everything met counts as unknown.
    """

    def __init__(
        self, actions: int, width: int, *, neighbours: int, landmarks: int, beta: float, null_distance: float
    ) -> None:
        """Start empty, with a scale of 1.

        Args:
            actions: how many actions there are.
            width: the length of a key.
            neighbours: how many templates of each action foretell where it leads.
            landmarks: how many slots around that place tell its value; at least as many as neighbours.
            beta: how fast the attention falls with the squared distance, averaged over the dimensions.
            null_distance: where the null slot stands: a root mean square of standard deviations.
        """
        self.scale = np.ones(width, np.float32)
        self.size = 0
        self._width = width
        self._neighbours, self._landmarks, self._beta = neighbours, landmarks, beta
        self._null_mass = float(np.exp(-beta * null_distance**2))
        self._origin = np.zeros(width)
        self._rescaled_at = _RESCALE_AT // 2
        self._move = np.zeros((256, width))
        self._follow = np.full(256, -1, np.int64)
        self._every = NearestKeys(width)
        self._of_action = [NearestKeys(width) for _ in range(actions)]
        self._slots = [np.zeros(256, np.int64) for _ in range(actions)]

    def extend(self, columns: Columns) -> NDArray[np.int64]:
        """Take in the slots that are new since the last time and return them."""
        first, self.size = self.size, columns.size
        fresh = np.arange(first, self.size)
        if not len(fresh):
            return fresh
        if first == 0:
            self._origin = columns.key[0].astype(np.float64)
        at = self.scaled(columns.key[fresh])
        self._move = grown(self._move, self.size)
        self._move[fresh] = self.scaled(columns.next_key[fresh]) - at
        self._follow = grown(self._follow, self.size, fill=-1)
        self._every.add(at)
        actions = columns.action[fresh]
        for action in np.unique(actions):
            own = fresh[actions == action]
            keys = self._of_action[action]
            filled = keys.size
            keys.add(at[own - first])
            self._slots[action] = grown(self._slots[action], keys.size)
            self._slots[action][filled : keys.size] = own
        return fresh

    def scaled(self, keys: NDArray[np.float32]) -> _Reals:
        """Return keys in units of the spread, such that squared distances are means over the dimensions."""
        scaled: _Reals = (keys - self._origin) * (self.scale / np.sqrt(self._width))
        return scaled

    def around(self, slots: NDArray[np.int64], k: int) -> NDArray[np.int64]:
        """Return the slots nearest to some slots, themselves among them, ``[slots, k]``."""
        return self._every.nearest(self._every.points[slots], min(k, self.size))[1]

    def foresee(self, keys: NDArray[np.float32], columns: Columns, *, apart: bool = False) -> Foresight:
        """Foresee every action at some keys; only slots taken in are read.

        Args:
            keys: ``[rows, width]``.
            columns: the slots.
            apart: whether each row must be, to the bit, what it would be if it were the only one.
        """
        at = self.scaled(keys)
        rows, actions = len(at), len(self._of_action)
        groups = rows if apart else 1
        squared, slots = self._of_each_action(at, groups)
        count = columns.count[slots]
        scores = np.exp(-self._beta * squared) * count
        total = scores.sum(axis=1, keepdims=True) + self._null_mass
        weights, reach = window(squared, count)
        start = np.repeat(at, actions, axis=0)
        moves = self._move[slots]
        if slopes_carry(self._width):
            offset, left = linear_fit(self._every.points[slots] - start[:, None], weights, reach, moves)
        else:
            offset, left = mean_fit(weights, moves)
        live = 1.0 - np.einsum("rk,rk->r", weights, columns.terminated[slots])
        index, weight, unknown = self._ahead(start + offset, groups)
        chance = np.flatnonzero(left * self._width > _CHANCE)
        if len(chance):
            led = slots[chance]
            if (self._follow[led] < 0).any():
                for own in np.split(led, np.searchsorted(chance, np.arange(1, groups) * actions)):
                    self._look_up(own[:, 0])  # by group, as it would be if this were the only one
                    self._look_up(own)
            going_on = weights[chance] * ~columns.terminated[led]
            index[chance] = self._follow[led[:, :1]]
            index[chance, : self._neighbours] = self._follow[led]
            weight[chance] = 0.0
            weight[chance, : self._neighbours] = going_on / np.maximum(going_on.sum(axis=1, keepdims=True), 1e-300)
            unknown[chance] = 0.0
        shape = (rows, actions)
        return Foresight(
            support=1.0 - (self._null_mass / total).reshape(shape),
            reward=np.einsum("rk,rk->r", weights, columns.reward[slots]).reshape(shape),
            rating=np.einsum("rk,rk->r", weights, columns.rating[slots]).reshape(shape),
            live=live.reshape(shape),
            unknown=unknown.reshape(shape),
            index=index.reshape(*shape, -1),
            weight=weight.reshape(*shape, -1),
            slots=slots.reshape(*shape, -1),
            attention=(scores / total).reshape(*shape, -1),
        )

    def _of_each_action(self, at: _Reals, groups: int) -> tuple[_Reals, NDArray[np.int64]]:
        """Return the nearest templates of each action, ``[rows * actions, neighbours]``."""
        rows, actions, k = len(at), len(self._of_action), self._neighbours
        squared = np.full((rows, actions, k), np.inf)
        slots = np.zeros((rows, actions, k), np.int64)
        for action, keys in enumerate(self._of_action):
            if keys.size:
                squared[:, action], place = keys.nearest(at, k, groups=groups)
                slots[:, action] = self._slots[action][place]
        return squared.reshape(-1, k), slots.reshape(-1, k)

    def _ahead(self, there: _Reals, groups: int) -> tuple[NDArray[np.int64], _Reals, _Reals]:
        """Return the slots that speak for some places, how much each says, and how unknown the places are."""
        if not self.size:
            none = np.zeros((len(there), self._landmarks))
            return none.astype(np.int64), none, np.ones(len(there))
        squared, index = self._every.nearest(there, self._landmarks, groups=groups)
        known = np.exp(-self._beta * squared).sum(axis=1)
        weight, reach = window(squared, np.ones_like(squared))
        if slopes_carry(self._width):
            weight = linear_weights(self._every.points[index] - there[:, None], weight, reach)
        return index, weight, self._null_mass / (self._null_mass + known)

    def _look_up(self, slots: NDArray[np.int64]) -> None:
        """Find the slot nearest to where each slot led, once."""
        missing = np.unique(slots[self._follow[slots] < 0])
        if len(missing):
            there = self._every.points[missing] + self._move[missing]
            self._follow[missing] = self._every.nearest(there, 1)[1][:, 0]

    def forget_followers(self, slots: NDArray[np.int64]) -> None:
        """Let it be looked up anew where some slots led: slots may have come nearer."""
        self._follow[slots] = -1

    def rescale(self, spread: NDArray[np.float64], columns: Columns) -> None:
        """Take the observations' spread as the unit of distance, at the first few slots and at each doubling of them.

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
        self.rebuild(columns)

    def rebuild(self, columns: Columns) -> None:
        """Take in every slot anew."""
        self.size = 0
        self._follow[:] = -1
        self._every = NearestKeys(self._width)
        self._of_action = [NearestKeys(self._width) for _ in self._of_action]
        self.extend(columns)
