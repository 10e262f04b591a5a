"""A conversation of many sessions, and questions about it whose evidence is known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import final

CATEGORIES = ("single", "talk", "update", "before", "relative", "several", "two-hop", "temporal", "inference")
"""What a question that has an answer may be; see :class:`Question`."""

UNANSWERABLE = "unanswerable"
"""The category of a question about something that was never said."""


@final
@dataclass(frozen=True, kw_only=True)
class Turn:
    """What one of the two said.

    Attributes:
        id: its name in the conversation.
        speaker: who.
        said: what.
        day: on which day.
    """

    id: str
    speaker: str
    said: str
    day: date

    @property
    def text(self) -> str:
        """Who said what, as it is kept."""
        return f"{self.speaker}: {self.said}"


@final
@dataclass(frozen=True, kw_only=True)
class Question:
    """A question about a conversation.

    Attributes:
        text: the question.
        category: ``"single"`` where a statement answers it; ``"talk"`` where the answer stands beside the words of the
            question; ``"update"`` and ``"before"`` for what a fact is now and was; ``"relative"`` for a fact about
            somebody's relative; ``"several"`` for all of several facts; ``"two-hop"`` where one of two facts tells who
            is meant; ``"temporal"`` for when; ``"inference"`` where it follows; ``"unanswerable"``.
        evidence: the ids of the turns that answer it; none where nothing does.
        specific: whether it names a detail; else it may be asked of anybody.
    """

    text: str
    category: str
    evidence: tuple[str, ...] = ()
    specific: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A conversation.

    Attributes:
        name: its name.
        speakers: the two who talk.
        turns: what was said, in order.
        questions: about it.
    """

    name: str
    speakers: tuple[str, str]
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]

    def masked(self, question: Question) -> str:
        """Return a question without the names of the speakers."""
        return re.sub("|".join(rf"\b{re.escape(name)}\b" for name in self.speakers), "someone", question.text)
