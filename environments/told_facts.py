"""Facts told in conversations, of which some change, and questions about them later."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from .entity_rewrite import EntityRewriteEnv
from .instance import checked_integer, draw
from .text_task import Reply, TextTask

_FAMILY = "holdfast/ToldFacts-v0"
_PEOPLE = ("Ada", "Boris", "Chloe", "Dario", "Elena", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Leo")
_SPEAKERS = 4
_SIZES = {1: (4, 1), 2: (8, 2), 3: (12, 4)}  # by level: facts, and how many of them an episode changes


@final
@dataclass(frozen=True, kw_only=True)
class _Kind:
    """A kind of fact, in words: how it is told first, when it has changed, of another one, and how it is asked for."""

    values: tuple[str, ...]
    first: str
    changed: str
    other: str
    question: str


_KINDS = (
    _Kind(
        values=("Athens", "Bergen", "Cork", "Delft", "Espoo"),
        first="I live in {}.",
        changed="I have moved, I live in {} now.",
        other="My sister lives in {}.",
        question="Where does {} live?",
    ),
    _Kind(
        values=("a cat", "a dog", "a horse", "a parrot", "a rabbit"),
        first="I have {}.",
        changed="The pet I told you of is not with us any more, I have {} now.",
        other="My uncle has {}.",
        question="Which pet does {} have?",
    ),
    _Kind(
        values=("a baker", "a diver", "a nurse", "a pilot", "a tailor"),
        first="I am {}.",
        changed="I have a new job, I am {} now.",
        other="My brother is {}.",
        question="What is the job of {}?",
    ),
)


class ToldFactsEnv(TextTask):
    """Answer what people told about themselves, in this episode or in an earlier one.

    ## Description
    Four people tell where they live (level 1), which pet they have (from level 2 on) and what their job is (level 3).
    Episode 0 tells everything, then asks. Later episodes tell what has changed, with the questions among the tellings:
    most of what is asked was told in an earlier episode, and what was told first may be out of date. At level 3 people
    also talk of others: "My sister lives in Cork" is no answer to where the speaker lives.

    The history is that of ``holdfast/EntityRewrite-v0``, in words: which fact changes in which episode, and to what, is
    fixed by ``task`` alone, and is the same in every process and machine. The seed of ``reset`` decides what is asked,
    where among the tellings, and what is said of others. An episode counts once it has ended; one that is broken off is
    begun again.

    ## Action Space
    ``Text(1000)``: the answer to a question, which is right if it names the right value and no other one of its kind.
    When something is told every action does the same, which is nothing.

    ## Observation Space
    ``Text(4000)``: whether the last answer was right, an empty line, what is said or asked now, and how many turns are
    left. The text has printable characters and newlines alone. After the last step nothing is left, and the last turn
    is shown again.

    ## Starting State
    The first turn of the episode.

    ## Rewards
    ``1 / questions`` for a right answer, else 0: a return is the share of right answers.

    ## Episode End
    Termination: after the last turn. There is no truncation.

    ## Information
    - ``info["candidates"]``: five answers to choose among, in an order that the seed decides; when something is told,
      one text that says so.
    - ``info["situation"]``: what is said or asked now, alone: the same question is the same text in every episode.
    - ``info["success"]``: whether every answer was right; False before the end.

    ## Arguments
    - ``task`` (0): whose history; any integer from 0.
    - ``level`` (2): 1 to 3: 4, 8 or 12 facts, of which an episode changes 1, 2 or 4.
    - ``questions`` (8): how many questions an episode asks, at least 1.
    - ``first_episode`` (0): where in its history the world starts. A process that continues where another one stopped
      after n episodes starts with n: it is asked for what only the other one was told.

    ```python
    import gymnasium
    import environments
    env = gymnasium.make("holdfast/ToldFacts-v0", task=3)
    ```

    ## Optimum
    Who remembers the newest telling earns 1 in every episode, the first one included: ``optimal_return``. A candidate
    drawn at random is right with chance 1/5.

    ## Version History
    - v0: first version
    """

    def __init__(
        self,
        task: int = 0,
        level: int = 2,
        questions: int = 8,
        first_episode: int = 0,
        *,
        render_mode: str | None = None,
    ) -> None:
        """See the class.

        Raises:
            TypeError: an argument is no integer.
            ValueError: an argument is out of range.
        """
        super().__init__(render_mode=render_mode)
        self.level = checked_integer("level", level, low=1, high=3)
        facts, changes = _SIZES[self.level]
        values = len(_KINDS[0].values)
        self._inner = EntityRewriteEnv(task, facts, values, changes, questions, first_episode)
        self.task = self._inner.task
        people = sorted(_PEOPLE, key=lambda name: draw(_FAMILY, self.task, _PEOPLE.index(name)))
        self.people = tuple(people[:_SPEAKERS])
        self._turn: tuple[int, int] | None = (
            None  # the fact and its value, or as many as there are values for a question
        )
        self._words = ""
        self._turns_left = 0
        self._success = False

    @property
    def candidate_count(self) -> int:
        """How many candidates a question has."""
        return self._inner.values

    def _start(self) -> None:
        self._inner.np_random = self.np_random
        (fact, value), _ = self._inner.reset()
        told = self._inner.entities if self._inner.episode == 0 else self._inner.rewrites
        self._turns_left, self._success = told + self._inner.questions, False
        self._show(int(fact), int(value))

    def _show(self, fact: int, value: int) -> None:
        """Put the present turn into words."""
        self._turn = (fact, value)
        speaker, kind = self.people[fact % _SPEAKERS], _KINDS[fact // _SPEAKERS]
        if self._is_question:
            self._words = f"Question: {kind.question.format(speaker)}"
            return
        telling = kind.first if self._inner.episode == 0 else kind.changed
        said = telling.format(kind.values[value])
        if self.level == 3:
            other = (value + int(self.np_random.integers(1, len(kind.values)))) % len(kind.values)
            said = f"{kind.other.format(kind.values[other])} {said}"
        self._words = f"{speaker} says: {said}"

    @property
    def _is_question(self) -> bool:
        return self._turn is not None and self._turn[1] == self._inner.values

    def _situation(self) -> str | None:
        return None if self._turn is None else self._words

    def _left(self) -> str:
        return f"Turns left: {self._turns_left}"

    def _choices(self) -> Sequence[str]:
        return self._values if self._is_question else ("Noted.",)

    @property
    def _values(self) -> tuple[str, ...]:
        """The values that the fact of the present turn may have."""
        assert self._turn is not None  # asked for while an episode runs
        return _KINDS[self._turn[0] // _SPEAKERS].values

    def _reply(self, action: str) -> Reply:
        asked, values = self._is_question, self._values
        named = [place for place, value in enumerate(values) if _names(action, value)]
        answer = named[0] if len(named) == 1 else self._wrong()
        (fact, value), earned, over, _, info = self._inner.step(answer)
        self._turns_left -= 1
        if over:
            self._turn, self._success = None, bool(info["success"])
        else:
            self._show(int(fact), int(value))
        text = "" if not asked else "That is right." if earned else "That is wrong."
        return Reply(text=text, reward=earned / self._inner.questions)

    def _wrong(self) -> int:
        """Return a value that the fact of the present turn does not have."""
        assert self._turn is not None  # asked for while an episode runs
        return ((self._inner.newest(self._turn[0]) or 0) + 1) % self._inner.values

    def _succeeded(self) -> bool:
        return self._success


def _names(answer: str, value: str) -> bool:
    """Return whether an answer names a value, with or without its article."""
    word = value.removeprefix("a ")
    return re.search(rf"\b{re.escape(word)}\b", answer, re.IGNORECASE) is not None
