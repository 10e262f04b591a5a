"""The loop between a policy and one environment."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, SupportsFloat

import gymnasium

from retention import EnvironmentFaultError

from .policies.protocol import Offer, Policy, TakesOffers
from .seeding import episode_rng, episode_seed

FAULTS = (Exception, SystemExit)  # what an environment may raise and the run still says: an exit would end it unsaid
_MOST_REWARD = 1e30  # a hundred times its sum is still a float32


@dataclass(frozen=True, kw_only=True)
class Played:
    """An episode that has just ended.

    Attributes:
        number: of the episode, from 1.
        seed: with which the environment was reset; None where a vector environment reset itself.
        return_: sum of rewards.
        length: steps.
        success: what the environment itself said in ``info``, if it did.
        seconds: wall time of the episode.
        lane: which environment of a vector it ran in.
    """

    number: int
    seed: int | None
    return_: float
    length: int
    success: bool | None
    seconds: float
    lane: int = 0


def play(
    env: gymnasium.Env[Any, Any], policy: Policy, *, first: int, episodes: int, seed: int, hidden: bool = False
) -> Iterator[Played]:
    """Play episodes one after the other; each is yielded as soon as it ends, before the next one starts.

    Args:
        env: a single environment.
        policy: what acts; ``begin`` was called.
        first: number of the first episode.
        episodes: how many.
        seed: of the run.
        hidden: whether the policy is told 0 in place of every reward.

    Raises:
        EnvironmentFaultError: the environment raised, or sent NaN or infinity.
    """
    offer = policy.offer if isinstance(policy, TakesOffers) else None
    for number in range(first, first + episodes):
        started = time.perf_counter()
        reset_seed = episode_seed(seed, number)
        try:
            observation, info = env.reset(seed=reset_seed)
        except FAULTS as error:
            raise environment_fault("reset", number, 0, error) from error
        total, length, over, success = 0.0, 0, False, None
        try:
            policy.start_episode(observation, episode_rng(seed, number))
            if offer is not None:
                offer(offered(info))
        except EnvironmentFaultError as error:
            raise EnvironmentFaultError(f"reset of episode {number}: {error}") from error
        while not over:
            action = policy.act()
            try:
                observation, reward, terminated, truncated, info = env.step(action)
            except FAULTS as error:
                raise environment_fault("step", number, length + 1, error) from error
            length += 1
            earned = finite_reward(reward, f"at step {length} of episode {number}")
            total += earned
            over = terminated or truncated
            try:
                policy.observe(0.0 if hidden else earned, observation, bool(terminated), bool(truncated))
                if over:
                    success = success_in(info)
                elif offer is not None:
                    offer(offered(info))
            except EnvironmentFaultError as error:
                raise EnvironmentFaultError(f"step {length} of episode {number}: {error}") from error
        yield Played(
            number=number,
            seed=reset_seed,
            return_=total,
            length=length,
            success=success,
            seconds=time.perf_counter() - started,
        )


def finite_reward(reward: SupportsFloat, where: str) -> float:
    """Return a reward as a float.

    Raises:
        EnvironmentFaultError: it is no finite number, or too great a one; the message says where.
    """
    try:
        earned = float(reward)
    except (TypeError, ValueError, OverflowError):
        earned = math.nan
    if not math.isfinite(earned):
        raise EnvironmentFaultError(f"the reward is {reward} {where}")
    if abs(earned) > _MOST_REWARD:
        raise EnvironmentFaultError(f"the reward is {reward} {where}: up to {_MOST_REWARD:g} is served, so scale it")
    return earned


def environment_fault(what: str, number: int, step: int, error: BaseException) -> EnvironmentFaultError:
    """Say in one line that an environment raised, and where."""
    said = " ".join(str(error).split())
    return EnvironmentFaultError(
        f"the environment's {what} raised in episode {number}, step {step}: {type(error).__name__}: {said}"
    )


def success_in(info: Mapping[str, Any]) -> bool | None:
    """Return what an environment says of success in its last info, ``is_success`` or ``success``; None if nothing.

    Raises:
        EnvironmentFaultError: the info is no mapping, or what it says is neither true nor false.
    """
    info = _mapping(info)
    said = info.get("is_success", info.get("success"))
    try:
        return None if said is None else bool(said)
    except (TypeError, ValueError):
        raise EnvironmentFaultError(f"the environment says of success {said!r}, which is not true or false") from None


def offered(info: Mapping[str, Any]) -> Offer:
    """Return what an environment says in ``info`` of the action to come; nothing of how it went.

    Raises:
        EnvironmentFaultError: the candidates are no list of actions, or there is none; the situation is no text; or
            the info is no mapping.
    """
    info = _mapping(info)
    candidates, situation = info.get("candidates"), info.get("situation")
    if candidates is not None and (isinstance(candidates, (str, bytes)) or not hasattr(candidates, "__len__")):
        raise EnvironmentFaultError(f'info["candidates"] must be a list of actions, got {candidates!r}')
    if candidates is not None and not len(candidates):
        raise EnvironmentFaultError('info["candidates"] is empty: leave it out where any action may be taken')
    if situation is not None and not isinstance(situation, str):
        raise EnvironmentFaultError(f'info["situation"] must be a text, got {situation!r}')
    return Offer(candidates=None if candidates is None else tuple(candidates), situation=situation)


def _mapping(info: object) -> Mapping[str, Any]:
    if not isinstance(info, Mapping):
        raise EnvironmentFaultError(f"the environment returned the info {info!r}, which is no dict")
    return info
