"""What tells templates apart: those with one merge key are one template, however often and by whom they are written."""

from __future__ import annotations

import hashlib

from .words import canonical

_SIZE = 16


def of_transition(action: int, terminated: bool, key: bytes, next_key: bytes) -> bytes:
    """Return the merge key of a transition: visits of one step share it, whatever reward they brought.

    Args:
        action: what was done.
        terminated: whether the episode was over.
        key: where it began, as stored.
        next_key: where it led, as stored.
    """
    return _digest(action.to_bytes(8, "little", signed=True) + bytes([terminated]) + key + next_key)


def of_content(key: bytes, content: bytes) -> bytes:
    """Return the merge key of a general template: the same words with the same vector share it.

    Args:
        key: its vector, as stored.
        content: what it says, in UTF-8.
    """
    return _digest(len(key).to_bytes(8, "little") + key + content)


def of_item(key: str, part: int) -> bytes:
    """Return the merge key of an item: whatever it says, the text of a number under a key is one template.

    Args:
        key: the item's key.
        part: which of its texts.
    """
    return _digest(part.to_bytes(8, "little") + key.encode())


def of_words(found: list[str]) -> bytes | None:
    """Return what texts that say the same in nearly the same words share; ``None`` for one without words.

    Case, accents, punctuation, articles, plurals and other endings do not count. The order of the words, numbers,
    negations, pronouns and prepositions do: texts that contradict each other have different keys.

    Args:
        found: the words of the text (:func:`~retention.memory.words.words`).
    """
    said = canonical(found)
    return _digest(said.encode()) if said else None


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_SIZE).digest()
