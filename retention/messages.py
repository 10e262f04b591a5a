"""Messages of a conversation, as LangChain and Hugging Face write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_USER = frozenset({"user", "human"})


def user_texts(messages: Iterable[Any]) -> list[str]:
    """Return what the user says in a conversation, a text for each message.

    Args:
        messages: messages of LangChain, pairs of a role and a text, or dicts with ``role`` (or ``type``) and
            ``content``, which is a text or a list of blocks; of these the text counts.

    Raises:
        TypeError: if something is no message.
    """
    found = []
    for message in messages:
        role, content = _parts(message)
        if role in _USER and (text := _text(content)):
            found.append(text)
    return found


def _parts(message: Any) -> tuple[str, Any]:
    if isinstance(message, Mapping):
        role, content = message.get("role", message.get("type")), message.get("content")
    elif isinstance(message, tuple) and len(message) == 2:
        role, content = message
    else:
        role, content = getattr(message, "type", None), getattr(message, "content", None)
    if not isinstance(role, str) or not isinstance(content, (str, list)):
        raise TypeError(f"a message has a role and a content, got {message!r:.80}")
    return role.removesuffix("MessageChunk").lower(), content


def _text(content: str | list[Any]) -> str:
    if isinstance(content, str):
        return content
    blocks = (block if isinstance(block, str) else _text_of(block) for block in content)
    return "\n".join(filter(None, blocks))


def _text_of(block: Any) -> str:
    text = block.get("text") if isinstance(block, Mapping) and block.get("type") == "text" else None
    return text if isinstance(text, str) else ""
