"""What an adapter needs to know of a pretrained model: its decoder layers, its output embeddings, who it is."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..errors import UnsupportedModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_SAMPLED = 64  # numbers of each weight that the fingerprint looks at
CACHE_NAMES = ("cache", "past_key_values")
"""What transformers calls keys and values that were computed before; the word changed in 5.2x."""


def decoder_of(model: PreTrainedModel) -> nn.Module:
    """Return the part of a causal language model that has the decoder layers.

    Raises:
        UnsupportedModelError: it is none, and why.
    """
    asked: Any = model
    config = getattr(model, "config", None)
    if not isinstance(model, nn.Module) or config is None or not hasattr(model, "generate"):
        raise UnsupportedModelError(
            f"{type(model).__name__} is no language model of transformers: load one with AutoModelForCausalLM"
        )
    name = type(model).__name__
    if getattr(config, "is_encoder_decoder", False):
        raise UnsupportedModelError(f"{name} has an encoder beside its decoder; a decoder-only causal model is wanted")
    if asked.get_output_embeddings() is None:
        raise UnsupportedModelError(f"{name} has no output embeddings: load it with AutoModelForCausalLM")
    decoder = asked.get_decoder()
    if not isinstance(decoder, nn.Module) or decoder is model:
        decoder = model.base_model
    if not getattr(text_config(model), "num_attention_heads", None):
        raise UnsupportedModelError(f"{name} has no attention; a transformer is wanted")
    return decoder


def decoder_layers(model: PreTrainedModel) -> Sequence[nn.Module]:
    """Return the decoder layers of a causal language model, first to last.

    Raises:
        UnsupportedModelError: they cannot be told.
    """
    decoder, wanted = decoder_of(model), int(text_config(model).num_hidden_layers)
    lists = [each for each in decoder.modules() if isinstance(each, nn.ModuleList) and len(each) == wanted]
    if not lists:
        raise UnsupportedModelError(
            f"{type(model).__name__} has no list of {wanted} decoder layers, as its config says it has"
        )
    return list(lists[0])


def text_config(model: PreTrainedModel) -> Any:
    """Return the part of a config that is about the language model."""
    return model.config.get_text_config(decoder=True)


def output_embeddings(model: PreTrainedModel) -> Tensor:
    """Return the output embeddings, ``[vocabulary, width]``."""
    asked: Any = model
    weight: Tensor = asked.get_output_embeddings().weight
    return weight


def base_fingerprint(model: PreTrainedModel) -> str:
    """Return a digest that tells one pretrained model from another, whatever the precision it is loaded in.

    It looks at the name, the shape and some numbers of each weight, in 8 bits of mantissa: all of a large model would
    take minutes.
    """
    digest = hashlib.sha256()
    for name, weight in sorted(model.named_parameters()):
        flat = weight.detach().reshape(-1)
        at = torch.linspace(0, len(flat) - 1, min(_SAMPLED, len(flat)), dtype=torch.float64).long()
        sample = flat[at.to(flat.device)].to(torch.bfloat16).float().cpu()
        digest.update(f"{name} {tuple(weight.shape)}".encode() + sample.numpy().tobytes())
    return digest.hexdigest()[:32]


def argument(module: nn.Module, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return an argument of a call of a module's ``forward``, given by position or by name; None where it was not."""
    if name in kwargs:
        return kwargs[name]
    names = list(inspect.signature(module.forward).parameters)
    place = names.index(name) if name in names else len(args)
    return args[place] if place < len(args) else None
