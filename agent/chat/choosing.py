"""How a chat model chooses among answers: by how likely it finds each, or by the number that it says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from .calling import said_by

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage

RETRIES = 2
"""How often a model is asked again that did not say a number."""

_NUMBER = re.compile(r"\s*[(\[]?(\d{1,9})[.)\]]?\s*")


@runtime_checkable
class ScoresAnswers(Protocol):
    """A chat model that can tell how likely it finds given answers, as one on this machine can."""

    def log_likelihoods(self, messages: Sequence[BaseMessage], answers: Sequence[str]) -> list[list[float]]:
        """Return for each answer the log-probability of each of its tokens, and of its end, after a conversation."""
        ...


def choose_answer(model: BaseChatModel, messages: Sequence[BaseMessage], answers: Sequence[str]) -> int | None:
    """Return the number of the answer, from 0, that a model would give to a conversation.

    A model that scores is asked how likely it finds each answer, per token, so that a short answer has no advantage;
    of equals the first. Any other is shown the numbered answers and asked for a number; what is no number of an answer,
    and nothing else, is asked for again, at most twice.

    Args:
        model: the model.
        messages: the conversation, ending with a human's message.
        answers: at least one; what has one answer is not asked.

    Returns:
        None where the model did not say a number.

    Raises:
        HoldfastError: the model failed.
    """
    if not answers:
        raise ValueError("there must be at least one answer to choose")
    if len(answers) == 1:
        return 0
    if isinstance(model, ScoresAnswers):
        scores = [sum(each) / len(each) for each in model.log_likelihoods(messages, answers)]
        return max(range(len(scores)), key=scores.__getitem__)
    return _by_number(model, messages, answers)


def _by_number(model: BaseChatModel, messages: Sequence[BaseMessage], answers: Sequence[str]) -> int | None:
    from langchain_core.messages import AIMessage, HumanMessage

    listed = "\n".join(f"{number}. {answer}" for number, answer in enumerate(answers, 1))
    asked: list[BaseMessage] = [
        *messages,
        HumanMessage(f"Choose one of these:\n{listed}\nSay its number, from 1 to {len(answers)}, and nothing else."),
    ]
    for _ in range(1 + RETRIES):
        said = said_by(model, asked)
        number = parsed_number(said, len(answers))
        if number is not None:
            return number - 1
        asked += [
            AIMessage(said),
            HumanMessage(f"That is no number from 1 to {len(answers)}. Say one, and nothing else."),
        ]
    return None


def parsed_number(said: str, highest: int) -> int | None:
    """Return the number that a text is, from 1 to the highest; None for anything else."""
    match = _NUMBER.fullmatch(said)
    if match is None or not 1 <= int(match[1]) <= highest:
        return None
    return int(match[1])
