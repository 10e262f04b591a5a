"""A language model of a few thousand weights, in a file of the format that the real one has."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agent.chat.gguf_file import GgufFile, read_gguf
from agent.chat.smollm import LocalModel, build_model, build_tokenizer
from retention import EpisodicMemory, FactMemory, Handle, attach, config_for

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{{ message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
WIDTH, LAYERS, HEADS, KEY_HEADS, INNER, CONTEXT = 32, 2, 4, 2, 64, 96

_CODES: dict[type, tuple[int, str]] = {bool: (7, "?"), int: (4, "I"), float: (6, "f")}


def text(value: str) -> bytes:
    held = value.encode()
    return struct.pack("<Q", len(held)) + held


def written(value: Any) -> bytes:
    """A value with its type before it."""
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    if isinstance(value, list):
        inner = b"".join(written(each)[4:] for each in value)
        return struct.pack("<I", 9) + written(value[0])[:4] + struct.pack("<Q", len(value)) + inner
    number, code = _CODES[type(value)]
    return struct.pack(f"<I{code}", number, value)


def gguf_bytes(settings: dict[str, Any], tensors: dict[str, tuple[tuple[int, ...], int, bytes]]) -> bytes:
    """A file of version 3: tensors as shape, type and data."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(settings))
    for name, value in settings.items():
        head += text(name) + written(value)
    data = b""
    for name, (shape, kind, held) in tensors.items():
        data += b"\0" * (-len(data) % 32)
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], kind, len(data))
        data += held
    return head + b"\0" * (-len(head) % 32) + data


def byte_letters() -> list[str]:
    """The 256 letters that byte-level BPE writes bytes as."""
    from tokenizers.pre_tokenizers import ByteLevel

    return sorted(ByteLevel.alphabet())


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of random weights that reads bytes."""
    random = np.random.default_rng(0)
    tokens = ["<|im_start|>", "<|im_end|>", *byte_letters(), "he"]
    settings: dict[str, Any] = {
        "general.architecture": "llama",
        "llama.block_count": LAYERS,
        "llama.context_length": CONTEXT,
        "llama.embedding_length": WIDTH,
        "llama.feed_forward_length": INNER,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": KEY_HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.freq_base": 10000.0,
        "llama.vocab_size": len(tokens),
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3, 3, *[1] * (len(tokens) - 2)],
        "tokenizer.ggml.merges": ["h e"],
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.padding_token_id": 1,
        "tokenizer.chat_template": TEMPLATE,
    }
    keys = WIDTH * KEY_HEADS // HEADS
    shapes = {"token_embd": (len(tokens), WIDTH), "output_norm": (WIDTH,)}
    for layer in range(LAYERS):
        for name, shape in {
            "attn_norm": (WIDTH,),
            "attn_q": (WIDTH, WIDTH),
            "attn_k": (keys, WIDTH),
            "attn_v": (keys, WIDTH),
            "attn_output": (WIDTH, WIDTH),
            "ffn_norm": (WIDTH,),
            "ffn_gate": (INNER, WIDTH),
            "ffn_up": (INNER, WIDTH),
            "ffn_down": (WIDTH, INNER),
        }.items():
            shapes[f"blk.{layer}.{name}"] = shape
    tensors = {
        f"{name}.weight": (shape, 0, random.normal(0, 0.3, shape).astype("<f4").tobytes())
        for name, shape in shapes.items()
    }
    path = tmp_path_factory.mktemp("tiny") / "tiny.gguf"
    path.write_bytes(gguf_bytes(settings, tensors))
    return path


@pytest.fixture(scope="session")
def tiny(tiny_file: Path) -> LocalModel:
    file = read_gguf(tiny_file)
    return LocalModel(name="tiny", model=build_model(file), tokenizer=build_tokenizer(file))


@pytest.fixture(scope="session")
def talker(tiny_file: Path) -> LocalModel:
    """The tiny model with room for a conversation."""
    file = read_gguf(tiny_file)
    file = GgufFile(settings=file.settings | {"llama.context_length": 1024}, tensors=file.tensors)
    return LocalModel(name="talker", model=build_model(file), tokenizer=build_tokenizer(file))


@pytest.fixture
def handle(talker: LocalModel) -> Iterator[Handle]:
    """An adapter at work on it that always reads: nothing goes to the null slot."""
    small = config_for(talker.model, token_heads=1, token_dim=8, fact_heads=2, fact_dim=8, floor=0.0)
    made = attach(talker.model, small, tokenizer=talker.tokenizer, seed=1)
    with torch.no_grad():
        made.adapter.null_score.fill_(-50.0)
        made.adapter.scale.fill_(1.0)
    made.adapter.requires_grad_(False)
    yield made
    made.detach()


@pytest.fixture
def memory(path: Path) -> Iterator[EpisodicMemory]:
    with EpisodicMemory.open(path) as opened:
        yield opened


@pytest.fixture
def facts(handle: Handle, memory: EpisodicMemory) -> FactMemory:
    return FactMemory(handle, memory, namespace="alice")


@pytest.fixture(scope="session")
def gguf() -> Callable[..., bytes]:
    return gguf_bytes


@pytest.fixture(scope="session")
def tiny_gguf(tiny_file: Path) -> GgufFile:
    return read_gguf(tiny_file)
