"""In the place of a chat model: takes the action that a note shows, else the first. What is the memory worth alone?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult


@final
class MatchingModel(BaseChatModel):
    """Finds an answer likely that stands behind ``Action:`` in what it is shown, and nothing else."""

    @property
    def _llm_type(self) -> str:
        return "matching"

    def log_likelihoods(self, messages: Sequence[BaseMessage], answers: Sequence[str]) -> list[list[float]]:
        """Return 0 for each answer that a note shows, and -1 for any other."""
        lines = {line for message in messages for line in str(message.text).splitlines()}
        return [[0.0 if f"Action: {answer}" in lines else -1.0] for answer in answers]

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        shown = [
            line.removeprefix("Action:").strip()
            for line in str(messages[-1].text).splitlines()
            if line.startswith("Action:")
        ]
        return ChatResult(generations=[ChatGeneration(message=AIMessage(next(filter(None, shown), "")))])
