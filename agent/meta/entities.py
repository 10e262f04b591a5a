"""Worlds of facts that change: the values of entities are told, told anew, and asked for."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from .lesson import Lesson, Stepped, codes, recency
from .network import Notes
from .shape import Part, Shape

_NEVER = -1


def entity_shape(*, entities: int = 8, values: int = 5) -> Shape:
    """Return the shape of policies for facts: entities are codes, values have vectors, as they are answers too."""
    return Shape(
        observation=f"MultiDiscrete([{entities} {values + 1}])",
        actions=values,
        parts=(Part(index=0), Part(index=1, size=values + 1)),
        noted="sight",
        layers=2,
    )


@final
class EntityWorlds:
    """Tasks as in ``holdfast/EntityRewrite-v0``; the teacher knows the newest value told of each entity.

    At first every entity is told. Then each step tells a new value of a random entity with a probability of a fifth,
    else it asks for one; ten steps are an episode.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        batch: int,
        generator: torch.Generator,
        entities: int = 8,
        values: int = 5,
        episodes: int = 60,
        training: bool = True,
    ) -> None:
        """Draw the tasks.

        Args:
            shape: of the network.
            batch: how many tasks.
            generator: of all randomness.
            entities: how many.
            values: how many an entity can have.
            episodes: after which a task makes room for a new one, in training.
            training: False for an evaluation.
        """
        self._shape, self._batch, self._generator = shape, batch, generator
        self._entities, self._values, self._episodes, self._training = entities, values, episodes, training
        slots = (batch, entities, values + 1)
        self._count, self._noted_in = torch.zeros(slots), torch.zeros(slots)
        self._noted_at = torch.full(slots, _NEVER)
        self._facts = torch.zeros(batch, entities, dtype=torch.int64)
        self._steps = torch.zeros(batch, dtype=torch.int64)
        self._clock = 0
        self._renew(torch.ones(batch, dtype=torch.bool))
        if training:
            self._steps = torch.randint(10 * episodes, (batch,), generator=generator)
        self._draw()

    def lesson(self) -> Lesson:
        """Ask for every entity, first for the one that is shown now; in each lesson entities have other codes."""
        batch, entities, values = self._batch, self._entities, self._values
        names = codes(batch, entities, self._shape.width, self._generator)
        flat = (batch, entities * (values + 1))
        noted_at = self._noted_at.reshape(flat)
        notes = Notes(
            parts=(
                names.repeat_interleave(values + 1, dim=1),
                torch.arange(values + 1).repeat(entities).expand(flat),
            ),
            action=torch.zeros(flat, dtype=torch.int64),
            reward=torch.zeros(flat),
            count=self._count.reshape(flat).clamp(min=1.0),
            age=(self._episode()[:, None] - self._noted_in.reshape(flat)).clamp(min=0.0),
            rank=recency(noted_at),
            filled=noted_at > _NEVER,
        )
        asked = (self._entity[:, None] + torch.arange(entities)) % entities
        told = (self._noted_at[:, :, :values] > _NEVER).any(dim=2).gather(1, asked)
        return Lesson(
            notes=notes,
            parts=(
                names.gather(1, asked[:, :, None].expand(-1, -1, self._shape.width)),
                torch.full_like(asked, values),
            ),
            wanted=F.one_hot(self._facts.gather(1, asked), values).to(torch.float32),
            weight=told.to(torch.float32) + 1e-6,
        )

    def step(self, actions: Tensor) -> Stepped:
        """Answer, where something is asked for, and note what is shown."""
        rows = torch.arange(self._batch)
        right = self._asking & (actions == self._facts[rows, self._entity])
        before = self._facts[rows, self._entity]
        self._facts[rows, self._entity] = torch.where(self._asking, before, self._value)
        shown = torch.where(self._asking, self._values, self._value)
        self._clock += 1
        self._count[rows, self._entity, shown] += 1.0
        self._noted_at[rows, self._entity, shown] = self._clock
        self._noted_in[rows, self._entity, shown] = self._episode()
        self._steps += 1
        if self._training:
            self._renew(self._steps >= 10 * self._episodes)
        self._draw()
        over = (self._steps >= self._entities) & ((self._steps - self._entities) % 10 == 0)
        return Stepped(reward=right.to(torch.float32), over=over)

    def forget(self, rows: Tensor) -> None:
        """Empty the memory of some tasks."""
        self._count[rows], self._noted_at[rows] = 0.0, _NEVER

    def _episode(self) -> Tensor:
        return ((self._steps - self._entities).clamp(min=0) // 10).to(torch.float32)

    def _draw(self) -> None:
        """Decide what the next step shows."""
        batch, generator = self._batch, self._generator
        first = self._steps < self._entities
        self._entity = torch.where(first, self._steps, torch.randint(self._entities, (batch,), generator=generator))
        self._asking = ~first & (torch.rand(batch, generator=generator) >= 0.2)
        other = torch.randint(1, self._values, (batch,), generator=generator)
        fact = self._facts[torch.arange(batch), self._entity]
        self._value = torch.where(first, fact, (fact + other) % self._values)

    def _renew(self, rows: Tensor) -> None:
        """Draw new tasks in some rows, with an empty memory."""
        n, generator = int(rows.sum()), self._generator
        if not n:
            return
        self._facts[rows] = torch.randint(self._values, (n, self._entities), generator=generator)
        self._count[rows], self._noted_at[rows], self._noted_in[rows] = 0.0, _NEVER, 0.0
        self._steps[rows] = 0
