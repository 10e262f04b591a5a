"""The retriever beyond LangChain's own suite: receipts, what documents carry, what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from pydantic import ValidationError

from retention import EpisodicMemory, LangGraphStore, MemoryRetriever, MemoryVectorStore, TemplateDraft


@pytest.fixture
def retriever(memory: EpisodicMemory) -> MemoryRetriever:
    drafts = [
        TemplateDraft(content="the badge is blue", metadata={"room": 4, "id": "forged", "recall_id": "forged"}),
        TemplateDraft(content="the badge of the guard is red", kind="rule", source="tool"),
        TemplateDraft(content="a slow train to the sea", task="travel"),
    ]
    memory.write(drafts, namespace="alice")
    return MemoryRetriever(memory=memory, namespace="alice")


def test_documents_carry_the_receipt_and_feedback_reaches_their_templates(
    memory: EpisodicMemory, retriever: MemoryRetriever
) -> None:
    found = retriever.invoke("which badge is blue?")
    first = found[0]
    assert first.page_content == "the badge is blue"
    assert first.metadata["room"] == 4
    assert first.metadata["id"] == int(first.id or 0) != "forged"
    assert first.metadata["score"] > 0 and first.metadata["source"] == "user"
    (recall_id,) = {document.metadata["recall_id"] for document in found}
    assert list(memory.receipt(recall_id, namespace="alice").exposures) == [each.metadata["id"] for each in found]
    memory.update_outcome(recall_id, namespace="alice", rating=1.0)
    assert memory.get(first.metadata["id"], namespace="alice").uses > 0


async def test_k_holds_in_every_way_of_calling(retriever: MemoryRetriever, memory: EpisodicMemory) -> None:
    one = MemoryRetriever(memory=memory, namespace="alice", k=1)
    assert len(one.invoke("badge")) == 1 == len(await one.ainvoke("badge"))
    assert len(one.invoke("badge", k=2)) == 2 == len(await one.ainvoke("badge", k=2))
    assert len(await retriever.ainvoke("badge", k=1)) == 1
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        one.invoke("badge", k=0)


def test_what_is_asked_for_bounds_what_is_found(memory: EpisodicMemory, retriever: MemoryRetriever) -> None:
    def texts(**asked: Any) -> list[str]:
        found = MemoryRetriever(memory=memory, namespace="alice", **asked).invoke("badge is blue train sea")
        return [document.page_content for document in found]

    assert texts(kinds=("rule",)) == ["the badge of the guard is red"]
    assert texts(task="travel") == ["a slow train to the sea"]
    assert texts(where={"room": 4}) == ["the badge is blue"]
    assert texts(max_tokens=5) == ["the badge is blue"]
    assert retriever.invoke("quantum xylophone jamboree") == []
    assert MemoryRetriever(memory=memory, namespace="alic").invoke("badge") == []


def test_it_finds_what_the_stores_keep(memory: EpisodicMemory) -> None:
    MemoryVectorStore(memory, namespace="alice").add_texts(["red apples"], [{"n": 1}], ids=["a"])
    LangGraphStore(memory, namespace="alice", fields=["text"]).put(("notes",), "b", {"text": "red plums", "n": 2})
    found = {
        each.page_content: each.metadata for each in MemoryRetriever(memory=memory, namespace="alice").invoke("red")
    }
    assert found["red apples"]["n"] == 1 and found["red apples"]["key"] == "a"
    assert found["red plums"]["value"] == {"text": "red plums", "n": 2}
    assert not {"place", "parts", "updated"} & (found["red apples"].keys() | found["red plums"].keys())


def test_in_a_chain(retriever: MemoryRetriever) -> None:
    prompt = ChatPromptTemplate.from_template("{facts} | {question}")
    joined = retriever | (lambda documents: "; ".join(each.page_content for each in documents))
    model = RunnableLambda(lambda asked: asked.to_string())
    chain = {"facts": joined, "question": RunnablePassthrough()} | prompt | model | StrOutputParser()
    assert "the badge is blue" in chain.invoke("which badge is blue?")
    batched = retriever.batch(["badge", "train"])
    assert [bool(found) for found in batched] == [True, True]


@pytest.mark.parametrize(
    "settings", [{"namespace": ""}, {"k": 0}, {"max_tokens": 0}, {"limit": 3}, {"memory": "notes.db"}]
)
def test_settings_are_checked(memory: EpisodicMemory, settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MemoryRetriever(**({"memory": memory, "namespace": "alice"} | settings))
