"""How quickly a model speaks, with something around it and without, by turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import torch

from .asking import cached

if TYPE_CHECKING:
    from transformers import DynamicCache, PreTrainedModel

Block = Callable[[], AbstractContextManager[object]]


def speeds(
    model: PreTrainedModel, prompt: Sequence[int], around: Block, *, tokens: int, rounds: int
) -> list[tuple[float, float]]:
    """Return for each round how many tokens the model says in a CPU second, without and with what is around it.

    Which comes first changes from round to round; one round before them is not counted.

    Args:
        model: in evaluation mode.
        prompt: the tokens that it goes on from, at least one.
        around: makes the context in which it speaks the second time.
        tokens: how many it says, at least one.
        rounds: how many.
    """
    found = []
    for number in range(rounds + 1):
        order: list[Block] = [nullcontext, around]
        taken = {each: _seconds(model, prompt, each, tokens) for each in (order if number % 2 else order[::-1])}
        found.append((tokens / taken[nullcontext], tokens / taken[around]))
    return found[1:]


def _seconds(model: PreTrainedModel, prompt: Sequence[int], around: Block, tokens: int) -> float:
    """Return the CPU seconds that the model takes to say so many tokens, the prompt being read already."""
    from transformers import DynamicCache

    cache = DynamicCache(config=model.config)
    with around(), torch.inference_mode():
        said = _next(model, prompt, cache)
        started = time.process_time()
        for _ in range(tokens):
            said = _next(model, [said], cache)
        return time.process_time() - started


def _next(model: PreTrainedModel, tokens: Sequence[int], cache: DynamicCache) -> int:
    output = model(input_ids=torch.tensor([tokens]), logits_to_keep=1, **cached(model, cache))
    return int(output.logits[0, -1].argmax())
