"""LangChain's ``BaseRetriever`` over an episodic memory: documents that carry the receipt of their recall."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, final

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field, field_validator

from ..memory.recall import Recall
from ..memory.scope import Scope
from ..memory.store import EpisodicMemory
from ..memory.templates import ITEM, ITEM_PART, Template
from .documents import is_document


@final
class MemoryRetriever(BaseRetriever):
    """What a memory recalls, as documents; where nothing is relevant enough there are none.

    A document's ``metadata`` has what was kept with the template (of an item that is a document its metadata and
    ``key``, of another one its ``key`` and ``value``), and ``id``, ``recall_id`` (the receipt, which
    :meth:`EpisodicMemory.update_outcome` takes), ``score``, ``relevance``, ``utility``, ``kind``, ``task`` and
    ``source``.

    Attributes:
        memory: the memory.
        namespace: whose templates.
        k: how many at most; ``invoke(query, k=...)`` says otherwise for once.
        task: of this task alone.
        kinds: of these kinds alone.
        where: what the metadata must hold: values by name.
        max_tokens: how long the texts may be together.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    memory: EpisodicMemory
    namespace: str
    k: int = Field(default=8, ge=1)
    task: str | None = None
    kinds: tuple[str, ...] | None = None
    where: dict[str, Any] | None = None
    max_tokens: int | None = Field(default=None, ge=1)

    @field_validator("namespace")
    @classmethod
    def _has_a_name(cls, value: str) -> str:
        return Scope(value).namespace

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        return self._documents(query, k)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        return await asyncio.to_thread(self._documents, query, k)

    def _documents(self, query: str, k: int | None) -> list[Document]:
        found = self.memory.recall(
            query,
            namespace=self.namespace,
            task=self.task,
            kind=self.kinds,
            where=self.where,
            k=self.k if k is None else k,
            max_tokens=self.max_tokens,
        )
        return _as_documents(found)


def _as_documents(found: Recall) -> list[Document]:
    """Return what was recalled as documents; nothing that was kept with a text passes for what we say of it."""
    documents = []
    for hit in found.hits:
        template = hit.template
        about = {
            "id": template.id,
            "recall_id": found.receipt_id,
            "score": hit.score,
            "relevance": hit.relevance,
            "utility": template.utility,
            "kind": template.kind,
            "task": template.task,
            "source": template.source,
        }
        documents.append(
            Document(
                id=str(template.id), page_content=template.content or "", metadata={**_kept_with(template), **about}
            )
        )
    return documents


def _kept_with(template: Template) -> Mapping[str, Any]:
    if template.kind not in (ITEM, ITEM_PART):
        return template.metadata
    key, value = template.metadata["key"], template.metadata["value"]
    return value["metadata"] | {"key": key} if is_document(value) else {"key": key, "value": value}
