"""What environments of texts share: their spaces, one question after another, and candidates to choose among."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import gymnasium
from gymnasium import spaces

from .misuse import warn_of_no_render_mode

OBSERVATION_LENGTH, ACTION_LENGTH = 4000, 1000  # in characters, at most

# Ranges in which every character is printable, in each version of Unicode that a Python from 3.10 on has.
_RANGES = ((0x20, 0x7E), (0xA1, 0xAC), (0xAE, 0x17F), (0x2010, 0x2027), (0x20AC, 0x20AC), (0x2190, 0x22FF))
CHARACTERS = "\n" + "".join(chr(code) for first, last in _RANGES for code in range(first, last + 1))
_KNOWN = frozenset(CHARACTERS)


@final
@dataclass(frozen=True, kw_only=True)
class Reply:
    """What an action leads to.

    Attributes:
        text: what the agent is told.
        reward: what it earns.
    """

    text: str
    reward: float = 0.0


class TextTask(gymnasium.Env[str, str], ABC):
    """Asks one thing after another in words, and is answered in words.

    An observation is what the last action led to, an empty line, what is asked now, and how many actions are left for
    it. An action that is no text, too long, or of foreign characters is answered like an empty one, and the answer says
    what was wrong.

    ``info`` has, at ``reset`` and at every step:

    - ``"candidates"``: actions to choose among, right and wrong ones, in an order that the seed decides; for
      agents that write no text of their own. They follow from the task and from what is asked, the order apart. Empty
      when the episode is over.
    - ``"situation"``: what is asked and what holds, without what the last action led to and what is left: the same text
      in the same situation, in every episode; what a memory is best asked by. Empty when the episode is over.
    - ``"success"``: whether everything asked was done; False before the end.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012 - gymnasium types it as an instance variable

    def __init__(self, *, render_mode: str | None) -> None:
        """Make the spaces; nothing is asked yet."""
        self.observation_space = spaces.Text(OBSERVATION_LENGTH, charset=CHARACTERS)
        self.action_space = spaces.Text(ACTION_LENGTH, min_length=0, charset=CHARACTERS)
        self.render_mode = render_mode
        self._asked = ""  # what the last observation asks
        self._answer = ""
        self._over = True

    @property
    def optimal_return(self) -> float:
        """The return of an episode in which everything asked is done."""
        return 1.0

    @property
    @abstractmethod
    def candidate_count(self) -> int:
        """How many candidates there are, at most."""

    @abstractmethod
    def _start(self) -> None:
        """Begin an episode; ``np_random`` is seeded."""

    @abstractmethod
    def _situation(self) -> str | None:
        """Return what is asked and what holds; None when the episode is over."""

    @abstractmethod
    def _left(self) -> str:
        """Return how many actions are left for what is asked, in words."""

    @abstractmethod
    def _choices(self) -> Sequence[str]:
        """Return the candidates for what is asked now."""

    @abstractmethod
    def _reply(self, action: str) -> Reply:
        """Take an action and go on; where nothing is left to ask, the episode is over."""

    @abstractmethod
    def _succeeded(self) -> bool:
        """Return whether everything asked so far was done."""

    @final
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start an episode."""
        super().reset(seed=seed)
        self._start()
        self._answer, self._over = "", False
        return self._observation(), self._info()

    @final
    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take an action; whatever it is, it is answered in words.

        Raises:
            gymnasium.error.ResetNeeded: the episode is over, or never began.
        """
        if self._over:
            raise gymnasium.error.ResetNeeded("nothing is left to ask: call reset() before the next step()")
        fault = _fault(action)
        reply = self._reply("" if fault else action)
        self._answer, self._over = fault or reply.text, self._situation() is None
        return self._observation(), reply.reward, self._over, False, self._info()

    def _observation(self) -> str:
        situation = self._situation()
        if situation is not None:
            self._asked = f"{situation}\n{self._left()}"
        return readable(f"{self._answer}\n\n{self._asked}" if self._answer else self._asked, OBSERVATION_LENGTH)

    def _info(self) -> dict[str, Any]:
        situation = self._situation()
        if situation is None:
            return {"candidates": [], "situation": "", "success": self._succeeded()}
        choices = list(self._choices())
        return {
            "candidates": [choices[place] for place in self.np_random.permutation(len(choices))],
            "situation": situation,
            "success": False,
        }

    @final
    def render(self) -> str | None:
        """Return the observation."""
        if self.render_mode is None:
            warn_of_no_render_mode()
            return None
        return self._observation() + "\n"


def readable(text: str, length: int) -> str:
    """Return a text with ``?`` for what is none of ``CHARACTERS``, cut to a length."""
    clean = "".join(each if each in _KNOWN else "?" for each in text[: length + 1])
    return clean if len(clean) <= length else clean[: length - 3] + "..."


def _fault(action: object) -> str | None:
    """Return what is wrong with an action that is not in the action space."""
    if not isinstance(action, str):
        return f"An action is a text, not a value of type {type(action).__name__}."
    if len(action) > ACTION_LENGTH:
        return f"That is too long: {len(action)} characters, and at most {ACTION_LENGTH} are read."
    foreign = next((each for each in action if each not in _KNOWN), None)
    return None if foreign is None else f"That cannot be read: the character U+{ord(foreign):04X} is not served."
