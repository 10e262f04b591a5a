"""LangChain's key-value ``BaseStore`` over an episodic memory: bytes under keys, for caches and parent documents."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import final

from langchain_core.stores import BaseStore

from ..memory.items import ItemDraft, check_path
from ..memory.scope import Scope
from ..memory.store import EpisodicMemory


@final
class MemoryByteStore(BaseStore[str, bytes]):
    """Bytes under keys in an episodic memory, found by their keys alone.

    Args:
        memory: the memory.
        namespace: whose they are.
        path: where they lie within it.
    """

    def __init__(self, memory: EpisodicMemory, *, namespace: str, path: tuple[str, ...] = ("bytes",)) -> None:
        if not isinstance(memory, EpisodicMemory):
            raise TypeError(f"memory must be an EpisodicMemory, got {type(memory).__name__}")
        if not check_path(path):
            raise ValueError("path must have at least one name")
        self._memory = memory
        self._namespace = Scope(namespace).namespace
        self._path = path

    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return what the keys hold, in their order; ``None`` where there is nothing."""
        items = self._memory.get_items([(self._path, key) for key in keys], namespace=self._namespace)
        found = [None if item is None else item.value.get("bytes") for item in items]
        return [base64.b64decode(text) if isinstance(text, str) else None for text in found]

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """Keep bytes under keys, all of them or none, each in place of what is there.

        Raises:
            TypeError: if a value is not bytes.
        """
        drafts = []
        for key, value in key_value_pairs:
            if not isinstance(value, bytes):
                raise TypeError(f"the value of {key!r} must be bytes, got {type(value).__name__}")
            text = base64.b64encode(value).decode()
            drafts.append(ItemDraft(path=self._path, key=key, value={"bytes": text}))
        self._memory.put_items(drafts, namespace=self._namespace)

    def mdelete(self, keys: Sequence[str]) -> None:
        """Delete keys for good; those that are not there are passed over."""
        drafts = [ItemDraft(path=self._path, key=key, value=None) for key in keys]
        self._memory.put_items(drafts, namespace=self._namespace)

    def yield_keys(self, *, prefix: str | None = None) -> Iterator[str]:
        """Give the keys, or those that begin so, in the order they were put in."""
        for item in self._memory.items(namespace=self._namespace, path=self._path, below=False):
            if item.key.startswith(prefix or ""):
                yield item.key
