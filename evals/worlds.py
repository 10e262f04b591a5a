"""Makes the environments that suites name in their settings, and others of the same family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count, islice
from typing import Any

import gymnasium
from gymnasium.wrappers import TransformAction, TransformObservation

import environments

World = gymnasium.Env[Any, Any]
_CLIFF_COLUMNS = 12
_MIRRORED_MOVES = (0, 3, 2, 1)  # up, left, down, right
_PLACES: Mapping[str, Callable[[int], tuple[int, set[int]]]] = {
    "holdfast/DarkRoom-v0": lambda task: _places(environments.DarkRoomEnv(task), "goal"),
    "holdfast/DarkKeyDoor-v0": lambda task: _places(environments.DarkKeyDoorEnv(task), "key", "door"),
}
"""The families of which meta-training saw some hidden places and others not: the size of a room, and its places."""


def make_world(settings: Mapping[str, Any], *, index: int = 0, foreign: bool = False) -> World:
    """Make the environment of a task.

    Args:
        settings: of the task: ``"env"``, an id; ``"arguments"`` and ``"max_episode_steps"``, where it has some;
            ``"numbered"``, whether the argument ``task`` decides what is hidden; ``"split"``, of which numbers it is
            taken (see :func:`task_number`); ``"foreign_arguments"`` and ``"foreign_mirrored"``, what makes another
            world of one that is not numbered.
        index: which of the numbered worlds, from 0.
        foreign: another world instead: the next one of the numbered.
    """
    environments.register()
    arguments = dict(settings.get("foreign_arguments" if foreign else "arguments", settings.get("arguments", {})))
    if settings.get("numbered"):
        arguments["task"] = task_number(settings["env"], index + foreign, settings.get("split"))
    world = gymnasium.make(settings["env"], max_episode_steps=settings.get("max_episode_steps"), **arguments)
    return _mirrored(world) if foreign and settings.get("foreign_mirrored") else world


def task_number(env_id: str, index: int, split: str | None) -> int:
    """Return the number of a task: the ``index``-th of a split.

    Args:
        env_id: the family.
        index: from 0.
        split: ``"held-out"``: worlds whose hidden places all are such that none lay there in meta-training; see
            :func:`held_out`. ``"trained"``: worlds of which none is. Families without places have no trained numbers:
            their rules and facts are drawn anew for every world of the training. ``None``: every number in turn.

    Raises:
        ValueError: there is no such split.
    """
    if split not in (None, "held-out", "trained"):
        raise ValueError(f"a split is held-out or trained, got {split!r}")
    if split is None or env_id not in _PLACES:
        return index

    def fits(number: int) -> bool:
        size, places = _PLACES[env_id](number)
        return {held_out(place, size) for place in places} == {split == "held-out"}

    return next(islice(filter(fits, count()), index, None))


def held_out(cell: int, size: int) -> bool:
    """Return whether nothing lay in a cell of a room in meta-training: in every fifth, scattered over the room."""
    row, column = divmod(cell, size)
    return (2 * row + column) % 5 == 0


def _places(room: environments.DarkRoomEnv | environments.DarkKeyDoorEnv, *names: str) -> tuple[int, set[int]]:
    return room.size, {getattr(room, name) for name in names}


def optimum(settings: Mapping[str, Any], world: World) -> float:
    """Return the best return of a world: ``"optimum"`` of its task, or what the environment tells."""
    return float(settings["optimum"] if "optimum" in settings else world.get_wrapper_attr("optimal_return"))


def random_return(make: Callable[[], World], *, episodes: int, seed: int) -> float:
    """Return the mean return of actions drawn uniformly at random."""
    world, total = make(), 0.0
    world.action_space.seed(seed)
    for episode in range(episodes):
        world.reset(seed=seed if episode == 0 else None)
        over = False
        while not over:
            _, reward, terminated, truncated, _ = world.step(world.action_space.sample())
            total += float(reward)
            over = terminated or truncated
    return total / episodes


def _mirrored(cliff: World) -> World:
    """Return the cliff world with left and right exchanged, in what is seen and in what is done."""

    def cell(observation: int) -> int:
        row, column = divmod(int(observation), _CLIFF_COLUMNS)
        return row * _CLIFF_COLUMNS + _CLIFF_COLUMNS - 1 - column

    seen = TransformObservation(cliff, cell, cliff.observation_space)
    return TransformAction(seen, lambda action: _MIRRORED_MOVES[int(action)], cliff.action_space)
