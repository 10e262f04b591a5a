"""The families of tasks that a policy can be meta-trained on, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any

import torch

from retention import NotFoundError

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
        summary: one line: what is hidden.
        env_id: the environment whose tasks these are.
        shape: of the policies.
        make: makes a batch of worlds; ``batch``, ``generator`` and ``training`` are given.
        trial: more arguments for the worlds of an evaluation: tasks that training never saw.
        trial_episodes: how many episodes an evaluation plays.
        optimum: the best return of an episode, a mean over the tasks of an evaluation.
        iterations: how many training takes by default.
        guided: whether at first the teacher acts, and the student more and more; else the student does from the start.
        held_out: what never was a goal in training.
    """

    summary: str
    env_id: str
    shape: Shape
    make: Callable[..., World]
    trial: Mapping[str, Any]
    trial_episodes: int
    optimum: float
    iterations: int
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
            summary="a goal in a dark room of 9 x 9",
            env_id="holdfast/DarkRoom-v0",
            shape=room,
            make=partial(RoomWorlds, room, size=_ROOM),
            trial={"unseen": True},
            trial_episodes=10,
            optimum=sum(20 - _distance(cell) + 1 for cell in unseen) / len(unseen),
            iterations=8_000,
            guided=True,
            held_out=unseen,
        ),
        "entity-rewrite": Family(
            summary="facts that are told, told anew, and asked for",
            env_id="holdfast/EntityRewrite-v0",
            shape=facts,
            make=partial(EntityWorlds, facts),
            trial={},
            trial_episodes=20,
            optimum=8.0,
            iterations=4_000,
        ),
        "hidden-rule": Family(
            summary="the right action of each context",
            env_id="holdfast/HiddenRule-v0",
            shape=rule,
            make=partial(RuleWorlds, rule, noisy=0.75),
            trial={},
            trial_episodes=12,
            optimum=10.0,
            iterations=8_000,
        ),
        "key-door": Family(
            summary="a key and a door in a dark room of 9 x 9",
            env_id="holdfast/DarkKeyDoor-v0",
            shape=door,
            make=partial(RoomWorlds, door, size=_ROOM, steps=50, key_door=True, queries=12),
            trial={"unseen": True},
            trial_episodes=10,
            optimum=2.0,
            iterations=8_000,
            guided=True,
            held_out=unseen,
        ),
        "silent-switch": Family(
            summary="the right action of each context, which changes without a sign and changes back",
            env_id="holdfast/SilentSwitch-v0",
            shape=rule,
            make=partial(RuleWorlds, rule, switching=True, episodes=60, most_flips=0.1),
            trial={"switches": (6, 12)},
            trial_episodes=18,
            optimum=10.0,
            iterations=8_000,
        ),
    }


FAMILIES = _families()


def find_family(name: str) -> Family:
    """Return a family by its name.

    Raises:
        NotFoundError: there is none; the message gives the nearest names.
    """
    if name in FAMILIES:
        return FAMILIES[name]
    near = " or ".join(repr(each) for each in get_close_matches(name, FAMILIES))
    raise NotFoundError(
        f"no family named {name!r}. {f'Did you mean {near}?' if near else 'Known: ' + ', '.join(FAMILIES)}"
    )


def seeded(seed: int) -> torch.Generator:
    """Return a generator with a seed."""
    return torch.Generator().manual_seed(seed)
