"""LangChain's own suites, whole: none of their tests is left out, overridden or expected to fail."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.retrievers import BaseRetriever
from langchain_core.stores import BaseStore
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import (
    BaseStoreAsyncTests,
    BaseStoreSyncTests,
    RetrieversIntegrationTests,
    VectorStoreIntegrationTests,
)

from retention import (
    EpisodicMemory,
    MemoryByteStore,
    MemoryRetriever,
    MemoryVectorStore,
    TemplateDraft,
)
from retention.tools.vector_store import encoder_of

TEXTS = ["the red apple", "a red plum", "the red cherry of today", "one more red berry", "a slow green train"]


class TestVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[VectorStore]:
        with EpisodicMemory.open(tmp_path / "m.db", encoder=encoder_of(self.get_embeddings())) as memory:
            yield MemoryVectorStore(memory, namespace="alice")


class TestRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def fill(self, memory: EpisodicMemory) -> None:
        memory.write([TemplateDraft(content=text) for text in TEXTS], namespace="alice")
        self._memory = memory

    @property
    def retriever_constructor(self) -> type[BaseRetriever]:
        return MemoryRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"memory": self._memory, "namespace": "alice"}

    @property
    def retriever_query_example(self) -> str:
        return "which fruit is red?"


class TestByteStore(BaseStoreSyncTests[bytes]):
    @pytest.fixture
    def kv_store(self, memory: EpisodicMemory) -> BaseStore[str, bytes]:
        return MemoryByteStore(memory, namespace="alice")

    @pytest.fixture
    def three_values(self) -> tuple[bytes, bytes, bytes]:
        return b"foo", bytes(range(256)), b""


class TestByteStoreAsync(BaseStoreAsyncTests[bytes]):
    @pytest.fixture
    async def kv_store(self, memory: EpisodicMemory) -> BaseStore[str, bytes]:
        return MemoryByteStore(memory, namespace="alice")

    @pytest.fixture
    def three_values(self) -> tuple[bytes, bytes, bytes]:
        return b"foo", bytes(range(256)), b""


def test_a_socket_would_be_seen() -> None:
    with pytest.raises(AssertionError, match="a socket was asked for"), socket.socket() as made:
        made.connect(("127.0.0.1", 9))
