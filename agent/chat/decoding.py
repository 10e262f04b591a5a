"""Token by token: what a causal language model says next, and how likely given answers are."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, final

import torch

from .smollm import LocalModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What the first bytes of a character decode to."""


@final
class Decoder:
    """One answer of a model.

    Attributes:
        tokens: what has been said so far, without the end mark.
        finish_reason: ``"stop"`` where the model or a stop text ended it, ``"length"`` where ``max_tokens`` did,
            ``"interrupted"`` where the caller did.
    """

    def __init__(
        self,
        local: LocalModel,
        *,
        max_tokens: int,
        temperature: float,
        seed: int,
        stop: Sequence[str],
        interrupted: Callable[[], bool] = lambda: False,
        chosen: Callable[[int], int | None] = lambda token: token,
    ) -> None:
        """Get ready to answer.

        Args:
            local: the model and its tokenizer.
            max_tokens: how many tokens at most.
            temperature: 0 for the most likely token.
            seed: of the drawing.
            stop: texts that end the answer.
            interrupted: asked after each token whether to end it.
            chosen: asked of each token before it is said, the end mark too, what to say; None where the answer ended
                with the one before.

        Raises:
            ValueError: ``max_tokens`` or ``temperature`` is out of its range.
        """
        if max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {max_tokens}")
        if not 0 <= temperature < math.inf:
            raise ValueError(f"temperature must be finite and not below 0, got {temperature}")
        self._local, self._max_tokens, self._temperature = local, max_tokens, temperature
        self._stop = [text for text in stop if text]
        self._interrupted, self._chosen = interrupted, chosen
        self._random = torch.Generator().manual_seed(seed)
        self.tokens: list[int] = []
        self.finish_reason: Literal["stop", "length", "interrupted"] = "length"

    def texts(self, prompt: Sequence[int]) -> Iterator[str]:
        """Yield the answer piece by piece; what may be the beginning of a stop text waits until it is clear."""
        shown = 0
        for said in self._growing(prompt):
            ends = [at for text in self._stop if (at := said.find(text)) >= 0]
            if ends:
                self.finish_reason = "stop"
                if min(ends) > shown:
                    yield said[shown : min(ends)]
                return
            sure = len(said) - max((_overlap(said, text) for text in self._stop), default=0)
            if said.endswith(UNFINISHED):
                sure = min(sure, len(said.rstrip(UNFINISHED)))
            if sure > shown:
                yield said[shown:sure]
                shown = sure
        rest = self._decoded()[shown:]
        if rest:
            yield rest

    def _growing(self, prompt: Sequence[int]) -> Iterator[str]:
        """Yield the whole answer so far after each token."""
        model, tokenizer = self._local.model, self._local.tokenizer
        room = longest_text(model) - len(prompt)
        named = _cache_name(model)
        fed, cache = list(prompt), None
        for _ in range(min(self._max_tokens, room)):
            with torch.inference_mode():  # not around the loop: a generator must not leave it on for its caller
                out = model(torch.tensor([fed], device=model.device), **{named: cache}, use_cache=True)
                cache = out[named]
                token = self._drawn(out.logits[0, -1].float().cpu())
            following = self._chosen(token)
            if following is None or following == tokenizer.eos_token_id:
                self.finish_reason = "stop"
                return
            self.tokens.append(following)
            fed = [following]
            yield self._decoded()
            if self._interrupted():
                self.finish_reason = "interrupted"
                return

    def _drawn(self, logits: torch.Tensor) -> int:
        if self._temperature == 0:
            return int(logits.argmax())
        shares = torch.softmax(logits.double() / self._temperature, dim=0)
        return int(torch.multinomial(shares, 1, generator=self._random))

    def _decoded(self) -> str:
        return str(self._local.tokenizer.decode(self.tokens))


def answer_scores(model: PreTrainedModel, prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> list[list[float]]:
    """Return the log-probability of each token of each of some answers after a prompt, which is read once.

    Args:
        model: a causal language model.
        prompt: its tokens.
        answers: the tokens of each; none is empty.
    """
    longest, named = max(map(len, answers)), _cache_name(model)
    filled = torch.tensor([[*each, *[0] * (longest - len(each))] for each in answers], device=model.device)
    with torch.inference_mode():
        read = model(torch.tensor([list(prompt)], device=model.device), use_cache=True, logits_to_keep=1)
        first = read.logits[:, -1:].expand(len(answers), -1, -1)
        following = first
        if longest > 1:
            cache = read[named]
            cache.batch_repeat_interleave(len(answers))
            rest = model(filled[:, :-1], **{named: cache}, use_cache=True).logits  # what is filled in comes last
            following = torch.cat([first, rest], dim=1)
        logs = torch.log_softmax(following.float(), dim=-1)
        found = logs.gather(2, filled[:, :, None])[:, :, 0].cpu()
    return [row[: len(each)].tolist() for row, each in zip(found, answers, strict=True)]


def longest_text(model: PreTrainedModel) -> int:
    """Return how many tokens a model can read; some, as those with ALiBi, have no limit."""
    found = getattr(model.config.get_text_config(decoder=True), "max_position_embeddings", None)
    return sys.maxsize if found is None else int(found)


def _cache_name(model: PreTrainedModel) -> str:
    """Return what a model calls the keys and values it has read: transformers changed the word in 5.2x."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


def _overlap(said: str, stop: str) -> int:
    """Return how many of the last characters said are the first of a stop text."""
    return next((size for size in range(min(len(said), len(stop) - 1), 0, -1) if said.endswith(stop[:size])), 0)
