"""A meta-trained policy in a folder: ``weights.safetensors``, and ``recipe.json`` that says where they came from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from retention import NotFoundError, SlotFileError, read_sealed, write_sealed

from .network import MetaNetwork
from .shape import Part, Shape

SHIPPED = Path(__file__).parent.parent / "pretrained"
"""Where the policies lie that come with the package."""

_WEIGHTS, _RECIPE = "weights.safetensors", "recipe.json"
_KIND = "a meta-trained policy"
_FORMAT = 1


def shipped() -> list[str]:
    """Return the names of the policies that come with the package."""
    return sorted(each.parent.name for each in SHIPPED.glob(f"*/{_RECIPE}"))


def rounded(network: MetaNetwork) -> MetaNetwork:
    """Round the weights in place to what a file keeps of them, 16 bits, and return the network."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(weight.to(torch.float16))
    return network


def save_checkpoint(network: MetaNetwork, recipe: Mapping[str, Any], folder: Path) -> None:
    """Save a policy; each file is replaced in one step, the recipe last.

    Args:
        network: its weights are kept in 16 bits.
        recipe: where it came from, as JSON values.
        folder: made where it is missing.

    Raises:
        OSError: the folder cannot be written.
        ValueError: a weight, or a number of the recipe, is not finite.
    """
    whole = json.dumps({"format": _FORMAT, **recipe, "shape": asdict(network.shape)}, indent=1, allow_nan=False)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().to(torch.float16) for name, tensor in network.named_parameters()}
    write_sealed(folder / _WEIGHTS, _KIND, weights, {})
    unfinished = folder / f".{_RECIPE}.{os.getpid()}"
    try:
        unfinished.write_text(whole + "\n")
        unfinished.replace(folder / _RECIPE)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def load_checkpoint(name: str) -> tuple[MetaNetwork, dict[str, Any]]:
    """Load a policy.

    Args:
        name: of a policy that comes with the package, or the path of a folder.

    Returns:
        The network, in evaluation mode, and the recipe.

    Raises:
        NotFoundError: there is neither such a policy nor such a folder.
        SlotFileError: its files are foreign, newer or damaged, or do not fit each other.
    """
    folder = SHIPPED / name if name in shipped() else Path(name)
    file = folder / _RECIPE
    try:
        recipe = json.loads(file.read_text())
        if not isinstance(recipe, dict):
            raise TypeError(f"wanted an object, got {type(recipe).__name__}")
        if int(recipe["format"]) > _FORMAT:
            raise SlotFileError(
                f"{file} has format {recipe['format']}, this holdfast reads {_FORMAT}: upgrade holdfast"
            )
        network, _ = MetaNetwork(shape_of(recipe["shape"])), recipe["family"]
    except (FileNotFoundError, NotADirectoryError):
        known = ", ".join(shipped()) or "none"
        raise NotFoundError(
            f"no policy {name!r}: neither one of the package ({known}) nor a folder with a recipe"
        ) from None
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise SlotFileError(f"{file} is damaged: it is no recipe ({error!r})") from None
    _, weights = read_sealed(folder / _WEIGHTS, _KIND)
    _fill(network, weights, folder / _WEIGHTS)
    return network.eval(), recipe


def shape_of(values: Mapping[str, Any]) -> Shape:
    """Return the shape that a recipe describes.

    Raises:
        TypeError: a value is missing, or not known.
        ValueError: a value is out of its range.
    """
    return Shape(**{**values, "parts": tuple(Part(**part) for part in values["parts"])})


def _fill(network: MetaNetwork, weights: Mapping[str, Tensor], file: Path) -> None:
    named = dict(network.named_parameters())
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if found != {name: tuple(tensor.shape) for name, tensor in named.items()}:
        raise SlotFileError(f"{file} does not fit its recipe: they are of two policies")
    with torch.no_grad():
        for name, tensor in named.items():
            tensor.copy_(weights[name])
