from __future__ import annotations

import importlib
import sys
from itertools import product
from typing import Any

import pytest

import environments
from agent import LocalModel
from evals.suite import Suite

environments.register()  # a file of tests must pass alone too

TOY = """
import os, sys, time
from pathlib import Path

from evals.report import Report, Row


def learn(case, folder, earlier):
    (folder / "kept.txt").write_text(str(case.seed))
    if case.settings.get("mark"):
        with open(case.settings["mark"], "a") as file:
            file.write(f"{case.task} {case.arm} {case.seed} {os.getpid()}\\n")
    gate, patience = case.settings.get("gate"), time.monotonic() + 60
    while gate and case.seed == 2 and not Path(gate).exists() and time.monotonic() < patience:
        time.sleep(0.02)
    return {"learned": case.seed + 1}


def use(case, folder, earlier):
    fail = case.settings.get("fail", {})
    if fail.get("seed") == case.seed and not Path(fail.get("until", "/nowhere")).exists():
        if fail["how"] == "raise":
            print("chatter on stdout")
            raise RuntimeError("planted\\nfault")
        if fail["how"] == "kill":
            os.kill(os.getpid(), 9)
        if fail["how"] == "exit":
            os._exit(3)
        if fail["how"] == "answer":
            return {"value": float("nan")}
    return {
        "learned": earlier[0]["learned"] if earlier else None,
        "read": (folder / "kept.txt").read_text() if earlier else None,
        "threads": os.environ["OMP_NUM_THREADS"],
        "modules": "torch" in sys.modules,
    }


def score(results):
    rows = [
        Row(task=r.case.task, arm=r.case.arm, metric="share", value=0.5, low=0.4, high=0.6, seeds=1) for r in results
    ]
    return Report(suite="toy", rows=tuple(rows), verdict=f"{len(rows)} cases were run.")
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Make a suite of two-process cases whose functions lie in a module of their own."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "toy_suite.py").write_text(TOY)
    monkeypatch.syspath_prepend(str(modules))
    importlib.invalidate_caches()

    def make(**settings) -> Suite:
        return Suite(
            name="toy",
            version=1,
            summary="Does a toy run?",
            tasks={"blocks": settings},
            arms={"kept": ("toy_suite:learn", "toy_suite:use"), "wiped": ("toy_suite:use",)},
            score="toy_suite:score",
            headline="share",
            seeds=2,
        )

    yield make
    sys.modules.pop("toy_suite", None)


@pytest.fixture(scope="session")
def letters() -> Any:
    """A tokenizer of bytes; it knows some hundred words by name, which a fact may have as its value."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    small = ["".join(parts) + "o" for parts in product("bdfgkpst", "aeu", "lmr", "iu")]
    words = [f"Ġ{word}" for each in small for word in (each, each.capitalize())]
    tokens = ["<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet()), *words]
    made = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, []))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    found: Any = PreTrainedTokenizerFast
    return found(tokenizer_object=made, bos_token="<s>", eos_token="</s>", clean_up_tokenization_spaces=False)


@pytest.fixture
def tiny(letters: Any) -> LocalModel:
    """A Llama of a few thousand random weights, frozen, in the place of the local model."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(letters),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=4,
        num_attention_heads=2,
        max_position_embeddings=4096,
        initializer_range=0.5,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    model = LlamaForCausalLM(config)
    model.train(False)
    model.requires_grad_(False)
    return LocalModel(name="tiny", model=model, tokenizer=letters)
