"""What a model makes of the states after its last layer is what it makes of them when it is called."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from agent.adapter.head import Head

SIZES: dict[str, Any] = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3}
HEADS: dict[str, Any] = {"num_attention_heads": 2, "num_key_value_heads": 1}
MODELS = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES, **HEADS)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=16, n_layer=3, n_head=2, n_positions=32)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SIZES, **HEADS)),
    "gemma2": lambda: Gemma2ForCausalLM(Gemma2Config(**SIZES, **HEADS, head_dim=8, final_logit_softcapping=0.5)),
}


@pytest.mark.parametrize("name", MODELS)
def test_it_gives_the_models_own_logits_and_leaves_the_model_alone(name: str) -> None:
    torch.manual_seed(0)
    model: Any = MODELS[name]().eval().requires_grad_(False)
    tokens = torch.randint(50, (2, 7))
    seen: list[Any] = []
    last = model.get_decoder().layers[-1] if name != "gpt2" else model.transformer.h[-1]
    hook = last.register_forward_hook(lambda layer, given, output: seen.append(output))
    wanted = model(input_ids=tokens).logits
    hook.remove()
    states = (seen[0] if isinstance(seen[0], torch.Tensor) else seen[0][0]).flatten(0, 1).requires_grad_(True)
    head = Head(model)
    logits = head(states)
    assert torch.allclose(logits, wanted.flatten(0, 1), atol=1e-6)
    assert not torch.allclose(head(states + 1.0 * torch.arange(16)), logits, atol=1e-3)
    logits[0, 3].backward()
    assert states.grad is not None
    assert states.grad[0].abs().sum() > 0
    assert states.grad[1:].abs().sum() == 0
    assert torch.equal(model(input_ids=tokens).logits, wanted)
    assert all("forward" not in vars(module) for module in model.modules())


def test_a_layer_with_a_forward_of_its_own_keeps_it() -> None:
    model: Any = MODELS["llama"]().eval()
    layer = model.model.layers[1]
    own = layer.forward
    layer.forward = own
    Head(model)(torch.zeros(1, 16))
    assert vars(layer)["forward"] is own
