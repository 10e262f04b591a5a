"""What happens in each process of the suite ``cross-session``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.wrappers import TransformAction, TransformObservation

import environments
from agent import Agent, RecallConfig, RetentionPolicy

from ..suite import Case

Answer = Mapping[str, Any]
_MEMORY = "memory.db"
_NAMESPACE = "cross-session"
_CLIFF_COLUMNS = 12
_MIRRORED_MOVES = (0, 3, 2, 1)  # up, left, down, right


def learn(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Learn a world and leave the memory in the folder: the own world, or in the arm ``foreign`` another's."""
    world = _world(case, foreign=case.arm == "foreign")
    with Agent.open(folder / _MEMORY, namespace=_NAMESPACE, policy=_policy(case), seed=case.seed) as agent:
        history = agent.run(world, episodes=case.settings["episodes"], task=case.task)
    return {"returns": history.returns.tolist()}


def use(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Act frozen in the own world, on the memory that lies in the folder, or on none in the arm ``wiped``."""
    memory = None if case.arm == "wiped" else folder / _MEMORY
    with Agent.open(memory, namespace=_NAMESPACE, policy=_policy(case), seed=case.seed, frozen=True) as agent:
        history = agent.run(_world(case), episodes=case.settings["first_episodes"], task=case.task)
    return {"returns": history.returns.tolist()}


def untrained(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Measure the two ends of the scale: the mean return of uniformly random actions, and the optimum."""
    world = _world(case)
    world.action_space.seed(case.seed)
    total, episodes = 0.0, case.settings["untrained_episodes"]
    for episode in range(episodes):
        world.reset(seed=case.seed if episode == 0 else None)
        over = False
        while not over:
            _, reward, terminated, truncated, _ = world.step(world.action_space.sample())
            total += float(reward)
            over = terminated or truncated
    optimum = case.settings.get("optimum")
    if optimum is None:
        optimum = world.get_wrapper_attr("optimal_return")
    return {"untrained": total / episodes, "optimum": optimum}


def _policy(case: Case) -> RetentionPolicy:
    """Return the policy of all arms: the default one, but for the discount of the task."""
    discount = case.settings.get("discount", RecallConfig.discount)
    return RetentionPolicy(RecallConfig(discount=discount))


def _world(case: Case, *, foreign: bool = False) -> gymnasium.Env[Any, Any]:
    """Make the environment of a case, or another one of its family."""
    environments.register()
    settings = case.settings
    arguments = dict(settings.get("foreign_arguments" if foreign else "arguments", {}))
    if settings.get("numbered"):
        arguments["task"] = case.seed + foreign
    world = gymnasium.make(settings["env"], max_episode_steps=settings.get("max_episode_steps"), **arguments)
    return _mirrored(world) if foreign and settings.get("foreign_mirrored") else world


def _mirrored(cliff: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
    """Return the cliff world with left and right exchanged, in what is seen and in what is done."""

    def cell(observation: int) -> int:
        row, column = divmod(int(observation), _CLIFF_COLUMNS)
        return row * _CLIFF_COLUMNS + _CLIFF_COLUMNS - 1 - column

    seen = TransformObservation(cliff, cell, cliff.observation_space)
    return TransformAction(seen, lambda action: _MIRRORED_MOVES[int(action)], cliff.action_space)
