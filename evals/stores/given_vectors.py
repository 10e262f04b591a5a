"""An embedder that knows the vectors beforehand, for stores that insist on making them themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .store import Floats

NO_TEXT = "(no text)"
"""What is asked where there is only a vector: these stores want a text for it."""


def given_vectors() -> Any:
    """Return an embedder of LangChain that looks vectors up: texts without one are a ``KeyError``.

    It has ``give(texts, vectors)``, which replaces all that it knew, so that it does not hold the vectors a second
    time.
    """
    from langchain_core.embeddings import Embeddings

    class GivenVectors(Embeddings):
        def __init__(self) -> None:
            self._known: dict[str, list[float]] = {}

        def give(self, texts: Sequence[str], vectors: Floats) -> None:
            self._known = dict(zip(texts, vectors.tolist(), strict=True))

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [self._known[text] for text in texts]

        def embed_query(self, text: str) -> list[float]:
            return self._known[text]

    return GivenVectors()
