"""Texts that have nothing to do with any memory, written by the frozen model itself: on them it is to stay as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from retention import output_embeddings

from .rows import Row, chat_row

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_LENGTH = 28  # tokens that are drawn of each text
_BATCH = 64  # texts that are written at the same time

# Every third is of tests: they share no beginning with training.
_OPENINGS = (
    "The", "In the", "When", "She said that", "It is", "There are many", "A good", "For the first time", "He was",
    "One of the", "After the", "Most people", "This is", "Children", "The number of", "If you want to", "Water",
    "My name is", "The best way to", "In 1998,", "They", "The code", "Today we", "We have", "The city of", "At night",
    "Scientists", "To make", "On Monday", "The old",
)  # fmt: skip
_PROMPTS = (
    "What is the capital of France?", "Tell me a short story.", "How do I cook rice?", "Write a sentence about rain.",
    "What is your name?", "Give me three ideas for a birthday party.", "Who wrote Romeo and Juliet?",
    "Explain what a dog is.", "What can I do on a cold day?", "How far away is the moon?",
    "Which instrument is easy to learn?", "Say something nice.",
)  # fmt: skip


def openings(*, test: bool) -> list[str]:
    """Return how texts begin, of training or of tests."""
    return [each for number, each in enumerate(_OPENINGS) if (number % 3 == 2) == test]


def prompts(*, test: bool) -> list[str]:
    """Return what the model is asked in its chat format, of training or of tests."""
    return [each for number, each in enumerate(_PROMPTS) if (number % 3 == 2) == test]


@torch.no_grad()
def neutral_rows(model: PreTrainedModel, tokenizer: Any, *, texts: int, seed: int, test: bool = False) -> list[Row]:
    """Have the model write texts, each token drawn as it is likely.

    Args:
        model: the frozen model, with no memory.
        tokenizer: the model's.
        texts: how many.
        seed: of the drawing.
        test: whether they begin as those of tests do.
    """
    begun = [Row(tuple(tokenizer(each, add_special_tokens=False)["input_ids"])) for each in openings(test=test)]
    if tokenizer.chat_template:
        begun += [chat_row(tokenizer, each) for each in prompts(test=test)]
    rows = sorted((begun[number % len(begun)] for number in range(texts)), key=lambda row: len(row.tokens))
    written = []
    with torch.random.fork_rng():
        torch.manual_seed(2 * seed + test)
        for start in range(0, texts, _BATCH):
            written += _gone_on(model, rows[start : start + _BATCH])
    return written


def _gone_on(model: PreTrainedModel, rows: Sequence[Row]) -> list[Row]:
    """Return texts with what the model makes of them; one that it ends is shorter."""
    from transformers import GenerationConfig

    ends = model.generation_config.eos_token_id
    some = set(ends) if isinstance(ends, (list, tuple)) else {ends} - {None}
    make: Any = GenerationConfig  # it has no types
    config = make(
        max_new_tokens=_LENGTH,
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        repetition_penalty=1.0,
        eos_token_id=ends,
        pad_token_id=min(some, default=0),
    )
    longest = max(len(row.tokens) for row in rows)
    padding = [longest - len(row.tokens) for row in rows]
    device = output_embeddings(model).device
    tokens = torch.tensor([[0] * pad + [*row.tokens] for pad, row in zip(padding, rows, strict=True)], device=device)
    mask = (torch.arange(longest, device=device) >= torch.tensor(padding, device=device)[:, None]).long()
    generate: Any = model.generate
    written = generate(tokens, attention_mask=mask, generation_config=config).tolist()
    return [
        Row((*row.tokens, *_until_end(all_of_it[longest:], some)), row.since)
        for all_of_it, row in zip(written, rows, strict=True)
    ]


def _until_end(drawn: list[int], ends: set[int]) -> list[int]:
    """Cut a text behind its first end."""
    end = next((place + 1 for place, token in enumerate(drawn) if token in ends), len(drawn))
    return drawn[:end]
