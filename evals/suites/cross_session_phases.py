"""What happens in each process of the suite ``cross-session``."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from agent import Agent, EpisodeResult, Policy, make_policy
from retention import EpisodicMemory

from ..learners import RETENTION, Training, left_out, training_of
from ..phase import PhaseFailedError, run_phase
from ..suite import Case
from ..worlds import World, make_world, optimum, random_return

Answer = Mapping[str, Any]
_MEMORY = "memory.db"
_RETURNS = "returns.txt"
_NAMESPACE = "cross-session"
_UNTIL_KILLED = "evals.suites.cross_session_phases:learn_until_killed"


def learn(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Learn a world and leave the memory in the folder: the own world, or in the arm ``foreign`` another's."""
    with _agent(case, folder / _MEMORY) as agent:
        history = agent.run(
            _world(case, foreign=case.arm == "foreign"), episodes=case.settings["episodes"], task=case.task
        )
    return {"returns": history.returns.tolist(), "training": asdict(_training(case))}


def learn_killed(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Learn the own world in processes of which each is killed by SIGKILL after a random episode, but the last one.

    ``returns`` holds every episode that any of them played, ``processes`` how many there were, and ``lost`` how many
    of the episodes played are not in the memory.
    """
    one, killed, over = replace(case, phases=(_UNTIL_KILLED,)), 0, False
    while not over:
        place = folder / f"process-{killed}"
        place.mkdir()
        try:
            run_phase(one, 0, place, [{"killed": killed}], threading.Event())
            over = True
        except PhaseFailedError as error:
            if f"was killed by signal {signal.SIGKILL.value} " not in str(error):
                raise
            killed += 1
    returns = [float(line) for line in (folder / _RETURNS).read_text().split()]
    return {
        "returns": returns,
        "processes": killed + 1,
        "lost": len(returns) - _kept(case, folder),
        "training": asdict(_training(case)),
    }


def learn_until_killed(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Go on learning where the memory stands, and be killed after a random episode while that is still to be done."""
    place, killed = folder.parent, earlier[0]["killed"]
    done, wanted = _kept(case, place), case.settings["episodes"]
    generator = np.random.default_rng([case.seed, killed])
    last = int(generator.integers(done + 1, wanted)) if killed < case.settings["kills"] and done + 1 < wanted else None

    def after(result: EpisodeResult) -> None:
        with (place / _RETURNS).open("a") as file:
            file.write(f"{result.return_}\n")
        if result.episode == last:
            os.kill(os.getpid(), signal.SIGKILL)

    world = _world(case, first_episode=done)
    with _agent(case, place / _MEMORY) as agent:
        agent.run(world, episodes=wanted - done, task=case.task, on_episode=after)
    return {}


def use(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Act in the own world, on the memory that lies in the folder, or on none in the arm ``wiped``."""
    memory = None if case.arm == "wiped" else folder / _MEMORY
    world = _world(case, first_episode=case.settings["episodes"])
    with _agent(case, memory, frozen=case.settings.get("frozen", True)) as agent:
        history = agent.run(world, episodes=case.settings["first_episodes"], task=case.task)
    return {"returns": history.returns.tolist()}


def untrained(case: Case, folder: Path, earlier: Sequence[Answer]) -> Answer:
    """Measure the two ends of the scale: the mean return of uniformly random actions, and the optimum."""
    episodes = case.settings["untrained_episodes"]
    mean = random_return(lambda: _world(case), episodes=episodes, seed=case.seed)
    return {"untrained": mean, "optimum": optimum(case.settings, _world(case))}


def absent(case: Case) -> str | None:
    """Return the sentence that says why the policy of a task is not to be had; ``None`` where it is."""
    return left_out(RETENTION, case.settings) if _trained(case) else None


def _trained(case: Case) -> bool:
    return str(case.settings["policy"]).startswith(f"{RETENTION}:")


def _training(case: Case) -> Training:
    return training_of(RETENTION, case.settings) if _trained(case) else Training()


def _kept(case: Case, folder: Path) -> int:
    """Return how many episodes the memory in a folder holds."""
    if not (folder / _MEMORY).exists():
        return 0
    with EpisodicMemory.open(folder / _MEMORY, mode="ro") as memory:
        return memory.episode_count(namespace=_NAMESPACE, task=case.task)


def _agent(case: Case, memory: Path | None, *, frozen: bool = False) -> Agent:
    return Agent.open(memory, namespace=_NAMESPACE, policy=_policy(case), seed=case.seed, frozen=frozen)


def _policy(case: Case) -> Policy:
    """Return the policy of all arms: that of the task, with the discount of the task."""
    return make_policy(case.settings["policy"], discount=case.settings.get("discount"))


def _world(case: Case, *, foreign: bool = False, first_episode: int = 0) -> World:
    """Make the environment of a case, or another one of its family; one that goes on starts with an episode."""
    settings = dict(case.settings)
    if settings.get("goes_on"):
        settings["arguments"] = {**settings.get("arguments", {}), "first_episode": first_episode}
    return make_world(settings, index=case.seed, foreign=foreign)
