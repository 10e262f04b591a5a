"""The network of a meta-trained policy for one observation at a time, in numpy: many times faster than torch for that.

It computes what :class:`MetaNetwork` computes, to rounding. What does not change from step to step is computed once:
when the weights are loaded, when something is noted, or when an observation is asked about for the first time.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from .batch import BatchReader, sharpened
from .network import AGES, COUNTS, MetaNetwork
from .weights import NORM_EPS, Array, Layer, after_norm, arrays_of, centred, key_value_of, layer_of, slopes_of

_ASKED = 4096  # observations of which it is kept how they are asked about
_KNOWN = 1024  # notes of which it is kept how they are projected
_FELT = 1e6  # a reward beyond is felt as this: the square of a larger one might not fit a float32
_NO_LENGTH = np.float32(1e-24)  # squared: below it a vector has no direction


def code_of(symbol: bytes, width: int) -> Array:
    """Return the code of a symbol, -1 and 1 of its blake2b digest: the same in every process, ``[width]``."""
    blocks = (hashlib.blake2b(symbol, salt=block.to_bytes(8, "little")).digest() for block in range(-(-width // 512)))
    bits = np.unpackbits(np.frombuffer(b"".join(blocks), np.uint8))[:width]
    return bits.astype(np.float32) * np.float32(2.0) - np.float32(1.0)


def bumps(x: Array, places: int) -> Array:
    """Spread ``log2(1 + x)`` over triangles; as in the network."""
    log = np.minimum(np.log2(x + np.float32(1.0)), np.float32(places - 1))
    spread: Array = np.maximum(np.float32(1.0) - np.abs(log[:, None] - np.arange(places, dtype=np.float32)), 0.0)
    return spread


class Asked(NamedTuple):
    """How an observation is asked about: all that does not depend on what was noted.

    Attributes:
        x: the hidden state, ``[width]``.
        query: of the first layer, of length 1, ``[heads, dim, 1]``.
        gate: of the first layer, twice a sigmoid, ``[heads, dim]``.
        row: all of it, as :class:`BatchReader` takes it.
    """

    x: Array
    query: Array
    gate: Array
    row: Array


@final
class Reader:
    """The weights of a network as arrays, and what is computed with them; ``batch`` does so for several observations.

    Slots are rows of arrays whose row 0 is the null slot: a key and a value of zeros and a score of its own.
    """

    def __init__(self, network: MetaNetwork) -> None:
        """Copy the weights."""
        shape = self.shape = network.shape
        weights = arrays_of(network)
        self._seen = [weights[f"seen.{i}.weight"] for i in range(len(shape.parts))]
        self._table = [weights[f"asked.{i}.weight"] for i in range(len(shape.parts))]
        self._action = weights["action.weight"]
        self._layers = [layer_of(network, weights, i) for i in range(shape.layers)]
        self._head = after_norm(weights, "norm", "head")
        self._key_value = np.concatenate([key_value_of(weights, i) for i in range(shape.layers)], axis=1)
        felt = weights["features.weight"].T @ self._key_value
        self._ages = bumps(np.arange(2 ** (AGES - 1), dtype=np.float32), AGES) @ felt[:AGES]
        self._counts = bumps(np.arange(2 ** (COUNTS - 1), dtype=np.float32), COUNTS) @ felt[AGES:-1]
        self._reward = felt[-1]
        self._features_bias = weights["features.bias"]
        self._slopes = np.concatenate([slopes_of(weights, i) for i in range(shape.layers)])
        self._beta = np.array([layer.beta for layer in self._layers], np.float32)[:, :, None]
        self._ones = np.ones(shape.width // shape.heads, np.float32)
        self.batch = BatchReader(shape, self._layers, self._head)
        self._met: dict[bytes, Asked] = {}
        self._known: dict[tuple[bytes, int], Array] = {}

    def noted(self, key: Array, action: int) -> Array:
        """Return the part of a slot's keys and values that never changes, ``[layers * 2 * width]``."""
        name = (key.tobytes(), action)
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            u = self._sum(key, self._seen) + self._features_bias
            known = (u + self._action[action] if self.shape.noted == "answer" else u) @ self._key_value
            self._known[name] = known
        return known

    def asked(self, key: Array) -> Asked:
        """Return how an observation is asked about."""
        symbol = key.tobytes()
        asked = self._met.get(symbol)
        if asked is None:
            if len(self._met) >= _ASKED:
                self._met.clear()
            x = centred(self._sum(key, self._table))
            query, gate = self._question(self._layers[0], x)
            asked = self._met[symbol] = Asked(x, query, gate, self.batch.row(x, query, gate))
        return asked

    def project(
        self, noted: Sequence[Array], count: NDArray[np.int64], age: NDArray[np.int64], felt: Array
    ) -> tuple[Array, Array]:
        """Return the keys and values of slots in every layer.

        Args:
            noted: from :meth:`noted`, of each slot.
            count: 1 or more, ``[slots]``.
            age: 0 or more, ``[slots]``.
            felt: the reward, by :func:`felt`, ``[slots]``.

        Returns:
            Keys of length 1 and values, each ``[slots, layers, heads, dim]``.
        """
        shape = self.shape
        rows = np.array(noted)
        rows += self._ages.take(age, 0, mode="clip")
        rows += self._counts.take(count - 1, 0, mode="clip")
        rows += felt[:, None] * self._reward
        both = rows.reshape(len(rows), shape.layers, 2, shape.heads, -1)
        length = np.sqrt((both * both).dot(self._ones)[:, :, 0] + _NO_LENGTH)
        return both[:, :, 0] / length[..., None], both[:, :, 1]

    def leaning(self, columns: Array) -> Array:
        """Return what each slot's score is beside its likeness, ``[*lead, layers, heads, 1 + slots]``.

        Args:
            columns: ``log(1 + rank)``, where the rank is how many slots were noted more recently; the reward, by
                :func:`felt`; and 1 for the null slot, for which these are 0. ``[*lead, 3, 1 + slots]``.
        """
        return (self._slopes @ columns).reshape(*columns.shape[:-2], self.shape.layers, self.shape.heads, -1)

    def scores(self, asked: Asked, keys: Array, values: Array, leaning: Array) -> tuple[Array, Array]:
        """Score the actions.

        Args:
            asked: from :meth:`asked`.
            keys: ``[layers, heads, 1 + slots, dim]``; first the null slot, as in all of these.
            values: likewise.
            leaning: from :meth:`leaning`.

        Returns:
            Logits, ``[actions]``, and the attention on each slot in the last layer, a mean over heads, ``[slots]``.
        """
        x, query, gate, _ = asked
        beta = self._beta * sharpened(keys.shape[2])
        for i, layer in enumerate(self._layers):
            if i:
                query, gate = self._question(layer, x)
            weights = (keys[i] @ query)[:, :, 0]
            weights *= beta[i]
            weights += leaning[i]
            weights -= np.maximum.reduce(weights, axis=1, keepdims=True)
            np.exp(weights, out=weights)
            weights /= np.add.reduce(weights, axis=1, keepdims=True)
            answer = (weights[:, None] @ values[i])[:, 0]
            answer *= gate
            x = x + answer.ravel().dot(layer.output)
            hidden = (x * _shrinking(x)).dot(layer.up)
            hidden += layer.up_bias
            bent = np.tanh(hidden)
            bent += 1.0
            hidden *= bent
            x += hidden.dot(layer.down)
            x += layer.down_bias
        logits = (x * _shrinking(x)).dot(self._head[0]) + self._head[1]
        return logits, np.add.reduce(weights[:, 1:]) / np.float32(self.shape.heads)

    def _question(self, layer: Layer, x: Array) -> tuple[Array, Array]:
        """Return the query of a layer, of length 1, ``[heads, dim, 1]``, and its gate, ``[heads, dim]``."""
        both = (x * _shrinking(x)).dot(layer.query_gate)
        both += layer.query_gate_bias
        query, gate = both.reshape(2, self.shape.heads, -1)
        query /= np.sqrt((query * query).dot(self._ones) + _NO_LENGTH)[:, None]
        gate = np.tanh(gate)
        gate += 1.0
        return query[:, :, None], gate

    def _sum(self, key: Array, tables: list[Array]) -> Array:
        total = np.zeros(self.shape.width, np.float32)
        for part, table in zip(self.shape.parts, tables, strict=True):
            if part.size:
                assert part.index is not None
                total += table[int(key[part.index]) // part.divide % part.size]
            else:
                total += code_of((key if part.index is None else key[part.index]).tobytes(), self.shape.width)
        return total


def felt(reward: float) -> float:
    """Return a reward as the network is told it: what is beyond all that it can tell apart is cut."""
    return min(max(reward, -_FELT), _FELT)


def _shrinking(x: Array) -> float:
    """Return what a hidden state is multiplied with to have a mean square of 1."""
    return 1.0 / math.sqrt(float(x.dot(x)) / len(x) + NORM_EPS)
