"""What the agent's loop costs, in microseconds a step over the bare environment loop.

All loops run on one thread and by turns, in an order that rotates from turn to turn, so that a machine which is busy or
throttled for a while is so for all of them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, final

import gymnasium

from agent import Agent, IdlePolicy, Policy, RetentionPolicy

from .stopwatch import one_thread

_World = gymnasium.Env[Any, Any]


@final
@dataclass(frozen=True, kw_only=True)
class Loop:
    """A loop to be timed.

    Attributes:
        name: what it does.
        environment: the id of its environment; its overhead is over the loop named ``"bare"`` of the same one.
        turn: runs it once and returns microseconds a step.
    """

    name: str
    environment: str
    turn: Callable[[], float]


def measure(*, steps: int = 20_000, episodes: int = 30, repeats: int = 7) -> list[dict[str, Any]]:
    """Time the loops, and return ``{"name", "environment", "us_per_step", "overhead_us", "steps_per_second"}`` of each.

    Opening a memory does not count; what is stored when an episode ends does. An episode of CartPole-v1 has 9.4 steps
    when every action is the first.

    Args:
        steps: about how many steps a turn of a loop that does nothing takes.
        episodes: how many episodes a turn of the retention policy takes; each turn begins without a memory.
        repeats: how many turns each loop has.

    Raises:
        ValueError: a number is below 1.
    """
    if min(steps, episodes, repeats) < 1:
        raise ValueError(f"steps, episodes and repeats must be at least 1, got {steps}, {episodes} and {repeats}")
    pole, lake = gymnasium.make("CartPole-v1"), gymnasium.make("FrozenLake-v1", is_slippery=False)
    idle = 1 + steps // 10
    with tempfile.TemporaryDirectory() as folder, one_thread():

        def stored() -> float:
            return agent_loop(pole, IdlePolicy(), episodes=idle, path=Path(folder, f"{time.monotonic_ns()}.db"))

        def learning(world: _World) -> float:
            return agent_loop(world, RetentionPolicy(), episodes=episodes)

        def loop(name: str, environment: str, turn: Callable[[], float]) -> Loop:
            return Loop(name=name, environment=environment, turn=turn)

        loops = [
            loop("bare", "CartPole-v1", lambda: bare_loop(pole, steps=steps)),
            loop("idle, frozen", "CartPole-v1", lambda: agent_loop(pole, IdlePolicy(), episodes=idle, frozen=True)),
            loop("idle, each episode stored", "CartPole-v1", stored),
            loop("retention, learning", "CartPole-v1", lambda: learning(pole)),
            loop("bare", "FrozenLake-v1", lambda: bare_loop(lake, steps=steps)),
            loop("retention, learning", "FrozenLake-v1", lambda: learning(lake)),
        ]
        return rows_of(loops, take_turns(loops, repeats))


def bare_loop(world: _World, *, steps: int) -> float:
    """Step an environment with action 0, whole episodes, ``steps`` steps or more; return microseconds a step."""
    done = 0
    started = time.perf_counter()
    while done < steps:
        world.reset()
        over = False
        while not over:
            _, _, terminated, truncated, _ = world.step(0)
            done += 1
            over = terminated or truncated
    return 1e6 * (time.perf_counter() - started) / done


def agent_loop(
    world: _World, policy: Policy, *, episodes: int, path: Path | None = None, frozen: bool = False
) -> float:
    """Run an agent, and return microseconds a step."""
    with Agent.open(path, namespace="bench", policy=policy, frozen=frozen) as agent:
        started = time.perf_counter()
        history = agent.run(world, episodes=episodes)
        return 1e6 * (time.perf_counter() - started) / history.env_steps


def take_turns(loops: Sequence[Loop], repeats: int) -> list[list[float]]:
    """Run every loop ``repeats`` times, a different one first each time; return ``[repeats][loops]`` times."""
    rounds = []
    for number in range(repeats):
        times = {place: loops[place].turn() for place in _rotated(len(loops), number)}
        rounds.append([times[place] for place in range(len(loops))])
    return rounds


def rows_of(loops: Sequence[Loop], rounds: Sequence[Sequence[float]]) -> list[dict[str, Any]]:
    """Return a row for each loop: medians over the rounds of its time, and of what it takes over the bare loop's."""
    bare = {loop.environment: place for place, loop in enumerate(loops) if loop.name == "bare"}
    rows = []
    for place, loop in enumerate(loops):
        time_a_step = median(times[place] for times in rounds)
        overhead = median(times[place] - times[bare[loop.environment]] for times in rounds)
        rows.append(
            {
                "name": loop.name,
                "environment": loop.environment,
                "us_per_step": time_a_step,
                "overhead_us": overhead,
                "steps_per_second": 1e6 / time_a_step,
            }
        )
    return rows


def _rotated(count: int, by: int) -> list[int]:
    return [(place + by) % count for place in range(count)]
