"""Recall by text: words and vectors together, a floor, a budget, filters; and caches that stay true."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retention import EpisodicMemory, TemplateDraft
from retention.memory import word_codes
from retention.memory.ranking import RankingConfig, says_the_same, scored, tokens
from retention.memory.vector_rows import VectorRows, highest, unit
from retention.memory.word_index import K1, B, WordIndex, scores_at
from retention.memory.words import terms, words

TEXTS = [
    "Maya keeps bees on the roof",
    "The train to Oslo leaves at nine",
    "Tom is allergic to peanuts",
    "The spare key hangs behind the door",
    "Maya moved to Oslo in spring",
]


def note(content: str, **changes: Any) -> TemplateDraft:
    return TemplateDraft(**({"key": np.ones(2), "content": content} | changes))


@pytest.fixture
def memory() -> Iterator[EpisodicMemory]:
    """A memory of texts whose vectors say nothing, without a share for neighbours."""
    with EpisodicMemory.open(None, recall=RankingConfig(neighbours=0)) as opened:
        opened.write([note(text) for text in TEXTS], namespace="alice")
        yield opened


def found(memory: EpisodicMemory, query: Any, **how: Any) -> list[str | None]:
    return [hit.template.content for hit in memory.recall(query, namespace="alice", **how).hits]


# -- words


def naive_bm25(texts: list[str], query: str) -> list[float]:
    """The formula, over every text and word."""
    split = [terms(text) for text in texts]
    mean = sum(map(len, split)) / max(len(split), 1)
    scores = []
    for said in split:
        score = 0.0
        for term in set(terms(query)):
            holding = sum(term in other for other in split)
            idf = np.log(1 + (len(split) - holding + 0.5) / (holding + 0.5))
            times = said.count(term)
            if times:
                score += idf * times * (K1 + 1) / (times + K1 * (1 - B + B * len(said) / mean))
        scores.append(score)
    return scores


def word_scores(index: WordIndex, query: str, there: NDArray[np.bool_]) -> tuple[NDArray[np.float32], float]:
    found = index.find(query, there)
    return scores_at(found, np.arange(len(index)), len(index)), sum(term.weight for term in found)


def add(index: WordIndex, texts: list[str]) -> None:
    index.add(*word_codes.from_blobs([word_codes.to_blob(words(text)) for text in texts]))


sentences = st.lists(st.sampled_from(["bee", "tree", "door", "key", "red", "blue", "train"]), max_size=6).map(" ".join)


@settings(deadline=None)
@given(st.lists(sentences, min_size=1, max_size=12), sentences, st.data())
def test_words_are_scored_as_the_formula_says(texts: list[str], query: str, data: st.DataObject) -> None:
    index = WordIndex()
    cut = data.draw(st.integers(0, len(texts)))
    add(index, texts[:cut])
    if data.draw(st.booleans()):
        index._sort()
    add(index, texts[cut:])
    there = np.array(data.draw(st.lists(st.booleans(), min_size=len(texts), max_size=len(texts))))
    scores, whole = word_scores(index, query, there)
    kept = [text for text, is_there in zip(texts, there, strict=True) if is_there]
    assert scores[there].tolist() == pytest.approx(naive_bm25(kept, query), rel=1e-5, abs=1e-6)
    assert not scores[~there].any()
    assert (whole > 0) == bool(terms(query))


def test_many_words_are_sorted_in(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = WordIndex(), WordIndex()
    texts = [f"word{i % 7} word{i % 3} common" for i in range(50)]
    there = np.ones(50, np.bool_)
    add(other, texts)
    wanted = word_scores(other, "word1", there)[0]
    assert len(other._sorted.place) == 0
    monkeypatch.setattr("retention.memory.word_index._LOOSE", 3)
    for number, text in enumerate(texts, start=1):
        add(one, [text])
        word_scores(one, "word1", there[:number])
    assert len(one._sorted.place) > 100
    np.testing.assert_allclose(word_scores(one, "word1", there)[0], wanted, rtol=1e-6)
    for query in ("word1 common", "word6", "nothing"):
        np.testing.assert_allclose(word_scores(one, query, there)[0], word_scores(other, query, there)[0], rtol=1e-6)


def test_recall_by_words(memory: EpisodicMemory) -> None:
    assert found(memory, "Who is allergic to peanuts?") == ["Tom is allergic to peanuts"]
    assert found(memory, "Where do the keys hang?") == ["The spare key hangs behind the door"]
    assert set(found(memory, "Maya in Oslo")) == {TEXTS[4], TEXTS[0], TEXTS[1]}
    assert found(memory, "Maya in Oslo")[0] == TEXTS[4]
    assert found(memory, "Maya in Oslo", k=1) == [TEXTS[4]]


def test_it_abstains_where_nothing_fits(memory: EpisodicMemory) -> None:
    nothing = memory.recall("quantum chromodynamics", namespace="alice")
    assert (nothing.hits, nothing.receipt_id, nothing.abstained) == ((), None, True)
    assert memory.recall("", namespace="alice").abstained
    assert memory.recall("of the", namespace="alice").abstained
    assert not memory.recall("peanuts", namespace="alice").abstained
    assert memory.recall("peanuts", namespace="bob").abstained


def test_what_a_hit_says(memory: EpisodicMemory) -> None:
    recall = memory.recall("allergic peanuts", namespace="alice")
    (hit,) = recall.hits
    assert 0.8 < hit.relevance <= 1
    assert hit.score == hit.relevance
    assert 0 <= hit.age < 60
    assert (hit.template.source, hit.template.utility, hit.template.uses) == ("user", 0, 0)
    assert recall.receipt_id is not None
    memory.update_outcome(recall.receipt_id, namespace="alice", rating=1)
    assert memory.get(hit.template.id, namespace="alice").uses == 1


# -- vectors and words


def vowels(texts: list[str]) -> Any:
    return np.array([[text.lower().count(vowel) for vowel in "aeiou"] for text in texts], np.float32)


def test_words_and_vectors_together() -> None:
    config = RankingConfig(neighbours=0, floor=0)
    with EpisodicMemory.open(None, encoder=vowels, recall=config) as memory:
        memory.write(
            [TemplateDraft(content=text) for text in ("aaa", "eee", "iii", "oeo", "eee iii")], namespace="alice"
        )
        assert found(memory, "xaxa", k=1) == ["aaa"]  # by its vector alone
        assert found(memory, "iii", k=1) == ["iii"]
        assert found(memory, "eee", k=3) == ["eee", "eee iii", "oeo"]
        assert found(memory, "xaxa", vector=[0, 0, 1, 0, 0], k=1) == ["iii"]
        memory.write([TemplateDraft(content="given", key=np.ones(5))], namespace="alice")
        assert found(memory, "given", k=1) == ["given"]  # by its words: nobody knows what made its vector


def test_an_answer_is_found_beside_its_question() -> None:
    with EpisodicMemory.open(None) as memory:
        memory.write(
            [note(t) for t in ("What is your sister called?", "Clara.", "Nice.", "Good night.")], namespace="alice"
        )
        assert found(memory, "what is the sister called", k=2) == ["What is your sister called?", "Clara."]


# -- rank, filters, budget


def test_utility_moves_the_order_within_bounds(memory: EpisodicMemory) -> None:
    memory.write([note("blue parrot", task="t"), note("blue ferret", task="t")], namespace="alice")
    assert found(memory, "blue", task="t") == ["blue parrot", "blue ferret"]
    for rating in (-1, 1) * 15:
        receipt = memory.recall("parrot" if rating < 0 else "ferret", namespace="alice", task="t").receipt_id
        assert receipt is not None
        memory.update_outcome(receipt, namespace="alice", rating=rating)
    first, second = memory.recall("blue", namespace="alice", task="t").hits
    assert (first.template.content, second.template.content) == ("blue ferret", "blue parrot")
    assert first.relevance == second.relevance
    assert first.relevance < first.score <= 1.2 * first.relevance
    assert 0.8 * second.relevance <= second.score < second.relevance
    assert found(memory, "blue parrot", task="t", k=1) == ["blue parrot"]  # a bounded part in it


def test_a_utility_moves_a_score_by_no_more_than_its_weight() -> None:
    worth = (-3.0, -0.1, -0.01, 0.0, 0.01, 0.1, 3.0)
    moved = [scored(0.5, utility, 0.2) for utility in worth]
    assert moved == sorted(moved)
    assert (moved[0], moved[3], moved[-1]) == (pytest.approx(0.4), 0.5, pytest.approx(0.6))
    assert moved[5] == pytest.approx(0.5 * (1 + 0.2 * np.tanh(0.6)))
    assert {scored(0.5, utility, 0.0) for utility in worth} == {0.5}
    assert {scored(-0.5, utility, 0.2) for utility in worth} == {-0.5}  # opposite: no fit that could be better or worse


def test_filters(memory: EpisodicMemory) -> None:
    memory.write(
        [
            note("red door", kind="fact", metadata={"room": 1, "by": "Tom"}),
            note("red roof", kind="rule", metadata={"room": 2}),
            note("red car", task="t", metadata={"room": None}),
            *(note(f"red thing number {i}") for i in range(100)),
        ],
        namespace="alice",
    )
    assert found(memory, "red", where={"room": 1}) == ["red door"]
    assert found(memory, "red", where={"room": 1, "by": "Maya"}) == []
    assert found(memory, "red", where={"room": None}) == ["red car"]
    assert found(memory, "red", kind=["fact", "rule"]) == ["red door", "red roof"]
    assert found(memory, "red", kind="rule") == ["red roof"]
    assert found(memory, "red", task="t") == ["red car"]
    assert found(memory, [1, 1], where={"room": 2}) == ["red roof"]
    assert len(found(memory, "red", k=50)) == 50


def test_a_budget_of_tokens(memory: EpisodicMemory) -> None:
    memory.write([note("lamp " * 40), note("lamp"), note("a lamp and a table")], namespace="alice")
    assert tokens("lamp") == 2
    assert found(memory, "lamp", max_tokens=8) == ["lamp", "a lamp and a table"]
    assert found(memory, "lamp", max_tokens=2) == ["lamp"]
    assert found(memory, "lamp", max_tokens=1) == []


def test_what_says_the_same_is_shown_once(memory: EpisodicMemory) -> None:
    memory.write(
        [
            note("Nina parks the van in lot 12", key=np.array([1, 0])),
            note("Nina parks the old van in lot 12", key=np.array([0, 1])),
            note("Nina parks the van in lot 13", key=np.array([1, 0])),
            note("Nina never parks the van in lot 12", key=np.array([1, 0])),
        ],
        namespace="alice",
    )
    shown = found(memory, "Where does Nina park the van?")
    assert len(shown) == 3
    assert len([text for text in shown if "12" in str(text) and "never" not in str(text)]) == 1
    assert says_the_same("the red and the blue one", "a red and blue one")
    assert not says_the_same("Alice owes Bob", "Bob owes Alice")
    assert not says_the_same("red", "blue")


def test_withholding_is_noted_and_spares_the_pinned() -> None:
    with EpisodicMemory.open(None, recall=RankingConfig(withhold=0.5, neighbours=0)) as memory:
        memory.write([note(f"lamp {i}", pinned=i == 0) for i in range(10)], namespace="alice")
        kept_back = 0
        for _ in range(40):
            recall = memory.recall("lamp", namespace="alice", k=10)
            shown = {hit.template.id for hit in recall.hits}
            assert 1 in shown
            assert shown | set(recall.withheld) == set(range(1, 11))
            assert not shown & set(recall.withheld)
            kept_back += len(recall.withheld)
            assert recall.receipt_id is not None
            memory.update_outcome(recall.receipt_id, namespace="alice", rating=1)
        assert 0.35 < kept_back / (40 * 9) < 0.65
        uses = [template.uses for template in memory.templates(namespace="alice")]
        assert uses[0] == 40
        assert sum(uses) == 400 - kept_back
        assert memory.verify() == []


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"k": 0}, "k must be at least 1, got 0"),
        ({"max_tokens": 0}, "max_tokens must be at least 1, got 0"),
        ({"kind": ""}, "kind must have 1 to"),
        ({"namespace": ""}, "namespace must have 1 to"),
    ],
)
def test_wrong_questions_are_refused(memory: EpisodicMemory, how: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        memory.recall("peanuts", **({"namespace": "alice"} | how))
    with pytest.raises(ValueError, match="a query that is a vector needs no other"):
        memory.recall([1, 0], vector=[1, 0], namespace="alice")


@pytest.mark.parametrize(
    "change", [{"words": 1.1}, {"neighbours": -0.1}, {"floor": float("nan")}, {"utility": 2}, {"withhold": 1}]
)
def test_wrong_settings_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(change))} must lie in"):
        RankingConfig(**change)


# -- caches


def test_what_others_write_and_forget_shows(path: Path) -> None:
    with EpisodicMemory.open(path) as memory, EpisodicMemory.open(path) as other:
        assert found(memory, "lamp") == []
        (number,) = other.write([note("the green lamp")], namespace="alice")
        assert found(memory, "lamp") == ["the green lamp"]
        other.write([note("the red lamp", key=np.ones(3), task="t"), note("a fan")], namespace="alice")
        assert found(memory, "lamp", k=3) == ["the green lamp", "the red lamp"]
        assert found(memory, [1, 1, 1]) == ["the red lamp"]
        other.forget([number], namespace="alice")
        assert found(memory, "lamp") == ["the red lamp"]
        other.forget_namespace("alice")
        assert found(memory, "lamp") == []
        other.write([note("the blue lamp")], namespace="alice")
        assert found(memory, "lamp") == ["the blue lamp"]


def test_encoding_anew_shows(path: Path) -> None:
    with EpisodicMemory.open(path, encoder=vowels) as memory, EpisodicMemory.open(path) as other:
        memory.write([TemplateDraft(content="oooo")], namespace="alice")
        assert found(memory, [0, 0, 0, 1, 0]) == ["oooo"]
        other.reembed(lambda texts: np.ones((len(texts), 3)))
        assert found(memory, [1, 1, 1]) == ["oooo"]
        with pytest.raises(ValueError, match=r"width of the templates, \[3\], got 5"):
            memory.recall([0, 0, 0, 1, 0], namespace="alice")


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(["write", "forget", "down", "up"]), st.integers(0, 5)), max_size=12))
def test_a_cache_finds_what_a_new_one_finds(acts: list[tuple[str, int]]) -> None:
    with EpisodicMemory.open(None, recall=RankingConfig(floor=0)) as memory:
        for act, i in acts:
            if act == "write":
                memory.write([note(f"lamp {'xyzuvw'[i]}", key=np.eye(3)[i % 3])], namespace="alice")
            elif act == "forget":
                memory.forget([i], namespace="alice")
            else:
                memory.pin([i], namespace="alice", pinned=act == "up")
            warm = [(hit.template.id, hit.score) for hit in memory.recall("lamp", namespace="alice", k=9).hits]
            near = [hit.template.id for hit in memory.recall([1, 0, 0], namespace="alice", k=9).hits] if warm else []
            (shelf, _, _) = memory._shelves._held["alice"]
            assert int(shelf.there.sum()) == len(memory.templates(namespace="alice"))
            memory._shelves.clear()
            cold = [(hit.template.id, hit.score) for hit in memory.recall("lamp", namespace="alice", k=9).hits]
            assert [number for number, _ in warm] == [number for number, _ in cold]
            assert [score for _, score in warm] == pytest.approx([score for _, score in cold], abs=1e-5)
            assert len(near) == len(warm)
            assert sorted(number for number, _ in warm) == [t.id for t in memory.templates(namespace="alice")]


def test_few_namespaces_are_held(memory: EpisodicMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retention.memory.shelves.NAMESPACES", 2)
    for name in ("alice", "bob", "carol", "alice"):
        memory.recall("peanuts", namespace=name)
    assert list(memory._shelves._held) == ["carol", "alice"]
    assert found(memory, "peanuts") == ["Tom is allergic to peanuts"]


def test_threads_recall_while_others_write(path: Path) -> None:
    failed: list[BaseException] = []
    with EpisodicMemory.open(path) as memory:

        def run(number: int) -> None:
            try:
                for i in range(15):
                    memory.write([note(f"lamp {'abc'[number] * (i + 3)}")], namespace="alice")
                    assert found(memory, f"lamp {'abc'[number] * (i + 3)}", k=3)
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert len(found(memory, "lamp", k=100)) == 45


# -- vectors


@given(st.integers(0, 30), st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_the_highest(n: int, k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, 5, n).astype(np.float32)
    scores[random.random(n) < 0.2] = -np.inf
    wanted = [i for i in sorted(range(n), key=lambda i: (-scores[i], i)) if scores[i] > -np.inf][:k]
    assert highest(scores, k).tolist() == wanted


def test_rows_of_vectors() -> None:
    rows = VectorRows(2)
    for _ in range(5):
        rows.add(np.array([[3, 4], [0, 0]], np.float32))
    assert len(rows) == 10
    np.testing.assert_allclose(rows.cosines(np.array([1, 0], np.float32)), [0.6, 0] * 5, rtol=1e-6)
    np.testing.assert_allclose(unit(np.array([1e30, 1e30], np.float32)), np.sqrt([0.5, 0.5]), rtol=1e-6)
    np.testing.assert_allclose(unit(np.array([[1e-40, 0]], np.float32)), [[1, 0]], rtol=1e-6)
