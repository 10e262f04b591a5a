"""Notes of other tasks beside those of a lesson: a memory that has been used for long holds more than is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .lesson import codes, recency
from .network import Notes

_NOTES = 3  # of each context: what is right, and two that are not
_LATEST = 100.0  # episodes that a crowd may have come after or before


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """How many contexts of other tasks a memory may hold.

    Attributes:
        most: contexts.
        share: of the lessons that have any.
    """

    most: int
    share: float = 1 / 4


def crowded(notes: Notes, noted_at: Tensor, crowd: Crowd, actions: int, generator: torch.Generator) -> Notes:
    """Return the notes with those of a crowd behind them, or as they are: how many there are is drawn.

    A crowd came before what is there, after it, or meanwhile; a memory it came after is as much older.

    Args:
        notes: whose observations are one code, ``[batch, slots, width]``.
        noted_at: when each was noted, in steps, ``[batch, slots]``.
        crowd: how many there may be.
        actions: how many there are.
        generator: of all randomness.
    """
    if float(torch.rand(1, generator=generator)) >= crowd.share:
        return notes
    batch, _, width = notes.parts[0].shape
    contexts = 1 + int(torch.randint(crowd.most, (1,), generator=generator))
    slots = (batch, contexts, _NOTES)

    def drawn(*size: int) -> Tensor:
        return torch.rand(size, generator=generator)

    right = torch.randint(actions, (batch, contexts, 1), generator=generator)
    other = torch.randint(1, actions, (batch, contexts, _NOTES - 1), generator=generator)
    reward = F.one_hot(torch.tensor(0), _NOTES).to(torch.float32).expand(slots)
    there = torch.rand(slots, generator=generator) < torch.where(reward > 0, 0.9, 0.5)
    there &= (torch.arange(contexts) < drawn(batch, 1) * (contexts + 1))[:, :, None]  # each memory has its own number
    when = torch.randint(3, (batch, 1), generator=generator)  # before, after, meanwhile
    span = _LATEST * drawn(batch, 1)
    clock = noted_at.amax(dim=1, keepdim=True).to(torch.float32)
    present = (notes.age * notes.filled).amax(dim=1, keepdim=True)
    place = drawn(batch, contexts * _NOTES)  # between its first and its last
    at = torch.where(when == 0, place - 2.0, torch.where(when == 1, clock + 1.0 + place, clock * place))
    age = torch.where(when == 0, present + span * (1.0 - place), (1.0 - place) * torch.where(when == 1, span, present))
    filled = torch.cat((notes.filled, there.reshape(batch, -1)), dim=1)
    times = torch.cat((noted_at.to(torch.float32), at), dim=1).masked_fill(~filled, -torch.inf)
    own_age = notes.age + torch.where(when == 1, span, 0.0)
    return Notes(
        parts=(
            torch.cat((notes.parts[0], codes(batch, contexts, width, generator).repeat_interleave(_NOTES, dim=1)), 1),
        ),
        action=torch.cat((notes.action, torch.cat((right, (right + other) % actions), dim=2).reshape(batch, -1)), 1),
        reward=torch.cat((notes.reward, reward.reshape(batch, -1)), dim=1),
        count=torch.cat((notes.count, 1.0 + (6.0 * drawn(batch, contexts * _NOTES) ** 3).floor()), dim=1),
        age=torch.cat((own_age, age.floor()), dim=1),
        rank=recency(times),
        filled=filled,
    )
