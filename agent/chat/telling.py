"""Tells observations and actions in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from retention import EnvironmentFaultError, UnsupportedSpaceError

_MOST_NUMBERS = 64  # of an array that is told number by number


def check_tellable(space: spaces.Space[Any]) -> None:
    """Check that observations of a space can be told in words.

    Raises:
        UnsupportedSpaceError: they cannot; the message names the part.
    """
    for part in _parts(space):
        small = isinstance(part, spaces.Box) and int(np.prod(part.shape)) <= _MOST_NUMBERS
        if not small and not isinstance(part, (spaces.Text, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)):
            raise UnsupportedSpaceError(
                f"the policy 'chat' cannot tell an observation of {part} in words; it tells Text, numbers, and Tuple "
                f"and Dict of these, with at most {_MOST_NUMBERS} numbers in one Box"
            )


def told(space: spaces.Space[Any], observation: Any) -> str:
    """Return an observation in words: a text as it is, anything else as names and numbers.

    Raises:
        EnvironmentFaultError: the observation is not one of its space.
    """
    if isinstance(space, spaces.Text):
        if not isinstance(observation, str):
            raise EnvironmentFaultError(f"an observation must be a text, got {observation!r}")
        return observation
    if isinstance(space, spaces.Dict):
        return "; ".join(f"{name}: {told(inner, observation[name])}" for name, inner in space.spaces.items())
    if isinstance(space, spaces.Tuple):
        return "; ".join(told(inner, each) for inner, each in zip(space.spaces, observation, strict=True))
    numbers = np.asarray(observation).ravel()
    if not np.isfinite(numbers).all():
        raise EnvironmentFaultError(f"an observation holds NaN or infinity: {observation!r}")
    return " ".join(f"{number:.4g}" if isinstance(number, float) else str(int(number)) for number in numbers.tolist())


def action_names(space: spaces.Space[Any], candidates: Sequence[Any] | None) -> tuple[str, ...] | None:
    """Return what the actions to choose among are called; None where the action is a text of the model's own.

    Args:
        space: the action space, Text or Discrete.
        candidates: what the environment offers, if anything.

    Raises:
        EnvironmentFaultError: a candidate is no text, or two are the same.
    """
    if candidates is None:
        return (
            tuple(str(int(space.start) + each) for each in range(int(space.n)))
            if isinstance(space, spaces.Discrete)
            else None
        )
    names = tuple(each if isinstance(each, str) else str(int(each)) for each in candidates)
    if len(set(names)) < len(names):
        raise EnvironmentFaultError(f'info["candidates"] has the same action twice: {candidates!r}')
    return names


def action_of(space: spaces.Space[Any], names: Sequence[str], chosen: int, candidates: Sequence[Any] | None) -> Any:
    """Return an action as ``env.step`` takes it.

    Args:
        space: the action space.
        names: of the actions to choose among.
        chosen: which of them, from 0.
        candidates: what the environment offered, if anything; for a Discrete space either its actions, or a name for
            each in order.
    """
    if not isinstance(space, spaces.Discrete):
        return names[chosen]
    if candidates is not None and not isinstance(candidates[chosen], str):
        return int(candidates[chosen])
    return int(space.start) + chosen


def check_actions(space: spaces.Space[Any]) -> None:
    """Check that the actions of a space can be chosen or written.

    Raises:
        UnsupportedSpaceError: they cannot.
    """
    if not isinstance(space, (spaces.Text, spaces.Discrete)):
        raise UnsupportedSpaceError(f"the policy 'chat' writes Text or chooses a Discrete action, not one of {space}")


def fitted(space: spaces.Text, said: str) -> str:
    """Return what a model said as an action of a space: foreign characters are left out, and it is cut."""
    known = frozenset(space.character_set)
    text = "".join(each for each in said.strip() if each in known)[: space.max_length]
    return text if len(text) >= space.min_length else text + space.characters[0] * (space.min_length - len(text))


def _parts(space: spaces.Space[Any]) -> list[spaces.Space[Any]]:
    if isinstance(space, spaces.Dict):
        return [part for inner in space.spaces.values() for part in _parts(inner)]
    if isinstance(space, spaces.Tuple):
        return [part for inner in space.spaces for part in _parts(inner)]
    return [space]
