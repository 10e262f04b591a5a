"""What LangGraph's ``InMemoryStore`` gets wrong, shown on it and on ours; what they mend will fail here."""

from __future__ import annotations

import pytest
from langgraph.store.base import GetOp, InvalidNamespaceError, PutOp
from langgraph.store.memory import InMemoryStore

from retention import EpisodicMemory, LangGraphStore

from .conftest import ROOM, bag


@pytest.fixture
def theirs() -> InMemoryStore:
    return InMemoryStore(index={"dims": ROOM, "embed": lambda texts: bag(list(texts)).tolist(), "fields": ["text"]})


@pytest.fixture
def ours(memory: EpisodicMemory) -> LangGraphStore:
    return LangGraphStore(memory, namespace="alice", fields=["text"], rank="cosine")


def test_equal_texts_of_one_batch_are_two_items(theirs: InMemoryStore, ours: LangGraphStore) -> None:
    ops = [PutOp(("a",), key, {"text": "the same words"}) for key in ("one", "two")]
    with pytest.raises(ValueError, match=r"Number of embeddings \(1\) does not match number of indices \(2\)"):
        theirs.batch(ops)
    ours.batch(ops)
    found = ours.search(("a",), query="the same words")
    assert [(item.key, round(item.score or 0, 5)) for item in found] == [("one", 1.0), ("two", 1.0)]


def test_reads_make_no_namespaces(theirs: InMemoryStore, ours: LangGraphStore) -> None:
    """langgraph #8734."""
    for store in (theirs, ours):
        assert store.get(("never", "written"), "key") is None
        store.delete(("nor", "this"), "key")
    assert theirs.list_namespaces() == [("never", "written"), ("nor", "this")]
    assert ours.list_namespaces() == []


def test_a_namespace_whose_last_item_is_deleted_is_gone(theirs: InMemoryStore, ours: LangGraphStore) -> None:
    """langgraph #8734, too."""
    for store in (theirs, ours):
        store.put(("a", "b"), "key", {"text": "red"})
        store.delete(("a", "b"), "key")
    assert theirs.list_namespaces() == [("a", "b")]
    assert ours.list_namespaces() == []


@pytest.mark.parametrize("namespace", [(), ("langgraph", "a")])
def test_delete_checks_the_namespace_as_put_does(
    namespace: tuple[str, ...], theirs: InMemoryStore, ours: LangGraphStore
) -> None:
    """langgraph #7575."""
    for store in (theirs, ours):
        with pytest.raises(InvalidNamespaceError):
            store.put(namespace, "key", {"text": "red"})
    theirs.delete(namespace, "key")
    with pytest.raises(InvalidNamespaceError):
        ours.delete(namespace, "key")


@pytest.mark.parametrize("label", ["a.b", ""])
def test_a_batch_checks_labels(label: str, theirs: InMemoryStore, ours: LangGraphStore) -> None:
    """langgraph #7575, too."""
    for op in (PutOp((label,), "key", {"text": "red"}), PutOp((label,), "key", None), GetOp((label,), "key")):
        theirs.batch([op])
        with pytest.raises(InvalidNamespaceError):
            ours.batch([op])


def test_what_an_item_no_longer_says_does_not_find_it(theirs: InMemoryStore, ours: LangGraphStore) -> None:
    for store in (theirs, ours):
        store.put(("a",), "key", {"text": "red apple"})
        store.put(("a",), "key", {"text": "secret"}, index=False)
    (stale,) = theirs.search(("a",), query="red apple")
    assert stale.score == pytest.approx(1.0)
    (item,) = ours.search(("a",), query="red apple")
    assert item.score is None


def test_pages_of_items_without_a_score_do_not_repeat(theirs: InMemoryStore, ours: LangGraphStore) -> None:
    for store in (theirs, ours):
        store.put(("a",), "scored", {"text": "red"})
        for number in range(3):
            store.put(("a",), f"bare {number}", {"n": number})
    pages = [[item.key for item in theirs.search(("a",), query="red", limit=2, offset=at)] for at in (0, 2)]
    assert pages == [["scored", "bare 0"], ["bare 0", "bare 1"]]
    pages = [[item.key for item in ours.search(("a",), query="red", limit=2, offset=at)] for at in (0, 2)]
    assert pages == [["scored", "bare 0"], ["bare 1", "bare 2"]]


def test_an_item_keeps_the_time_of_its_creation(theirs: InMemoryStore, ours: LangGraphStore) -> None:
    for store, kept in ((theirs, False), (ours, True)):
        store.put(("a",), "key", {"text": "red"})
        before = store.get(("a",), "key")
        store.put(("a",), "key", {"text": "green"})
        after = store.get(("a",), "key")
        assert before is not None and after is not None
        assert (after.created_at == before.created_at) is kept
        assert after.updated_at > before.updated_at


def test_a_comparison_with_what_is_not_there_holds_for_nothing(theirs: InMemoryStore, ours: LangGraphStore) -> None:
    for store in (theirs, ours):
        store.put(("a",), "with", {"text": "red", "n": 3})
        store.put(("a",), "without", {"text": "red"})
    with pytest.raises(TypeError, match="float"):
        theirs.search(("a",), filter={"n": {"$gt": 1}})
    assert [item.key for item in ours.search(("a",), filter={"n": {"$gt": 1}})] == ["with"]


def test_dates_have_an_order(theirs: InMemoryStore, ours: LangGraphStore) -> None:
    for store in (theirs, ours):
        for day in ("2026-01-05", "2026-11-28"):
            store.put(("a",), day, {"text": "red", "day": day})
    with pytest.raises(ValueError, match="could not convert"):
        theirs.search(("a",), filter={"day": {"$gte": "2026-06-01"}})
    assert [item.key for item in ours.search(("a",), filter={"day": {"$gte": "2026-06-01"}})] == ["2026-11-28"]


def test_a_dollar_is_the_whole_value_wherever_it_stands(theirs: InMemoryStore, ours: LangGraphStore) -> None:
    for store in (theirs, ours):
        store.put(("a",), "key", {"title": "red"}, index=["$"])
    assert [item.score for item in theirs.search(("a",), query="red")] == [None]
    assert [item.score is not None for item in ours.search(("a",), query="red")] == [True]


def test_what_is_read_is_nobody_elses(theirs: InMemoryStore, ours: LangGraphStore) -> None:
    for store, shared in ((theirs, True), (ours, False)):
        store.put(("a",), "key", {"text": "red", "list": [1]})
        item = store.get(("a",), "key")
        assert item is not None
        item.value["list"].append(2)
        again = store.get(("a",), "key")
        assert again is not None
        assert (again.value["list"] == [1, 2]) is shared
