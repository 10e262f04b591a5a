"""``InMemoryVectorStore`` of langchain-core: a dictionary, compared with all at every search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import final

from .given_vectors import given_vectors
from .store import Floats


@final
class LangChainStore:
    """Vectors alone, in memory; the words of a query do not count."""

    name = "langchain InMemoryVectorStore"
    durable = False
    synced = False
    finds_words = False
    finds_vectors = True

    def __init__(self, folder: Path) -> None:
        """Make an empty store."""
        from langchain_core.vectorstores import InMemoryVectorStore

        self._embedder = given_vectors()
        self._store = InMemoryVectorStore(self._embedder)

    def add(self, ids: Sequence[str], texts: Sequence[str], vectors: Floats) -> None:
        """Add the texts."""
        self._embedder.give(texts, vectors)
        self._store.add_texts(list(texts), ids=list(ids))

    def add_one(self, id: str, text: str, vector: Floats) -> None:
        """Add a text."""
        self.add([id], [text], vector[None])

    def search(self, text: str, vector: Floats | None, k: int) -> list[tuple[str, float]]:
        """Compare the vector with all by cosine; nothing is found without one."""
        if vector is None:
            return []
        found = self._store.similarity_search_with_score_by_vector(vector.tolist(), k)
        return [(str(document.id), score) for document, score in found]

    def size_bytes(self) -> int:
        """Return 0."""
        return 0

    def close(self) -> None:
        """Forget all."""
        self._store.store.clear()
