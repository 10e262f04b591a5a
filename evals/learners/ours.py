"""Ours: an agent with a policy by name, on a memory that is kept, or put back before every episode."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

from agent import Agent, EpisodeResult, Policy, make_policy

from .diary import Diary
from .learner import AfterEpisode, Budget, Learning, MakeWorld

_NAMESPACE = "evals"
_TASK = "world"
_ENDLESS = 10**9


class _SpentError(Exception):
    """The budget is spent; the episode that spent it is stored."""


@final
class Ours:
    """The agent as anyone runs it, on a file.

    The three arms of a memory differ in what an episode begins with: ``kept`` with all earlier episodes, ``wiped`` with
    nothing, ``foreign`` with what was learned in another world (``study``) and nothing else.
    """

    def __init__(self, make: Callable[[], Policy], folder: Path, *, arm: str = "kept") -> None:
        """Start without a memory.

        Args:
            make: makes what acts.
            folder: where the memory's file lies.
            arm: ``kept``, ``wiped`` or ``foreign``.

        Raises:
            ValueError: there is no such arm.
        """
        if arm not in ("kept", "wiped", "foreign"):
            raise ValueError(f"the arm of a memory must be kept, wiped or foreign, got {arm!r}")
        self._make = make
        self._policy = make()
        self._folder = folder
        self._arm = arm

    @classmethod
    def from_settings(cls, name: str, settings: Mapping[str, Any], folder: Path, *, arm: str = "kept") -> Ours:
        """Make one with a policy by name, and what a task's settings say of ``"discount"`` and ``"capacity"``.

        Raises:
            HoldfastError: there is no such policy.
            ValueError: there is no such policy, or a setting is out of its range.
        """
        discount = settings.get("discount") if name == "recall" else None
        capacity = settings.get("capacity")
        return cls(lambda: make_policy(name, discount=discount, capacity=capacity), folder, arm=arm)

    @property
    def file(self) -> Path:
        """The file of the memory."""
        return self._folder / "memory.db"

    def study(self, make_world: MakeWorld, *, episodes: int, seed: int) -> None:
        """Learn another world, for the arm ``foreign``: what is in the memory then is what every episode begins with.

        Raises:
            ValueError: the arm is another one.
        """
        if self._arm != "foreign":
            raise ValueError(f"only the arm foreign studies another world, not {self._arm}")
        with Agent.open(self._other, namespace=_NAMESPACE, policy=self._policy, seed=seed) as agent:
            agent.run(make_world(), episodes=episodes, task=_TASK)

    def learn(
        self, make_world: MakeWorld, *, budget: Budget, seed: int, after_episode: AfterEpisode | None = None
    ) -> Learning:
        """See :class:`Learner`."""
        diary = Diary(budget)
        world = diary.note(make_world())

        def after(_: EpisodeResult) -> None:
            if after_episode is not None:
                after_episode(len(diary.returns))
            if diary.spent:
                raise _SpentError

        try:
            if self._arm == "kept":
                with Agent.open(self.file, namespace=_NAMESPACE, policy=self._policy, seed=seed) as agent:
                    agent.run(world, episodes=_ENDLESS, task=_TASK, on_episode=after)
            for number in range(_ENDLESS):
                own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
                with Agent.open(self._put_back(), namespace=_NAMESPACE, policy=self._policy, seed=own) as agent:
                    agent.run(world, episodes=1, task=_TASK, on_episode=after)
        except _SpentError:
            pass
        return diary.learning()

    def play(self, make_world: MakeWorld, *, episodes: int, seed: int) -> list[float]:
        """See :class:`Learner`; by a second, frozen agent on the same file, as another process would."""
        diary = Diary(Budget(episodes=episodes))
        path = self.file if self.file.exists() else None
        with Agent.open(path, namespace=_NAMESPACE, policy=self._make(), seed=seed, frozen=True) as agent:
            agent.run(diary.note(make_world()), episodes=episodes, task=_TASK)
        return diary.returns

    @property
    def _other(self) -> Path:
        return self._folder / "foreign.db"

    def _put_back(self) -> Path | None:
        """Return the memory that an episode begins with: none, or a fresh copy of the foreign one."""
        if self._arm == "wiped":
            return None
        for file in self._folder.glob(f"{self.file.name}*"):
            file.unlink()
        shutil.copyfile(self._other, self.file)
        return self.file
