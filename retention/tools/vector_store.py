"""LangChain's ``VectorStore`` over an episodic memory, in the same file as everything else."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, final

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from ..memory.encoder import FunctionEncoder
from ..memory.items import ItemDraft, ItemRecall, check_path
from ..memory.scope import Scope
from ..memory.store import EpisodicMemory
from .documents import from_document, is_document, to_document
from .item_filter import check_filter, matches

Filter = Mapping[str, Any] | Callable[[Document], bool]
"""What the metadata must hold, by name; or what says of a document whether it counts."""

_MODEL_NAMES = ("model", "model_name", "model_id")


@final
class MemoryVectorStore(VectorStore):
    """Documents in an episodic memory, found by the cosine of their vectors.

    Each is an item of the memory, kept under its id: a :class:`LangGraphStore` of the same namespace reads it there as
    ``{"page_content": ..., "metadata": ...}``. Equal texts under two ids are two documents, and one that is added again
    under its id takes the place of the old one. Searches write no receipt, since a document has no room for it; use a
    :class:`MemoryRetriever` where feedback is to come back.

    Args:
        memory: the memory; its encoder makes the vectors of documents and queries alike.
        namespace: whose documents these are.
        path: where they lie within it.
        source: who says what is added.

    Example:
        >>> store = MemoryVectorStore(memory, namespace="alice")
        >>> store.add_texts(["the key is under the mat"], ids=["key"])
        ['key']
    """

    def __init__(
        self,
        memory: EpisodicMemory,
        *,
        namespace: str,
        path: tuple[str, ...] = ("documents",),
        source: str = "user",
    ) -> None:
        if not isinstance(memory, EpisodicMemory):
            raise TypeError(f"memory must be an EpisodicMemory, got {type(memory).__name__}")
        if not check_path(path):
            raise ValueError("path must have at least one name")
        self.memory = memory
        self._namespace = Scope(namespace).namespace
        self._path = path
        self._source = source

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        namespace: str = "",
        file: str | os.PathLike[str] | None = None,
        **kwargs: Any,
    ) -> MemoryVectorStore:
        """Open a memory whose encoder is a model of LangChain, and add texts; close its ``memory`` when done.

        Args:
            texts: the texts.
            embedding: makes the vectors, of queries, too, by ``embed_documents``.
            metadatas: what is kept with each.
            ids: the id of each.
            namespace: whose they are; required.
            file: the file; ``None`` for a memory without one.
            kwargs: as for :class:`MemoryVectorStore`.
        """
        memory = EpisodicMemory.open(file, encoder=encoder_of(embedding))
        try:
            store = cls(memory, namespace=namespace, **kwargs)
            store.add_texts(texts, metadatas, ids=ids)
        except BaseException:
            memory.close()
            raise
        return store

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add texts, all of them or none, each in place of what has its id, and return their ids.

        Args:
            texts: the texts.
            metadatas: what is kept with each: what JSON can hold.
            ids: the id of each; ``None``, or ``None`` among them, for a new one.
            kwargs: none are known.

        Raises:
            ValueError: if there are not as many of each, or metadata is not JSON.
        """
        if kwargs:
            raise TypeError(f"add_texts has no arguments {sorted(kwargs)}")
        told = list(texts)
        for name, given in (("metadatas", metadatas), ("ids", ids)):
            if given is not None and len(given) != len(told):
                raise ValueError(f"{name} must be as many as the texts, {len(told)}, got {len(given)}")
        named: list[str | None] = [*ids] if ids else [None] * len(told)
        names = [uuid.uuid4().hex if name is None else name for name in named]
        drafts = [
            ItemDraft(
                path=self._path,
                key=name,
                value=from_document(text, metadata),
                texts=[text],
                source=self._source,
            )
            for name, text, metadata in zip(names, told, metadatas or [{}] * len(told), strict=True)
        ]
        self.memory.put_items(drafts, namespace=self._namespace)
        return names

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Delete documents for good; ids that are not there are passed over.

        Args:
            ids: which; ``None`` for all of them.
            kwargs: none are known.
        """
        if kwargs:
            raise TypeError(f"delete has no arguments {sorted(kwargs)}")
        if ids is None:
            ids = [item.key for item in self.memory.items(namespace=self._namespace, path=self._path, below=False)]
        self.memory.put_items(
            [ItemDraft(path=self._path, key=name, value=None) for name in ids], namespace=self._namespace
        )
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return the documents of ids, in their order; those that are not there are left out."""
        wanted = [(self._path, name) for name in dict.fromkeys(ids)]
        items = self.memory.get_items(wanted, namespace=self._namespace)
        return [to_document(item) for item in items if item is not None and is_document(item.value)]

    def similarity_search(self, query: str, k: int = 4, filter: Filter | None = None, **kwargs: Any) -> list[Document]:
        """Return the documents nearest to a text, however far that is."""
        return [document for document, _ in self.similarity_search_with_score(query, k, filter, **kwargs)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: Filter | None = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """Return the documents nearest to a text with the cosine of each, moved by its utility; higher is nearer.

        Args:
            query: the text.
            k: how many at most.
            filter: what the metadata must hold, or what says of a document whether it counts.
            kwargs: none are known.
        """
        return [(to_document(hit.item), hit.score or 0.0) for hit in self._find(query, k, filter, kwargs).hits]

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: Filter | None = None, **kwargs: Any
    ) -> list[Document]:
        """Return the documents nearest to a vector."""
        return [to_document(hit.item) for hit in self._find(embedding, k, filter, kwargs).hits]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Return documents near to a text that differ among themselves.

        Args:
            query: the text.
            k: how many at most.
            fetch_k: among how many of the nearest.
            lambda_mult: from 0, as different as can be, to 1, as near as can be.
            filter: what the metadata must hold, or what says of a document whether it counts.
            kwargs: none are known.
        """
        return self._differing(query, k, fetch_k, lambda_mult, filter, kwargs)

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Return documents near to a vector that differ among themselves; see :meth:`max_marginal_relevance_search`."""
        return self._differing(embedding, k, fetch_k, lambda_mult, filter, kwargs)

    def _differing(
        self,
        query: str | list[float],
        k: int,
        fetch_k: int,
        lambda_mult: float,
        filter: Filter | None,
        unknown: Mapping[str, Any],
    ) -> list[Document]:
        if not 0 <= lambda_mult <= 1:
            raise ValueError(f"lambda_mult must lie in [0, 1], got {lambda_mult!r}")
        found = self._find(query, max(k, fetch_k), filter, unknown)
        vectors = [hit.template.key.tolist() for hit in found.hits if hit.template is not None]
        if found.vector is None or not vectors:
            return []
        order = maximal_marginal_relevance(found.vector, vectors, lambda_mult, k)
        return [to_document(found.hits[at].item) for at in order]

    def _find(self, query: str | list[float], k: int, filter: Filter | None, unknown: Mapping[str, Any]) -> ItemRecall:
        if unknown:
            raise TypeError(f"a search has no arguments {sorted(unknown)}; it has k and filter")
        return self.memory.recall_items(
            query,
            namespace=self._namespace,
            path=self._path,
            where=partial(_counts, asked=_checked(filter)),
            k=k,
            by="cosine",
            below=False,
            receipt=False,
        )

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        """Return how a score becomes a relevance in [0, 1]: what is no nearer than at a right angle has none."""
        return _clipped


def encoder_of(embeddings: Embeddings) -> FunctionEncoder:
    """Return a model of LangChain as an encoder of a memory, which tells it from others by its class and model name."""
    if not isinstance(embeddings, Embeddings):
        raise TypeError(f"embedding must be an Embeddings of LangChain, got {type(embeddings).__name__}")
    kind = type(embeddings)
    model = next((str(value) for name in _MODEL_NAMES if (value := getattr(embeddings, name, None))), "")
    name = f"{kind.__module__}.{kind.__qualname__}" + (f"/{model}" if model else "")
    return FunctionEncoder(embeddings.embed_documents, name)


def _counts(value: Mapping[str, Any], asked: Filter | None) -> bool:
    if not is_document(value):
        return False
    if asked is None:
        return True
    if callable(asked):
        return bool(asked(Document(page_content=value["page_content"], metadata=dict(value["metadata"]))))
    return matches(value["metadata"], asked)


def _checked(asked: Filter | None) -> Filter | None:
    if asked is not None and not callable(asked):
        check_filter(asked)
    return asked


def _clipped(score: float) -> float:
    return min(max(score, 0.0), 1.0)
