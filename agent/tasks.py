"""Environments by id: made with a clear error, and named so that a memory finds its templates again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any

import gymnasium
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv

from retention import EnvironmentFaultError

AnyEnv = gymnasium.Env[Any, Any] | VectorEnv[Any, Any, Any]


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
    _load_plugin(env_id)
    try:
        return gymnasium.make(env_id, max_episode_steps=max_episode_steps, **(arguments or {}))
    except gymnasium.error.UnregisteredEnv as error:
        raise EnvironmentFaultError(f"no environment named {env_id!r}. {_nearest(env_id)}") from error
    except ModuleNotFoundError as error:
        cause = error.__cause__ if isinstance(error.__cause__, ModuleNotFoundError) else error
        module, colon, _ = env_id.partition(":")
        if colon and cause.name in (None, module, module.partition(".")[0]):
            raise EnvironmentFaultError(f"no module named {module!r} that could register {env_id!r}") from error
        raise EnvironmentFaultError(f"{env_id} needs a package that is not installed: {_one_line(cause)}") from error
    except (gymnasium.error.Error, TypeError, ValueError, ImportError, AttributeError) as error:
        raise EnvironmentFaultError(f"cannot make {env_id}: {_one_line(error)}") from error


def task_name(env: AnyEnv) -> str:
    """Return the name under which a memory keeps what belongs to a task: the id and the arguments it was made with.

    Two environments of the same id and arguments are one task; a time limit is not part of it.
    """
    spec, inner = env.spec, env.unwrapped
    if isinstance(inner, (AsyncVectorEnv, SyncVectorEnv)):
        spec = inner.get_attr("spec")[0]
    if spec is None:
        return type(inner).__name__
    arguments = {name: value for name, value in spec.kwargs.items() if name != "render_mode"}
    if not arguments:
        return spec.id
    return f"{spec.id}?{json.dumps(arguments, sort_keys=True, default=str, separators=(',', ':'))}"


def _load_plugin(env_id: str) -> None:
    """Let an installed distribution register its environments; gymnasium 1 itself no longer asks for them.

    A distribution names its namespace in the entry-point group ``gymnasium.envs``, as gymnasium's plugins always did.
    """
    namespace, slash, _ = env_id.partition("/")
    if slash and ":" not in env_id and env_id not in gymnasium.registry:
        for entry_point in entry_points(group="gymnasium.envs", name=namespace):
            entry_point.load()()


def _nearest(env_id: str) -> str:
    name = env_id.partition(":")[2] or env_id
    known = list(gymnasium.registry)
    lowered = {each.lower(): each for each in known}
    near = [lowered[each] for each in get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return "For an environment that your own module registers, write module:EnvId."


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
