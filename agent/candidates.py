"""Plays environments of texts by numbers: for policies that write no text of their own."""

from __future__ import annotations

from typing import Any, SupportsFloat, final

import gymnasium
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from retention import EnvironmentFaultError, UnsupportedSpaceError


@final
class NumberedCandidates(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Makes the place of a candidate the action of an environment whose actions are texts.

    The environment names candidates in ``info["candidates"]``, and how many at most as ``candidate_count``. They are
    numbered in alphabetical order, so that one number is one text in a situation, whatever order they come in; where
    there are fewer, numbers begin again with the first. What is observed is ``info["situation"]``, where the
    environment tells it: a policy that looks situations up knows one again whatever came before it.

    Example:
        >>> import environments
        >>> world = NumberedCandidates(gymnasium.make("holdfast/HiddenApi-v0", task=3))
        >>> world.action_space
        Discrete(9)
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        """Wrap an environment.

        Raises:
            UnsupportedSpaceError: it names no candidates.
        """
        RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)
        if not env.has_wrapper_attr("candidate_count"):
            raise UnsupportedSpaceError(
                f"the actions of {env} are texts, and it names no candidates to choose among: it needs a policy that "
                "writes texts"
            )
        self.action_space = spaces.Discrete(int(env.get_wrapper_attr("candidate_count")))
        seen = env.observation_space
        if isinstance(seen, spaces.Text):  # a situation may be empty, as at the end, where an observation is not
            self.observation_space = spaces.Text(seen.max_length, min_length=0, charset=seen.character_set)
        self._candidates: list[str] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode."""
        observation, info = super().reset(seed=seed, options=options)
        self._candidates = sorted(info.get("candidates", ()))
        return info.get("situation", observation), info

    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Take the candidate of a number.

        Raises:
            EnvironmentFaultError: the environment names no candidates at present.
        """
        if not self._candidates:
            raise EnvironmentFaultError("the environment names no candidates in info['candidates']")
        chosen = self._candidates[int(action) % len(self._candidates)]
        observation, reward, terminated, truncated, info = super().step(chosen)
        self._candidates = sorted(info.get("candidates", ()))
        return info.get("situation", observation), reward, terminated, truncated, info


def by_number(env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
    """Return an environment for policies without words: candidates by number, where its actions are texts.

    Raises:
        UnsupportedSpaceError: its actions are texts, and it names no candidates.
    """
    return NumberedCandidates(env) if isinstance(env.action_space, spaces.Text) else env
