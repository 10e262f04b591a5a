"""A causal language model of transformers as a LangChain chat model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, final

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, Field, InstanceOf

from retention import HoldfastError

from .decoding import Decoder, answer_scores, longest_text
from .smollm import LocalModel, load_local

_ROLES = {"system": "system", "human": "user", "ai": "assistant", "tool": "user"}


@final
class LocalChat(BaseChatModel):
    """Answers with a language model on this machine; without a temperature, always the most likely token.

    The same seed, messages and machine give the same answer. A message of a tool is told to the model as one of the
    user. What a text has of the model's own marks is broken up, so that no text can speak in another role.

    Example:
        >>> from agent.chat.smollm import local_model_missing
        >>> if local_model_missing() is None:
        ...     print(LocalChat(max_tokens=20).invoke("What is the capital of France?").text)
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, protected_namespaces=())

    local: InstanceOf[LocalModel] = Field(default_factory=lambda: load_local(), exclude=True, repr=False)
    """The model and its tokenizer; by default the one that :func:`load_local` loads."""
    max_tokens: int = Field(default=256, ge=1)
    """How many tokens an answer has at most."""
    temperature: float = Field(default=0.0, ge=0.0)
    """0 for the most likely token; above, tokens are drawn."""
    seed: int = Field(default=0, ge=0)
    """Of the drawing; each answer draws from it anew."""
    stop: list[str] | None = None
    """Texts that end an answer, and are not part of it."""

    @property
    def _llm_type(self) -> str:
        return "holdfast-local"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.local.name, "temperature": self.temperature, "seed": self.seed, "stop": self.stop}

    def bind_tools(self, tools: Any, **kwargs: Any) -> NoReturn:
        """Refuse tools, which agents of LangChain bind before they ask anything.

        Raises:
            ValueError: always.
        """
        raise ValueError(self._no_tools())

    def prompt(self, messages: Sequence[BaseMessage]) -> list[int]:
        """Return the tokens of a conversation, up to where the model's answer begins.

        Raises:
            HoldfastError: the model cannot read so many.
            ValueError: a message is not of text alone, or of a role that the model does not know.
        """
        tokenizer = self.local.tokenizer
        rows = [{"role": _role(message), "content": self._plain(message)} for message in messages]
        text = tokenizer.apply_chat_template(rows, add_generation_prompt=True, tokenize=False)
        tokens: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]  # it warns of length
        limit = longest_text(self.local.model)
        if len(tokens) >= limit:
            alone = sum(row["role"] != "system" for row in rows) <= 1
            what, remedy = ("text", "shorten it") if alone else ("conversation", "leave out earlier messages")
            raise HoldfastError(
                f"the {what} has {len(tokens)} tokens, and {self.local.name} reads fewer than {limit}: {remedy}"
            )
        return tokens

    def log_likelihoods(self, messages: Sequence[BaseMessage], answers: Sequence[str]) -> list[list[float]]:
        """Return how likely each of some answers is after a conversation, as a whole answer.

        Args:
            messages: the conversation.
            answers: at least one.

        Returns:
            For each answer the natural logarithm of the probability of each of its tokens, and of its end.

        Raises:
            HoldfastError: the model cannot read so much.
            ValueError: there are no answers, or a message is not of text alone.
        """
        if not answers:
            raise ValueError("there must be at least one answer to score")
        tokenizer = self.local.tokenizer
        ends = [tokenizer.eos_token_id]
        coded = [tokenizer(self._broken(each), add_special_tokens=False)["input_ids"] + ends for each in answers]
        return answer_scores(self.local.model, self.prompt(messages), coded)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        parts = list(self._stream(messages, stop=stop, run_manager=run_manager, **kwargs))
        last = parts[-1].message
        assert isinstance(last, AIMessageChunk)
        message = AIMessage(
            content="".join(str(part.message.content) for part in parts),
            usage_metadata=last.usage_metadata,
            response_metadata=last.response_metadata,
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        known = {name: kwargs.pop(name, getattr(self, name)) for name in ("max_tokens", "temperature", "seed")}
        if kwargs.pop("tools", None) or kwargs.pop("functions", None):
            raise ValueError(self._no_tools())
        prompt = self.prompt(messages)
        decoder = Decoder(self.local, stop=stop or self.stop or [], **known)
        for text in decoder.texts(prompt):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=text))
            if run_manager:
                run_manager.on_llm_new_token(text, chunk=chunk)
            yield chunk
        said = len(decoder.tokens)
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                usage_metadata=UsageMetadata(
                    input_tokens=len(prompt), output_tokens=said, total_tokens=len(prompt) + said
                ),
                response_metadata={"model_name": self.local.name, "finish_reason": decoder.finish_reason},
                chunk_position="last",
            )
        )

    def _no_tools(self) -> str:
        return f"{self.local.name} is too small to call tools; see docs/chat.md for what it does"

    def _plain(self, message: BaseMessage) -> str:
        if not isinstance(message.content, str) and any(
            not isinstance(block, str) and block.get("type") != "text" for block in message.content
        ):
            raise ValueError(f"{self.local.name} reads text alone, got {message.content!r}")
        return self._broken(str(message.text))

    def _broken(self, text: str) -> str:
        """Return a text in which the model's own marks are no marks any more."""
        for mark in self.local.tokenizer.all_special_tokens:
            text = text.replace(mark, f"{mark[0]} {mark[1:]}")
        return text


def _role(message: BaseMessage) -> str:
    said = _ROLES.get(message.type.removesuffix("MessageChunk").lower())
    if said is None:
        raise ValueError(f"a message must be of the system, a human, the model or a tool, got one of {message.type!r}")
    return said
