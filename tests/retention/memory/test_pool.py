"""Of many templates some are looked at: what is found is what looking at all of them finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retention import EpisodicMemory, TemplateDraft
from retention.memory import pool, vector_rows, word_codes
from retention.memory.vector_rows import VectorRows, highest, unit
from retention.memory.word_index import WordIndex, best_places, scores_at
from retention.memory.words import words

N, WIDTH = 600, 16


def corpus(seed: int, size: int = N) -> tuple[list[str], NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    known = np.minimum(random.zipf(1.4, (size, 7)), 400)
    texts = [" ".join(f"word{number}" for number in row) + f" only{place}" for place, row in enumerate(known)]
    return texts, random.normal(size=(size, WIDTH)).astype(np.float32)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a few templates be many."""
    monkeypatch.setattr(pool, "WHOLE", 100)
    monkeypatch.setattr(vector_rows, "SCAN_FROM", 100)
    yield


def found(memory: EpisodicMemory, text: str, vector: NDArray[np.float32], **how: Any) -> list[tuple[int, float]]:
    hits = memory.recall(text, vector=vector, namespace="alice", **how).hits
    return [(hit.template.id, round(hit.relevance, 5)) for hit in hits]


def filled(path: Path | None, size: int = N) -> tuple[EpisodicMemory, list[str], NDArray[np.float32]]:
    texts, vectors = corpus(7, size)
    memory = EpisodicMemory.open(path)
    memory.write_many(
        [
            TemplateDraft(content=text, key=vector, task=f"task {i % 3}", metadata={"half": i % 2, "rare": i == 11})
            for i, (text, vector) in enumerate(zip(texts, vectors, strict=True))
        ],
        namespace="alice",
    )
    return memory, texts, vectors


def test_some_are_looked_at_and_the_same_is_found(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    memory, texts, vectors = filled(None)
    random = np.random.default_rng(1)
    asked = []
    for place in random.integers(0, N, 40):
        words = random.permutation(texts[place].split())[:4]
        asked.append((" ".join(words), vectors[place] + random.normal(0, 0.5, WIDTH).astype(np.float32)))
    with memory:
        looked: list[int] = []
        real = pool.Shelf.cosines

        def count(self: pool.Shelf, query: NDArray[np.float32], places: NDArray[np.int64]) -> NDArray[np.float32]:
            looked.append(len(places))
            return real(self, query, places)

        monkeypatch.setattr(pool.Shelf, "cosines", count)
        monkeypatch.setattr(pool, "_PROPOSED", 48)
        some = [found(memory, text, vector, k=3) for text, vector in asked]
        assert max(looked) < N, "not all were looked at"
        monkeypatch.setattr(pool, "WHOLE", N)
        every = [found(memory, text, vector, k=3) for text, vector in asked]
        assert sum(map(len, every)) > 60
        same = sum(one[0] == other[0] for one, other in zip(some, every, strict=True) if other)
        assert same >= sum(map(bool, every)) - 1
        assert np.mean([len(set(one) & set(other)) / len(other) for one, other in zip(some, every, strict=True)]) > 0.95


def test_filters_reach_what_was_not_proposed(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_PROPOSED", 4)
    memory, texts, vectors = filled(None)
    with memory:
        assert [number for number, _ in found(memory, texts[500], vectors[500], where={"rare": True})] in ([], [12])
        (hit,) = memory.recall(vectors[500], namespace="alice", where={"rare": True}).hits
        assert hit.template.content == texts[11]
        for task in ("task 0", "task 2"):
            hits = memory.recall(vectors[500], namespace="alice", task=task, k=50).hits
            assert len(hits) == 50
            assert {hit.template.task for hit in hits} == {task}
        assert memory.recall(vectors[500], namespace="alice", task="task 9").hits == ()
        with pytest.raises(ValueError, match=r"vector must have the width of the templates, \[16\], got 3"):
            memory.recall(np.ones(3), namespace="alice")


def test_the_index_follows_what_is_written_and_forgotten(small: None, path: Path) -> None:
    memory, texts, vectors = filled(path)
    with memory, EpisodicMemory.open(path) as other:
        best = memory.recall(vectors[3], namespace="alice", k=1).hits[0].template
        assert best.content == texts[3]
        (near,) = other.write([TemplateDraft(content="the new one", key=vectors[3] + 1e-3)], namespace="alice")
        assert {hit.template.id for hit in memory.recall(vectors[3], namespace="alice", k=2).hits} == {near, best.id}
        other.forget([best.id], namespace="alice")
        assert memory.recall(vectors[3], namespace="alice", k=1).hits[0].template.id == near
        other.write_many(
            [TemplateDraft(content=f"more {i}", key=np.roll(vectors[i], 1)) for i in range(N)], namespace="alice"
        )
        for place in range(0, N, 50):
            hits = memory.recall(np.roll(vectors[place], 1), namespace="alice", k=1).hits
            assert hits[0].template.content == f"more {place}"


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_the_best_places_are_among_those_proposed(seed: int, k: int) -> None:
    texts, _ = corpus(seed, 300)
    index = WordIndex()
    index.add(*word_codes.from_blobs([word_codes.to_blob(words(text)) for text in texts]))
    random = np.random.default_rng(seed)
    there = random.random(300) < random.choice([0.5, 1.0])
    query = " ".join(random.permutation(texts[random.integers(300)].split())[:5])
    terms = index.find(query, there)
    proposed = best_places(terms, 300, k)
    scores = scores_at(terms, np.arange(300), 300)
    assert not scores[~there].any()
    np.testing.assert_allclose(scores_at(terms, np.sort(proposed), 300), scores[np.sort(proposed)], rtol=1e-5)
    wanted = highest(np.where(scores > 0, scores, -np.inf).astype(np.float32), k)
    np.testing.assert_allclose(np.sort(scores[proposed]), np.sort(scores[wanted]), rtol=1e-5)


def test_rows_are_proposed_by_the_index_as_by_the_product(small: None) -> None:
    random = np.random.default_rng(0)
    rows = VectorRows(WIDTH)
    for size in (50, 200, 5, 400):
        rows.add(random.normal(size=(size, WIDTH)).astype(np.float32))
        query = unit(random.normal(size=WIDTH).astype(np.float32))
        cosines = rows.cosines(query)
        wanted = np.sort(cosines)[-8:]
        np.testing.assert_allclose(np.sort(cosines[rows.nearest(query, 8)]), wanted, rtol=1e-6)
        some = random.integers(0, len(rows), 9)
        np.testing.assert_allclose(rows.cosines(query, some), cosines[some], atol=1e-6)


def test_a_shelf_that_was_interrupted_is_read_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, _, vectors = filled(None, 50)
    with memory:
        real = pool.Shelf._take

        def interrupted(self: pool.Shelf, rows: Any, group: int) -> None:
            real(self, rows, group)
            raise KeyboardInterrupt

        monkeypatch.setattr(pool.Shelf, "_take", interrupted)
        with pytest.raises(KeyboardInterrupt):
            memory.recall(vectors[3], namespace="alice")
        monkeypatch.undo()
        ids = [hit.template.id for hit in memory.recall(vectors[3], namespace="alice", k=100).hits]
        assert len(ids) == len(set(ids)) == 50
