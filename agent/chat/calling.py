"""Asks a chat model, and says in one line what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from retention import HoldfastError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage


def said_by(model: BaseChatModel, messages: Sequence[BaseMessage]) -> str:
    """Return what a model answers.

    Raises:
        HoldfastError: the model failed, as where there is no network or no key.
    """
    try:
        return str(model.invoke(list(messages)).text)
    except HoldfastError:
        raise
    except Exception as error:  # each provider raises errors of its own
        told = " ".join(str(error).split())
        raise HoldfastError(f"the chat model {type(model).__name__} failed: {type(error).__name__}: {told}") from error
