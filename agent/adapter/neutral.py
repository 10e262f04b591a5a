"""Texts that have nothing to do with a memory, by the frozen model itself and by people: on them it stays as it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
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
# Of training alone: much that is said has no name in it, and asks for nothing of a memory all the same. None begins as
# a kind of fact of training is asked.
_MORE_OPENINGS = (
    "I love", "We met at", "My grandmother used to", "I have a", "Our teacher", "I went to", "We are going to",
    "My friend and I", "I never eat", "I think the", "Our new neighbour", "I cannot find my", "Last night I",
    "Everyone likes to eat", "Some people collect", "Nobody knows the", "Everybody calls him", "He lives in",
    "She was born on", "He works for", "Her favourite colour is", "His name was", "Her sister is called",
    "They meet every Friday at", "He plays the", "She is allergic to", "Their house is", "He was afraid of",
    "She was named after", "A friend of mine", "Someone told me that", "The man in the corner", "An old woman",
    "The king was called", "The teacher said", "The president of", "A boy called", "The driver of the", "My boss says",
    "The secret of", "The password must", "The door opens", "The room number", "The train leaves at", "The bus stops",
    "The shop is open from", "The cat is", "A dog called", "The river flows through", "The street where",
    "The village of", "The book is called", "The song", "A film about", "The team won", "The captain of the",
    "The winner of the", "The author of", "The hotel is near", "The price of", "The temperature is", "In the year",
    "On 12 May", "At half past", "Number 7", "Page 24", "Call us at", "Please enter", "Open the", "Put the",
    "Take the", "Remember to", "Do not forget", "Turn left at", "Write to", "Add the salt and", "The answer is",
    "The reason is", "The problem with", "The most important", "The difference between", "An example of",
    "According to", "As soon as", "Because of the", "Although it", "While the", "Before you", "Until the",
    "Every morning", "In summer", "In the kitchen", "Under the", "Behind the", "Next to the", "Between the two",
    "Far away from", "Not long ago", "Once upon a time", "Dear", "Thank you for", "Hello, my", "Note:", "Step 1:",
    "Name:", "Address:", "Q: What is", "print(", "def", "The function returns", "The server is", "The file",
    "Click on", "London is", "France and Germany", "Anna said", "Peter and Mary", "Mr Smith", "Dr Brown",
    "Michael Jordan", "Shakespeare wrote", "Mozart was", "The moon", "Gold is", "Bread is made of", "Coffee and tea",
    "Birds can",
)  # fmt: skip
_MORE_PROMPTS = (
    "How are you?", "Who are you?", "Where is the station?", "When was the Second World War?",
    "What is the best colour for a kitchen?", "Which fruit is yellow?", "What time is it?",
    "Who is the president of the United States?", "Which dog is the largest?", "What should I eat tonight?",
    "What is a good name for a cat?", "Who painted the Mona Lisa?", "How do I open a safe?",
    "Which instrument has six strings?", "When is Christmas?", "Recommend me a book.",
    "Translate good morning into French.", "What is two plus two?", "Why is the sky blue?",
    "I had a long day at work.", "It is raining today.", "I like my new job.", "My sister is coming tomorrow.",
    "What is the largest city of Japan?", "How old is the Earth?",
)  # fmt: skip
_PROMPTS = (
    "What is the capital of France?", "Tell me a short story.", "How do I cook rice?", "Write a sentence about rain.",
    "What is your name?", "Give me three ideas for a birthday party.", "Who wrote Romeo and Juliet?",
    "Explain what a dog is.", "What can I do on a cold day?", "How far away is the moon?",
    "Which instrument is easy to learn?", "Say something nice.",
)  # fmt: skip


def openings(*, test: bool) -> list[str]:
    """Return how texts begin, of training or of tests."""
    some = [each for number, each in enumerate(_OPENINGS) if (number % 3 == 2) == test]
    return some if test else [*some, *_MORE_OPENINGS]


def prompts(*, test: bool) -> list[str]:
    """Return what the model is asked in its chat format, of training or of tests."""
    some = [each for number, each in enumerate(_PROMPTS) if (number % 3 == 2) == test]
    return some if test else [*some, *_MORE_PROMPTS]


def plain_rows(tokenizer: Any, *, test: bool) -> list[Row]:
    """Return texts as people write them, of training or of trials: every sixth."""
    written: list[str] = json.loads(files(__package__).joinpath("neutral.json").read_text("utf-8"))
    mine = [each for number, each in enumerate(written) if (number % 6 == 5) == test]
    return [Row(tuple(tokenizer(each, add_special_tokens=False)["input_ids"])) for each in mine]


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
