"""Asks a causal language model questions whose answers are known, to the token."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from retention import output_embeddings

if TYPE_CHECKING:
    from transformers import DynamicCache, PreTrainedModel

_BATCH = 25
_CHUNK = 512  # tokens of a long context that are read at a time: attention over more needs memory by its square

Around = Callable[[Sequence[int]], AbstractContextManager[object]]


class Asked(NamedTuple):
    """A question and its answer, in tokens; both have at least one."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]


def exact(
    model: PreTrainedModel,
    asked: Sequence[Asked],
    *,
    around: Around = lambda places: nullcontext(),
    batch: int = _BATCH,
) -> list[bool]:
    """Return for each question whether the model's most likely continuation is its answer, to the last token.

    The answer is given to the model, and each of its tokens must be the most likely one after those before it: that is
    so exactly where the model, taking the most likely token again and again, would say the answer.

    Args:
        model: in evaluation mode.
        asked: the questions.
        around: makes a context in which a batch is asked, of the places of its questions in ``asked``.
        batch: how many are asked at a time.
    """
    found: list[bool] = []
    for first in range(0, len(asked), batch):
        rows = asked[first : first + batch]
        with around(range(first, first + len(rows))), torch.inference_mode():
            found += _exact(model, rows)
    return found


def exact_after(model: PreTrainedModel, context: Sequence[int], asked: Sequence[Asked]) -> list[bool]:
    """Return the same for questions that stand behind one context, which is read once.

    Args:
        model: in evaluation mode, with a key-value cache.
        context: tokens, at least one.
        asked: the questions; none sees another.
    """
    from transformers import DynamicCache

    found = []
    cache = DynamicCache(config=model.config)
    body, head = model.base_model, output_embeddings(model)
    with torch.inference_mode():
        for first in range(0, len(context), _CHUNK):
            body(input_ids=torch.tensor([context[first : first + _CHUNK]]), **cached(body, cache))
        for prompt, answer in asked:
            tokens = torch.tensor([prompt + answer])
            states = body(input_ids=tokens, **cached(body, cache)).last_hidden_state[0]
            likely = F.linear(states[len(prompt) - 1 : -1], head).argmax(-1)
            found.append(tuple(likely.tolist()) == answer)
            cache.crop(-tokens.shape[1])
    return found


def likelihood(model: PreTrainedModel, rows: Sequence[Sequence[int]], *, around: Around | None = None) -> float:
    """Return the mean negative logarithm of the probability of a token, over all but the first of each row.

    Args:
        model: in evaluation mode.
        rows: tokens, at least two in each.
        around: as in ``exact``.
    """
    total, count = 0.0, 0
    for first in range(0, len(rows), _BATCH):
        part = rows[first : first + _BATCH]
        with around(range(first, first + len(part))) if around else nullcontext(), torch.inference_mode():
            states, tokens, real = _states(model, part)
            places = real[:, 1:]
            logits = F.linear(states[:, :-1][places], output_embeddings(model)).float()
            total += float(F.cross_entropy(logits, tokens[:, 1:][places], reduction="sum"))
            count += int(places.sum())
    return total / count


def cached(module: nn.Module, cache: DynamicCache) -> dict[str, Any]:
    """Return the arguments by which a model is given its key-value cache; transformers has renamed one of them."""
    named = "cache" if "cache" in inspect.signature(module.forward).parameters else "past_key_values"
    return {named: cache, "use_cache": True}


def _exact(model: PreTrainedModel, rows: Sequence[Asked]) -> list[bool]:
    states, tokens, _ = _states(model, [prompt + answer for prompt, answer in rows])
    before = [
        (row, len(prompt) - 1 + place) for row, (prompt, answer) in enumerate(rows) for place in range(len(answer))
    ]
    row, place = torch.tensor(before).T
    likely = F.linear(states[row, place], output_embeddings(model)).argmax(-1)
    wrong = set(row[likely != tokens[row, place + 1]].tolist())
    return [each not in wrong for each in range(len(rows))]


def _states(model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the last states of padded rows, their tokens, and where these are real: (row, place, width) and so on."""
    tokens = pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
    real = pad_sequence([torch.ones(len(row), dtype=torch.bool) for row in rows], batch_first=True)
    states = model.base_model(input_ids=tokens, attention_mask=real.long(), use_cache=False).last_hidden_state
    return states, tokens, real
