"""The texts that the frozen model reads, as tokens: statements to be written, questions, and answers to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from retention import fact_text

from .people import Fact, asked, question

Form: TypeAlias = Literal["cloze", "question", "chat"]
"""The statement's own words up to the value; a question to be answered; that question in the model's chat format."""


@dataclass(frozen=True)
class Row:
    """The tokens of one text.

    Attributes:
        tokens: of the text.
        since: where what is asked begins: the tokens before say nothing of it, so their states are not needed.
        answer: how many tokens at the end are the value that was asked for.
    """

    tokens: tuple[int, ...]
    since: int = 1
    answer: int = 0


def written_row(tokenizer: Any, sentence: str) -> Row:
    """Return a fact as it is read to be written; see :func:`retention.fact_text`."""
    return Row(*fact_text(tokenizer, sentence))


def statement_row(tokenizer: Any, sentence: str) -> Row:
    """Return a fact as it is told, once: after the token that begins a text, where the tokenizer has one."""
    begin = tokenizer.bos_token_id
    tokens = _tokens(tokenizer, sentence)
    return Row(tokens if begin is None else (begin, *tokens), since=0)


def asked_row(tokenizer: Any, fact: Fact, form: Form) -> Row:
    """Return how a fact is asked, with the value to be said at the end.

    Args:
        tokenizer: of the model; for ``"chat"`` with a chat template.
        fact: what is asked.
        form: how.
    """
    if form == "cloze":
        row = Row(_tokens(tokenizer, asked(fact)))
    elif form == "question":
        row = Row(_tokens(tokenizer, f"Question: {question(fact)}\nAnswer:"))
    else:
        row = chat_row(tokenizer, question(fact))
    value = _tokens(tokenizer, f" {fact.value}")
    return Row((*row.tokens, *value), row.since, answer=len(value))


def forms(tokenizer: Any) -> tuple[Form, ...]:
    """Return the forms in which a model can be asked."""
    return ("cloze", "question", "chat") if tokenizer.chat_template else ("cloze", "question")


def chat_row(tokenizer: Any, message: str) -> Row:
    """Return what a user says in the model's chat format, up to where the model's answer begins."""
    messages = [{"role": "user", "content": message}]
    text: str = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    before, _, _ = text.rpartition(message)
    return Row(_tokens(tokenizer, text), since=max(1, len(_tokens(tokenizer, before))))


def _tokens(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
