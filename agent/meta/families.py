"""The families of tasks that a policy can be meta-trained on, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from .catalogue import CATALOGUE, Entry, find_entry
from .crowd import Crowd
from .entities import EntityWorlds, entity_shape
from .lesson import World
from .rooms import RoomWorlds, held_out, room_shape
from .rules import RuleWorlds, rule_shape
from .shape import Shape

_ROOM = 9


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of tasks.

    Attributes:
        entry: what is said of it in listings.
        shape: of the policies.
        make: makes a batch of worlds; ``batch``, ``generator`` and ``training`` are given.
        trial: more arguments for the worlds of an evaluation: tasks that training never saw.
        trial_episodes: how many episodes an evaluation plays.
        optimum: the best return of an episode, a mean over the tasks of an evaluation.
        guided: whether at first the teacher acts, and the student more and more; else the student does from the start.
        held_out: what never was a goal in training.
    """

    entry: Entry
    shape: Shape
    make: Callable[..., World]
    trial: Mapping[str, Any]
    trial_episodes: int
    optimum: float
    guided: bool = False
    held_out: tuple[int, ...] = ()


def _distance(cell: int) -> int:
    middle = _ROOM // 2
    return abs(cell // _ROOM - middle) + abs(cell % _ROOM - middle)


def _families() -> dict[str, Family]:
    rule, room, door, facts = (
        rule_shape(),
        room_shape(size=_ROOM, key_door=False),
        room_shape(size=_ROOM, key_door=True),
        entity_shape(),
    )
    unseen = tuple(held_out(_ROOM))
    return {
        "dark-room": Family(
            entry=CATALOGUE["dark-room"],
            shape=room,
            make=partial(RoomWorlds, room, size=_ROOM),
            trial={"unseen": True},
            trial_episodes=10,
            optimum=sum(20 - _distance(cell) + 1 for cell in unseen) / len(unseen),
            guided=True,
            held_out=unseen,
        ),
        "entity-rewrite": Family(
            entry=CATALOGUE["entity-rewrite"],
            shape=facts,
            make=partial(EntityWorlds, facts),
            trial={},
            trial_episodes=20,
            optimum=8.0,
        ),
        "hidden-rule": Family(
            entry=CATALOGUE["hidden-rule"],
            shape=rule,
            make=partial(RuleWorlds, rule, noisy=0.75, crowd=Crowd(most=90)),
            trial={},
            trial_episodes=12,
            optimum=10.0,
        ),
        "key-door": Family(
            entry=CATALOGUE["key-door"],
            shape=door,
            make=partial(RoomWorlds, door, size=_ROOM, steps=50, key_door=True, queries=12),
            trial={"unseen": True},
            trial_episodes=10,
            optimum=2.0,
            guided=True,
            held_out=unseen,
        ),
        "silent-switch": Family(
            entry=CATALOGUE["silent-switch"],
            shape=rule,
            make=partial(RuleWorlds, rule, switching=True, episodes=60, most_flips=0.1),
            trial={"switches": (6, 12)},
            trial_episodes=18,
            optimum=10.0,
        ),
    }


FAMILIES = _families()


def find_family(name: str) -> Family:
    """Return a family by its name.

    Raises:
        NotFoundError: there is none; the message gives the nearest names.
    """
    find_entry(name)
    return FAMILIES[name]


def seeded(seed: int) -> torch.Generator:
    """Return a generator with a seed."""
    return torch.Generator().manual_seed(seed)
