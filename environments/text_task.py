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
        moves_on: whether the next observation asks something else; the episode is over where nothing is left to ask.
    """

    text: str
    reward: float = 0.0
    moves_on: bool = True


class TextTask(gymnasium.Env[str, str], ABC):
    """Asks one thing after another in words, and is answered in words.

    An observation is what the last action led to, an empty line, and what is asked now. An action that is no text, too
    long, or of foreign characters is answered like an empty one, and the answer says what was wrong.

    ``info`` has, at ``reset`` and at every step:

    - ``"candidates"``: actions to choose among, at least one of them right, in an order that the seed decides; for
      agents that write no text of their own. They follow from the task and from what is asked, the order apart. Empty
      when the episode is over.
    - ``"situation"``: the observation without what an earlier question led to: the same text in the same situation, in
      every episode.
    - ``"success"``: whether everything asked was done; False before the end.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012 - gymnasium types it as an instance variable

    def __init__(self, *, render_mode: str | None) -> None:
        """Make the spaces; nothing is asked yet."""
        self.observation_space = spaces.Text(OBSERVATION_LENGTH, charset=CHARACTERS)
        self.action_space = spaces.Text(ACTION_LENGTH, min_length=0, charset=CHARACTERS)
        self.render_mode = render_mode
        self._asked: str | None = None
        self._answer = ""
        self._answered = False  # whether the answer belongs to what is asked now
        self._success = False

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
    def _question(self) -> str | None:
        """Return what is asked now; None when the episode is over."""

    @abstractmethod
    def _choices(self) -> Sequence[str]:
        """Return the candidates for what is asked now."""

    @abstractmethod
    def _reply(self, action: str) -> Reply:
        """Take an action and go on."""

    @abstractmethod
    def _succeeded(self) -> bool:
        """Return whether everything asked so far was done."""

    @final
    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Start an episode."""
        super().reset(seed=seed)
        self._start()
        self._asked, self._answer, self._answered = self._question(), "", False
        return self._observation(), self._info()

    @final
    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take an action; whatever it is, it is answered in words.

        Raises:
            gymnasium.error.ResetNeeded: the episode is over, or never began.
        """
        if self._asked is None:
            raise gymnasium.error.ResetNeeded("nothing is left to ask: call reset() before the next step()")
        fault = _fault(action)
        reply = self._reply("" if fault else action)
        asked = self._question()
        self._answer, self._answered = fault or reply.text, not reply.moves_on
        observation = self._shown(asked or self._asked)
        self._asked = asked
        return observation, reply.reward, asked is None, False, self._info()

    def _observation(self) -> str:
        return self._shown(self._asked or "")

    def _shown(self, asked: str) -> str:
        return readable(f"{self._answer}\n\n{asked}" if self._answer else asked, OBSERVATION_LENGTH)

    def _info(self) -> dict[str, Any]:
        if self._asked is None:
            return {"candidates": [], "situation": "", "success": self._succeeded()}
        choices = list(self._choices())
        return {
            "candidates": [choices[place] for place in self.np_random.permutation(len(choices))],
            "situation": self._shown(self._asked) if self._answered else readable(self._asked, OBSERVATION_LENGTH),
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
