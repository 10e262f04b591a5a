"""The LangGraph store as its users meet it: agents, receipts, time to live, namespaces, bad input, async."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.store.base import GetOp, InvalidNamespaceError, ListNamespacesOp, MatchCondition, PutOp, SearchOp

from retention import EpisodicMemory, HoldfastError, LangGraphStore
from retention.tools.graph_store import RecalledItem

from .conftest import bag


@pytest.fixture
def store(memory: EpisodicMemory) -> LangGraphStore:
    return LangGraphStore(memory, namespace="alice", fields=["text"])


class Scripted(GenericFakeChatModel):
    """A chat model that says what it was given, with tools or without."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Scripted:
        return self


@tool
def remember(text: str, runtime: ToolRuntime) -> str:
    """Keep a text."""
    assert runtime.store is not None
    runtime.store.put(("notes",), text, {"text": text})
    return "kept"


@tool
async def look_up(query: str, runtime: ToolRuntime) -> str:
    """Look for a text."""
    assert runtime.store is not None
    return "; ".join(item.value["text"] for item in await runtime.store.asearch(("notes",), query=query))


def calling(name: str, **arguments: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": "1"}])


async def test_an_agent_keeps_and_another_one_finds(path: Path) -> None:
    from retention import FunctionEncoder

    with EpisodicMemory.open(path, encoder=FunctionEncoder(bag, "bag")) as memory:
        model = Scripted(messages=iter([calling("remember", text="the badge is blue"), AIMessage("done")]))
        agent = create_agent(model, [remember], store=LangGraphStore(memory, namespace="alice", fields=["text"]))
        agent.invoke({"messages": [("user", "keep it")]})
    with EpisodicMemory.open(path, encoder=FunctionEncoder(bag, "bag")) as memory:
        model = Scripted(messages=iter([calling("look_up", query="which badge?"), AIMessage("blue")]))
        agent = create_agent(model, [look_up], store=LangGraphStore(memory, namespace="alice", fields=["text"]))
        answer = await agent.ainvoke({"messages": [("user", "what was it?")]})
        assert answer["messages"][2].content == "the badge is blue"
        model = Scripted(messages=iter([calling("look_up", query="which badge?"), AIMessage("none")]))
        agent = create_agent(model, [look_up], store=LangGraphStore(memory, namespace="bob", fields=["text"]))
        answer = await agent.ainvoke({"messages": [("user", "what was it?")]})
        assert answer["messages"][2].content == ""


def test_a_search_carries_a_receipt_that_feedback_takes(memory: EpisodicMemory, store: LangGraphStore) -> None:
    for key in ("one", "two", "three"):
        store.put(("notes",), key, {"text": f"the badge of door {key} is blue"})
    for _ in range(6):
        found = store.search(("notes",), query="badge of door three", limit=1)
        (item,) = found
        assert isinstance(item, RecalledItem) and item.receipt_id and item.template_id
        receipt = memory.receipt(item.receipt_id, namespace="alice")
        assert (list(receipt.exposures), receipt.task) == ([item.template_id], "notes")
        assert item.dict()["receipt_id"] == item.receipt_id
        memory.update_outcome(item.receipt_id, namespace="alice", rating=-1.0)
    assert memory.get(item.template_id, namespace="alice").uses > 0
    assert [item.score for item in store.search(("notes",))] == [None, None, None]
    assert not any(isinstance(item, RecalledItem) for item in store.search(("notes",)))


def test_feedback_moves_the_order(memory: EpisodicMemory, store: LangGraphStore) -> None:
    for key in ("first", "second"):
        store.put(("notes",), key, {"text": "open the door with the badge"})
    query = "how to open the door"
    assert [item.key for item in store.search(("notes",), query=query)] == ["first", "second"]
    for _ in range(12):
        (item,) = store.search(("notes",), query=query, limit=1)
        assert isinstance(item, RecalledItem)
        memory.update_outcome(item.receipt_id or "", namespace="alice", rating=-1.0 if item.key == "first" else 1.0)
    assert [item.key for item in store.search(("notes",), query=query)] == ["second", "first"]


def test_nothing_relevant_is_nothing_by_recall_and_all_by_cosine(memory: EpisodicMemory, store: LangGraphStore) -> None:
    store.put(("notes",), "badge", {"text": "the badge is blue"})
    store.put(("notes",), "bare", {"text": "zebra"}, index=False)
    assert store.search(("notes",), query="quantum xylophone jamboree") == []
    by_cosine = LangGraphStore(memory, namespace="alice", fields=["text"], rank="cosine")
    found = by_cosine.search(("notes",), query="quantum xylophone jamboree")
    assert [(item.key, item.score is None) for item in found] == [("badge", False), ("bare", True)]


def test_without_fields_a_query_is_not_looked_at(memory: EpisodicMemory) -> None:
    plain = LangGraphStore(memory, namespace="alice", fields=False)
    plain.put(("notes",), "one", {"text": "red"}, index=["text"])
    assert [item.score for item in plain.search(("notes",), query="blue")] == [None]
    assert [template.content for template in memory.templates(namespace="alice")] == [None]


def test_a_filter_applies_to_what_is_recalled_and_pages_follow_each_other(store: LangGraphStore) -> None:
    for number in range(9):
        store.put(("notes",), str(number), {"text": f"red apple {'x' * number}", "n": number})
    asked: dict[str, Any] = {"query": "red apple", "filter": {"n": {"$gte": 3, "$lt": 8}}}
    whole = [item.key for item in store.search(("notes",), limit=20, **asked)]
    assert sorted(whole) == ["3", "4", "5", "6", "7"]
    assert [item.key for at in (0, 2, 4) for item in store.search(("notes",), limit=2, offset=at, **asked)] == whole
    assert store.search(("notes",), limit=0, **asked) == []


def test_time_to_live_is_in_minutes_and_begins_anew_when_read(
    memory: EpisodicMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LangGraphStore(memory, namespace="alice", ttl={"default_ttl": 10, "refresh_on_read": True})
    begun = time.time()
    store.put(("a",), "default", {"n": 1})
    store.put(("a",), "short", {"n": 2}, ttl=1)
    store.put(("a",), "ever", {"n": 3}, ttl=None)

    def at(minutes: float) -> list[str]:
        monkeypatch.setattr(time, "time", lambda: begun + 60 * minutes)
        return [item.key for item in store.search(("a",), refresh_ttl=False)]

    assert at(0.9) == ["default", "short", "ever"]
    assert store.get(("a",), "short", refresh_ttl=False) is not None
    assert at(1.1) == ["default", "ever"]
    assert store.get(("a",), "default") is not None
    assert at(11.0) == ["default", "ever"]
    assert at(11.2) == ["ever"]
    assert store.get(("a",), "default") is None


def test_a_search_renews_what_it_shows(memory: EpisodicMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    store, begun = LangGraphStore(memory, namespace="alice"), time.time()
    for key in ("red", "green"):
        store.put(("a",), key, {"text": key}, ttl=1)
    monkeypatch.setattr(time, "time", lambda: begun + 50)
    assert [item.key for item in store.search(("a",), limit=1)] == ["red"]
    monkeypatch.setattr(time, "time", lambda: begun + 70)
    assert [item.key for item in store.search(("a",), refresh_ttl=False)] == ["red"]


def test_namespaces_are_listed_as_asked(store: LangGraphStore) -> None:
    for namespace in [("a", "b", "c"), ("a", "b", "d", "e"), ("a", "b", "d", "i"), ("a", "b", "f"), ("a", "c", "f")]:
        store.put(namespace, "key", {"n": 1}, index=False)
    assert store.list_namespaces(prefix=("a", "b"), max_depth=3) == [("a", "b", "c"), ("a", "b", "d"), ("a", "b", "f")]
    assert store.list_namespaces(suffix=("f",)) == [("a", "b", "f"), ("a", "c", "f")]
    assert store.list_namespaces(prefix=("a", "*", "f"), limit=1, offset=1) == [("a", "c", "f")]


async def test_async_does_what_sync_does_and_lets_the_loop_go_on(store: LangGraphStore) -> None:
    await asyncio.gather(*(store.aput(("a",), str(n), {"text": f"red {n}"}) for n in range(20)))
    assert len(await store.asearch(("a",), limit=50)) == 20
    item = await store.aget(("a",), "3")
    assert item is not None and item.value == {"text": "red 3"}
    assert [found.key for found in await store.asearch(("a",), query="red 3", limit=1)]
    await store.adelete(("a",), "3")
    assert await store.aget(("a",), "3") is None
    assert await store.alist_namespaces() == [("a",)]
    beats, working = 0, asyncio.create_task(store.abatch([PutOp(("b",), str(n), {"n": n}) for n in range(500)]))
    while not working.done():
        beats += 1
        await asyncio.sleep(0.001)
    assert beats > 1


def test_threads_share_a_store(store: LangGraphStore) -> None:
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for number in range(15):
                store.put(("t", name), str(number % 5), {"text": f"{name} says {number}", "n": number})
                assert store.get(("t", name), str(number % 5)) is not None
                store.search(("t", name), query=f"{name} says")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(item.value["n"] for item in store.search(("t",), limit=100)) == sorted([*range(10, 15)] * 4)


def test_the_tenant_is_given_once_and_required(memory: EpisodicMemory) -> None:
    with pytest.raises(TypeError, match="namespace"):
        LangGraphStore(memory)  # type: ignore[call-arg]  # that is what is tested
    with pytest.raises(ValueError, match="namespace must have 1 to 200 characters"):
        LangGraphStore(memory, namespace="")
    alice, other = LangGraphStore(memory, namespace="alice"), LangGraphStore(memory, namespace="Alice")
    alice.put(("a",), "key", {"text": "secret"})
    assert other.search(()) == [] == other.search((), query="secret") == other.list_namespaces()
    other.delete(("a",), "key")
    assert alice.get(("a",), "key") is not None


@pytest.mark.parametrize(
    ("op", "error", "message"),
    [
        (PutOp((), "key", {}), InvalidNamespaceError, "at least one label"),
        (PutOp(("langgraph", "a"), "key", {}), InvalidNamespaceError, "must not begin with 'langgraph'"),
        (PutOp(("a.b",), "key", {}), InvalidNamespaceError, "each label of a namespace"),
        (PutOp(("a", ""), "key", {}), InvalidNamespaceError, "each label of a namespace"),
        (PutOp(("a", 7), "key", {}), InvalidNamespaceError, "each label of a namespace"),
        (PutOp("a", "key", {}), InvalidNamespaceError, "must be a tuple of labels, got 'a'"),
        (PutOp(("a",), 7, {}), TypeError, "key must be a str, got int"),
        (PutOp(("a",), "key", [1]), TypeError, "value must be a mapping, or None to delete, got list"),
        (PutOp(("a",), "key", {"at": object()}), ValueError, "value must be something that JSON can hold"),
        (PutOp(("a",), "key", {3: "x"}), ValueError, "value must have names that are strings, got 3"),
        (PutOp(("a",), "key", {}, index="text"), TypeError, "index must be False or a list of paths"),
        (PutOp(("a",), "key", {}, index=[7]), TypeError, "index must be False or a list of paths"),
        (PutOp(("a",), "key", {}, ttl=0), ValueError, "ttl must be a finite number of minutes above 0, got 0"),
        (PutOp(("a",), "key", {}, ttl="5"), TypeError, "ttl must be a number of minutes, got str"),
        (GetOp(("a.b",), "key"), InvalidNamespaceError, "each label of a namespace"),
        (GetOp(("a",), 7), TypeError, "key must be a str, got int"),
        (SearchOp(("a.b",)), InvalidNamespaceError, "each label of a namespace"),
        (SearchOp(("a",), limit=-1), ValueError, "limit and offset must be at least 0, got -1 and 0"),
        (SearchOp(("a",), offset=-2), ValueError, "limit and offset must be at least 0, got 10 and -2"),
        (SearchOp(("a",), query=7), TypeError, "query must be a str, got int"),
        (SearchOp(("a",), filter={"n": {"$near": 1}}), ValueError, "filter operator must be one of .*got '\\$near'"),
        (SearchOp(("a",), filter={"n": {"$gt": None}}), ValueError, "compares with a number or a text, got None"),
        (SearchOp(("a",), filter=[1]), TypeError, "filter must be a mapping"),
        (ListNamespacesOp(max_depth=0), ValueError, "max_depth must be at least 1, got 0"),
        (ListNamespacesOp((MatchCondition("infix", ("a",)),)), ValueError, "match_type must be 'prefix' or 'suffix'"),
        ("put", TypeError, "an operation must be a GetOp, PutOp, SearchOp or ListNamespacesOp, got 'put'"),
    ],
)
def test_bad_input_is_one_clear_line_and_changes_nothing(
    op: Any, error: type[Exception], message: str, store: LangGraphStore
) -> None:
    with pytest.raises(error, match=message) as raised:
        store.batch([PutOp(("a",), "fine", {"n": 1}), op])
    assert "\n" not in str(raised.value)
    assert store.search(()) == []


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"rank": "best"}, ValueError, "rank must be 'recall' or 'cosine', got 'best'"),
        ({"fields": "text"}, TypeError, "fields must be False or a list of paths"),
        ({"ttl": {"minutes": 3}}, ValueError, "ttl may have default_ttl, omit_expired"),
        ({"ttl": {"default_ttl": -1}}, ValueError, "ttl: default_ttl must be a finite number of minutes above 0"),
        ({"ttl": {"omit_expired": False}}, ValueError, "omit_expired cannot be False"),
        ({"memory": "notes.db"}, TypeError, "memory must be an EpisodicMemory, got str"),
    ],
)
def test_settings_are_checked(
    settings: dict[str, Any], error: type[Exception], message: str, memory: EpisodicMemory
) -> None:
    with pytest.raises(error, match=message):
        LangGraphStore(**({"memory": memory, "namespace": "alice"} | settings))


WITHOUT = """
import sys
sys.modules[{module!r}] = None
import retention
try:
    retention.LangGraphStore
except retention.MissingExtraError as error:
    print(error)
"""


def test_without_the_extra_there_is_one_line_with_the_command(clean_environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT.format(module="langgraph")],
        capture_output=True,
        text=True,
        check=True,
        env=clean_environment,
    )
    assert done.stdout == (
        "LangGraphStore needs an optional part that is not installed: pip install 'holdfast[tools]'\n"
    )


def test_what_is_closed_says_so(memory: EpisodicMemory, store: LangGraphStore) -> None:
    memory.close()
    with pytest.raises((HoldfastError, ValueError), match="is closed"):
        store.put(("a",), "key", {"n": 1})
