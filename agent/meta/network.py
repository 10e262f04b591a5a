"""The network of a meta-trained policy: retention layers that read what was noted, a feed-forward each, and a head."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from retention import RetentionConfig, RetentionLayer

from .shape import Shape

AGES = 8  # places at which an age is felt: 1, 2, 4, ... 128 episodes
COUNTS = 6  # likewise a count
FEATURES = AGES + COUNTS + 1


@dataclass(frozen=True, kw_only=True)
class Notes:
    """What a batch of memories hold: one row is one memory, one column a slot.

    Attributes:
        parts: for each part of the observation its symbols, int64 ``[batch, slots]``, or its codes, ``[batch, slots,
            width]``.
        action: int64 ``[batch, slots]``; not looked at where actions are not noted.
        reward: ``[batch, slots]``.
        count: how often it was noted, ``[batch, slots]``.
        age: episodes since it was noted last, 0 for the present one, ``[batch, slots]``.
        rank: how many slots were noted more recently, int64 ``[batch, slots]``.
        filled: True where there is a slot, bool ``[batch, slots]``.
    """

    parts: tuple[Tensor, ...]
    action: Tensor
    reward: Tensor
    count: Tensor
    age: Tensor
    rank: Tensor
    filled: Tensor


def packed(notes: Notes) -> Notes:
    """Leave out the columns that no memory of the batch needs; slots keep their order, filled ones come first."""
    most = max(1, int(notes.filled.sum(dim=1).max()))
    place = (~notes.filled).to(torch.int8).argsort(dim=1, stable=True)[:, :most]

    def taken(column: Tensor) -> Tensor:
        if column.dim() == 2:
            return column.gather(1, place)
        return column.gather(1, place[:, :, None].expand(-1, -1, column.shape[2]))

    columns = {name: taken(getattr(notes, name)) for name in ("action", "reward", "count", "age", "rank", "filled")}
    return Notes(parts=tuple(taken(part) for part in notes.parts), **columns)


def bumps(x: Tensor, places: int) -> Tensor:
    """Spread ``log2(1 + x)`` over triangles at 0, 1, ..., ``places - 1``; beyond the last it stays there.

    Args:
        x: 0 or more, ``[*lead]``.
        places: how many triangles.

    Returns:
        ``[*lead, places]``; neighbours share what lies between them, and the sum is 1.
    """
    log = x.add(1.0).log2().clamp(max=places - 1.0)
    return (1.0 - (log[..., None] - torch.arange(places, dtype=x.dtype, device=x.device)).abs()).clamp(min=0.0)


def features(count: Tensor, age: Tensor, reward: Tensor) -> Tensor:
    """Return what a slot has beside its symbols, ``[*lead, FEATURES]``."""
    return torch.cat((bumps(age, AGES), bumps(count - 1.0, COUNTS), reward[..., None]), dim=-1)


@final
class MetaNetwork(nn.Module):
    """From what memory holds and an observation to a score for each action.

    ``u_j`` is the sum of the vectors of the slot's symbols, of its action, and of its count, age and reward. An
    observation is the sum of the vectors of its symbols; each layer adds a read of all slots and a feed-forward.
    """

    def __init__(self, shape: Shape) -> None:
        """Draw the weights from torch's own generator."""
        super().__init__()
        self.shape = shape
        sizes = [part.size for part in shape.parts]
        self.seen = nn.ModuleList(nn.Embedding(max(size, 1), shape.width) for size in sizes)
        self.asked = nn.ModuleList(nn.Embedding(max(size, 1), shape.width) for size in sizes)
        for seen, asked in zip(self.seen, self.asked, strict=True):
            asked.load_state_dict(seen.state_dict())  # at first a question finds what is like it
        self.action = nn.Embedding(shape.actions, shape.width)
        self.features = nn.Linear(FEATURES, shape.width)
        config = RetentionConfig(width=shape.width, heads=shape.heads, capacity=1)
        self.reads = nn.ModuleList(RetentionLayer(config) for _ in range(shape.layers))
        self.feeds = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(shape.width),
                nn.Linear(shape.width, shape.hidden),
                nn.SiLU(),
                nn.Linear(shape.hidden, shape.width),
            )
            for _ in range(shape.layers)
        )
        self.norm = nn.LayerNorm(shape.width)
        self.head = nn.Linear(shape.width, shape.actions)

    def slots(self, notes: Notes) -> Tensor:
        """Return ``u``, ``[batch, slots, width]``."""
        u: Tensor = self.features(features(notes.count, notes.age, notes.reward))
        if self.shape.noted == "answer":
            u = u + self.action(notes.action)
        return u + self._sum(self.seen, notes.parts)

    def forward(self, notes: Notes, parts: tuple[Tensor, ...]) -> Tensor:
        """Score the actions.

        Args:
            notes: the memories, one a row.
            parts: of the observations asked about, int64 ``[batch, time]`` or codes ``[batch, time, width]`` each.

        Returns:
            Logits, ``[batch, time, actions]``.
        """
        notes = packed(notes)
        u, x = self.slots(notes), self._sum(self.asked, parts)
        batch, capacity = notes.filled.shape
        for read, feed in zip(self.reads, self.feeds, strict=True):
            assert isinstance(read, RetentionLayer)
            empty = read.init_state(batch, capacity)
            filled = replace(
                empty, u=u, occupied=notes.filled, written=-notes.rank, utility=notes.reward.to(empty.utility.dtype)
            )
            x = x + read.read(x, read.refresh(filled))[0]
            x = x + feed(x)
        scores: Tensor = self.head(self.norm(x))
        return scores

    def _sum(self, tables: nn.ModuleList, parts: tuple[Tensor, ...]) -> Tensor:
        vectors = [part if part.is_floating_point() else table(part) for table, part in zip(tables, parts, strict=True)]
        return torch.stack(vectors).sum(dim=0) if len(vectors) > 1 else vectors[0]


def imitation_loss(scores: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted mean cross-entropy against what a teacher would do.

    Args:
        scores: logits, ``[batch, time, actions]``.
        wanted: a distribution over the actions, ``[batch, time, actions]``.
        weight: of each query, ``[batch, time]``; not all zero.
    """
    loss = -(wanted * F.log_softmax(scores, dim=-1)).sum(dim=-1)
    return (loss * weight).sum() / weight.sum()
