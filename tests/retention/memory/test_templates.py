"""General templates, and recall of any kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from retention import EpisodeDraft, EpisodicMemory, NotFoundError, TemplateDraft, Transitions

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
keys = npst.arrays(np.float32, 3, elements=st.floats(width=32, allow_nan=False, allow_infinity=False))


def note(content: str, *key: float, **changes: Any) -> TemplateDraft:
    return TemplateDraft(key=np.array(key or (1.0, 0.0)), content=content, **changes)


@settings(deadline=None, max_examples=40)
@given(keys, texts, st.dictionaries(texts, json_values, max_size=3))
def test_a_template_comes_back_as_it_was(key: np.ndarray, content: str, metadata: dict[str, Any]) -> None:
    with EpisodicMemory.open(None) as memory:
        given_ = TemplateDraft(key=key, content=content, metadata=metadata, kind="fact", task="t", source="tool")
        (number,) = memory.write([given_], namespace="alice")
        found = memory.get(number, namespace="alice")
        assert found.key.tobytes() == given_.key.tobytes()
        assert (found.content, found.metadata, found.kind, found.task) == (content, metadata, "fact", "t")
        assert (found.source, found.count, found.status, found.reward) == ("tool", 1, "active", None)
        assert memory.verify() == []


def test_the_same_words_with_the_same_vector_are_one_template() -> None:
    with EpisodicMemory.open(None) as memory:
        ids = memory.write([note("a"), note("b"), note("a"), note("a", 0, 1), note("a", task="t")], namespace="alice")
        assert ids[0] == ids[2]
        assert len(set(ids)) == 4
        assert [memory.get(number, namespace="alice").count for number in ids] == [2, 1, 2, 1, 1]
        assert memory.write([note("a")], namespace="bob")[0] not in ids


def test_listing() -> None:
    with EpisodicMemory.open(None) as memory:
        memory.write([note(str(i), task="t" if i % 2 else None, kind="fact") for i in range(6)], namespace="alice")

        def listed(**how: Any) -> list[str | None]:
            return [template.content for template in memory.templates(namespace="alice", **how)]

        assert listed() == list("012345")
        assert listed(limit=2, offset=3) == list("34")
        assert listed(limit=2, newest=True) == list("54")
        assert listed(task="t") == list("135")
        assert listed(kind="text") == []


def test_a_template_may_come_from_an_episode(draft: Callable[..., EpisodeDraft]) -> None:
    with EpisodicMemory.open(None) as memory:
        done = memory.commit_episode(draft())
        (number,) = memory.write([note("a", episode_id=done.episode_id)], namespace="alice")
        assert memory.get(number, namespace="alice").first_episode_id == done.episode_id
        with pytest.raises(NotFoundError):
            memory.write([note("a", episode_id=done.episode_id)], namespace="bob")
        assert memory.namespaces() == ["alice"]


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_recall_agrees_with_a_full_comparison(n: int, k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    stored = random.normal(size=(n, 4)).astype(np.float32)
    wanted = random.normal(size=4).astype(np.float32)
    with EpisodicMemory.open(None) as memory:
        ids = memory.write([note(str(i), *key) for i, key in enumerate(stored)], namespace="alice")
        found = memory.recall(wanted, namespace="alice", k=k)
    cosine = {}
    for number, key in zip(ids, stored.astype(float), strict=True):
        cosine[number] = float(key @ wanted / np.sqrt(key @ key) / np.sqrt(wanted.astype(float) @ wanted))
    best = sorted(cosine, key=lambda number: -cosine[number])[:k]
    assert [hit.template.id for hit in found.hits] == best
    assert [hit.score for hit in found.hits] == pytest.approx([cosine[number] for number in best], abs=1e-6)


def test_recall_compares_with_all_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retention.memory.shelf._CHUNK", 3)
    monkeypatch.setattr("retention.memory.recall._CHUNK", 1)
    monkeypatch.setattr("retention.memory.recall._WINDOW", 1)
    angles = np.linspace(0, 3, 10)
    with EpisodicMemory.open(None) as memory:
        memory.write([note(str(i), np.cos(a), np.sin(a)) for i, a in enumerate(angles)], namespace="alice")
        found = memory.recall([np.cos(2.01), np.sin(2.01)], namespace="alice", k=4)
        assert [hit.template.content for hit in found.hits] == list("6758")
        ties = memory.recall([0, 0], namespace="alice", k=4)
        assert [(hit.template.id, hit.score) for hit in ties.hits] == [(1, 0), (2, 0), (3, 0), (4, 0)]


def test_recall_within_a_task_or_a_kind(draft: Callable[..., EpisodeDraft], steps: Callable[..., Transitions]) -> None:
    with EpisodicMemory.open(None) as memory:
        memory.commit_episode(draft(), steps(1))
        memory.write([note("a"), note("b", task="t"), note("c", kind="fact")], namespace="alice")

        def found(**how: Any) -> set[str | None]:
            return {hit.template.content for hit in memory.recall([1, 0], namespace="alice", **how).hits}

        assert found() == {None, "a", "b", "c"}
        assert found(task="t") == {"b"}
        assert found(kind="fact") == {"c"}
        assert found(kind="transition", task="corridor") == {None}
        assert found(task="nothing there") == set()


@pytest.mark.parametrize(
    ("vector", "k", "error", "message"),
    [
        ([1, 2, 3], 1, ValueError, r"vector must have the width of the templates, \[2\], got 3"),
        ([[1, 2]], 1, ValueError, r"vector must have shape \(d\) with d >= 1, got \(1, 2\)"),
        ([1, np.nan], 1, ValueError, "vector must be finite"),
        (["a", "b"], 1, TypeError, "vector must hold numbers"),
        ([1, 2], 0, ValueError, "k must be at least 1, got 0"),
    ],
)
def test_wrong_questions_are_refused(vector: Any, k: int, error: type[Exception], message: str) -> None:
    with EpisodicMemory.open(None) as memory:
        memory.write([note("a")], namespace="alice")
        with pytest.raises(error, match=message):
            memory.recall(vector, namespace="alice", k=k)


def test_wrong_templates_are_refused() -> None:
    for change, error, message in (
        ({"kind": "transition"}, ValueError, "kind 'transition' is what committing an episode writes"),
        ({"kind": ""}, ValueError, "kind must have 1 to"),
        ({"source": ""}, ValueError, "source must have 1 to"),
        ({"task": ""}, ValueError, "task must have 1 to"),
        ({"content": 3}, TypeError, "content must be a str, got int"),
        ({"key": np.ones((1, 2))}, ValueError, "key must have shape"),
    ):
        with pytest.raises(error, match=message):
            TemplateDraft(**({"key": np.ones(2), "content": "a"} | change))
    with EpisodicMemory.open(None) as memory:
        with pytest.raises(ValueError, match="metadata must be something that JSON can hold"):
            memory.write([note("fine"), note("a", metadata={"x": object()})], namespace="alice")
        assert memory.templates(namespace="alice") == []
        memory.write([note("a")], namespace="alice")
        with pytest.raises(ValueError, match="keys must have width 2"):
            memory.write([note("a", 1, 2, 3)], namespace="alice")


def test_numbers_beyond_what_sqlite_knows() -> None:
    with EpisodicMemory.open(None) as memory:
        (kept,) = memory.write([TemplateDraft(content="x", key=np.ones(2))], namespace="alice")
        for number in (2**63, -(2**70)):
            with pytest.raises(NotFoundError, match="has no template"):
                memory.get(number, namespace="alice")
            assert memory.pin([number, kept], namespace="alice") == 1
            assert memory.forget([number], namespace="alice").templates == 0
        assert len(memory.templates(namespace="alice", limit=2**70)) == 1
        assert memory.list(namespace="alice", offset=2**70) == []
