"""The network of a meta-trained policy for one observation at a time, in numpy: many times faster than torch for that.

It computes what :class:`MetaNetwork` computes, to rounding. What does not change from step to step is computed once:
when the weights are loaded, when something is noted, or when an observation is asked about for the first time.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from retention import RetentionLayer

from .network import AGES, COUNTS, MetaNetwork

Array = NDArray[np.float32]
_NORM_EPS = 1e-5
_ASKED = 4096  # observations of which it is kept how they are asked about
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
    """

    x: Array
    query: Array
    gate: Array


class _Layer(NamedTuple):
    """The weights of a layer.

    Hidden states have a mean of 0, as all that is added to them has. ``2 sigmoid(x) = 1 + tanh(x / 2)``: the half lies
    in what comes before a gate or a feed-forward's middle, and what is twice too much in what comes after a gate.
    """

    query_gate: Array
    query_gate_bias: Array
    output: Array
    beta: Array
    up: Array
    up_bias: Array
    down: Array
    down_bias: Array


@final
class Reader:
    """The weights of a network as arrays, and what is computed with them.

    Slots are rows of arrays whose row 0 is the null slot: a key and a value of zeros and a score of its own.
    """

    def __init__(self, network: MetaNetwork) -> None:
        """Copy the weights."""
        shape = self.shape = network.shape
        weights = {name: tensor.detach().float().numpy().copy() for name, tensor in network.named_parameters()}
        self._seen = [weights[f"seen.{i}.weight"] for i in range(len(shape.parts))]
        self._table = [weights[f"asked.{i}.weight"] for i in range(len(shape.parts))]
        self._action = weights["action.weight"]
        self._layers = [_layer(network, weights, i) for i in range(shape.layers)]
        self._head = _after_norm(weights, "norm", "head")
        self._key_value = np.concatenate([_key_value(weights, i) for i in range(shape.layers)], axis=1)
        felt = weights["features.weight"].T @ self._key_value
        self._ages = bumps(np.arange(2 ** (AGES - 1), dtype=np.float32), AGES) @ felt[:AGES]
        self._counts = bumps(np.arange(2 ** (COUNTS - 1), dtype=np.float32), COUNTS) @ felt[AGES:-1]
        self._reward = felt[-1]
        self._features_bias = weights["features.bias"]
        self._slopes = np.concatenate([_slopes(weights, i) for i in range(shape.layers)])
        self._beta = np.array([layer.beta for layer in self._layers], np.float32)[:, :, None]
        self._ones = np.ones(shape.width // shape.heads, np.float32)
        self._met: dict[bytes, Asked] = {}

    def noted(self, key: Array, action: int) -> Array:
        """Return the part of a slot's keys and values that never changes, ``[layers * 2 * width]``."""
        u = self._sum(key, self._seen) + self._features_bias
        projected: Array = (u + self._action[action] if self.shape.noted == "answer" else u) @ self._key_value
        return projected

    def asked(self, key: Array) -> Asked:
        """Return how an observation is asked about."""
        symbol = key.tobytes()
        asked = self._met.get(symbol)
        if asked is None:
            if len(self._met) >= _ASKED:
                self._met.clear()
            x = _centred(self._sum(key, self._table))
            asked = self._met[symbol] = Asked(x, *self._question(self._layers[0], x))
        return asked

    def project(
        self, noted: Array, count: NDArray[np.int64], age: NDArray[np.int64], felt: Array
    ) -> tuple[Array, Array]:
        """Return the keys and values of slots in every layer.

        Args:
            noted: from :meth:`noted`, ``[slots, layers * 2 * width]``.
            count: 1 or more, ``[slots]``.
            age: 0 or more, ``[slots]``.
            felt: the reward, by :func:`felt`, ``[slots]``.

        Returns:
            Keys of length 1 and values, each ``[layers, heads, slots, dim]``.
        """
        shape = self.shape
        rows = noted + self._ages.take(age, 0, mode="clip")
        rows += self._counts.take(count - 1, 0, mode="clip")
        rows += felt[:, None] * self._reward
        both = rows.reshape(len(rows), shape.layers, 2, shape.heads, -1).transpose(2, 1, 3, 0, 4)
        length = np.sqrt((both[0] * both[0]) @ self._ones + _NO_LENGTH)
        return both[0] / length[..., None], both[1]

    def leaning(self, columns: Array) -> Array:
        """Return what each slot's score is beside its likeness, ``[layers, heads, 1 + slots]``.

        Args:
            columns: ``log(1 + rank)``, where the rank is how many slots were noted more recently; the reward, by
                :func:`felt`; and 1 for the null slot, for which these are 0. ``[3, 1 + slots]``.
        """
        return (self._slopes @ columns).reshape(self.shape.layers, self.shape.heads, -1)

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
        x, query, gate = asked
        beta = self._beta * max(1.0, math.sqrt(math.log(keys.shape[2]) / math.log(9.0)))
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

    def _question(self, layer: _Layer, x: Array) -> tuple[Array, Array]:
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


def _layer(network: MetaNetwork, weights: dict[str, Any], i: int) -> _Layer:
    read, form = network.reads[i], f"reads.{i}.form."
    assert isinstance(read, RetentionLayer)
    highest = math.log(read.config.max_temperature)
    query_gate, query_gate_bias = _after_norm(weights, f"{form}norm", f"{form}query_gate")
    up, up_bias = _after_norm(weights, f"feeds.{i}.0", f"feeds.{i}.1")
    half = np.repeat(np.array([1.0, 0.5], np.float32), len(query_gate))
    return _Layer(
        query_gate=query_gate * half,
        query_gate_bias=query_gate_bias * half,
        output=0.5 * _centred(weights[f"{form}output.weight"].T),
        beta=np.exp(np.clip(weights[f"{form}log_temperature"], 0.0, highest)),
        up=0.5 * up,
        up_bias=0.5 * up_bias,
        down=_centred(weights[f"feeds.{i}.3.weight"].T),
        down_bias=_centred(weights[f"feeds.{i}.3.bias"]),
    )


def _key_value(weights: dict[str, Any], i: int) -> Array:
    form = f"reads.{i}.form."
    joined: Array = np.concatenate((weights[f"{form}key.weight"].T, weights[f"{form}value.weight"].T), axis=1)
    return joined


def _slopes(weights: dict[str, Any], i: int) -> Array:
    """Return how a score leans by recency, by reward and where it is the null slot's, ``[heads, 3]``."""
    form = f"reads.{i}.form."
    recency, useful = weights[f"{form}slopes"]
    return np.stack((-10.0 * recency, 10.0 * useful, weights[f"{form}null_score"]), axis=1).astype(np.float32)


def _after_norm(weights: dict[str, Any], norm: str, linear: str) -> tuple[Array, Array]:
    """Return the weights and the bias of a linear map, with the scale and the shift of the norm before it in them."""
    weight = weights[f"{linear}.weight"].T
    bias = weights[f"{norm}.bias"] @ weight + weights[f"{linear}.bias"]
    return weights[f"{norm}.weight"][:, None] * weight, bias


def _centred(x: Array) -> Array:
    """Return vectors without their mean, ``[*lead, width]``: all that looks at them takes it off."""
    centred: Array = x - x.mean(axis=-1, keepdims=True, dtype=np.float64).astype(np.float32)
    return centred


def _shrinking(x: Array) -> float:
    """Return what a hidden state is multiplied with to have a mean square of 1."""
    return 1.0 / math.sqrt(float(x.dot(x)) / len(x) + _NORM_EPS)
