"""How a chat asks a model that reads facts: the last turns in the model's own form, and where the question begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from retention import HoldfastError

from .decoding import longest_text
from .local_chat import LocalChat

TURNS = 0
"""How many turns before the question the model is told. A small model says them again where nothing is remembered."""


class Turn(NamedTuple):
    """What was said and what was answered."""

    said: str
    answered: str


class Asked(NamedTuple):
    """A prompt.

    Attributes:
        tokens: of the model's vocabulary, up to where its answer begins.
        since: how many of them come before what is asked.
    """

    tokens: list[int]
    since: int


def asked(chat: LocalChat, turns: Sequence[Turn], said: str, *, room: int) -> Asked:
    """Return the prompt for what is said now after some turns; as many of these as leave room for an answer.

    Args:
        chat: puts messages into the model's form.
        turns: that are to be told before it, the last one last.
        said: by the user.
        room: tokens that the answer may have; with less left turns are left out, then the answer is shorter.

    Raises:
        HoldfastError: what is said is too long for the model.
    """
    limit = longest_text(chat.local.model)
    for kept in range(len(turns), -1, -1):
        before: list[BaseMessage] = []
        for turn in turns[len(turns) - kept :]:
            before += [HumanMessage(turn.said), AIMessage(turn.answered)]
        try:
            tokens = chat.prompt([*before, HumanMessage(said)])
        except HoldfastError:
            if kept == 0:
                raise
            continue
        if kept == 0 or len(tokens) + room <= limit:
            other = chat.prompt([*before, HumanMessage("," if said.startswith(".") else ".")])
            return Asked(tokens, _common(tokens, other))
    raise AssertionError("without turns before it a prompt is made or refused")


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many of the first tokens are the same."""
    alike = (at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
    return next(alike, min(len(one), len(other)))
