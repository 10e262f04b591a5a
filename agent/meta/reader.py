"""The network of a meta-trained policy for one observation at a time, in numpy: many times faster than torch for that.

It computes what :class:`MetaNetwork` computes, to rounding; the keys and values of slots are kept from step to step.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from retention import RetentionLayer

from .network import AGES, COUNTS, MetaNetwork

Array = NDArray[np.float32]
_NORM_EPS = 1e-5


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


@final
class Reader:
    """The weights of a network as arrays, and what is computed with them."""

    def __init__(self, network: MetaNetwork) -> None:
        """Copy the weights."""
        self.shape = network.shape
        weights = {name: tensor.detach().float().numpy().copy() for name, tensor in network.named_parameters()}
        self._seen = [weights[f"seen.{i}.weight"] for i in range(len(self.shape.parts))]
        self._asked = [weights[f"asked.{i}.weight"] for i in range(len(self.shape.parts))]
        self._action = weights["action.weight"]
        self._features, self._features_bias = weights["features.weight"].T.copy(), weights["features.bias"]
        self._layers = [_layer(network, weights, i) for i in range(self.shape.layers)]
        self._head = _after_norm(weights, "norm", "head")
        self._key_value = np.concatenate([each["key_value"] for each in self._layers], axis=1)

    def noted(self, key: Array, action: int) -> Array:
        """Return the part of a slot's ``u`` that never changes, ``[width]``."""
        u = self._sum(key, self._seen)
        return u + self._action[action] if self.shape.noted == "answer" else u

    def asked(self, key: Array) -> Array:
        """Return the hidden state with which an observation is asked about, ``[width]``."""
        return self._sum(key, self._asked)

    def project(self, noted: Array, count: Array, age: Array, reward: Array) -> tuple[Array, Array]:
        """Return the keys and values of slots in every layer.

        Args:
            noted: ``[slots, width]``.
            count: ``[slots]``.
            age: ``[slots]``.
            reward: ``[slots]``.

        Returns:
            Keys of length 1 and values, each ``[layers, heads, slots, dim]``.
        """
        shape = self.shape
        features = np.concatenate((bumps(age, AGES), bumps(count - np.float32(1.0), COUNTS), reward[:, None]), axis=1)
        u = noted + (features @ self._features + self._features_bias)
        both = (u @ self._key_value).reshape(len(u), shape.layers, 2, shape.heads, -1).transpose(2, 1, 3, 0, 4)
        length = np.sqrt(np.square(both[0]).sum(axis=-1, keepdims=True))
        return both[0] / np.maximum(length, np.float32(1e-12)), both[1]

    def scores(self, x: Array, keys: Array, values: Array, rank: Array, reward: Array) -> tuple[Array, Array]:
        """Score the actions.

        Args:
            x: from :meth:`asked`, ``[width]``.
            keys: ``[layers, heads, slots, dim]``.
            values: likewise.
            rank: how many slots were noted more recently, ``[slots]``.
            reward: ``[slots]``.

        Returns:
            Logits, ``[actions]``, and the attention on each slot in the last layer, a mean over heads, ``[slots]``.
        """
        crowd = max(1.0, math.sqrt(math.log1p(len(rank)) / math.log(9.0)))
        later = np.log1p(rank)
        heads = self.shape.heads
        weights = np.zeros((heads, len(rank)), np.float32)
        for layer, key, value in zip(self._layers, keys, values, strict=True):
            both = _normed(x) @ layer["query_gate"] + layer["query_gate_bias"]
            query, gate = both.reshape(2, heads, -1)
            length = np.maximum(np.sqrt((query * query).sum(axis=1)), 1e-12)
            query = query * (crowd * layer["beta"] / length)[:, None]
            scores = (key @ query[:, :, None])[:, :, 0] + layer["recency"] * later + layer["useful"] * reward
            top = np.maximum(scores.max(axis=1, initial=-np.inf), layer["null"])[:, None]
            weights = np.exp(scores - top)
            weights /= weights.sum(axis=1, keepdims=True) + np.exp(layer["null"][:, None] - top)
            answer = (weights[:, None] @ value)[:, 0] / (np.float32(1.0) + np.exp(-gate))
            x = x + answer.ravel() @ layer["output"]
            hidden = _normed(x) @ layer["up"] + layer["up_bias"]
            x = x + (hidden / (np.float32(1.0) + np.exp(-hidden))) @ layer["down"] + layer["down_bias"]
        return _normed(x) @ self._head[0] + self._head[1], weights.sum(axis=0) / np.float32(heads)

    def _sum(self, key: Array, tables: list[Array]) -> Array:
        total = np.zeros(self.shape.width, np.float32)
        for part, table in zip(self.shape.parts, tables, strict=True):
            if part.size:
                assert part.index is not None
                total += table[int(key[part.index]) // part.divide % part.size]
            else:
                total += code_of((key if part.index is None else key[part.index]).tobytes(), self.shape.width)
        return total


def _layer(network: MetaNetwork, weights: dict[str, Any], i: int) -> dict[str, Any]:
    read, form = network.reads[i], f"reads.{i}.form."
    assert isinstance(read, RetentionLayer)
    highest = math.log(read.config.max_temperature)
    query_gate, query_gate_bias = _after_norm(weights, f"{form}norm", f"{form}query_gate")
    up, up_bias = _after_norm(weights, f"feeds.{i}.0", f"feeds.{i}.1")
    return {
        "query_gate": query_gate,
        "query_gate_bias": query_gate_bias,
        "key_value": np.concatenate((weights[f"{form}key.weight"].T, weights[f"{form}value.weight"].T), axis=1),
        "output": weights[f"{form}output.weight"].T.copy(),
        "beta": np.exp(np.clip(weights[f"{form}log_temperature"], 0.0, highest)),
        "null": weights[f"{form}null_score"],
        "recency": -10.0 * weights[f"{form}slopes"][0][:, None],
        "useful": 10.0 * weights[f"{form}slopes"][1][:, None],
        "up": up,
        "up_bias": up_bias,
        "down": weights[f"feeds.{i}.3.weight"].T.copy(),
        "down_bias": weights[f"feeds.{i}.3.bias"],
    }


def _after_norm(weights: dict[str, Any], norm: str, linear: str) -> tuple[Array, Array]:
    """Return the weights and the bias of a linear map, with the scale and the shift of the norm before it in them."""
    weight = weights[f"{linear}.weight"].T
    bias = weights[f"{norm}.bias"] @ weight + weights[f"{linear}.bias"]
    return weights[f"{norm}.weight"][:, None] * weight, bias


def _normed(x: Array) -> Array:
    centred = x - x.sum() / np.float32(len(x))
    normed: Array = centred / math.sqrt(centred @ centred / len(x) + _NORM_EPS)
    return normed
