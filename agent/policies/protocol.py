"""The contract between the loop, the agent and whatever chooses actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from retention import TemplateDraft, Transitions

from ..notes import Notes


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a policy is told of the task before it acts.

    Attributes:
        observation_space: of a single environment.
        action_space: of a single environment.
        lanes: how many environments run side by side.
        frozen: True if the policy must act on what is there and learn nothing.
    """

    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    lanes: int = 1
    frozen: bool = False


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What an environment says in ``info`` of the action to come.

    Attributes:
        candidates: actions to choose among, ``info["candidates"]``; None where there are none.
        situation: what is to be done in the same words whenever it comes up, ``info["situation"]``; None where it is
            the observation.
    """

    candidates: tuple[Any, ...] | None = None
    situation: str | None = None


@dataclass(frozen=True, kw_only=True)
class Experience:
    """What an episode offers to the episodic memory.

    Attributes:
        transitions: one row a visit.
        slots: where the policy holds each of them.
        recalled: templates that acting relied on, id to attention mass.
        replace: True if the templates known so far are void, because the policy changed its time scale.
        notes: texts to keep beside them, tied to the episode.
    """

    transitions: Transitions | None = None
    slots: tuple[int, ...] = ()
    recalled: Mapping[int, float] = field(default_factory=dict)
    replace: bool = False
    notes: tuple[TemplateDraft, ...] = ()


class Policy(Protocol):
    """What chooses actions. A lane is one environment of a vector of them; a single environment is lane 0."""

    def begin(self, task: Task) -> None:
        """Get ready for a task, knowing nothing of it.

        Raises:
            UnsupportedSpaceError: the policy cannot serve one of the spaces.
        """
        ...

    def restore(
        self, transitions: Transitions, settings: Mapping[str, Any] | None, *, swept: bool, anew: bool = False
    ) -> None:
        """Take in templates from the episodic memory: all at the start, later the ones that changed.

        Args:
            transitions: templates, with ids.
            settings: what ``settings`` returned in an earlier session; None where there is none or nothing new.
            swept: whether the templates' values are those of the last session's end.
            anew: whether these are all there are: what the policy held before is void.
        """
        ...

    def start_episode(self, observation: Any, rng: np.random.Generator, *, lane: int = 0) -> None:
        """Begin an episode at its first observation; all randomness of the episode comes from ``rng``."""
        ...

    def act(self, *, lane: int = 0) -> Any:
        """Choose the action at the latest observation, as ``env.step`` takes it."""
        ...

    def observe(self, reward: float, observation: Any, terminated: bool, truncated: bool, *, lane: int = 0) -> None:
        """See what the action led to."""
        ...

    def end_episode(self, return_: float, *, lane: int = 0) -> Experience:
        """Learn from the episode that has just ended and say what of it should be stored."""
        ...

    def stored(self, experience: Experience, template_ids: NDArray[np.int64]) -> None:
        """Hear under which ids the memory keeps the rows of an experience."""
        ...

    def settings(self) -> dict[str, Any]:
        """Return what a later session needs beside the templates, as JSON values."""
        ...

    def values(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the ids of stored templates and their current values."""
        ...


@runtime_checkable
class ActsOnLanes(Protocol):
    """What a policy may have beside :class:`Policy`: it chooses for all environments of a vector at once."""

    def act_lanes(self, lanes: Sequence[int]) -> Sequence[Any]:
        """Choose the action at the latest observation of each of some lanes, in their order.

        It must choose as ``act`` would choose lane by lane.
        """
        ...


@runtime_checkable
class TakesOffers(Protocol):
    """What a policy may have beside :class:`Policy`: it wants to know what an environment offers to do."""

    def offer(self, offer: Offer, *, lane: int = 0) -> None:
        """Hear what the next action may be, after the first observation and after each that an action led to."""
        ...


@runtime_checkable
class ReadsNotes(Protocol):
    """What a policy may have beside :class:`Policy`: it recalls texts that episodes left."""

    def read_notes(self, notes: Notes) -> None:
        """Get the notes of the task, once, before anything is restored."""
        ...
