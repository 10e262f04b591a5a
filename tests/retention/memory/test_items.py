"""Items: values under a path and a key, overwritten exactly; what the stores of ``retention.tools`` stand on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retention import EpisodicMemory, FunctionEncoder, ItemDraft, MemoryWriteError, NotFoundError, TemplateDraft

CALLS: list[str] = []


def letters(texts: list[str]) -> np.ndarray:
    CALLS.extend(texts)
    return np.array([[text.lower().count(letter) for letter in "etaoinshrdlu"] for text in texts], np.float32)


@pytest.fixture
def memory(path: Path) -> Iterator[EpisodicMemory]:
    with EpisodicMemory.open(path, encoder=FunctionEncoder(letters, "letters")) as opened:
        yield opened


def put(memory: EpisodicMemory, key: str, text: str | None, path: tuple[str, ...] = ("a",), **changes: Any) -> None:
    texts = [] if text is None else [text]
    memory.put_items([ItemDraft(path=path, key=key, value={"text": text}, texts=texts, **changes)], namespace="alice")


def keys(memory: EpisodicMemory, **asked: Any) -> list[str]:
    return [item.key for item in memory.items(namespace="alice", **asked)]


def test_equal_texts_stay_two_items_and_do_not_merge_with_what_is_written(memory: EpisodicMemory) -> None:
    put(memory, "one", "the same words")
    put(memory, "two", "the same words")
    memory.write([TemplateDraft(content="the same words", task="a")], namespace="alice")
    found = memory.recall_items("the same words", namespace="alice")
    assert [hit.item.key for hit in found.hits] == ["one", "two"]
    assert len(memory.templates(namespace="alice")) == 3
    assert [template.count for template in memory.templates(namespace="alice")] == [1, 1, 1]


def test_an_item_whose_text_stays_keeps_what_is_known_of_it(memory: EpisodicMemory) -> None:
    put(memory, "key", "red apples on the table")
    put(memory, "other", "a slow train to the sea")
    for number in range(3):
        found = memory.recall_items("red apples", namespace="alice")
        memory.update_outcome(found.receipt_id or "", namespace="alice", rating=1.0 if number else -1.0)
    (before,) = memory.recall_items("red apples", namespace="alice", k=1).hits
    assert before.template is not None and before.template.uses > 0
    memory.put_items(
        [ItemDraft(path=("a",), key="key", value={"more": 1}, texts=["red apples on the table"])], namespace="alice"
    )
    (same,) = memory.recall_items("red apples", namespace="alice", k=1).hits
    assert same.template is not None and same.template.utility == before.template.utility
    assert (same.template.id, same.item.value) == (before.template.id, {"more": 1})
    put(memory, "key", "green apples on the table")
    (new,) = memory.recall_items("green apples", namespace="alice", k=1).hits
    assert new.template is not None and new.template.id != before.template.id and new.template.uses == 0
    assert memory.verify() == []


def test_what_an_item_said_before_is_gone_from_the_file(memory: EpisodicMemory, path: Path) -> None:
    put(memory, "key", "the password is hunter2")
    (old,) = memory.templates(namespace="alice")
    memory.put_items([ItemDraft(path=("a",), key="key", value=None)], namespace="alice")
    memory.close()
    assert b"hunter2" not in path.read_bytes()
    with EpisodicMemory.open(path) as again, pytest.raises(NotFoundError):
        again.get(old.id, namespace="alice")


def test_items_are_listed_in_the_order_they_began(memory: EpisodicMemory) -> None:
    put(memory, "1", "red", ("b",))
    put(memory, "2", "red", ("a",))
    put(memory, "3", "red", ("b",))
    put(memory, "1", "green", ("b",))
    assert keys(memory) == ["1", "3", "2"]
    assert keys(memory, limit=1, offset=1) == ["3"]
    assert keys(memory, where=lambda value: value["text"] == "red", limit=5, offset=1) == ["2"]
    memory.put_items([ItemDraft(path=("b",), key="1", value=None)], namespace="alice")
    put(memory, "1", "red", ("b",))
    assert keys(memory) == ["3", "1", "2"]


def test_a_path_is_no_prefix_of_a_longer_name(memory: EpisodicMemory) -> None:
    for path in (("a",), ("a", "b"), ("ab",), ("a-b",), ("a", "bc"), ("A",), ("a\N{LATIN SMALL LETTER E WITH ACUTE}",)):
        put(memory, "/".join(path), "red apple", path)
    assert keys(memory, path=("a",)) == ["a", "a/b", "a/bc"]
    assert keys(memory, path=("a", "b")) == ["a/b"]
    assert keys(memory, path=("a",), below=False) == ["a"]
    hits = memory.recall_items("red apple", namespace="alice", path=("a",)).hits
    assert sorted(hit.item.key for hit in hits) == ["a", "a/b", "a/bc"]
    assert memory.item_paths(namespace="alice", path=("a",)) == [("a",), ("a", "b"), ("a", "bc")]


def test_an_item_counts_by_the_best_of_its_texts(memory: EpisodicMemory) -> None:
    draft = ItemDraft(path=("a",), key="both", value={}, texts=["red apples", "slow trains", "red apples"])
    memory.put_items([draft], namespace="alice")
    put(memory, "one", "red apples and slow trains")
    assert len(memory.templates(namespace="alice")) == 3
    (first, _) = memory.recall_items("slow trains", namespace="alice", by="cosine").hits
    assert (first.item.key, round(first.score or 0, 5)) == ("both", 1.0)
    memory.put_items([ItemDraft(path=("a",), key="both", value={}, texts=["slow trains"])], namespace="alice")
    assert [template.content for template in memory.templates(namespace="alice", kind="item")] == [
        "red apples and slow trains",
        "slow trains",
    ]
    assert memory.templates(namespace="alice", kind="item part") == []


def test_a_text_that_was_forgotten_is_found_no_more_and_can_be_put_again(memory: EpisodicMemory) -> None:
    draft = ItemDraft(path=("a",), key="both", value={}, texts=["red apples", "slow trains", "a third"])
    memory.put_items([draft], namespace="alice")
    first, *_ = memory.templates(namespace="alice")
    memory.forget([first.id], namespace="alice")
    assert memory.get_items([(("a",), "both")], namespace="alice") == [None]
    assert memory.recall_items("slow trains", namespace="alice").hits == ()
    memory.put_items([draft], namespace="alice")
    assert len(memory.recall_items("slow trains", namespace="alice", by="cosine").hits) == 1
    assert len(memory.templates(namespace="alice")) == 3


def test_what_belongs_to_another_namespace_does_not_exist(memory: EpisodicMemory) -> None:
    put(memory, "key", "red apples")
    for other in ("alic", "alice2", "Alice", "bob"):
        assert memory.get_items([(("a",), "key")], namespace=other) == [None]
        assert memory.items(namespace=other) == [] == memory.item_paths(namespace=other)
        assert memory.recall_items("red apples", namespace=other).hits == ()
        memory.put_items([ItemDraft(path=("a",), key="key", value=None)], namespace=other)
    assert keys(memory) == ["key"]


def test_time_to_live(memory: EpisodicMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = time.time()
    put(memory, "short", "red apples", ttl=60.0)
    put(memory, "long", "slow trains")

    def after(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: begun + seconds)

    after(50)
    memory.renew_items(memory.items(namespace="alice"), namespace="alice")
    after(100)
    assert keys(memory) == ["short", "long"]
    after(120)
    assert keys(memory) == ["long"]
    assert memory.item_paths(namespace="alice") == [("a",)]
    assert [hit.item.key for hit in memory.recall_items("red", namespace="alice", by="cosine").hits] == ["long"]
    put(memory, "more", None)
    assert len(memory.templates(namespace="alice")) == 2


def test_items_go_through_export_import_and_another_encoder(memory: EpisodicMemory, tmp_path: Path) -> None:
    put(memory, "key", "red apples")
    put(memory, "bare", None)
    memory.export(tmp_path / "out.jsonl")
    with EpisodicMemory.open(tmp_path / "copy.db", encoder=FunctionEncoder(letters, "letters")) as copy:
        copy.import_file(tmp_path / "out.jsonl")
        assert copy.items(namespace="alice") == memory.items(namespace="alice")
        found = copy.recall_items("red apples", namespace="alice", by="cosine").hits
        assert [(hit.item.key, hit.score is None) for hit in found] == [("key", False), ("bare", True)]
    with EpisodicMemory.open(tmp_path / "copy.db") as copy:
        copy.reembed(FunctionEncoder(lambda texts: letters(texts)[:, :5], "five"))
        found = copy.recall_items("red apples", namespace="alice", by="cosine").hits
        assert [(hit.item.key, hit.score is None) for hit in found] == [("key", False), ("bare", True)]
        put(copy, "key", "red apples")
        assert copy.verify() == []


def test_all_of_a_call_is_kept_or_nothing(memory: EpisodicMemory) -> None:
    fine = ItemDraft(path=("a",), key="fine", value={})
    with pytest.raises(ValueError, match="JSON can hold"):
        memory.put_items([fine, ItemDraft(path=("a",), key="x", value={"it": {1, 2}})], namespace="alice")
    broken = EpisodicMemory.open(memory.path, encoder=FunctionEncoder(lambda texts: np.ones((1, 2, 3)), "letters"))
    with broken, pytest.raises(ValueError, match="must return finite numbers"):
        broken.put_items([fine, ItemDraft(path=("a",), key="x", value={}, texts=["red"])], namespace="alice")
    assert keys(memory) == []


def test_reading_needs_no_right_to_write(memory: EpisodicMemory, path: Path) -> None:
    put(memory, "key", "red apples", ttl=60.0)
    with EpisodicMemory.open(path, mode="ro", encoder=FunctionEncoder(letters, "letters")) as reader:
        found = reader.recall_items("red apples", namespace="alice")
        assert found.receipt_id is None and len(found.hits) == 1
        reader.renew_items(reader.items(namespace="alice"), namespace="alice")
        with pytest.raises(MemoryWriteError):
            put(reader, "key", "green")


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"path": ()}, ValueError, "path must have at least one name"),
        ({"path": ["a"]}, TypeError, "path must be a tuple of str"),
        ({"path": ("a", 1)}, TypeError, "path must be a tuple of str"),
        ({"path": ("a.b",)}, ValueError, "none of them '.'"),
        ({"path": ("", "a")}, ValueError, "each name of a path must have characters"),
        ({"path": ("x" * 4001,)}, ValueError, "path must have 1 to 4000 characters"),
        ({"key": 7}, TypeError, "key must be a str, got int"),
        ({"key": "\ud800"}, ValueError, "key must be text that UTF-8 can hold"),
        ({"value": [1]}, TypeError, "value must be a mapping, or None to delete, got list"),
        ({"value": {"x": float("nan")}}, ValueError, "value must be something that JSON can hold"),
        ({"value": {1: "x"}}, ValueError, "value must have names that are strings, got 1"),
        ({"value": {"x": [{None: 1}]}}, ValueError, "value must have names that are strings, got None"),
        ({"texts": "red"}, TypeError, "texts must be a list of str, got the str 'red'"),
        ({"texts": [3]}, TypeError, "text must be a str, got int"),
        ({"ttl": 0.0}, ValueError, "ttl must be a finite number above 0"),
        ({"source": ""}, ValueError, "source must have 1 to 200 characters"),
    ],
)
def test_bad_input_is_one_clear_line(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as raised:
        ItemDraft(**({"path": ("a",), "key": "key", "value": {}} | changes))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["item", "item part"])
def test_nothing_else_is_written_as_an_item(kind: str) -> None:
    with pytest.raises(ValueError, match="is what put_items writes"):
        TemplateDraft(content="red", kind=kind)


@pytest.mark.parametrize("bounds", [{"limit": -1}, {"offset": -1}, {"limit": 1.5}, {"limit": True}])
def test_bounds_are_whole_numbers(memory: EpisodicMemory, bounds: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be a whole number, at least 0"):
        memory.items(namespace="alice", **bounds)


def test_a_function_filters_what_is_recalled(memory: EpisodicMemory) -> None:
    """``recall`` takes one beside values by name, and looks as far as it must to find what counts."""
    texts = [f"red apple number {number}" for number in range(200)]
    memory.write([TemplateDraft(content=text, metadata={"n": n}) for n, text in enumerate(texts)], namespace="alice")
    found = memory.recall("red apple", namespace="alice", where=lambda template: template.metadata["n"] % 50 == 49, k=3)
    assert {hit.template.metadata["n"] % 50 for hit in found.hits} == {49}
    assert found.hits
