"""``InMemoryStore`` of langgraph with an index: dictionaries, compared with all at every search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from ..peers.peer_package import PeerPackage
from .given_vectors import NO_TEXT, given_vectors
from .store import Floats

PACKAGE = PeerPackage(module="langgraph.store.memory", requirement="langgraph==1.2.22")
OPERATIONS = PeerPackage(module="langgraph.store.base", requirement="langgraph==1.2.22")
_NAMESPACE = ("bench",)


@final
class LangGraphStore:
    """Vectors alone, in memory; the words of a query do not count.

    The index is made at the first addition, which tells its width.
    """

    name = "langgraph InMemoryStore"
    durable = False
    synced = False
    finds_words = False
    finds_vectors = True

    def __init__(self, folder: Path) -> None:
        """Prepare an empty store."""
        self._made = PACKAGE.load().InMemoryStore
        self._put = OPERATIONS.load().PutOp
        self._embedder = given_vectors()
        self._store: Any = None

    def add(self, ids: Sequence[str], texts: Sequence[str], vectors: Floats) -> None:
        """Put all by one batch; one by one where two texts are equal, since langgraph 1.2.22 fails on those."""
        self._embedder.give(texts, vectors)
        if self._store is None:
            index = {"dims": vectors.shape[1], "embed": self._embedder, "fields": ["text"]}
            self._store = self._made(index=index)
        if len(set(texts)) == len(texts):
            self._store.batch([self._put(_NAMESPACE, id, {"text": text}) for id, text in zip(ids, texts, strict=True)])
            return
        for id, text, vector in zip(ids, texts, vectors, strict=True):
            self.add_one(id, text, vector)

    def add_one(self, id: str, text: str, vector: Floats) -> None:
        """Put one."""
        self.add([id], [text], vector[None])

    def search(self, text: str, vector: Floats | None, k: int) -> list[tuple[str, float]]:
        """Compare the vector with all by cosine; nothing is found without one."""
        if vector is None or self._store is None:
            return []
        query = text or NO_TEXT
        self._embedder.give([query], vector[None])
        return [(item.key, item.score) for item in self._store.search(_NAMESPACE, query=query, limit=k)]

    def size_bytes(self) -> int:
        """Return 0."""
        return 0

    def close(self) -> None:
        """Forget all."""
        self._store = None
