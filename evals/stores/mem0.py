"""``Memory`` of mem0ai with ``infer=False``: Qdrant on disk beside a history in SQLite, no language model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from ..environment import environment
from ..peers.peer_package import PeerPackage
from .given_vectors import NO_TEXT, given_vectors
from .store import Floats, folder_bytes

PACKAGE = PeerPackage(module="mem0", requirement="mem0ai==2.2.1")
EMBEDDER = PeerPackage(module="langchain.embeddings.base", requirement="langchain==1.4.7")
TELEMETRY = PeerPackage(module="mem0.memory.telemetry", requirement=PACKAGE.requirement)
_USER = "bench"


@final
class Mem0Store:
    """Vectors, and what mem0 makes of the words: without fastembed and spaCy, that is nothing.

    mem0 writes to ``MEM0_DIR`` and reports home unless ``MEM0_TELEMETRY`` says no. It reads both while it is imported,
    once in a process; this store sets them for that time.
    """

    name = "mem0ai"
    durable = True
    synced = True
    finds_words = False
    finds_vectors = True

    def __init__(self, folder: Path) -> None:
        """Prepare the memory of a folder; it is opened when the width of the vectors is known."""
        EMBEDDER.load()
        with environment(MEM0_DIR=str(folder), MEM0_TELEMETRY="False"):
            self._mem0 = PACKAGE.load()
            telemetry = TELEMETRY.load()
        if telemetry.MEM0_TELEMETRY:
            raise RuntimeError("mem0 was imported with its telemetry on: open this store in a process of its own")
        self._folder = folder
        self._embedder = given_vectors()
        self._memory: Any = None

    def add(self, ids: Sequence[str], texts: Sequence[str], vectors: Floats) -> None:
        """Add one by one: a call with many messages does that too, and gives them no ids of ours."""
        for id, text, vector in zip(ids, texts, vectors, strict=True):
            self.add_one(id, text, vector)

    def add_one(self, id: str, text: str, vector: Floats) -> None:
        """Add one as a message of the user."""
        memory = self._opened(len(vector))
        self._embedder.give([text], vector[None])
        memory.add([{"role": "user", "content": text}], user_id=_USER, metadata={"key": id}, infer=False)

    def search(self, text: str, vector: Floats | None, k: int) -> list[tuple[str, float]]:
        """Look for the vector; nothing is found without one."""
        if vector is None:
            return []
        query = text.strip() or NO_TEXT
        self._embedder.give([query], vector[None])
        found = self._opened(len(vector)).search(query, top_k=k, filters={"user_id": _USER}, threshold=0.0)
        return [(hit["metadata"]["key"], hit["score"]) for hit in found["results"]]

    def size_bytes(self) -> int:
        """Return the size of all files of the folder."""
        return folder_bytes(self._folder)

    def close(self) -> None:
        """Close the memory and the Qdrant that it leaves open."""
        if self._memory is not None:
            self._memory.vector_store.client.close()
            self._memory.close()
            self._memory = None

    def _opened(self, width: int) -> Any:
        if self._memory is None:
            qdrant = {"path": str(self._folder / "qdrant"), "embedding_model_dims": width, "on_disk": True}
            self._memory = self._mem0.Memory.from_config(
                {
                    "vector_store": {"provider": "qdrant", "config": qdrant},
                    "embedder": {"provider": "langchain", "config": {"model": self._embedder}},
                    "llm": {"provider": "openai", "config": {"api_key": "none"}},  # made, and never called
                    "history_db_path": str(self._folder / "history.db"),
                }
            )
        return self._memory
