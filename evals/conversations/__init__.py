"""Long conversations of many sessions, made up by chance, with questions whose evidence is known."""

from __future__ import annotations

from .conversation import CATEGORIES, UNANSWERABLE, Conversation, Question, Turn
from .generator import NAMES, generate
from .style import Style

__all__ = ["CATEGORIES", "NAMES", "UNANSWERABLE", "Conversation", "Question", "Style", "Turn", "generate"]
