"""A persistent collection of chromadb: SQLite beside a graph of the vectors (HNSW)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from ..peers.peer_package import PeerPackage
from .store import Floats, folder_bytes

PACKAGE = PeerPackage(module="chromadb", requirement="chromadb==1.5.9")


@final
class ChromaStore:
    """Vectors alone, approximately; the words of a query do not count. Its telemetry is off."""

    name = "chromadb"
    durable = True
    synced = True
    finds_words = False
    finds_vectors = True

    def __init__(self, folder: Path) -> None:
        """Open the collection of a folder."""
        chromadb = PACKAGE.load()
        self._folder = folder
        settings = chromadb.Settings(anonymized_telemetry=False)
        self._client: Any = chromadb.PersistentClient(str(folder), settings=settings)
        # No embedding function: the default one would fetch a model.
        self._collection = self._client.get_or_create_collection(
            "bench", embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )
        self._most = self._client.get_max_batch_size()

    def add(self, ids: Sequence[str], texts: Sequence[str], vectors: Floats) -> None:
        """Add all, as many at a time as it takes."""
        for start in range(0, len(ids), self._most):
            part = slice(start, start + self._most)
            self._collection.add(ids=list(ids[part]), embeddings=vectors[part], documents=list(texts[part]))

    def add_one(self, id: str, text: str, vector: Floats) -> None:
        """Add one."""
        self.add([id], [text], vector[None])

    def search(self, text: str, vector: Floats | None, k: int) -> list[tuple[str, float]]:
        """Look for the vector; the score is its cosine. Nothing is found without one."""
        if vector is None:
            return []
        found = self._collection.query(query_embeddings=vector[None], n_results=k, include=["distances"])
        return [(id, 1.0 - far) for id, far in zip(found["ids"][0], found["distances"][0], strict=True)]

    def size_bytes(self) -> int:
        """Return the size of all files of the folder."""
        return folder_bytes(self._folder)

    def close(self) -> None:
        """Close the client."""
        self._client.close()
