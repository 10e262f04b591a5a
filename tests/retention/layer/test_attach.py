"""An adapter on tiny random models of three architectures: bit-equality, caches, padding, namespaces, and refusals."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaModel,
    MambaConfig,
    MambaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from retention import FactSlots, HoldfastError, UnsupportedModelError, attach, config_for

VOCABULARY = 61
ARCHITECTURES = ("llama", "gpt2", "qwen2")
TINY = {"vocab_size": VOCABULARY, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


def tiny(architecture: str, *, seed: int = 0, layers: int = 4):
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2}
    torch.manual_seed(seed)
    if architecture == "gpt2":
        model = GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=layers, n_head=4, n_positions=64, **TINY))
    elif architecture == "qwen2":
        model = Qwen2ForCausalLM(Qwen2Config(num_hidden_layers=layers, **sizes, **TINY))
    else:
        model = LlamaForCausalLM(LlamaConfig(num_hidden_layers=layers, **sizes, **TINY))
    return model.eval().requires_grad_(False)


def trained(handle):
    """Draw weights as a training might leave them: facts are read, and change what is said."""
    torch.manual_seed(1)
    with torch.no_grad():
        handle.adapter.scale.normal_()
        handle.adapter.key.weight.normal_(std=0.1)
        handle.adapter.null_score.fill_(-20.0)
    return handle


def facts_of(handle, count: int = 5, seed: int = 2) -> FactSlots:
    generator = torch.Generator().manual_seed(seed)
    rows = [[1, *torch.randint(3, VOCABULARY, (8,), generator=generator).tolist()] for _ in range(count)]
    with torch.no_grad():
        return handle.write_states(rows, handle.states(rows)).rounded()


@pytest.fixture(params=ARCHITECTURES)
def model(request):
    return tiny(request.param)


@pytest.fixture
def tokens():
    return torch.randint(3, VOCABULARY, (2, 9), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def padded(tokens):
    mask = torch.ones_like(tokens)
    mask[1, :3] = 0
    return {"input_ids": tokens, "attention_mask": mask}


def cached_logits(model, tokens, mask, first: int = 5):
    """Logits of a prompt and then token by token, with the model's cache."""
    out = model(input_ids=tokens[:, :first], attention_mask=mask[:, :first], use_cache=True)
    found = [out.logits]
    for end in range(first + 1, tokens.shape[1] + 1):
        name = "cache" if "cache" in out else "past_key_values"
        given = {"input_ids": tokens[:, end - 1 : end], "attention_mask": mask[:, :end], name: out[name]}
        out = model(**given, use_cache=True)
        found.append(out.logits)
    return torch.cat(found, dim=1)


def said(model, padded, **how):
    return model.generate(**padded, max_new_tokens=6, do_sample=False, **how)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_logits_are_bit_equal_at_attach_with_an_empty_memory_and_after_detach(model, padded, tokens, precision):
    model = model.to(precision)
    mask = padded["attention_mask"]

    def all_logits():
        return model(**padded).logits, cached_logits(model, tokens, mask), said(model, padded, num_beams=2)

    before = all_logits()
    handle = attach(model)
    facts = facts_of(handle)

    def equal():
        return all(torch.equal(one, other) for one, other in zip(before, all_logits(), strict=True))

    assert equal()  # attached
    with handle.reading(facts):
        assert equal()  # not trained, a memory of five facts
    trained(handle)
    assert equal()  # trained, nothing is read
    with handle.reading(handle.adapter.no_facts()) as trace:
        assert equal()  # trained, an empty memory
    assert all(bool((step.null == 1).all()) and bool((step.fact == -1).all()) for step in trace.steps)
    with handle.reading(facts):
        assert not equal()  # the test would see a difference
    handle.detach()
    assert equal()
    attach(model).detach()


def test_a_cache_changes_nothing_of_what_is_read(model, padded, tokens):
    handle = trained(attach(model))
    with handle.reading(facts_of(handle)):
        whole = model(**padded).logits
        parts = cached_logits(model, tokens, padded["attention_mask"])
        real = padded["attention_mask"].bool()
        torch.testing.assert_close(parts[real], whole[real], rtol=1e-4, atol=1e-5)
        assert torch.equal(said(model, padded), said(model, padded, use_cache=False))
        beams = said(model, padded, num_beams=3, num_return_sequences=2)
        assert torch.equal(beams, said(model, padded, num_beams=3, num_return_sequences=2, use_cache=False))


def test_a_cache_of_a_fixed_length_is_refused_where_facts_are_read(model, padded):
    handle = trained(attach(model))
    facts, bare = facts_of(handle), said(model, padded, cache_implementation="static")
    with handle.reading(facts), pytest.raises(UnsupportedModelError, match=r"fixed length.*'dynamic'"):
        said(model, padded, cache_implementation="static")
    with handle.reading(handle.adapter.no_facts()):
        assert torch.equal(said(model, padded, cache_implementation="static"), bare)


