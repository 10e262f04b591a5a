"""The vector store beyond LangChain's own suite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore

from retention import EncoderMismatchError, EpisodicMemory, LangGraphStore, MemoryVectorStore
from retention.tools.vector_store import encoder_of

from .conftest import bag


@pytest.fixture
def store(memory: EpisodicMemory) -> MemoryVectorStore:
    return MemoryVectorStore(memory, namespace="alice")


def test_it_ranks_as_langchains_own(path: Path) -> None:
    """An oracle: cosine over all, the same scores and order."""
    model = DeterministicFakeEmbedding(size=8)
    texts = [f"text number {number}" for number in range(60)]
    theirs = InMemoryVectorStore.from_texts(texts, model)
    ours = MemoryVectorStore.from_texts(texts, model, file=path, namespace="alice")
    with ours.memory:
        for query in ("anything", "something else"):
            wanted = theirs.similarity_search_with_score(query, k=10)
            found = ours.similarity_search_with_score(query, k=10)
            assert [document.page_content for document, _ in found] == [each.page_content for each, _ in wanted]
            np.testing.assert_allclose([score for _, score in found], [score for _, score in wanted], atol=1e-5)
            wanted_apart = theirs.max_marginal_relevance_search(query, k=5, fetch_k=20)
            found_apart = ours.max_marginal_relevance_search(query, k=5, fetch_k=20)
            assert [each.page_content for each in found_apart] == [each.page_content for each in wanted_apart]
            by_vector = ours.max_marginal_relevance_search_by_vector(model.embed_query(query), k=5, fetch_k=20)
            assert by_vector == found_apart
            nearest = ours.similarity_search_by_vector(model.embed_query(query), k=10)
            assert nearest == [document for document, _ in found]


def test_documents_stay_across_processes_of_one_model_and_another_is_refused(path: Path) -> None:
    model = DeterministicFakeEmbedding(size=8)
    MemoryVectorStore.from_texts(["red"], model, [{"n": 1}], ids=["1"], file=path, namespace="alice").memory.close()
    with EpisodicMemory.open(path, encoder=encoder_of(model)) as memory:
        again = MemoryVectorStore(memory, namespace="alice")
        assert again.get_by_ids(["1"]) == [Document(id="1", page_content="red", metadata={"n": 1})]
    with pytest.raises(EncoderMismatchError):
        EpisodicMemory.open(path, encoder=bag)


def test_equal_texts_are_two_documents(store: MemoryVectorStore) -> None:
    ids = store.add_texts(["the same", "the same"])
    assert len(set(ids)) == 2
    assert sorted(document.id or "" for document in store.similarity_search("the same")) == sorted(ids)


@pytest.mark.parametrize(
    "chosen",
    [{"n": {"$gte": 2}}, {"n": 2}, lambda document: document.metadata["n"] == 2],
    ids=["operator", "value", "function"],
)
def test_a_filter_by_metadata(store: MemoryVectorStore, chosen: dict[str, Any] | Callable[[Document], bool]) -> None:
    store.add_texts(["red", "red", "red"], [{"n": n} for n in range(3)], ids=["0", "1", "2"])
    assert [document.id for document in store.similarity_search("red", k=5, filter=chosen)] == ["2"]


def test_without_ids_everything_of_the_path_is_deleted_and_no_more(memory: EpisodicMemory) -> None:
    one = MemoryVectorStore(memory, namespace="alice", path=("docs",))
    below = MemoryVectorStore(memory, namespace="alice", path=("docs", "more"))
    one.add_texts(["red", "green"])
    below.add_texts(["red"], ids=["kept"])
    assert {document.page_content for document in one.similarity_search("red")} == {"red", "green"}
    assert one.delete()
    assert one.similarity_search("red") == []
    assert [document.id for document in below.similarity_search("red")] == ["kept"]


def test_a_langgraph_store_reads_the_documents(memory: EpisodicMemory, store: MemoryVectorStore) -> None:
    store.add_texts(["red apples"], [{"n": 1}], ids=["a"])
    graph = LangGraphStore(memory, namespace="alice")
    item = graph.get(("documents",), "a")
    assert item is not None and item.value == {"page_content": "red apples", "metadata": {"n": 1}}
    graph.put(("documents",), "foreign", {"text": "red apples"})
    assert [document.id for document in store.similarity_search("red apples")] == ["a"]
    assert store.get_by_ids(["foreign"]) == []


def test_relevance_lies_between_0_and_1_and_a_retriever_is_made(store: MemoryVectorStore) -> None:
    store.add_texts(["red apples", "zzz"])
    for _, relevance in store.similarity_search_with_relevance_scores("red apples"):
        assert 0 <= relevance <= 1
    assert len(store.as_retriever(search_kwargs={"k": 1}).invoke("red apples")) == 1
    assert len(store.as_retriever(search_type="mmr", search_kwargs={"k": 2}).invoke("red apples")) == 2


async def test_async_does_what_sync_does(store: MemoryVectorStore) -> None:
    ids = await store.aadd_texts(["red apples", "green trains"])
    assert (await store.asimilarity_search("red apples", k=1))[0].id == ids[0]
    assert (await store.amax_marginal_relevance_search("red apples", k=1))[0].id == ids[0]
    assert await store.adelete(ids)
    assert await store.aget_by_ids(ids) == []


def test_searches_leave_no_receipts(memory: EpisodicMemory, store: MemoryVectorStore) -> None:
    store.add_texts(["red apples"])
    found = memory.recall_items("red apples", namespace="alice", receipt=False)
    assert found.receipt_id is None and found.hits
    before = memory.stats()["bytes"]
    store.similarity_search("red apples")
    assert memory.stats()["bytes"] == before


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s: s.add_texts(["a"], [{}, {}]), ValueError, "metadatas must be as many as the texts, 1, got 2"),
        (lambda s: s.add_texts(["a"], ids=["1", "2"]), ValueError, "ids must be as many as the texts, 1, got 2"),
        (lambda s: s.add_texts([7]), TypeError, "text must be a str, got int"),
        (lambda s: s.add_texts(["a"], [{"x": {1}}]), ValueError, "value must be something that JSON can hold"),
        (lambda s: s.add_texts(["a"], batch=3), TypeError, "add_texts has no arguments \\['batch'\\]"),
        (lambda s: s.similarity_search("a", k=-1), ValueError, "limit must be a whole number, at least 0, got -1"),
        (lambda s: s.similarity_search("a", fetch=1), TypeError, "a search has no arguments \\['fetch'\\]"),
        (lambda s: s.similarity_search("a", filter={"n": {"$x": 1}}), ValueError, "filter operator must be one of"),
        (lambda s: s.similarity_search_by_vector([1.0, 2.0]), ValueError, "vector must have the width of the templ"),
        (lambda s: s.max_marginal_relevance_search("a", lambda_mult=2), ValueError, "lambda_mult must lie in"),
    ],
)
def test_bad_input_is_one_clear_line(
    call: Callable[[MemoryVectorStore], Any], error: type[Exception], message: str, store: MemoryVectorStore
) -> None:
    store.add_texts(["kept"], ids=["kept"])
    with pytest.raises(error, match=message) as raised:
        call(store)
    assert "\n" not in str(raised.value)
    assert len(store.similarity_search("kept", k=9)) == 1


def test_settings_are_checked(memory: EpisodicMemory, path: Path) -> None:
    with pytest.raises(ValueError, match="namespace must have"):
        MemoryVectorStore.from_texts(["red"], DeterministicFakeEmbedding(size=4))
    with pytest.raises(TypeError, match="embedding must be an Embeddings of LangChain, got function"):
        MemoryVectorStore.from_texts(["red"], bag, namespace="alice")
    with pytest.raises(ValueError, match="path must have at least one name"):
        MemoryVectorStore(memory, namespace="alice", path=())
    with pytest.raises(TypeError, match="memory must be an EpisodicMemory"):
        MemoryVectorStore(path, namespace="alice")
