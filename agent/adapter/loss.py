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
_DRAWN = 0.02  # of the attention: where facts draw less, what is read moves next to nothing, and is not looked at


class Losses(NamedTuple):
    """The loss of a step and its parts.

    Attributes:
        total: what is descended.
        value: cross entropy of the tokens of values.
        away: divergence from the frozen model where nothing of the memory is asked for.
        hard: the same where the fact asked for is withheld, or was just told.
        near: the same where, of many positions of neutral texts, the facts draw most.
    """

    total: Tensor
    value: Tensor
    away: Tensor
    hard: Tensor
    near: Tensor


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
        states = [self.states[text] for text in texts]
        lengths = torch.tensor([len(each) for each in states], device=self._device)
        flat = torch.cat(states).to(self._device)
        scores, values = adapter.brought(flat)
        text = torch.tensor([spot.text for spot in spots], device=self._device)
        place = torch.tensor([spot.place for spot in spots], device=self._device)
        begin = (lengths.cumsum(dim=0) - lengths)[text]
        longest = int(place.max()) + 1
        at = (begin[:, None] + torch.arange(longest, device=self._device)).clamp(max=len(flat) - 1)
        so_far = torch.arange(longest, device=self._device) <= place[:, None]
        told = torch.tensor([self.corpus.rows[text].since == 0 for text in texts], device=self._device)
        so_far[:, 0] &= ~told[text]  # the token that begins a statement says nothing
        return adapter.asked(scores[at], values[at], so_far), flat[begin + place]

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
        read, null, last = self.recall(texts, spots, memory, training=training)
        return self.said(read, last), null, last

    def said(self, read: Float[Tensor, "spots width"], states: Float[Tensor, "spots width"]) -> Tensor:
        """Return the logits where this is read at these states, ``[spots, vocabulary]``."""
        logits: Tensor = self.head(states + read.to(states.dtype))
        return logits

    def recall(
        self, texts: Sequence[int], spots: Sequence[Spot], memory: FactSlots, *, training: bool
    ) -> tuple[Float[Tensor, "spots width"], Float[Tensor, "spots heads"], Float[Tensor, "spots width"]]:
        """Return what is read at some positions, and the rest as :meth:`read` does."""
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
            read, null = torch.cat([part.read for part in parts]), torch.cat([part.null for part in parts])
        return read, null, states[:, -1]

    @torch.no_grad()
    def nearest(self, texts: Sequence[int], spots: Sequence[Spot], memory: FactSlots, count: int) -> list[Spot]:
        """Return those of some positions at which facts draw most."""
        asked, states = self.gather(texts, spots)
        drawn = self.handle.adapter.drawn(states, asked, memory)
        return [spots[number] for number in sorted(drawn.topk(min(count, len(spots))).indices.tolist())]

    def _visible(self, spots: Sequence[Spot], facts: int) -> Bool[Tensor, "spots facts"] | None:
        if all(spot.withheld is None for spot in spots):
            return None
        visible = torch.ones(len(spots), facts, dtype=torch.bool, device=self._device)
        for row, spot in enumerate(spots):
            if spot.withheld is not None:
                visible[row, spot.withheld] = False
        return visible


def lesson_loss(plan: AdapterPlan, reader: Reader, lesson: Lesson, crowd: FactSlots) -> tuple[Losses, FactSlots]:
    """Compute the loss of a step.

    Args:
        plan: how the parts are weighed.
        reader: reads the texts.
        lesson: the step.
        crowd: facts of people that earlier steps have written.

    Returns:
        losses: of the step.
        crowd: that of the next step: without gradient, the latest first, ``plan.crowd`` facts at most.
    """
    memory = reader.write(lesson.written)
    people = memory.index(range(lesson.people))
    many = FactSlots.cat([people, crowd])
    near = reader.nearest(lesson.tried, lesson.spots, many, plan.nearest)
    still = [*lesson.away, *lesson.hard]
    read, null, states = reader.recall(lesson.texts, [*lesson.wanted, *still], memory, training=True)
    asked = len(lesson.wanted)
    said = reader.said(read[:asked], states[:asked])
    value = F.cross_entropy(said, torch.tensor(lesson.targets, device=said.device))
    moved, left = _moved(reader, read[asked:], null[asked:], states[asked:]), _left(null[asked:])
    away, hard = (part.mean() for part in torch.split(moved, [len(lesson.away), len(lesson.hard)]))
    away_left, hard_left = (part.mean() for part in torch.split(left, [len(lesson.away), len(lesson.hard)]))
    read, null, states = reader.recall(lesson.tried, near, many, training=False)
    close, close_left = _moved(reader, read, null, states).mean(), _left(null).mean()
    total = value + plan.keep * (away + plan.withheld * hard + plan.near * close)
    total = total + plan.null * (away_left + plan.withheld * hard_left + plan.near * close_left)
    losses = Losses(total, value.detach(), away.detach(), hard.detach(), close.detach())
    return losses, _first(many, plan.crowd)


def _moved(reader: Reader, read: Tensor, null: Tensor, states: Tensor) -> Tensor:
    """Return how far what is said diverges from what the frozen model says, in nats.

    It is 0 where facts draw next to nothing: it falls with the square of what is read there.
    """
    moved = torch.zeros(len(read), device=read.device)
    drawn = ((1 - null.detach()).amax(dim=-1) > _DRAWN).nonzero()[:, 0]
    if not len(drawn):
        return moved
    logs = reader.said(read[drawn], states[drawn]).log_softmax(dim=-1)
    with torch.no_grad():
        frozen = reader.head(states[drawn]).log_softmax(dim=-1)
    return moved.index_put((drawn,), F.kl_div(logs, frozen, log_target=True, reduction="none").sum(dim=-1))


def _left(null: Tensor) -> Tensor:
    """Return how far attention is from lying on the null slot, in nats."""
    return -(null + _SURE).log().mean(dim=-1)


def _first(facts: FactSlots, count: int) -> FactSlots:
    """Return the first facts, through which no gradient passes, with no more padding than they need."""
    longest = int((facts.token[:count] >= 0).sum(dim=1).max())
    return FactSlots(
        key=facts.key[:count].detach(),
        slot_key=facts.slot_key[:count, :longest].detach(),
        bias=facts.bias[:count, :longest].detach(),
        token=facts.token[:count, :longest],
    )
