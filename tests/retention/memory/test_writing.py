"""Texts: written many at a time, merged where they say the same, gone when their time has run out, pinned."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention import EpisodeDraft, EpisodicMemory, NotFoundError, TemplateDraft


def note(content: str, *key: float, **changes: Any) -> TemplateDraft:
    return TemplateDraft(key=np.array(key or (1.0, 0.0)), content=content, **changes)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move the time that the memory sees."""
    start, shift = time.time(), [0.0]
    monkeypatch.setattr("time.time", lambda: start + shift[0])

    def move(seconds: float) -> None:
        shift[0] += seconds

    return move


def contents(memory: EpisodicMemory, **how: Any) -> list[str | None]:
    return [template.content for template in memory.templates(namespace="alice", **how)]


def test_nearly_the_same_words_with_nearly_the_same_vector_are_one_template() -> None:
    with EpisodicMemory.open(None) as memory:
        report = memory.write_many(
            [
                note("User likes tea", 1, 0),
                note("the user likes tea!", 1, 0.2),
                note("User likes tea", 0, 1),  # what made this vector saw something else in it
                note("The user likes tea.", 0.1, 1),
                note("User likes coffee", 1, 0),
                note("User does not like tea", 1, 0),
                note("the user likes tea", 1, 0, encoder="other"),
            ],
            namespace="alice",
        )
        assert report.ids == (1, 1, 2, 2, 3, 4, 5)
        assert (report.offered, report.kept, report.merged) == (7, 5, 2)
        assert [t.count for t in memory.templates(namespace="alice")] == [2, 2, 1, 1, 1]
        assert contents(memory)[0] == "User likes tea"
        again = memory.write_many([note("A user likes tea", 1, 0.1), note("new words")], namespace="alice")
        assert (again.ids, again.kept, again.merged) == ((1, 6), 1, 1)
        assert memory.verify() == []


def test_of_two_that_are_near_the_nearest_is_seen_again() -> None:
    with EpisodicMemory.open(None) as memory:
        ids = memory.write([note("it is so", 1, 0), note("it is so", 1, 0.6)], namespace="alice")
        assert len(set(ids)) == 2
        assert memory.write([note("It is so.", 1, 0.4)], namespace="alice") == [ids[1]]
        assert memory.write([note("It is so.", 1, 0.1)], namespace="alice") == [ids[0]]


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.sampled_from(["red", "the Red", "blue"]), st.integers(0, 2), st.sampled_from("ab"))),
    st.integers(1, 4),
)
def test_writing_many_is_writing_one_by_one(told: list[tuple[str, int, str]], batch: int) -> None:
    drafts = [note(content, *np.eye(3)[axis], task=task) for content, axis, task in told]
    with EpisodicMemory.open(None) as one, EpisodicMemory.open(None) as many:
        ids = [one.write([draft], namespace="alice")[0] for draft in drafts]
        report = many.write_many(iter(drafts), namespace="alice", batch=batch, progress=False)
        assert list(report.ids) == ids
        assert report.kept == len(set(ids))
        for view in (lambda t: t.count, lambda t: t.content, lambda t: t.task):
            assert [view(t) for t in one.templates(namespace="alice")] == [
                view(t) for t in many.templates(namespace="alice")
            ]


def test_a_batch_is_kept_as_a_whole_and_those_before_it_too() -> None:
    with EpisodicMemory.open(None) as memory:

        def offered() -> Iterator[TemplateDraft]:
            yield from (note(f"word {i}") for i in range(5))
            raise RuntimeError("planted")

        with pytest.raises(RuntimeError, match="planted"):
            memory.write_many(offered(), namespace="alice", batch=2)
        assert contents(memory) == ["word 0", "word 1", "word 2", "word 3"]
        with pytest.raises(ValueError, match="keys of task '' and kind 'text' must have one width"):
            memory.write([note("a", 1), note("b", 1, 2)], namespace="bob")
        with pytest.raises(ValueError, match="batch must be at least 1, got 0"):
            memory.write_many([], namespace="alice", batch=0)
        with pytest.raises(ValueError, match="namespace must have"):
            memory.write_many([], namespace="")
        assert memory.write_many([], namespace="alice").ids == ()


