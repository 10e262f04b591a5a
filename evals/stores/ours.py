"""The episodic memory of holdfast as a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, final

from retention import EpisodicMemory, TemplateDraft

from .store import Floats, folder_bytes

NAMESPACE = "bench"


@final
class OurStore:
    """One SQLite file. A recall in mode ``"rw"`` writes a receipt; in mode ``"ro"`` nothing is written.

    What is merged at write is found by all of its ids in the process that wrote it, by the first one in another.
    """

    name = "holdfast"
    durable = True
    finds_words = True
    finds_vectors = True

    def __init__(self, folder: Path, *, mode: Literal["rw", "ro"] = "rw", synced: bool = False) -> None:
        """Open the memory of a folder; ``synced`` waits for the disk at each write."""
        self._folder = folder
        self.synced = synced
        self._memory = EpisodicMemory.open(folder / "memory.db", mode=mode, synced=synced)
        self._merged: dict[int, list[str]] = {}

    def add(self, ids: Sequence[str], texts: Sequence[str], vectors: Floats) -> None:
        """Write many, a thousand in one transaction."""
        report = self._memory.write_many(drafts(ids, texts, vectors), namespace=NAMESPACE, progress=False)
        if report.merged:
            self._note(ids, report.ids)

    def add_one(self, id: str, text: str, vector: Floats) -> None:
        """Write one in a transaction of its own."""
        self._note([id], self._memory.write([*drafts([id], [text], vector[None])], namespace=NAMESPACE))

    def search(self, text: str, vector: Floats | None, k: int) -> list[tuple[str, float]]:
        """Recall by words and vector, or by one of them."""
        if text:
            found = self._memory.recall(text, vector=vector, namespace=NAMESPACE, k=k)
        else:
            assert vector is not None
            found = self._memory.recall(vector, namespace=NAMESPACE, k=k)
        hits = []
        for hit in found.hits:
            first = hit.template.metadata["id"]
            others = (other for other in self._merged.get(hit.template.id, ()) if other != first)
            hits += [(first, hit.score), *((other, hit.score) for other in others)]
        return hits[:k]

    def size_bytes(self) -> int:
        """Return the size of the file and its log."""
        return folder_bytes(self._folder)

    def close(self) -> None:
        """Close the memory."""
        self._memory.close()

    def _note(self, ids: Sequence[str], numbers: Sequence[int]) -> None:
        for id, number in zip(ids, numbers, strict=True):
            self._merged.setdefault(number, []).append(id)


def drafts(ids: Sequence[str], texts: Sequence[str], vectors: Floats) -> Iterator[TemplateDraft]:
    """Yield texts as drafts that carry their vectors and ids."""
    for id, text, vector in zip(ids, texts, vectors, strict=True):
        yield TemplateDraft(content=text, key=vector, metadata={"id": id})
