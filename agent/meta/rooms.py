"""Worlds of dark rooms: a hidden goal, or a hidden key and a hidden door, that only the reward shows."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from .lesson import Lesson, Stepped, recency
from .network import Notes
from .shape import Part, Shape

_NEVER = -1
_MOVES = torch.tensor([[0, 0], [-1, 0], [0, 1], [1, 0], [0, -1]])  # stay, up, right, down, left


def room_shape(*, size: int, key_door: bool) -> Shape:
    """Return the shape of policies for a room: a cell is seen as its row and its column."""
    cells = size * size
    has_key = (Part(index=0, divide=cells, size=2),) if key_door else ()
    return Shape(
        observation=f"Discrete({cells * (1 + key_door)})",
        actions=len(_MOVES),
        parts=(*has_key, Part(index=0, divide=size, size=size), Part(index=0, size=size)),
        noted="arrival",
    )


def held_out(size: int) -> list[int]:
    """Return the cells in which no goal, key or door lies in training: every fifth, scattered over the room."""
    start = size * size // 2
    return [cell for cell in range(size * size) if (2 * (cell // size) + cell % size) % 5 == 0 and cell != start]


@final
class RoomWorlds:
    """Tasks as in ``holdfast/DarkRoom-v0`` and ``holdfast/DarkKeyDoor-v0``.

    The teacher goes to what it seeks if memory knows where it is, else to the nearest place where it has not been. All
    ways that are equally short are equally right.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        batch: int,
        generator: torch.Generator,
        size: int = 9,
        steps: int = 20,
        key_door: bool = False,
        episodes: int = 12,
        queries: int = 24,
        training: bool = True,
        unseen: bool = False,
    ) -> None:
        """Draw the tasks.

        Args:
            shape: of the network.
            batch: how many tasks.
            generator: of all randomness.
            size: cells along a side.
            steps: of an episode.
            key_door: whether a key has to be found before the door counts.
            episodes: after which a task makes room for a new one, in training.
            queries: how many questions a lesson asks of each memory.
            training: False for an evaluation.
            unseen: whether goals lie where none lay in training.
        """
        self._shape, self._batch, self._generator = shape, batch, generator
        self._size, self._steps, self._key_door, self._episodes = size, steps, key_door, episodes
        self._queries, self._training = queries, training
        cells = size * size
        self._cells, self._start = cells, cells // 2
        row_column = torch.stack((torch.arange(cells) // size, torch.arange(cells) % size), dim=1)
        self._distance = (row_column[:, None] - row_column[None]).abs().sum(dim=-1)
        moved = (row_column[:, None] + _MOVES[None]).clamp(0, size - 1)
        self._next = moved[..., 0] * size + moved[..., 1]
        hidden = set(held_out(size))
        self._goals = torch.tensor(
            [cell for cell in range(cells) if (cell in hidden) == unseen and cell != self._start]
        )
        # A slot for each place, with and without the key; and one for where the key was found, with its reward.
        self._layers = 2 if key_door else 1
        slots = (batch, cells * self._layers + key_door)
        self._count, self._noted_in = torch.zeros(slots), torch.zeros(slots)
        self._noted_at = torch.full(slots, _NEVER)
        self._clock = 0
        self._cell = torch.full((batch,), self._start)
        self._has_key = torch.zeros(batch, dtype=torch.bool)
        self._step, self._episode = torch.zeros(batch, dtype=torch.int64), torch.zeros(batch)
        self._key, self._door = torch.zeros(batch, dtype=torch.int64), torch.zeros(batch, dtype=torch.int64)
        self._lag, self._wear = torch.zeros(batch), torch.ones(batch)
        self._renew(torch.ones(batch, dtype=torch.bool))
        if training:
            self._step = torch.randint(steps, (batch,), generator=generator)
            self._episode = torch.randint(episodes, (batch,), generator=generator).float()
        self._note(self._place(), torch.ones(batch, dtype=torch.bool))

    def lesson(self) -> Lesson:
        """Ask about the present place and others."""
        batch, time = self._batch, self._queries if self._training else 1
        cell = torch.randint(self._cells, (batch, time), generator=self._generator)
        other = torch.rand(batch, time, generator=self._generator) < 0.2
        has_key = (self._has_key[:, None] ^ other) & self._key_door
        cell[:, 0], has_key[:, 0] = self._cell, self._has_key
        weight = torch.ones(batch, time)
        weight[:, 0] = 4.0
        parts = (cell // self._size, cell % self._size)
        return Lesson(
            notes=self._notes(),
            parts=(has_key.long(), *parts) if self._key_door else parts,
            wanted=self._teach(cell, has_key),
            weight=weight,
        )

    def step(self, actions: Tensor) -> Stepped:
        """Move in each task."""
        rows = torch.arange(self._batch)
        self._cell = self._next[self._cell, actions]
        self._step += 1
        if self._key_door:
            found = (self._cell == self._key) & ~self._has_key
            self._has_key |= found
            opened = (self._cell == self._door) & self._has_key
        else:
            found, opened = self._cell == self._door, torch.zeros_like(self._has_key)
        self._clock += 1
        self._note(self._place(), ~found if self._key_door else torch.ones_like(found))
        if self._key_door:
            self._note(torch.full_like(rows, self._cells * 2), found)
        over = opened | (self._step >= self._steps)
        self._end(over)
        return Stepped(reward=(found | opened).to(torch.float32), over=over)

    def forget(self, rows: Tensor) -> None:
        """Empty the memory of some tasks, but for where each stands now."""
        self._count[rows], self._noted_at[rows] = 0.0, _NEVER
        self._note(self._place(), rows)

    def _notes(self) -> Notes:
        batch, slots = self._count.shape
        place = torch.arange(slots).expand(batch, slots).clone()
        reward = torch.zeros(batch, slots)
        if self._key_door:
            place[:, -1] = self._cells + self._key
            reward[:, -1] = 1.0
        reward[torch.arange(batch), self._door + self._cells * self._key_door] = 1.0
        cell = place % self._cells
        parts = (cell // self._size, cell % self._size)
        age = (self._episode[:, None] - self._noted_in).clamp(min=0.0)
        return Notes(
            parts=(place // self._cells, *parts) if self._key_door else parts,
            action=torch.zeros_like(place),
            reward=reward,
            count=(self._count * self._wear[:, None]).round().clamp(min=1.0),
            age=age + self._lag[:, None] * (age > 0),
            rank=recency(self._noted_at),
            filled=self._noted_at > _NEVER,
        )

    def _teach(self, cell: Tensor, has_key: Tensor) -> Tensor:
        """Return what the teacher would do at places ``[batch, time]``, ``[batch, time, actions]``."""
        batch, time = cell.shape
        been = (self._noted_at > _NEVER)[:, : self._cells * self._layers].view(batch, self._layers, self._cells)
        rows = torch.arange(batch)
        here = been[rows[:, None], has_key.long()]  # where one has been in the state asked about
        if self._key_door:
            # the cell of the key is known with the key's own slot
            known = torch.where(has_key, been[rows, 1, self._door][:, None], (self._noted_at[:, -1] > _NEVER)[:, None])
            sought = torch.where(has_key, self._door[:, None], self._key[:, None])
            here = here.clone()
            at_key = (self._noted_at[:, -1] > _NEVER)[:, None] & has_key
            here[rows[:, None], torch.arange(time), self._key[:, None]] |= at_key
        else:
            known, sought = (
                been[rows, 0, self._door][:, None].expand(batch, time),
                self._door[:, None].expand(batch, time),
            )
        far = self._distance[cell].masked_fill(here, self._cells)
        nearest = far.amin(dim=-1, keepdim=True)
        frontier = far == nearest
        ahead = self._next[cell]  # [batch, time, actions]
        closer = (self._distance[ahead] < nearest[..., None]) & frontier[:, :, None]
        explore = closer.any(dim=-1)
        to_goal = self._distance[ahead, sought[..., None]]
        go = to_goal == to_goal.amin(dim=-1, keepdim=True)
        right = torch.where(known[..., None], go, explore)
        right |= ~right.any(dim=-1, keepdim=True)
        return right / right.sum(dim=-1, keepdim=True)

    def _place(self) -> Tensor:
        return self._cell + self._cells * (self._has_key & self._key_door)

    def _note(self, place: Tensor, where: Tensor) -> None:
        rows, place = torch.arange(self._batch)[where], place[where]
        self._count[rows, place] += 1.0
        self._noted_at[rows, place] = self._clock
        self._noted_in[rows, place] = self._episode[rows]

    def _end(self, over: Tensor) -> None:
        """Begin the next episode where one is over, and the next task where it has been played for long enough."""
        self._cell = self._cell.masked_fill(over, self._start)
        self._step[over] = 0
        self._has_key[over] = False
        self._episode[over] += 1.0
        if self._training:
            known = (self._noted_at[torch.arange(self._batch), self._door + self._cells * self._key_door]) > _NEVER
            enough = known & (torch.rand(self._batch, generator=self._generator) < 0.3)
            self._renew(over & ((self._episode >= self._episodes) | enough))
        self._clock += 1
        self._note(self._place(), over)

    def _renew(self, rows: Tensor) -> None:
        """Draw new tasks in some rows, with an empty memory."""
        n = int(rows.sum())
        if not n:
            return
        drawn = torch.rand(n, len(self._goals), generator=self._generator).argsort(dim=1)[:, :2]
        self._key[rows], self._door[rows] = self._goals[drawn[:, 0]], self._goals[drawn[:, 1]]
        self._count[rows], self._noted_at[rows], self._noted_in[rows] = 0.0, _NEVER, 0.0
        self._episode[rows] = 0.0
        if self._training:  # as if half of the tasks had been played for up to a hundred episodes more
            long = torch.rand(n, 2, generator=self._generator) < 0.5
            more = torch.rand(n, 2, generator=self._generator) * long
            self._lag[rows], self._wear[rows] = 100.0 ** more[:, 0] - 1.0, 20.0 ** more[:, 1]
