"""The loop between a policy and a vector of environments."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array, iterate

from retention import EnvironmentFaultError

from .loop import FAULTS, Played, environment_fault, finite_reward, success_in
from .policies.protocol import ActsOnLanes, Policy
from .seeding import episode_rng, episode_seed


def play_vector(
    env: VectorEnv[Any, Any, Any], policy: Policy, *, first: int, episodes: int, seed: int, hidden: bool = False
) -> Iterator[Played]:
    """Play episodes in all lanes at once, with the autoreset of either mode (next step or same step).

    The first ``episodes`` episodes to end are yielded, numbered as they end; what is in flight then is dropped. Short
    episodes end first, so where bad episodes are much shorter than good ones the mean return of a few is too low.

    Args:
        env: a vector environment.
        policy: what acts; ``begin`` was called with as many lanes. One that can is asked for all lanes at once.
        first: number of the first episode.
        episodes: how many.
        seed: of the run.
        hidden: whether the policy is told 0 in place of every reward.

    Raises:
        EnvironmentFaultError: an environment raised, or sent NaN or infinity.
        ValueError: the environment does not reset itself, or its infos are no dict of columns.
    """
    mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
    if mode is AutoresetMode.DISABLED:
        raise ValueError("the vector environment has autoreset disabled; make it with NEXT_STEP or SAME_STEP")
    try:
        batch, infos = env.reset(seed=episode_seed(seed, first))
    except FAULTS as error:
        raise environment_fault("reset", first, 0, error) from error
    if not isinstance(infos, Mapping):  # as DictInfoToList makes them
        raise ValueError(f"the infos of the vector environment are a {type(infos).__name__}, wanted a dict of columns")
    lanes, split = range(env.num_envs), _splitter(env)
    total, length = [0.0] * env.num_envs, [0] * env.num_envs
    started = [time.perf_counter()] * env.num_envs
    opened = first  # the number whose randomness the next episode to begin draws from
    for lane, observation in zip(lanes, split(batch), strict=True):
        policy.start_episode(observation, episode_rng(seed, opened, lane), lane=lane)
        opened += 1
    number, resetting = first, [False] * env.num_envs
    actions: list[Any] = [None] * env.num_envs  # a lane that is reset is handed its last one, which it does not look at
    choose = policy.act_lanes if isinstance(policy, ActsOnLanes) else _one_by_one(policy)
    while number < first + episodes:
        acting = [lane for lane in lanes if not resetting[lane]]
        for lane, action in zip(acting, choose(acting), strict=True):
            actions[lane] = action
        try:
            batch, rewards, terminations, truncations, infos = env.step(_joined(env, actions))
        except FAULTS as error:
            raise environment_fault("step", number, max(length) + 1, error) from error
        told = (np.asarray(each).tolist() for each in (rewards, terminations, truncations))
        every = zip(lanes, split(batch), *told, strict=True)
        for lane, observation, reward, terminated, truncated in every:
            if resetting[lane]:
                resetting[lane] = False
                policy.start_episode(observation, episode_rng(seed, opened, lane), lane=lane)
                opened += 1
                continue
            earned = finite_reward(reward, f"in lane {lane} of the vector environment")
            total[lane] += earned
            length[lane] += 1
            over = terminated or truncated
            same_step = over and mode is AutoresetMode.SAME_STEP
            last = _final(infos, lane) if same_step else observation
            policy.observe(0.0 if hidden else earned, last, terminated, truncated, lane=lane)
            if not over:
                continue
            if number < first + episodes:
                yield Played(
                    number=number,
                    seed=None,
                    return_=total[lane],
                    length=length[lane],
                    success=success_in(_lane_info(infos.get("final_info", {}) if same_step else infos, lane)),
                    seconds=time.perf_counter() - started[lane],
                    lane=lane,
                )
                number += 1
            total[lane], length[lane], started[lane] = 0.0, 0, time.perf_counter()
            if same_step:
                policy.start_episode(observation, episode_rng(seed, opened, lane), lane=lane)
                opened += 1
            else:
                resetting[lane] = True


def _one_by_one(policy: Policy) -> Callable[[Sequence[int]], list[Any]]:
    return lambda lanes: [policy.act(lane=lane) for lane in lanes]


def _splitter(env: VectorEnv[Any, Any, Any]) -> Callable[[Any], Iterable[Any]]:
    """Return what splits a batch of observations by lanes; an array is iterated as it is, which is faster."""
    if isinstance(env.observation_space, (spaces.Box, spaces.MultiDiscrete)):
        return lambda batch: batch
    return lambda batch: iterate(env.observation_space, batch)


def _joined(env: VectorEnv[Any, Any, Any], actions: list[Any]) -> Any:
    """Return the actions of all lanes as the vector environment takes them."""
    single = env.single_action_space
    if isinstance(single, (spaces.Tuple, spaces.Dict)):
        empty: Any = create_empty_array(single, len(actions))
        return concatenate(single, actions, empty)
    return np.array(actions, single.dtype)


def _final(infos: Mapping[str, Any], lane: int) -> Any:
    """Return the last observation of an episode whose lane has begun another one."""
    try:
        return infos["final_obs"][lane]
    except (KeyError, IndexError, TypeError) as error:
        raise EnvironmentFaultError(
            f"the vector environment resets in the same step, but its infos hold no final_obs of lane {lane}"
        ) from error


def _lane_info(infos: Mapping[str, Any], lane: int) -> dict[str, Any]:
    """Return what a vector environment's infos say about one lane; a key ``_name`` masks who said ``name``."""
    return {
        name: values[lane]
        for name, values in infos.items()
        if not name.startswith("_") and infos.get(f"_{name}", np.ones(lane + 1, bool))[lane] and np.ndim(values) > 0
    }
