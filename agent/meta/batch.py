"""The network of a meta-trained policy for several observations at once, each with slots of its own or all with one's.

A step of a few lanes costs as many calls of numpy as a step of one, and those are what takes the time. So biases and
the small number under a norm's root lie in the weights: a hidden state has a last place for the one, its normed state a
last place of 1 for the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, final

import numpy as np

from .shape import Shape
from .weights import NORM_EPS, Array, Layer

_MOST_SIZES = 4096


class _Layer(NamedTuple):
    """The weights of a layer with their biases: as a last row, or in a feed-forward of a constant unit."""

    query_gate: Array
    output: Array
    up: Array
    down: Array
    beta: Array


@final
class BatchReader:
    """Scores actions for several lanes as the reader of one does for each, to rounding."""

    def __init__(self, shape: Shape, layers: Sequence[Layer], head: tuple[Array, Array]) -> None:
        """Join weights and biases."""
        self._shape = shape
        self._layers = [_joined(layer) for layer in layers]
        self._head = _with_bias(*head)

    def row(self, x: Array, query: Array, gate: Array) -> Array:
        """Return how an observation is asked about, ``[3 * width + 1]``."""
        rest = np.array([math.sqrt(self._shape.width * NORM_EPS)], np.float32)
        return np.concatenate((x, rest, query.ravel(), gate.ravel()))

    def scores(
        self,
        rows: Sequence[Array],
        keys: Array,
        values: Array,
        leaning: Array,
        slots: Sequence[int],
        *,
        attention: bool,
    ) -> tuple[Array, Array | None]:
        """Score the actions.

        The logits of a lane are NaN where exponentials of its scores do not fit, or something has no direction: they
        are to be had from the reader of one.

        Args:
            rows: from :meth:`row`, one for each lane.
            keys: ``[lanes, layers, heads, most slots, dim]``; of one lane where all read the same slots.
            values: likewise.
            leaning: likewise, ``[lanes, layers, heads, most slots]``; -inf where a lane has no slot.
            slots: how many each lane has, the null slot among them, ``[lanes]``; one where all read the same.
            attention: whether it is wanted.

        Returns:
            Logits, ``[lanes, actions]``, and where it is wanted the attention on each slot in the last layer, a mean
            over heads, ``[lanes, most slots - 1]``.
        """
        width, heads, lanes = self._shape.width, self._shape.heads, len(rows)
        table = np.array(rows)
        x, gate = table[:, : width + 1], table[:, 2 * width + 1 :]
        query = table[:, width + 1 : 2 * width + 1].reshape(lanes, heads, -1)
        sharper = np.array([[sharpened(each)] for each in slots], np.float32)
        every, normed = np.ones(keys.shape[3], np.float32), np.ones((lanes, width + 1), np.float32)
        with np.errstate(all="ignore"):
            for i, layer in enumerate(self._layers):
                likeness = layer.beta * sharper
                if i:
                    both = _norm(x, normed).dot(layer.query_gate)
                    query, gate = both[:, :width].reshape(lanes, heads, -1), np.tanh(both[:, width:])
                    gate += 1.0
                    length: Array = np.vecdot(query, query)
                    likeness = likeness / np.sqrt(length, out=length)
                weights = (keys[:, i] @ (query * likeness[..., None])[..., None])[..., 0]
                weights += leaning[:, i]
                np.exp(weights, out=weights)
                total = weights.dot(every)[..., None]  # not 0, as the null slot is in it
                answer = (weights[:, :, None] @ values[:, i])[:, :, 0]
                answer /= total
                answer = answer.reshape(lanes, -1)
                answer *= gate
                x = x + answer.dot(layer.output)
                hidden = _norm(x, normed).dot(layer.up)
                bent = np.tanh(hidden)
                bent += 1.0
                hidden *= bent
                x += hidden.dot(layer.down)
            logits = _norm(x, normed).dot(self._head)
            if not attention:
                return logits, None
            weights /= total
            return logits, np.add.reduce(weights[:, :, 1:], axis=1) / np.float32(heads)


@lru_cache(maxsize=_MOST_SIZES)
def sharpened(slots: int) -> float:
    """Return by how much likeness counts for more where there are more slots, the null slot among them."""
    return max(1.0, math.sqrt(math.log(slots) / math.log(9.0)))


def _norm(x: Array, normed: Array) -> Array:
    """Write hidden states of length 1 before the last place of 1, ``[lanes, width + 1]``."""
    length = np.vecdot(x, x)
    np.divide(x[:, :-1], np.sqrt(length, out=length)[:, None], out=normed[:, :-1])
    return normed


def _joined(layer: Layer) -> _Layer:
    up = _with_bias(layer.up, layer.up_bias)
    constant = np.zeros((len(up), 1), np.float32)
    constant[-1] = 1.0
    down = np.concatenate((layer.down, layer.down_bias[None] / np.float32(1.0 + math.tanh(1.0))))
    return _Layer(
        query_gate=_with_bias(layer.query_gate, layer.query_gate_bias),
        output=np.pad(layer.output, ((0, 0), (0, 1))),
        up=np.ascontiguousarray(np.concatenate((up, constant), axis=1)),
        down=np.pad(down, ((0, 0), (0, 1))),
        beta=layer.beta,
    )


def _with_bias(weight: Array, bias: Array) -> Array:
    """Return weights for a state of length 1 that were for one with a mean square of 1, and the bias as a last row."""
    joined: Array = np.concatenate((math.sqrt(len(weight)) * weight, bias[None])).astype(np.float32)
    return joined