def test_padding_changes_nothing_of_what_is_read(model, padded, tokens):
    handle = trained(attach(model))
    with handle.reading(facts_of(handle)):
        positions = (padded["attention_mask"].cumsum(dim=1) - 1).clamp(min=0)  # which generate gives by itself
        together = model(**padded, position_ids=positions).logits
        alone = model(input_ids=tokens[1:, 3:], attention_mask=torch.ones(1, 6, dtype=torch.long)).logits
        bare = model(input_ids=tokens[1:, 3:]).logits
    torch.testing.assert_close(together[1:, 3:], alone, rtol=1e-4, atol=1e-5)
    assert torch.equal(alone, bare)


def test_a_row_is_a_namespace(model, padded):
    handle = trained(attach(model))
    mine, others = facts_of(handle, seed=2), facts_of(handle, count=9, seed=3)
    bare = model(**padded).logits
    with handle.reading([mine, None]):
        alone = model(**padded).logits
    with handle.reading([mine, others]):
        both = model(**padded).logits
    assert torch.equal(alone[0], both[0])
    assert torch.equal(alone[1], bare[1])
    assert not torch.equal(both[1], bare[1])


def test_rows_that_generate_makes_of_one_read_the_memory_of_that_one(model, padded):
    handle = trained(attach(model))
    mine = facts_of(handle)
    with handle.reading([mine, None]):
        both = said(model, padded, num_beams=2, num_return_sequences=2)
    bare = said(model, padded, num_beams=2, num_return_sequences=2)
    assert torch.equal(both[2:], bare[2:])
    assert not torch.equal(both[:2], bare[:2])


def test_the_trace_tells_what_was_recalled_for_each_token(model, padded):
    handle = trained(attach(model))
    facts = facts_of(handle, count=3)
    with handle.reading([facts, None]) as trace:
        said(model, padded)
    assert len(trace.steps) == 6
    for step in trace.steps:
        assert sorted(step.fact[0].tolist()) == [-1, 0, 1, 2]
        assert step.mass[0].tolist() == sorted(step.mass[0].tolist(), reverse=True)
        assert float(step.mass[0].sum() + step.null[0]) == pytest.approx(1, abs=1e-5)
        assert step.fact[1].tolist() == [-1] * 4
        assert float(step.null[1]) == 1


def test_tokens_before_since_say_nothing_of_what_is_asked(model, tokens):
    handle = trained(attach(model))
    facts = facts_of(handle)
    weights = {}
    for name, since in (("all", 0), ("late", 4), ("none", 9)):
        with handle.reading(facts, since=since) as trace:
            model(input_ids=tokens)
        weights[name] = trace.steps[0].mass
    assert not torch.equal(weights["all"], weights["late"])
    assert not torch.equal(weights["late"], weights["none"])


def test_padding_is_none_of_the_tokens_before_since(model, padded, tokens):
    handle = trained(attach(model))
    facts = facts_of(handle)
    with handle.reading(facts, since=3) as together:
        model(**padded, position_ids=(padded["attention_mask"].cumsum(dim=1) - 1).clamp(min=0))
    with handle.reading(facts, since=3) as alone:
        model(input_ids=tokens[1:, 3:])
    torch.testing.assert_close(together.steps[0].mass[1], alone.steps[0].mass[0], rtol=1e-4, atol=1e-5)


def test_states_are_those_of_a_text_alone_whatever_is_read(model, tokens):
    handle = trained(attach(model))
    rows = [tokens[0].tolist(), tokens[1, :4].tolist()]
    with handle.reading(facts_of(handle)):
        states = handle.states(rows)
    assert [tuple(each.shape) for each in states] == [(9, 3, 32), (4, 3, 32)]
    out = model.base_model(tokens[:, :4], output_hidden_states=True)
    first = handle.adapter.config.layers[0]
    torch.testing.assert_close(states[1][:, 0], out.hidden_states[first + 1][1], rtol=1e-4, atol=1e-5)


def test_states_come_without_dropout(tokens):
    model = tiny("gpt2").train()
    handle = attach(model)
    one, two = (handle.states(tokens.tolist()) for _ in range(2))
    assert torch.equal(torch.stack(one), torch.stack(two))
    assert model.training
    model.transformer.h[0].eval()
    modes = [each.training for each in model.modules()]
    handle.states(tokens.tolist())
    assert [each.training for each in model.modules()] == modes


