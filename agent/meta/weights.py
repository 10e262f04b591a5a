"""The weights of a meta-trained network as arrays, with all in them that is the same at every step."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retention import RetentionLayer

from .network import MetaNetwork

Array = NDArray[np.float32]
NORM_EPS = 1e-5
"""What is added to a mean square before its root is taken."""


class Layer(NamedTuple):
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


def arrays_of(network: MetaNetwork) -> dict[str, Any]:
    """Return a copy of all weights by name."""
    return {name: tensor.detach().float().numpy().copy() for name, tensor in network.named_parameters()}


def layer_of(network: MetaNetwork, weights: dict[str, Any], i: int) -> Layer:
    """Return what a layer computes with beside keys and values."""
    read, form = network.reads[i], f"reads.{i}.form."
    assert isinstance(read, RetentionLayer)
    highest = math.log(read.config.max_temperature)
    query_gate, query_gate_bias = after_norm(weights, f"{form}norm", f"{form}query_gate")
    up, up_bias = after_norm(weights, f"feeds.{i}.0", f"feeds.{i}.1")
    half = np.repeat(np.array([1.0, 0.5], np.float32), len(query_gate))
    return Layer(
        query_gate=query_gate * half,
        query_gate_bias=query_gate_bias * half,
        output=0.5 * centred(weights[f"{form}output.weight"].T),
        beta=np.exp(np.clip(weights[f"{form}log_temperature"], 0.0, highest)),
        up=0.5 * up,
        up_bias=0.5 * up_bias,
        down=centred(weights[f"feeds.{i}.3.weight"].T),
        down_bias=centred(weights[f"feeds.{i}.3.bias"]),
    )


def key_value_of(weights: dict[str, Any], i: int) -> Array:
    """Return what makes keys, and then values, of slots, ``[width, 2 * width]``."""
    form = f"reads.{i}.form."
    joined: Array = np.concatenate((weights[f"{form}key.weight"].T, weights[f"{form}value.weight"].T), axis=1)
    return joined


def slopes_of(weights: dict[str, Any], i: int) -> Array:
    """Return how a score leans by recency, by reward and where it is the null slot's, ``[heads, 3]``."""
    form = f"reads.{i}.form."
    recency, useful = weights[f"{form}slopes"]
    return np.stack((-10.0 * recency, 10.0 * useful, weights[f"{form}null_score"]), axis=1).astype(np.float32)


def after_norm(weights: dict[str, Any], norm: str, linear: str) -> tuple[Array, Array]:
    """Return the weights and the bias of a linear map, with the scale and the shift of the norm before it in them."""
    weight = weights[f"{linear}.weight"].T
    bias = weights[f"{norm}.bias"] @ weight + weights[f"{linear}.bias"]
    return weights[f"{norm}.weight"][:, None] * weight, bias


def centred(x: Array) -> Array:
    """Return vectors without their mean, ``[*lead, width]``: all that looks at them takes it off."""
    centred: Array = x - x.mean(axis=-1, keepdims=True, dtype=np.float64).astype(np.float32)
    return centred
