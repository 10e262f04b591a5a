"""An adapter on the small real model: bit-equal where nothing is read, in both precisions, with and without a cache."""

from __future__ import annotations

import pytest
import torch

from agent import load_local, local_model_missing
from retention import attach

LACKS = local_model_missing()

# No extra can bring the model; CI installs it by a line of its own and runs these.
pytestmark = pytest.mark.skipif(LACKS is not None, reason=str(LACKS))

PROMPT = "The locker code of Maria Lopez is 4831. The weather is"


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_small_model_is_left_as_it_is_where_nothing_is_read(precision):
    local = load_local(precision)
    tokens = local.tokenizer(PROMPT, return_tensors="pt")["input_ids"]

    def answers():
        with torch.inference_mode():
            whole = local.model(tokens).logits
            return whole, local.model.generate(tokens, max_new_tokens=8, do_sample=False)

    before = answers()
    handle = attach(local.model, tokenizer=local.tokenizer)
    facts = handle.write(["The locker code of Maria Lopez is 4831.", "The dog of Maria Lopez is called River."])

    def equal():
        return all(torch.equal(one, other) for one, other in zip(before, answers(), strict=True))

    with handle.reading(facts) as trace:
        assert equal()  # not trained
    assert len(trace.steps) == 9
    with torch.no_grad():
        handle.adapter.scale.fill_(1.0)
        handle.adapter.null_score.fill_(-20.0)
    with handle.reading(facts):
        assert not equal()
    with handle.reading(handle.adapter.no_facts()):
        assert equal()
    handle.detach()
    assert equal()