def test_a_saved_adapter_reads_the_same_in_another_model_of_the_same_weights(model, padded, tmp_path):
    from retention import load_adapter, rounded_adapter

    handle = trained(attach(model))
    rounded_adapter(handle.adapter)
    facts = facts_of(handle)
    with handle.reading(facts):
        before = model(**padded).logits
    handle.save(tmp_path / "adapter.safetensors")
    handle.detach()
    again = attach(model, load_adapter(tmp_path / "adapter.safetensors"))
    with again.reading(facts_of(again)):
        assert torch.equal(model(**padded).logits, before)


def test_a_fingerprint_tells_models_apart_and_not_their_precision():
    from retention.layer.frozen_base import base_fingerprint

    one, other = tiny("llama"), tiny("llama", seed=5)
    assert base_fingerprint(one) == base_fingerprint(tiny("llama").to(torch.bfloat16))
    assert base_fingerprint(one) != base_fingerprint(other)


def test_gradients_reach_the_adapter_and_not_the_model(model, tokens):
    handle = trained(attach(model))
    rows = tokens.tolist()
    facts = handle.write_states(rows, handle.states(rows))
    with handle.reading(facts):
        torch.autograd.backward(model(input_ids=tokens).logits.square().mean())
    assert all(each.grad is not None for each in handle.adapter.parameters())
    assert all(each.grad is None for each in model.parameters())


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (
            lambda: T5ForConditionalGeneration(T5Config(d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)),
            "has an",
        ),
        (lambda: LlamaModel(tiny("llama").config), "no language model|no output embeddings"),
        (lambda: MambaForCausalLM(MambaConfig(hidden_size=16, num_hidden_layers=2, vocab_size=20)), "has no attention"),
        (lambda: torch.nn.Linear(3, 3), "is no language model of transformers"),
    ],
)
def test_a_model_that_cannot_be_served_is_refused_and_told_why(made, why):
    with pytest.raises(UnsupportedModelError, match=why):
        attach(made())


def test_an_adapter_for_another_model_is_refused():
    handle = attach(tiny("llama"))
    handle.detach()
    with pytest.raises(HoldfastError, match="trained on another model"):
        attach(tiny("llama", seed=5), handle.adapter)
    with pytest.raises(UnsupportedModelError, match=r"width 32 with 4 layers.* 6 layers; .*: holdfast train adapter"):
        attach(tiny("llama", layers=6), handle.adapter)


def test_what_is_called_wrongly_says_so(tokens):
    model = tiny("llama")
    handle = trained(attach(model))
    facts = facts_of(handle)
    with pytest.raises(HoldfastError, match="attached to this model already"):
        attach(model)
    with pytest.raises(HoldfastError, match="no tokenizer"):
        handle.write(["The dog of Anna is called Rex."])
    with pytest.raises(ValueError, match="without a token"):
        handle.states([[]])
    for given in ([[1, 5]], [[1, 5, 9], [1, 5]]):
        with pytest.raises(ValueError, match=r"got texts of .* tokens and \[3\] states"):
            handle.write_states(given, handle.states([[1, 5, 9]]))
    with handle.reading(facts), pytest.raises(HoldfastError, match="being read already"), handle.reading(facts):
        pass
    with handle.reading([facts] * 3), pytest.raises(ValueError, match="3 memories for a batch of 2 rows"):
        model(input_ids=tokens)
    early = model(input_ids=tokens, use_cache=True)
    cache = early["cache" if "cache" in early else "past_key_values"]
    with handle.reading(facts), pytest.raises(HoldfastError, match="of the 10 tokens in the cache 1 were read"):
        model(tokens[:, :1], past_key_values=cache) if "cache" not in early else model(tokens[:, :1], cache=cache)
    assert len(handle.adapter.no_facts()) == 0


def test_slots_of_another_adapter_are_refused_before_the_model_is_called():
    model = tiny("llama")
    handle, other = attach(model), attach(tiny("llama"), config_for(model, token_dim=7, fact_heads=2))
    wrong = r"by another adapter: their widths are \(192, 2, 7\), wanted \(384, 2, 128\)"
    with pytest.raises(ValueError, match=wrong), handle.reading([None, facts_of(other)]):
        pass


def test_a_handle_that_was_detached_says_so_and_leaves_the_next_one_alone(tokens):
    model = tiny("llama")
    old = trained(attach(model))
    facts = facts_of(old)
    old.detach()
    with pytest.raises(HoldfastError, match="was detached"):
        old.states(tokens.tolist())
    with pytest.raises(HoldfastError, match="was detached"), old.reading(facts):
        pass
    new = attach(model, old.adapter)
    old.detach()
    with pytest.raises(HoldfastError, match="attached to this model already"):
        attach(model)
    new.detach()


def test_layers_are_chosen_by_depth():
    assert config_for(tiny("llama", layers=30)).layers == (12, 20, 29)
    assert config_for(tiny("llama", layers=2)).layers == (0, 1)
    assert config_for(tiny("llama"), token_dim=7).token_dim == 7
