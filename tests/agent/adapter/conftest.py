"""A tiny random Llama with a tokenizer of bytes and words, in memory and as a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from agent.adapter import cache
from agent.adapter.plan import AdapterPlan
from agent.adapter.preparing import Prepared
from retention import AdapterConfig, Handle, attach, config_for

TEMPLATE = "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>{% endfor %}{{ '<s>assistant\n' }}"


def tiny_tokenizer() -> Any:
    """Return a byte-level tokenizer that has some hundred words as one token each."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = "abcdefghij"
    words = [a + b + "mo" for a in letters for b in letters]
    pieces = ["<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    merges = []
    for word in [*words, *(each.capitalize() for each in words)]:
        built = "Ġ"
        for letter in word:
            if built + letter not in pieces:
                pieces.append(built + letter)
                merges.append((built, letter))
            built += letter
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(each, special=True, normalized=False) for each in ("<s>", "</s>")])
    make: Any = PreTrainedTokenizerFast  # it has no types
    return make(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE)


def tiny_model(vocabulary: int) -> Any:
    """Return a random Llama of three layers."""
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=3,
            num_attention_heads=2,
            max_position_embeddings=512,
            bos_token_id=0,
            eos_token_id=1,
            initializer_range=0.2,
        )
        return LlamaForCausalLM(config).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return tiny_tokenizer()


@pytest.fixture(scope="session")
def model(tokenizer: Any) -> Any:
    return tiny_model(len(tokenizer))


@pytest.fixture(scope="session")
def model_folder(model: Any, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the model with its tokenizer, as transformers saves them."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def plan() -> AdapterPlan:
    """A plan of a few seconds."""
    return AdapterPlan(
        model="tiny",
        iterations=6,
        people=10,
        paraphrases=1,
        neutral=20,
        most_facts=8,
        questions=4,
        own=20,
        test_people=6,
    )


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of few states, so that there are several."""
    monkeypatch.setattr(cache, "_SHARD", 64)


@pytest.fixture(scope="session")
def small_config(model: Any) -> AdapterConfig:
    """What the adapter of the tiny model is made of."""
    return config_for(model, token_dim=16, fact_dim=8, top_facts=8)


@pytest.fixture
def handle(model: Any, tokenizer: Any, small_config: AdapterConfig) -> Iterator[Handle]:
    """A new adapter on the tiny model."""
    attached = attach(model, small_config, tokenizer=tokenizer)
    yield attached
    attached.detach()


@pytest.fixture(scope="session")
def prepared_folder(
    model: Any, tokenizer: Any, small_config: AdapterConfig, plan: AdapterPlan, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder in which the texts of the plan are, read by the tiny model."""
    folder = tmp_path_factory.mktemp("prepared")
    attached = attach(model, small_config, tokenizer=tokenizer)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cache, "_SHARD", 64)
        Prepared(plan, attached, folder)
    attached.detach()
    return folder


@pytest.fixture
def prepared(plan: AdapterPlan, handle: Handle, prepared_folder: Path) -> Prepared:
    """The texts of the plan with a new adapter."""
    return Prepared(plan, handle, prepared_folder)
