"""A chat model as a policy: it is told what to do next in words, with what worked before in the same situation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from retention import TemplateDraft, Transitions, UnsupportedSpaceError

from ..chat.block import data_block
from ..chat.calling import said_by
from ..chat.choosing import choose_answer
from ..chat.evidence import Evidence, Noted, Tried, noted_in, noted_now
from ..chat.telling import action_names, action_of, check_actions, check_tellable, fitted, told
from ..notes import Notes
from .protocol import Experience, Offer, Task

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

KIND = "solution"
"""The kind of the notes that an episode leaves: a situation, what was done in it, and what that earned."""

_FAMILY = "chat"


@dataclass(frozen=True, kw_only=True)
class ChatConfig:
    """Settings of :class:`ChatPolicy`.

    Attributes:
        recalled: how many notes are looked at for a decision, at least 1.
        shown: how many of them, those that worked, the model is shown, at least 1; the best comes last. A small model
            copies one note well and chooses badly among several.
        near: of the nearest note's likeness, what another one must have to count as the same situation, in [0, 1].
        avoid: whether what failed in the same situation is not offered again while something else is left.
        discount: what a reward one step later is worth to what was done now, in [0, 1]: 0 where each action is
            answered by its own reward, nearly 1 where the end alone is rewarded.
    """

    recalled: int = 32
    shown: int = 1
    near: float = 0.9
    avoid: bool = True
    discount: float = 0.0

    def __post_init__(self) -> None:
        for name in ("recalled", "shown"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)!r}")
        for name in ("near", "discount"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)!r}")


@dataclass(kw_only=True)
class _Lane:
    """An episode in progress.

    Attributes:
        rng: all randomness of the episode.
        observation: the latest, in words.
        offer: what the environment offers there.
        tried: what was done so far, with what it earned until now.
        shown: how often each note was shown to the model.
    """

    rng: np.random.Generator
    observation: str
    offer: Offer = field(default_factory=Offer)
    tried: list[Tried] = field(default_factory=list)
    shown: dict[int, float] = field(default_factory=dict)

    @property
    def situation(self) -> str:
        return self.observation if self.offer.situation is None else self.offer.situation


@final
class ChatPolicy:
    """Asks a chat model what to do, and keeps what worked as notes, text by text.

    Before each decision the notes of the same situation are recalled. Those that worked, by what was earned from there
    on, are put before the model as data; those that failed narrow what it may choose. Where the
    environment offers candidates, or the actions are numbered, the model chooses; else it writes the action.

    After an episode each step becomes a note that belongs to it: the gate may keep it from use, and outcomes of later
    episodes that were shown it move its utility.
    """

    def __init__(self, model: BaseChatModel, *, config: ChatConfig | None = None, enabled: bool = True) -> None:
        """Put a model to work.

        Args:
            model: a chat model of LangChain.
            config: the settings.
            enabled: False takes the memory away from acting, to see what it is worth: only what the episode itself
                tried is known then.
        """
        self.model, self.config, self._enabled = model, config or ChatConfig(), enabled
        self.misses = 0
        """How often the model said no number of a choice, so that one was drawn for it."""

    def begin(self, task: Task) -> None:
        """Get ready for a task.

        Raises:
            UnsupportedSpaceError: the observations cannot be told, the actions cannot be said, or it is a vector of
                environments.
        """
        if task.lanes > 1:
            raise UnsupportedSpaceError(
                f"the policy 'chat' plays one environment, not a vector of {task.lanes}: a model answers one at a time"
            )
        check_tellable(task.observation_space)
        check_actions(task.action_space)
        self._task = task
        self._notes: Notes | None = None
        self._lanes: dict[int, _Lane] = {}

    def read_notes(self, notes: Notes) -> None:
        """Get the notes of the task."""
        self._notes = notes

    def restore(
        self, transitions: Transitions, settings: Mapping[str, Any] | None, *, swept: bool, anew: bool = False
    ) -> None:
        """Check that the memory of the task is this policy's; its notes are recalled when they are needed.

        Raises:
            UnsupportedSpaceError: it is another policy's.
        """
        other = settings.get("family", "another kind of policy") if settings else None
        if other not in (None, _FAMILY) or len(transitions):
            raise UnsupportedSpaceError(
                f"the memory's templates of this task are those of {other or 'another kind of policy'}, and this one "
                "keeps notes in words: give it another namespace"
            )

    def start_episode(self, observation: Any, rng: np.random.Generator, *, lane: int = 0) -> None:
        """Begin an episode at its first observation."""
        self._lanes[lane] = _Lane(rng=rng, observation=told(self._task.observation_space, observation))

    def offer(self, offer: Offer, *, lane: int = 0) -> None:
        """Hear what the environment offers."""
        self._lanes[lane].offer = offer

    def act(self, *, lane: int = 0) -> Any:
        """Have the model choose or write the next action.

        Raises:
            EnvironmentFaultError: what the environment offers is no list of actions.
            HoldfastError: the model failed.
        """
        now, space = self._lanes[lane], self._task.action_space
        names = action_names(space, now.offer.candidates)
        evidence = self._evidence(now)
        if names is None:
            assert isinstance(space, spaces.Text)  # of what begin lets in, the space that no names are of
            said = fitted(space, said_by(self.model, self._asked(now, evidence, writing=True)))
            action: Any = said
        else:
            open_to = evidence.open_among(names) if self.config.avoid else names
            place = choose_answer(self.model, self._asked(now, evidence, writing=False), open_to)
            if place is None:
                self.misses += 1
                place = int(now.rng.integers(len(open_to)))
            said = open_to[place]
            action = action_of(space, names, names.index(said), now.offer.candidates)
        now.tried.append(Tried(situation=now.situation, action=said, key=self._key(now)))
        return action

    def observe(self, reward: float, observation: Any, terminated: bool, truncated: bool, *, lane: int = 0) -> None:
        """Credit what was done so far with what was earned, the latest most."""
        now = self._lanes[lane]
        for ago, each in enumerate(reversed(now.tried)):
            each.earned += self.config.discount**ago * reward
        now.observation, now.offer = told(self._task.observation_space, observation), Offer()

    def end_episode(self, return_: float, *, lane: int = 0) -> Experience:
        """Offer a note of each step, and say which notes were shown."""
        now = self._lanes.pop(lane)
        if self._task.frozen or self._notes is None:
            return Experience()
        drafts = [
            TemplateDraft(
                content=f"Situation: {each.situation}\nAction: {each.action}\nEarned: {each.earned:.4g}",
                key=each.key,
                kind=KIND,
                task=self._notes.task,
                metadata={"situation": each.situation, "action": each.action, "earned": each.earned},
                source="environment",
                encoder=self._notes.encoder,
            )
            for each in now.tried
        ]
        return Experience(recalled=now.shown, notes=tuple(drafts))

    def stored(self, experience: Experience, template_ids: NDArray[np.int64]) -> None:
        """Keep nothing: notes are recalled from the memory."""

    def settings(self) -> dict[str, Any]:
        """Return the family: notes of one policy are nothing to another."""
        return {"family": _FAMILY}

    def values(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return no values: notes have none."""
        return np.zeros(0, np.int64), np.zeros(0)

    def _key(self, now: _Lane) -> NDArray[np.float32] | None:
        return None if self._notes is None else self._notes.key(now.situation)

    def _evidence(self, now: _Lane) -> Evidence:
        """Return what is known of the situation: recalled, and from the episode itself."""
        key = self._key(now)
        recalled: list[Noted | None] = []
        if self._enabled and self._notes is not None and key is not None:
            recalled = [noted_in(hit) for hit in self._notes.nearest(key, kind=KIND, k=self.config.recalled)]
        tried = [noted_now(each, key) for each in now.tried]
        return Evidence(
            [each for each in recalled if each is not None],
            [each for each in tried if each is not None],
            near=self.config.near,
        )

    def _asked(self, now: _Lane, evidence: Evidence, *, writing: bool) -> list[BaseMessage]:
        """Return what the model is asked, and note what it is shown."""
        from langchain_core.messages import HumanMessage

        parts = []
        worked = evidence.worked(self.config.shown)
        if worked:
            for each in worked:
                now.shown[each.template_id] = now.shown.get(each.template_id, 0.0) + 1.0
            notes = [f"Situation: {each.situation}\nAction: {each.action}" for each in worked]
            parts.append(data_block(notes, nonce=now.rng.bytes(6).hex()))
        failed = evidence.failed() if writing else ()
        if failed:
            parts.append(
                data_block([f"This did not work: {action}" for action in failed], nonce=now.rng.bytes(6).hex())
            )
        parts.append(f"Situation: {now.situation}\nAction:")
        return [HumanMessage("\n\n".join(parts))]
