"""Slot states, layers and transformers in files, without pickle."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..errors import SlotFileError
from .block import BlockConfig
from .config import RetentionConfig
from .evict import FirstInFirstOut, LeastRecentlyUsed, LeastUseful, RandomEviction
from .layer import RetentionLayer
from .pool import ChunkPool, MeanPool, QueryPool
from .rules import AppendWrite, BlendWrite, MergeWrite
from .sealed import match, read_sealed, write_sealed
from .slots import SlotState, empty_slots, slot_stamps
from .transformer import RetentionTransformer, TransformerConfig

Model = TypeVar("Model", RetentionLayer, RetentionTransformer)

_CONFIGS: dict[str, type[Any]] = {
    config.__name__: config
    for config in (
        *(RetentionConfig, BlockConfig, TransformerConfig),
        *(MeanPool, ChunkPool, QueryPool),
        *(AppendWrite, BlendWrite, MergeWrite),
        *(FirstInFirstOut, LeastRecentlyUsed, LeastUseful, RandomEviction),
    )
}


def save_slots(state: SlotState, path: str | os.PathLike[str], *, encoder: str | None = None) -> None:
    """Save a slot state; the file is replaced in one step. Its header has the widths and the fingerprints of weights.

    Args:
        state: the slots.
        path: the file.
        encoder: a name or fingerprint of what made the hidden states that the slots hold, asked for by ``load_slots``.

    Raises:
        ValueError: a tensor holds a value that is not finite.
    """
    widths = {"width": state.u.shape[2], "heads": state.k.shape[1], "dim": state.k.shape[3]}
    weights = [f"{version % 2**64:016x}" for version in state.version.tolist()]
    write_sealed(Path(path), "slots", _tensors(state), {"widths": widths, "weights": weights, "encoder": encoder})


def load_slots(
    path: str | os.PathLike[str], layer: RetentionLayer | None = None, *, encoder: str | None = None
) -> SlotState:
    """Load a slot state, to the CPU or to where the layer is. ``layer.stale`` tells whether it needs ``refresh``.

    A file of schema 1 knows neither stamps nor pins nor the order of writes: the stamps are computed, nothing is
    pinned, and slots count as written in the order of their ids.

    Args:
        path: the file.
        layer: the layer that is to read the slots; None takes any widths.
        encoder: what makes the hidden states that will ask; None takes any. A file that was saved without one fits all.

    Raises:
        SlotFileError: the file is missing, foreign, newer or damaged, or does not fit the layer or the encoder.
    """
    path = Path(path)
    header, tensors = read_sealed(path, "slots")
    try:
        widths = {name: int(header["widths"][name]) for name in ("width", "heads", "dim")}
        batch, capacity = tensors["occupied"].shape
        wanted = empty_slots(batch, capacity, **widths, dtype=tensors["u"].dtype, device="meta")
    except (KeyError, TypeError, ValueError) as error:
        raise SlotFileError(f"{path} is damaged: its header does not describe slots ({error!r})") from None
    added = {"stamp", "pinned", "written", "writes"} if int(header["schema"]) == 1 else set()
    match(path, tensors, {name: t for name, t in _tensors(wanted).items() if name not in added})
    if added:
        stamp = slot_stamps(tensors["u"], tensors["id"]).masked_fill(~tensors["occupied"], 0)
        tensors |= {"stamp": stamp, "pinned": torch.zeros_like(tensors["occupied"])}
        tensors |= {"written": tensors["id"] + 1, "writes": tensors["next_id"].clone()}
    state = SlotState(**tensors)
    made_by = header.get("encoder")
    if encoder is not None and made_by is not None and made_by != encoder:
        raise SlotFileError(
            f"{path} holds what the encoder {made_by!r} made, not {encoder!r}: load it without one, "
            "encode its sources anew and give that to refresh"
        )
    if layer is None:
        return state
    config = layer.config
    needs = {"width": config.width, "heads": config.heads, "dim": config.reads // config.heads}
    if widths != needs:
        found, need = (", ".join(f"{name} {size}" for name, size in w.items()) for w in (widths, needs))
        raise SlotFileError(f"{path} holds slots of {found}; the layer needs {need}: load it with its own layer")
    return state.to(device=layer.pool_queries.device, dtype=layer.pool_queries.dtype)


def save_model(model: RetentionLayer | RetentionTransformer, path: str | os.PathLike[str]) -> None:
    """Save the weights and the config of a layer or a transformer; the file is replaced in one step.

    Raises:
        ValueError: a weight is not finite, or the config holds an object that is not holdfast's own.
    """
    kind = "a layer" if isinstance(model, RetentionLayer) else "a transformer"
    write_sealed(Path(path), kind, dict(model.named_parameters()), {"config": _encode(model.config)})


def load_layer(path: str | os.PathLike[str]) -> RetentionLayer:
    """Load a layer onto the CPU, in evaluation mode.

    Raises:
        SlotFileError: the file is missing, foreign, newer or damaged.
    """
    return _load(Path(path), "a layer", RetentionLayer, RetentionConfig)


def load_transformer(path: str | os.PathLike[str]) -> RetentionTransformer:
    """Load a transformer onto the CPU, in evaluation mode.

    Raises:
        SlotFileError: the file is missing, foreign, newer or damaged.
    """
    return _load(Path(path), "a transformer", RetentionTransformer, TransformerConfig)


def _load(path: Path, kind: str, build: Callable[[Any], Model], config_class: type) -> Model:
    header, tensors = read_sealed(path, kind)
    try:
        config = _decode(header["config"])
        if not isinstance(config, config_class):
            raise TypeError(f"wanted a {config_class.__name__}")
        model = build(config).to(next(iter(tensors.values())).dtype)
    except (KeyError, StopIteration, TypeError, ValueError) as error:
        raise SlotFileError(f"{path} is damaged: its config cannot be used ({error!r})") from None
    weights = dict(model.named_parameters())
    if int(header["schema"]) == 1:
        tensors = _stack_queries(tensors)
    match(path, tensors, weights)
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(tensors[name])
    return model.eval()


def _stack_queries(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put ``W_Q`` above ``W_g``, as schema 2 has them; the query had no bias, and there were no slopes."""
    stacked = dict(tensors)
    for name in tensors:
        form = name.removesuffix("read_gate.bias")
        parts = [f"{form}{part}" for part in ("query.weight", "read_gate.weight", "read_gate.bias")]
        if form == name or not tensors.keys() >= {*parts, f"{form}null_score"}:
            continue
        query, gate, bias = (stacked.pop(part) for part in parts)
        stacked |= {
            f"{form}query_gate.weight": torch.cat((query, gate)),
            f"{form}query_gate.bias": torch.cat((torch.zeros_like(bias), bias)),
            f"{form}slopes": bias.new_zeros((2, len(tensors[f"{form}null_score"]))),
        }
    return stacked


def _tensors(state: SlotState) -> dict[str, Tensor]:
    return {f.name: getattr(state, f.name) for f in fields(state)}


def _encode(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    name = type(value).__name__
    if _CONFIGS.get(name) is not type(value):
        raise ValueError(f"a config with {value!r} cannot be saved: only holdfast's own rules can")
    return {"class": name} | {f.name: _encode(getattr(value, f.name)) for f in fields(value)}


def _decode(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    rest = {name: _decode(part) for name, part in value.items() if name != "class"}
    return _CONFIGS[value["class"]](**rest)
