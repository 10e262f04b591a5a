"""A trained adapter in one file, without pickle: its weights in 16 bits, its config, and the model it is for."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ..errors import SlotFileError
from .adapter import FactAdapter
from .adapter_config import AdapterConfig
from .sealed import match, read_sealed, write_sealed

_KIND = "an adapter"


def save_adapter(adapter: FactAdapter, path: str | os.PathLike[str]) -> None:
    """Save an adapter; the file is replaced in one step. Round it first, for the same answers from the file.

    Raises:
        ValueError: a weight is not finite, or too large for 16 bits.
    """
    tensors = {name: tensor.detach().half() for name, tensor in adapter.state_dict().items()}
    write_sealed(Path(path), _KIND, tensors, {"config": asdict(adapter.config), "base": adapter.base})


def load_adapter(path: str | os.PathLike[str]) -> FactAdapter:
    """Load an adapter onto the CPU, frozen and in evaluation mode.

    Raises:
        SlotFileError: the file is missing, foreign, newer or damaged.
    """
    path = Path(path)
    header, tensors = read_sealed(path, _KIND)
    try:
        said: dict[str, Any] = header["config"]
        adapter = FactAdapter(AdapterConfig(**{**said, "key_layers": tuple(said["key_layers"])}))
        base = header["base"]
        if base is not None and not isinstance(base, str):
            raise TypeError(f"wanted the fingerprint of a model, got {base!r}")
    except (KeyError, TypeError, ValueError) as error:
        raise SlotFileError(f"{path} is damaged: its config cannot be used ({error!r})") from None
    match(path, tensors, {name: tensor.half() for name, tensor in adapter.state_dict().items()})
    adapter.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    adapter.base = base
    adapter.requires_grad_(False)
    return adapter.eval()


def rounded_adapter(adapter: FactAdapter) -> FactAdapter:
    """Round the weights in place to what a file keeps of them, 16 bits, and return the adapter."""
    with torch.no_grad():
        for tensor in adapter.state_dict().values():
            tensor.copy_(tensor.half())
    return adapter
