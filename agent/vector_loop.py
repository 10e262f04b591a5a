"""The loop between a policy and a vector of environments."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import iterate

from .loop import Played, environment_fault, finite_reward, success_in
from .policies.protocol import Policy
from .seeding import episode_rng, episode_seed


def play_vector(
    env: VectorEnv[Any, Any, Any], policy: Policy, *, first: int, episodes: int, seed: int
) -> Iterator[Played]:
    """Play episodes in all lanes at once, with the autoreset of either mode (next step or same step).

    The first ``episodes`` episodes to end are yielded, numbered as they end; what is in flight then is dropped. Short
    episodes end first, so where bad episodes are much shorter than good ones the mean return of a few is too low.

    Args:
        env: a vector environment.
        policy: what acts; ``begin`` was called with as many lanes.
        first: number of the first episode.
        episodes: how many.
        seed: of the run.

    Raises:
        EnvironmentFaultError: an environment raised, or sent NaN or infinity.
        ValueError: the environment does not reset itself.
    """
    mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
    if mode is AutoresetMode.DISABLED:
        raise ValueError("the vector environment has autoreset disabled; make it with NEXT_STEP or SAME_STEP")
    lanes = range(env.num_envs)
    try:
        batch, _ = env.reset(seed=episode_seed(seed, first))
    except Exception as error:
        raise environment_fault("reset", first, 0, error) from error
    total, length = np.zeros(env.num_envs), np.zeros(env.num_envs, np.int64)
    started = [time.perf_counter()] * env.num_envs
    opened = first  # the number whose randomness the next episode to begin draws from
    for lane, observation in zip(lanes, iterate(env.observation_space, batch), strict=True):
        policy.start_episode(observation, episode_rng(seed, opened, lane), lane=lane)
        opened += 1
    number, resetting = first, np.zeros(env.num_envs, bool)
    actions = np.zeros(env.num_envs, env.action_space.dtype)
    while number < first + episodes:
        for lane in lanes:
            if not resetting[lane]:
                actions[lane] = policy.act(lane=lane)
        try:
            batch, rewards, terminated, truncated, infos = env.step(actions)
        except Exception as error:
            raise environment_fault("step", number, int(length.max()) + 1, error) from error
        observations = list(iterate(env.observation_space, batch))
        for lane in lanes:
            if resetting[lane]:
                resetting[lane] = False
                policy.start_episode(observations[lane], episode_rng(seed, opened, lane), lane=lane)
                opened += 1
                continue
            earned = finite_reward(rewards[lane], f"in lane {lane} of the vector environment")
            total[lane] += earned
            length[lane] += 1
            over = bool(terminated[lane] or truncated[lane])
            same_step = over and mode is AutoresetMode.SAME_STEP
            last = infos["final_obs"][lane] if same_step else observations[lane]
            policy.observe(earned, last, bool(terminated[lane]), bool(truncated[lane]), lane=lane)
            if not over:
                continue
            if number < first + episodes:
                yield Played(
                    number=number,
                    seed=None,
                    return_=float(total[lane]),
                    length=int(length[lane]),
                    success=success_in(_lane_info(infos.get("final_info", {}) if same_step else infos, lane)),
                    seconds=time.perf_counter() - started[lane],
                    lane=lane,
                )
                number += 1
            total[lane], length[lane], started[lane] = 0.0, 0, time.perf_counter()
            if same_step:
                policy.start_episode(observations[lane], episode_rng(seed, opened, lane), lane=lane)
                opened += 1
            else:
                resetting[lane] = True


def _lane_info(infos: Mapping[str, Any], lane: int) -> dict[str, Any]:
    """Return what a vector environment's infos say about one lane; a key ``_name`` masks who said ``name``."""
    return {
        name: values[lane]
        for name, values in infos.items()
        if not name.startswith("_") and infos.get(f"_{name}", np.ones(lane + 1, bool))[lane] and np.ndim(values) > 0
    }
