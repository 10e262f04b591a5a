"""What an adapter learns from: values that are asked for, and all other places, where nothing is to change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from retention import FactSlots, Handle, output_embeddings

from .cache import States
from .corpus import Corpus
from .head import Head
from .lesson import Lesson, Spot
from .plan import AdapterPlan

_POSITIONS = 32
_SURE = 1e-6  # added to an attention before its logarithm is taken


class Losses(NamedTuple):
    """The loss of a step and its parts.

    Attributes:
        total: what is descended.
        value: cross entropy of the tokens of values.
        away: divergence from the frozen model where nothing of the memory is asked for.
        hard: the same where the fact asked for is withheld, or was just told.
    """

    total: Tensor
    value: Tensor
    away: Tensor
    hard: Tensor


@final
class Reader:
    """Reads texts with a memory, from the states that the frozen model has of them."""

    def __init__(self, handle: Handle, corpus: Corpus, states: States) -> None:
        """Begin.

        Args:
            handle: the adapter on its model.
            corpus: the texts.
            states: of the texts.
        """
        self.handle, self.corpus, self.states = handle, corpus, states
        self.head = Head(handle.model)
        self._embeddings = output_embeddings(handle.model)
        self._device = self._embeddings.device

    def write(self, rows: Sequence[int]) -> FactSlots:
        """Write facts from rows that are statements; gradients reach the adapter."""
        return self.handle.write_states(
            [self.corpus.rows[row].tokens[self.corpus.rows[row].since :] for row in rows],
            [self.states[row] for row in rows],
        )

    def gather(self, texts: Sequence[int], spots: Sequence[Spot]) -> tuple[Tensor, Tensor]:
        """Return what is asked of facts at some positions of texts, and the states there.

        Args:
            texts: rows of the corpus.
            spots: positions in them.

        Returns:
            asked: ``[spots, fact_width]``.
            states: ``[spots, layers, width]``.
        """
        adapter = self.handle.adapter
        longest = max(len(self.states[text]) for text in texts)
        padded = torch.stack(
            [F.pad(self.states[text], (0, 0, 0, 0, 0, longest - len(self.states[text]))) for text in texts]
        )
        padded = padded.to(self._device)
        scores, values = adapter.brought(padded)
        text = torch.tensor([spot.text for spot in spots], device=self._device)
        place = torch.tensor([spot.place for spot in spots], device=self._device)
        so_far = torch.arange(longest, device=self._device) <= place[:, None]
        told = torch.tensor([self.corpus.rows[text].since == 0 for text in texts], device=self._device)
        so_far[:, 0] &= ~told[text]  # the token that begins a statement says nothing
        return adapter.asked(scores[text], values[text], so_far), padded[text, place]

    def read(
        self,
        texts: Sequence[int],
        spots: Sequence[Spot],
        memory: FactSlots,
        *,
        training: bool,
    ) -> tuple[Float[Tensor, "spots vocabulary"], Float[Tensor, "spots heads"], Float[Tensor, "spots width"]]:
        """Return the logits at some positions with a memory, the attention of the null slot, and the frozen states.

        Args:
            texts: rows of the corpus.
            spots: positions in them.
            memory: the facts.
            training: whether all facts are read, or those that are in use.
        """
        asked, states = self.gather(texts, spots)
        visible = self._visible(spots, len(memory))
        if training:
            read, _, null, *_ = self.handle.adapter.read(
                states, asked, memory, self._embeddings, visible=visible, every=True
            )
        else:  # each position takes its own facts from the memory: not too many positions at the same time
            parts = [
                self.handle.adapter.read(
                    states[part],
                    asked[part],
                    memory,
                    self._embeddings,
                    visible=None if visible is None else visible[part],
                )
                for part in torch.split(torch.arange(len(spots), device=self._device), _POSITIONS)
            ]
            read, null = torch.cat([part[0] for part in parts]), torch.cat([part[2] for part in parts])
        last = states[:, -1]
        return self.head(last + read.to(last.dtype)), null, last

    def _visible(self, spots: Sequence[Spot], facts: int) -> Bool[Tensor, "spots facts"] | None:
        if all(spot.withheld is None for spot in spots):
            return None
        visible = torch.ones(len(spots), facts, dtype=torch.bool, device=self._device)
        for row, spot in enumerate(spots):
            if spot.withheld is not None:
                visible[row, spot.withheld] = False
        return visible


def lesson_loss(plan: AdapterPlan, reader: Reader, lesson: Lesson) -> Losses:
    """Compute the loss of a step."""
    memory = reader.write(lesson.written)
    spots = [*lesson.wanted, *lesson.away, *lesson.hard]
    asked, still = len(lesson.wanted), len(lesson.wanted) + len(lesson.away)
    logits, null, states = reader.read(lesson.texts, spots, memory, training=True)
    value = F.cross_entropy(logits[:asked], torch.tensor(lesson.targets, device=logits.device))
    with torch.no_grad():
        frozen = reader.head(states[asked:]).log_softmax(dim=-1)
    moved = F.kl_div(logits[asked:].log_softmax(dim=-1), frozen, log_target=True, reduction="none").sum(dim=-1)
    left = -(null[asked:] + _SURE).log().mean(dim=-1)
    away, hard = moved[: still - asked].mean(), moved[still - asked :].mean()
    away_left, hard_left = left[: still - asked].mean(), left[still - asked :].mean()
    total = value + plan.keep * (away + plan.withheld * hard) + plan.null * (away_left + plan.withheld * hard_left)
    return Losses(total, value.detach(), away.detach(), hard.detach())
