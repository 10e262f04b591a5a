"""What a policy earns on tasks that training never saw, with its memory kept or wiped before each episode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from .families import Family, seeded
from .network import Notes

Scorer: TypeAlias = Callable[[Notes, tuple[Tensor, ...]], Tensor]


@torch.no_grad()
def trial(
    network: Scorer, family: Family, *, tasks: int = 100, seed: int = 10_000, wiped: bool = False, **changed: Any
) -> list[float]:
    """Play whole tasks with the best action always, and return the mean return of each episode, over the tasks.

    Args:
        network: the policy: scores the actions, as :class:`MetaNetwork` does.
        family: whose tasks.
        tasks: how many.
        seed: of the tasks.
        wiped: whether memory is emptied before each episode.
        changed: arguments of the worlds in place of the family's own, such as ``flips=0.2``.
    """
    world = family.make(batch=tasks, generator=seeded(seed), training=False, **{**family.trial, **changed})
    episodes = family.trial_episodes
    earned, episode = torch.zeros(tasks, episodes + 1), torch.zeros(tasks, dtype=torch.int64)
    rows = torch.arange(tasks)
    while int(episode.min()) < episodes:
        lesson = world.lesson()
        scores = network(lesson.notes, tuple(part[:, :1] for part in lesson.parts))
        stepped = world.step(scores[:, 0].argmax(dim=-1))
        earned[rows, episode.clamp(max=episodes)] += stepped.reward
        episode += stepped.over
        if wiped:
            world.forget(stepped.over)
    return [float(each) for each in earned[:, :episodes].mean(dim=0)]
