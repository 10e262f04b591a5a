"""What the agent's loop costs, in microseconds a step over the bare environment loop, and beside those of peers.

All loops run on one thread and by turns, in an order that rotates from turn to turn, so that a machine which is busy or
throttled for a while is so for all of them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, final

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper

import environments
from agent import Agent, IdlePolicy, Policy, RetentionPolicy, make_policy

from ..learners import left_out
from ..learners.stable_baselines import StableBaselines
from ..learners.zoo import PeerSettings
from .stopwatch import one_thread

_World = gymnasium.Env[Any, Any]
_Vector = VectorEnv[Any, Any, Any]
MakeActor = Callable[[int | None], Callable[[Any], Any]]
_NAMESPACE = "bench"
_TAUGHT = 20  # episodes of which a frozen agent has the templates
_DQN, _RECURRENT = "dqn, predict", "recurrent-ppo, predict"
_PEERS = ("dqn", "ppo", "recurrent-ppo")
_RETENTION = {"policy": "retention:hidden-rule"}
TEMPLATES = 64
"""How many templates the frozen agents read."""
LANES = 8
"""How many environments a vector has."""


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


def absent() -> tuple[str, ...]:
    """Return the sentences that say which loops are left out on this machine, and why."""
    reasons = [left_out(name, {}) for name in _PEERS] + [left_out("retention", _RETENTION)]
    return tuple(reason for reason in reasons if reason is not None)


def measure(*, steps: int = 20_000, episodes: int = 30, repeats: int = 7) -> list[dict[str, Any]]:
    """Time the loops, and return a row for each; see :func:`rows_of`.

    Opening a memory does not count; what is stored when an episode ends does. An episode of CartPole-v1 has 9.4 steps
    when every action is the first. In the rows of a vector a step is one of one environment.

    A frozen agent reads the templates of ten episodes, on CartPole-v1 ``TEMPLATES`` of them. The peers have the sizes
    that their library gives them and are untrained, as weights do not matter to speed; they act as their users let
    them, by ``predict``, deterministic.

    Args:
        steps: about how many steps a turn of a loop that does nothing takes; the others take a tenth.
        episodes: how many episodes a turn of a policy that learns takes; each turn begins without a memory.
        repeats: how many turns each loop has.

    Raises:
        ValueError: a number is below 1.
    """
    if min(steps, episodes, repeats) < 1:
        raise ValueError(f"steps, episodes and repeats must be at least 1, got {steps}, {episodes} and {repeats}")
    environments.register()
    with tempfile.TemporaryDirectory() as folder, one_thread():
        loops = [
            *_cart_pole(Path(folder), steps, episodes),
            *_lake(steps, episodes),
            *_rule(Path(folder), steps, episodes),
        ]
        return rows_of(loops, take_turns(loops, repeats))


def _cart_pole(folder: Path, steps: int, episodes: int) -> list[Loop]:
    world, idle = gymnasium.make("CartPole-v1"), 1 + steps // 10
    taught, ours = _taught(folder / "pole.db", make_policy(), world), f"recall, frozen, {TEMPLATES} templates"

    def loop(name: str, turn: Callable[[], float]) -> Loop:
        return Loop(name=name, environment="CartPole-v1", turn=turn)

    def stored() -> float:
        return agent_loop(world, IdlePolicy(), episodes=idle, path=folder / f"{time.monotonic_ns()}.db")

    def frozen() -> float:
        return agent_loop(world, RetentionPolicy(), episodes=episodes, path=taught, frozen=True)

    return [
        loop("bare", lambda: bare_loop(world, steps=steps)),
        loop("idle, frozen", lambda: agent_loop(world, IdlePolicy(), episodes=idle, frozen=True)),
        loop("idle, each episode stored", stored),
        loop(ours, frozen),
        loop("recall, learning", lambda: agent_loop(world, RetentionPolicy(), episodes=episodes)),
        *_peers("CartPole-v1", "CartPole-v1", lambda act: predict_loop(world, act(None), steps=1 + steps // 10)),
        *_vector("CartPole-v1", ours, "recall", taught, steps, episodes),
    ]


def _vector(env_id: str, ours: str, policy: str, taught: Path, steps: int, episodes: int) -> list[Loop]:
    """Return the loops in a vector, with a frozen agent that reads what is taught already and one that learns."""
    name = f"{env_id} x {LANES}"
    vector = SyncVectorEnv([lambda: gymnasium.make(env_id)] * LANES, autoreset_mode=AutoresetMode.SAME_STEP)

    def frozen() -> float:
        return agent_loop(vector, make_policy(policy), episodes=episodes, path=taught, frozen=True)

    def learning() -> float:
        return agent_loop(vector, make_policy(policy), episodes=episodes)

    return [
        Loop(name="bare", environment=name, turn=lambda: bare_vector(vector, steps=steps)),
        Loop(name=ours, environment=name, turn=frozen),
        Loop(name=f"{policy}, learning", environment=name, turn=learning),
        *_peers(env_id, name, lambda act: predict_vector(vector, act(LANES), steps=1 + steps // 10)),
    ]


def _lake(steps: int, episodes: int) -> list[Loop]:
    name = "FrozenLake-v1"
    world = gymnasium.make(name, is_slippery=False)
    learning = Loop(
        name="recall, learning",
        environment=name,
        turn=lambda: agent_loop(world, RetentionPolicy(), episodes=episodes),
    )
    return [Loop(name="bare", environment=name, turn=lambda: bare_loop(world, steps=steps)), learning]


def _rule(folder: Path, steps: int, episodes: int) -> list[Loop]:
    """Return the loops of a policy that is meta-trained; none where it is not to be had."""
    name = "holdfast/HiddenRule-v0"
    if left_out("retention", _RETENTION) is not None:
        return []
    world, policy = gymnasium.make(name), _RETENTION["policy"]
    taught, ours = _taught(folder / "rule.db", make_policy(policy), world), f"{policy}, frozen"

    def frozen() -> float:
        return agent_loop(world, make_policy(policy), episodes=episodes, path=taught, frozen=True)

    return [
        Loop(name="bare", environment=name, turn=lambda: bare_loop(world, steps=steps)),
        Loop(name=ours, environment=name, turn=frozen),
        Loop(
            name=f"{policy}, learning",
            environment=name,
            turn=lambda: agent_loop(world, make_policy(policy), episodes=episodes),
        ),
        *_peers(name, name, lambda act: predict_loop(world, act(None), steps=1 + steps // 10)),
        *_vector(name, ours, policy, taught, steps, episodes),
    ]


def _taught(path: Path, policy: Policy, world: _World) -> Path:
    """Return a file with templates of a few episodes, :data:`TEMPLATES` of them where there are as many."""
    with Agent.open(path, namespace=_NAMESPACE, policy=policy) as agent:
        agent.run(world, episodes=_TAUGHT)
        spare = agent.memory.templates(namespace=_NAMESPACE, offset=TEMPLATES, limit=agent.template_count)
        agent.memory.forget([each.id for each in spare], namespace=_NAMESPACE)
    return path


def _peers(env_id: str, environment: str, turn: Callable[[MakeActor], float]) -> list[Loop]:
    """Return the loops of the peers that are installed, untrained and as the library makes them."""
    loops = []
    for name in _PEERS:
        if left_out(name, {}) is None:
            peer = StableBaselines(name, PeerSettings())
            peer.untrained(lambda: gymnasium.make(env_id), seed=0)
            loops.append(Loop(name=f"{name}, predict", environment=environment, turn=partial(turn, peer.actor)))
    return loops


def bare_loop(world: _World, *, steps: int) -> float:
    """Step an environment with action 0, whole episodes, ``steps`` steps or more; return microseconds a step."""
    return predict_loop(world, lambda observation: 0, steps=steps)


def predict_loop(world: _World, act: Callable[[Any], Any], *, steps: int) -> float:
    """Step an environment, whole episodes, ``steps`` steps or more; return microseconds a step."""
    done = 0
    started = time.perf_counter()
    while done < steps:
        observation, _ = world.reset()
        over = False
        while not over:
            observation, _, terminated, truncated, _ = world.step(act(observation))
            done += 1
            over = terminated or truncated
    return 1e6 * (time.perf_counter() - started) / done


def bare_vector(vector: _Vector, *, steps: int) -> float:
    """Step a vector with action 0, ``steps`` steps or more; return microseconds a step of one environment."""
    still = np.zeros(vector.num_envs, np.int64)
    return predict_vector(vector, lambda observations: still, steps=steps)


def predict_vector(vector: _Vector, act: Callable[[Any], Any], *, steps: int) -> float:
    """Step a vector, ``steps`` steps or more; return microseconds a step of one environment."""
    done = 0
    started = time.perf_counter()
    observations, _ = vector.reset()
    while done < steps:
        observations, *_ = vector.step(act(observations))
        done += vector.num_envs
    return 1e6 * (time.perf_counter() - started) / done


def agent_loop(
    world: _World | _Vector, policy: Policy, *, episodes: int, path: Path | None = None, frozen: bool = False
) -> float:
    """Run an agent, and return microseconds a step."""
    counted = _Counted(world) if isinstance(world, VectorEnv) else None
    with Agent.open(path, namespace=_NAMESPACE, policy=policy, frozen=frozen) as agent:
        agent.bind(world)
        started = time.perf_counter()
        history = agent.run(counted or world, episodes=episodes)
        done = history.env_steps if counted is None else counted.steps
        return 1e6 * (time.perf_counter() - started) / done


@final
class _Counted(VectorWrapper):
    """Counts the steps of all environments of a vector, those of episodes that are broken off included."""

    def __init__(self, vector: _Vector) -> None:
        super().__init__(vector)
        self.steps = 0

    def step(self, actions: Any) -> Any:
        """Step, and count."""
        self.steps += self.num_envs
        return super().step(actions)


def take_turns(loops: Sequence[Loop], repeats: int) -> list[list[float]]:
    """Run every loop ``repeats`` times, a different one first each time; return ``[repeats][loops]`` times."""
    rounds = []
    for number in range(repeats):
        times = {place: loops[place].turn() for place in _rotated(len(loops), number)}
        rounds.append([times[place] for place in range(len(loops))])
    return rounds


def rows_of(loops: Sequence[Loop], rounds: Sequence[Sequence[float]]) -> list[dict[str, Any]]:
    """Return a row for each loop, with medians over the rounds.

    ``us_per_step``; ``overhead_us``, what it takes over the bare loop of its environment; ``steps_per_second``; and,
    each None where there is no such loop, ``of_dqn``, its speed as a share of the speed of DQN's loop in the same
    environment, and ``times_recurrent``, as a multiple of RecurrentPPO's.
    """
    there = {(loop.environment, loop.name): place for place, loop in enumerate(loops)}

    def over(place: int, name: str) -> float | None:
        other = there.get((loops[place].environment, name))
        return None if other is None else median(times[other] / times[place] for times in rounds)

    rows = []
    for place, loop in enumerate(loops):
        time_a_step = median(times[place] for times in rounds)
        overhead = median(times[place] - times[there[loop.environment, "bare"]] for times in rounds)
        rows.append(
            {
                "name": loop.name,
                "environment": loop.environment,
                "us_per_step": time_a_step,
                "overhead_us": overhead,
                "steps_per_second": 1e6 / time_a_step,
                "of_dqn": over(place, _DQN),
                "times_recurrent": over(place, _RECURRENT),
            }
        )
    return rows


def _rotated(count: int, by: int) -> list[int]:
    return [(place + by) % count for place in range(count)]
