"""Environments by id: made with a clear error, described to a policy, and named so that a memory knows them again."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv

from retention import EnvironmentFaultError

from .loop import FAULTS
from .policies.protocol import Task

AnyEnv = gymnasium.Env[Any, Any] | VectorEnv[Any, Any, Any]

# What gymnasium.make_vec puts among the arguments of an environment that vectorizes itself.
_VECTOR_ARGUMENTS = frozenset({"render_mode", "num_envs", "vectorization_mode", "max_episode_steps"})

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_SHOWN_WHOLE = 1000  # numbers of an array; of more, its text leaves out those in the middle


def make_env(
    env_id: str, arguments: Mapping[str, Any] | None = None, *, max_episode_steps: int | None = None
) -> gymnasium.Env[Any, Any]:
    """Make an environment by its id, ``"Name-v0"`` or ``"module:Name-v0"`` for one that a module registers.

    Args:
        env_id: the id.
        arguments: keyword arguments of the environment.
        max_episode_steps: truncate episodes after so many steps; the registered limit by default.

    Raises:
        EnvironmentFaultError: there is no such environment (the nearest names are given), or it cannot be made.
    """
    try:
        _load_plugin(env_id)
        return gymnasium.make(env_id, max_episode_steps=max_episode_steps, **(arguments or {}))
    except gymnasium.error.UnregisteredEnv as error:
        if env_id.rpartition(":")[2] in gymnasium.registry:  # it is another one, of which this one is made
            raise EnvironmentFaultError(f"cannot make {env_id}: {_one_line(error)}") from error
        raise EnvironmentFaultError(f"no environment named {env_id!r}. {_nearest(env_id)}") from error
    except ModuleNotFoundError as error:
        cause = error.__cause__ if isinstance(error.__cause__, ModuleNotFoundError) else error
        module, colon, _ = env_id.partition(":")
        if colon and cause.name in (None, module, module.partition(".")[0]):
            raise EnvironmentFaultError(f"no module named {module!r} that could register {env_id!r}") from error
        raise EnvironmentFaultError(f"{env_id} needs a package that is not installed: {_one_line(cause)}") from error
    except FAULTS as error:  # whatever an environment raises while it is made is its own fault
        raise EnvironmentFaultError(f"cannot make {env_id}: {type(error).__name__}: {_one_line(error)}") from error


def task_of(env: AnyEnv, *, frozen: bool) -> Task:
    """Return what a policy is told of an environment, or of a vector of them.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(env, VectorEnv):
        observed, acted, lanes = env.single_observation_space, env.single_action_space, env.num_envs
    elif isinstance(env, gymnasium.Env):
        observed, acted, lanes = env.observation_space, env.action_space, 1
    else:
        raise TypeError(f"env must be a gymnasium environment or a vector of them, got {env!r}: see agent.make_env")
    return Task(observation_space=observed, action_space=acted, lanes=lanes, frozen=frozen)


def task_name(env: AnyEnv) -> str:
    """Return the name under which a memory keeps what belongs to a task: the id and the arguments it was made with.

    Two environments of the same id and arguments are one task, in every process; a time limit is not part of it, nor is
    how it is drawn or how many run side by side. An environment made without an id is named by its class.
    """
    spec, inner = env.spec, env.unwrapped
    if isinstance(inner, (AsyncVectorEnv, SyncVectorEnv)):
        spec = inner.get_attr("spec")[0]
    if spec is None:
        return type(inner).__name__
    aside = {"render_mode"} if isinstance(env, gymnasium.Env) else _VECTOR_ARGUMENTS
    arguments = {name: value for name, value in spec.kwargs.items() if name not in aside}
    if not arguments:
        return spec.id
    return f"{spec.id}?{_as_text(arguments)}"


def _as_text(value: Any) -> str:
    """Return an argument as JSON, the same in every process."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """Return an argument as JSON values: what is none by its text, without the address at which it lies."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        kinds = {type(key) for key in value}
        sorts = len(kinds) < 2 and kinds <= {str, int, float, bool}
        return {key if sorts else _as_text(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(_as_text, value))
    if isinstance(value, np.ndarray) and value.size > _SHOWN_WHOLE:
        return hashlib.blake2b(_as_text(value.tolist()).encode(), digest_size=16).hexdigest()
    return _ADDRESS.sub("", str(value))


def _load_plugin(env_id: str) -> None:
    """Let an installed distribution register its environments; gymnasium 1 itself no longer asks for them.

    A distribution names its namespace in the entry-point group ``gymnasium.envs``, as gymnasium's plugins always did.
    """
    namespace, slash, _ = env_id.partition("/")
    if slash and ":" not in env_id and env_id not in gymnasium.registry:
        for entry_point in entry_points(group="gymnasium.envs", name=namespace):
            entry_point.load()()


def _nearest(env_id: str) -> str:
    module, colon, name = env_id.rpartition(":")
    lowered = {each.lower(): each for each in gymnasium.registry}
    near = [module + colon + lowered[each] for each in get_close_matches(name.lower(), lowered, n=3, cutoff=0.6)]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return "For an environment that your own module registers, write module:EnvId."


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
