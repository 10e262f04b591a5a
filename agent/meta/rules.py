"""Worlds of hidden rules: each context has one right action; the rule may change, and answers may be misjudged."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from .belief import belief, rates
from .crowd import Crowd, crowded
from .lesson import Lesson, Stepped, codes, recency
from .network import Notes
from .shape import Part, Shape

_NEVER = -1


def rule_shape(*, actions: int = 5) -> Shape:
    """Return the shape of policies for hidden rules: contexts are codes, so any number of them will do.

    To see how far answers can be believed, or that the rule has changed, takes a look at all contexts together.
    """
    return Shape(observation=None, actions=actions, parts=(Part(),), noted="answer")


@final
class RuleWorlds:
    """Tasks as in ``holdfast/HiddenRule-v0`` and, with switches, ``holdfast/SilentSwitch-v0``.

    What is noted is the reward as it was seen: in some of the tasks as it is, in the others flipped with a probability
    of the task's own. The teacher says how probable each answer is, given all that was seen; where the rule changes it
    says the rule in force. So the network learns what answers are worth believing.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        batch: int,
        generator: torch.Generator,
        contexts: int = 10,
        episodes: int = 24,
        most_flips: float = 0.3,
        noisy: float = 0.5,
        switching: bool = False,
        crowd: Crowd | None = None,
        training: bool = True,
        flips: float | None = None,
        switches: tuple[int, ...] = (),
    ) -> None:
        """Draw the tasks.

        Args:
            shape: of the network.
            batch: how many tasks.
            generator: of all randomness.
            contexts: of each rule.
            episodes: after which a task makes room for a new one, in training.
            most_flips: the largest probability with which a task's rewards are flipped, in training.
            noisy: the share of tasks in which rewards are flipped, in training.
            switching: whether the rule changes and changes back, at random times, in training.
            crowd: what memories hold of other tasks, in training.
            training: False for an evaluation.
            flips: the probability in an evaluation.
            switches: the episodes from which on the other rule is in force, in an evaluation.
        """
        self._shape, self._batch, self._generator = shape, batch, generator
        self._contexts, self._episodes, self._most_flips = contexts, episodes, most_flips
        self._noisy, self._switching, self._training, self._switches = noisy, switching, training, switches
        self._crowd = crowd if training else None
        self._rates = rates(most_flips, noisy)
        slots = (batch, contexts, shape.actions, 2)
        self._count = torch.zeros(slots)
        self._noted_at = torch.full(slots, _NEVER)
        self._noted_in = torch.zeros(slots)
        self._rules = torch.zeros(batch, 2, contexts, dtype=torch.int64)
        self._episode, self._phase = torch.zeros(batch), torch.zeros(batch, dtype=torch.int64)
        self._flips = torch.zeros(batch)
        self._clock = self._step = 0
        self._order = torch.zeros(batch, contexts, dtype=torch.int64)
        self._renew(torch.ones(batch, dtype=torch.bool))
        if training:
            self._episode = torch.randint(episodes, (batch,), generator=generator).float()
        elif flips is not None:
            self._flips = torch.full((batch,), flips)
        self._shuffle()

    def lesson(self) -> Lesson:
        """Ask for every context, the present one first; in each lesson contexts have other codes."""
        batch, contexts, actions = self._batch, self._contexts, self._shape.actions
        names = codes(batch, contexts, self._shape.width, self._generator)
        asked = self._order.roll(-self._step, dims=1)
        flat = (batch, contexts * actions * 2)
        reward = torch.arange(2.0).expand(batch, contexts, actions, 2).reshape(flat)
        noted_at = self._noted_at.reshape(flat)
        notes = Notes(
            parts=(names.repeat_interleave(2 * actions, dim=1),),
            action=torch.arange(actions).repeat_interleave(2).repeat(contexts).expand(flat),
            reward=reward,
            count=self._count.reshape(flat).clamp(min=1.0),
            age=(self._episode[:, None] - self._noted_in.reshape(flat)).clamp(min=0.0),
            rank=recency(noted_at),
            filled=noted_at > _NEVER,
        )
        if self._crowd is not None:
            notes = crowded(notes, noted_at, self._crowd, actions, self._generator)
        return Lesson(
            notes=notes,
            parts=(names.gather(1, asked[:, :, None].expand(-1, -1, self._shape.width)),),
            wanted=self._wanted().gather(1, asked[:, :, None].expand(-1, -1, actions)),
            weight=torch.ones(batch, contexts),
        )

    def _wanted(self) -> Tensor:
        """Return what the teacher would answer in each context, ``[batch, contexts, actions]``."""
        if not self._switching:
            return belief(self._count, *self._rates)
        rule = self._rules[torch.arange(self._batch), self._phase]
        return F.one_hot(rule, self._shape.actions).to(torch.float32)

    def step(self, actions: Tensor) -> Stepped:
        """Answer the present context of each task."""
        rows = torch.arange(self._batch)
        context = self._order[:, self._step]
        right = actions == self._rules[rows, self._phase, context]
        seen = right ^ (torch.rand(self._batch, generator=self._generator) < self._flips)
        place = (rows, context, actions, seen.long())
        self._clock += 1
        self._count[place] += 1.0
        self._noted_at[place] = self._clock
        self._noted_in[place] = self._episode
        self._step = (self._step + 1) % self._contexts
        over = self._step == 0
        if over:
            self._next_episode()
        return Stepped(reward=right.to(torch.float32), over=torch.full((self._batch,), over))

    def forget(self, rows: Tensor) -> None:
        """Empty the memory of some tasks."""
        self._count[rows], self._noted_at[rows] = 0.0, _NEVER

    def _next_episode(self) -> None:
        self._episode += 1.0
        if self._training:
            if self._switching:
                self._phase ^= (torch.rand(self._batch, generator=self._generator) < 1 / 12).long()
            self._renew(self._episode >= self._episodes)
        else:
            self._phase[:] = sum(int(self._episode[0]) >= switch for switch in self._switches) % 2
        self._shuffle()

    def _shuffle(self) -> None:
        self._order = torch.rand(self._batch, self._contexts, generator=self._generator).argsort(dim=1)

    def _renew(self, rows: Tensor) -> None:
        """Draw new tasks in some rows, with an empty memory."""
        n, generator = int(rows.sum()), self._generator
        if not n:
            return
        first = torch.randint(self._shape.actions, (n, self._contexts), generator=generator)
        other = torch.randint(1, self._shape.actions, (n, self._contexts), generator=generator)
        self._rules[rows] = torch.stack((first, (first + other) % self._shape.actions), dim=1)
        noisy = torch.rand(n, generator=generator) < self._noisy
        self._flips[rows] = self._most_flips * torch.rand(n, generator=generator) * noisy * self._training
        self._count[rows], self._noted_at[rows], self._noted_in[rows] = 0.0, _NEVER, 0.0
        self._episode[rows], self._phase[rows] = 0.0, 0