def test_what_has_run_out_is_gone(clock: Callable[[float], None], path: Path) -> None:
    with EpisodicMemory.open(path) as memory:
        memory.write(
            [note("soon", ttl=10), note("later", ttl=100), note("pinned", ttl=10, pinned=True)], namespace="alice"
        )
        first = memory.get(1, namespace="alice")
        assert first.expires == pytest.approx(first.created + 10)
        assert contents(memory) == ["soon", "later", "pinned"]
        _, revision = memory.transitions(namespace="alice", task="t")
        clock(11)
        assert contents(memory) == ["later", "pinned"]
        assert memory.template_count(namespace="alice", task="") == 2
        assert {hit.template.content for hit in memory.recall([1, 0], namespace="alice").hits} == {"later", "pinned"}
        with pytest.raises(NotFoundError):
            memory.get(1, namespace="alice")
        assert memory.pin([1], namespace="alice") == 0
        assert memory.compact().expired == 1
        assert memory.removed_since(revision, namespace="alice")
        assert memory.stats()["tasks"][0]["templates"] == 2
        clock(100)
        memory.write([note("new")], namespace="alice")  # writing clears up, too
        assert memory.stats()["tasks"][0]["templates"] == 2
        memory.pin([3], namespace="alice", pinned=False)
        assert contents(memory) == ["new"]
        assert memory.verify() == []


def test_what_is_seen_again_stays_for_the_longer_time() -> None:
    with EpisodicMemory.open(None) as memory:

        def expires(*ttls: float | None) -> float | None:
            (number, *_) = [memory.write([note(f"word {ttls}", ttl=ttl)], namespace="alice")[0] for ttl in ttls]
            template = memory.get(number, namespace="alice")
            return None if template.expires is None else round(template.expires - template.created)

        assert expires(10, 100) == 100
        assert expires(100, 10) == 100
        assert expires(10, None) is None
        assert expires(None, 10) is None


@pytest.mark.parametrize("ttl", [0, -1, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(ttl: float) -> None:
    with pytest.raises(ValueError, match="ttl must be a finite number of seconds above 0"):
        note("a", ttl=ttl)


def test_the_least_useful_are_discarded(draft: Callable[..., EpisodeDraft]) -> None:
    with EpisodicMemory.open(None) as memory:
        memory.write([note(f"word {i}", task="t", pinned=i == 0) for i in range(6)], namespace="alice")
        memory.write([note("word 1", task="t"), note("fact", kind="fact")], namespace="alice")
        memory.write([note("word 9")], namespace="bob")
        for return_, number in ((0.0, 6), (1.0, 5), (0.0, 4), (1.0, 5)):
            memory.commit_episode(draft(return_, task="t"), recalled={number: 1.0})
        report = memory.trim(3, namespace="alice")
        assert (report.offered, report.kept) == (6, 3)
        assert report.discarded == (4, 3, 6)  # 4 failed; 3 and 6 are as they were, and 2 was seen twice
        assert contents(memory, kind="text") == ["word 0", "word 1", "word 4"]
        assert memory.trim(3, namespace="alice").discarded == ()
        assert memory.trim(0, namespace="alice").kept == 1
        assert contents(memory) == ["word 0", "fact"]
        assert len(memory.templates(namespace="bob")) == 1
        assert memory.verify() == []
        with pytest.raises(ValueError, match="limit must not be negative, got -1"):
            memory.trim(-1, namespace="alice")


def test_compacting_gives_space_back(path: Path) -> None:
    with EpisodicMemory.open(path) as memory:
        memory.write_many([note(f"word {i}", *np.eye(200)[i % 200]) for i in range(500)], namespace="alice")
        memory.forget(range(1, 450), namespace="alice")
        done = memory.compact()
        assert done.bytes_before > 2 * done.bytes_after
        assert path.stat().st_size == done.bytes_after
        assert len(memory.templates(namespace="alice")) == 51
        assert memory.verify() == []
