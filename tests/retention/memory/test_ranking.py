"""Ranking by text: the parts by hand, and what each of them is for."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention import EpisodicMemory, TemplateDraft
from retention.memory import shelf, word_codes
from retention.memory.background import Background
from retention.memory.ranking import RankingConfig, common_names, fused, names_in, preferring, with_neighbours
from retention.memory.vector_rows import unit
from retention.memory.word_index import WordIndex
from retention.memory.words import words


def alike(rows: np.ndarray, query: np.ndarray, made: Background | None = None) -> np.ndarray:
    direction, nothing, scale = (made or Background(rows)).direction(query)
    assert float(np.linalg.norm(direction)) == pytest.approx(1, abs=1e-6)
    return (rows @ direction - nothing) / scale


def two_speakers(seed: int, *, count: int = 400, width: int = 32) -> np.ndarray:
    """Rows that are a speaker, more or less, and something of their own."""
    random = np.random.default_rng(seed)
    speakers = np.eye(width)[:2]
    own = random.normal(size=(count, width)) * random.uniform(0.05, 0.3, count)[:, None]
    return unit((speakers[random.integers(0, 2, count)] + own).astype(np.float32))


# -- words and vectors


def test_fusing() -> None:
    scores, likeness = np.array([4, 0, 2, 9], np.float32), np.array([0.0, 1.2, np.nan, 0.5], np.float32)
    np.testing.assert_allclose(fused(scores, 8.0, likeness, 0.25), [0.125, 0.75, 0.25, 0.25 + 0.75 * 0.5], rtol=1e-6)
    np.testing.assert_allclose(fused(scores, 0.0, likeness, 0.25), [0, 1, 0, 0.5], rtol=1e-6)
    np.testing.assert_allclose(fused(scores, 8.0, np.full(4, np.nan, np.float32), 0.25), [0.5, 0, 0.25, 1])
    assert fused(scores, 8.0, likeness, 0.25).dtype == np.float32


# -- the background


def naive_background(rows: np.ndarray, query: np.ndarray) -> tuple[np.ndarray, float]:
    """The formula, template by template."""
    count, width = rows.shape
    mean = sum(rows.astype(np.float64)) / (count + 20)
    spread = 50 / width * np.eye(width)
    for row in rows.astype(np.float64):
        spread += np.outer(row - mean, row - mean)
    spread /= count + 50
    damping = np.linalg.inv(spread + 10 * np.trace(spread) / width * np.eye(width))
    apart = query - mean
    length = math.sqrt(apart @ damping @ apart) * math.sqrt(np.trace(damping @ spread))
    eigen = np.linalg.eigvals(damping @ spread).real
    return np.array([(row - mean) @ damping @ apart / length for row in rows]), math.sqrt(sum(eigen**2)) / sum(eigen)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 12), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_likeness_is_what_the_formula_says(count: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = unit(random.normal(size=(count, width)).astype(np.float32).reshape(count, width))
    query = unit(random.normal(size=width).astype(np.float32))
    wanted, by_chance = naive_background(rows, query)
    np.testing.assert_allclose(alike(rows, query), wanted, atol=1e-5)
    assert Background(rows).by_chance == pytest.approx(by_chance, rel=1e-6)


def test_what_all_share_says_nothing() -> None:
    rows = two_speakers(0)
    speaker, subject = np.eye(32, dtype=np.float32)[[0, 9]]
    plain, telling = speaker, unit(0.8 * speaker + 0.6 * subject)  # "Maya: Who else?", "Maya: I keep bees"
    query = unit(0.97 * speaker + 0.24 * subject)  # "What animals does Maya keep?", mostly her name
    assert plain @ query > telling @ query + 0.04  # by cosine the one that says nothing is the nearer
    found = alike(np.concatenate([rows, [plain, telling]]), query)
    assert found[-1] > found[-2] + 0.04


def test_a_likeness_by_chance_is_known_beforehand() -> None:
    random = np.random.default_rng(1)
    for width, count in ((64, 500), (256, 1500)):
        rows = unit(random.normal(size=(count, width)).astype(np.float32))
        made, best, spreads = Background(rows), [], []
        for _ in range(60):
            found = alike(rows, unit(random.normal(size=width).astype(np.float32)), made)
            best.append(found.max())
            spreads.append(found.std())
        assert np.mean(spreads) == pytest.approx(made.by_chance, rel=0.15)
        assert np.mean(best) == pytest.approx(made.best_by_chance(count), rel=0.2)
        assert made.best_by_chance(1) == 0
        assert made.best_by_chance(0) == 0


def test_few_or_no_rows_are_compared_as_they_are() -> None:
    assert Background(np.zeros((0, 3), np.float32)).best_by_chance(0) == 0
    same = unit(np.array([1, 1], np.float32))
    assert alike(same[None], same)[0] == pytest.approx(1, abs=0.05)
    zero = Background(np.zeros((2, 3), np.float32))
    direction, nothing, scale = zero.direction(np.zeros(3, np.float32))
    assert (direction.tolist(), nothing, scale) == ([0, 0, 0], 0.0, 1.0)


def test_a_background_is_made_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def noted(rows: np.ndarray) -> Background:
        made.append(len(rows))
        return Background(rows)

    monkeypatch.setattr(shelf, "Background", noted)
    with EpisodicMemory.open(None) as memory:
        for number, row in enumerate(two_speakers(3, count=120)):
            memory.write([TemplateDraft(content=f"text {number}", key=row)], namespace="alice")
            memory.recall("text", vector=row, namespace="alice")
    assert made == sorted(set(made))
    assert len(made) < 16
    assert 120 / 1.6 < made[-1] <= 120


def test_a_background_does_not_depend_on_what_was_forgotten(tmp_path: Path) -> None:
    rows = two_speakers(4, count=80)
    drafts = [TemplateDraft(content=f"text {number}", key=row) for number, row in enumerate(rows)]
    path = tmp_path / "memory.db"

    def relevances(memory: EpisodicMemory) -> list[tuple[int, float]]:
        hits = memory.recall("which text is it", vector=rows[70], namespace="alice", k=20).hits
        return [(hit.template.id, hit.relevance) for hit in hits]

    with EpisodicMemory.open(path, recall=RankingConfig(floor=0)) as memory:
        ids = memory.write(drafts, namespace="alice")
        assert relevances(memory)
        for gone in (ids[:30], ids[40:45], [ids[33]]):
            memory.forget(gone, namespace="alice")
            with EpisodicMemory.open(path, mode="ro", recall=RankingConfig(floor=0)) as fresh:
                assert relevances(memory) == relevances(fresh) != []
        memory.write([TemplateDraft(content="one more", key=rows[0])], namespace="alice")
        with EpisodicMemory.open(path, mode="ro", recall=RankingConfig(floor=0)) as fresh:
            assert relevances(memory) == relevances(fresh)


# -- neighbours


def naive_neighbours(relevance: list[float], groups: list[int], share: float) -> list[float]:
    found = []
    for place, own in enumerate(relevance):
        gained = 0.0
        for steps in (1, 2):
            near = [place - steps, place + steps]
            there = [n for n in near if 0 <= n < len(groups) and groups[n] == groups[place]]
            gained += share / steps * max([max(relevance[n], 0.0) for n in there], default=0.0)
        found.append((own + gained) / (1 + 1.5 * share))
    return found


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1, width=32), st.integers(0, 1)), max_size=9),
    st.floats(0, 1),
    st.randoms(use_true_random=False),
)
def test_neighbours_share_their_relevance(rows: list[tuple[float, int]], share: float, random: object) -> None:
    relevance = [float("-inf") if value < 0.1 else value for value, _ in rows]
    groups = [group for _, group in rows]
    order = np.random.default_rng(len(rows)).permutation(len(rows))  # of writing, not of places
    wanted = naive_neighbours([relevance[i] for i in order], [groups[i] for i in order], share)
    shared = with_neighbours(np.array(relevance, np.float32), np.array(groups, np.int32), order, share)
    if len(rows) > 1 and share:
        np.testing.assert_allclose(shared[order], wanted, rtol=1e-5)
    else:
        assert shared.tolist() == pytest.approx(relevance)
    assert not (shared > 1).any()


# -- names


def index_of(texts: list[str]) -> WordIndex:
    index = WordIndex()
    index.add(*word_codes.from_blobs([word_codes.to_blob(words(text)) for text in texts]))
    return index


def test_names_are_words_with_a_capital() -> None:
    assert names_in("Where did Maya's friend Émile meet O'Brien, and why?") == "Maya's Émile O'Brien"
    assert names_in("Return the value of it (NaN if none)") == "NaN"
    assert names_in("what did maya say") == names_in("Maya?") == names_in("") == ""


def test_common_names_are_those_of_many_texts() -> None:
    texts = ["Maya: hello"] * 12 + ["Tom: hello Maya"] * 10 + ["Tom: a comet"] * 4
    there, places = np.ones(len(texts), np.bool_), np.arange(len(texts))
    index = index_of(texts)
    maya = index.find("Maya Comet", there)  # the comet is in four texts alone
    found = common_names(maya, len(texts), places, len(texts))
    assert found is not None
    assert found.tolist() == [1.0] * 22 + [0.0] * 4
    both = common_names(index.find("Maya Tom", there), len(texts), places[10:25], len(texts))
    assert both is not None
    assert both.tolist() == [0.5] * 2 + [1.0] * 10 + [0.5] * 3
    assert common_names(index.find("Comet", there), len(texts), places, len(texts)) is None
    assert common_names(index.find("", there), len(texts), places, len(texts)) is None
    assert common_names(maya, 1000, places, len(texts)) is None  # one in ten, and ten at least
    relevance = np.array([0.5, 0.4], np.float32)
    np.testing.assert_allclose(preferring(relevance, np.array([0, 1], np.float32), 0.3), [0.35, 0.4])
    np.testing.assert_allclose(preferring(relevance, np.array([0.5, 1], np.float32), 0.3), [0.425, 0.4])
    assert preferring(relevance, None, 0.3) is relevance


def test_who_is_asked_about_comes_first() -> None:
    chat = [f"{name}: chatter {i}" for i in range(15) for name in ("Maya", "Tom")]
    texts = ["Tom: violin!", *chat, "Maya: My violin is old."]
    ratios = []
    for part in (0.0, 0.3):
        with EpisodicMemory.open(None, recall=RankingConfig(names=part, neighbours=0)) as memory:
            memory.write([TemplateDraft(content=text, key=np.ones(2)) for text in texts], namespace="alice")
            hits = memory.recall("Whose violin, Maya?", namespace="alice", k=100).hits
        found = {hit.template.content: hit.relevance for hit in hits}
        assert all(0 < relevance <= 1 for relevance in found.values())
        ratios.append(found["Tom: violin!"] / found["Maya: My violin is old."])
    assert ratios[1] == pytest.approx(0.7 * ratios[0], rel=1e-5)


# -- abstaining


def test_the_level_by_hand() -> None:
    config = RankingConfig(words=0.4, neighbours=0.2, chance=2.0)
    assert config.level(0.3) == pytest.approx(2 * 0.6 * 0.3 / 1.3)
    assert config.level(None) == pytest.approx(2 * 0.15 / 1.3)
    assert RankingConfig(floor=0).level(0.3) == 0
    with pytest.raises(ValueError, match="chance must be finite and not negative, got -1"):
        RankingConfig(chance=-1)
    with pytest.raises(ValueError, match="names must lie in"):
        RankingConfig(names=2)


def test_it_abstains_from_what_is_no_better_than_chance() -> None:
    random = np.random.default_rng(5)
    rows = unit(random.normal(size=(300, 64)).astype(np.float32))
    for chance, most in ((1.0, 0.9), (1.6, 0.02)):
        with EpisodicMemory.open(None, recall=RankingConfig(chance=chance, words=0)) as memory:
            drafts = [TemplateDraft(content=f"{i}", key=row) for i, row in enumerate(rows)]
            memory.write(drafts, namespace="alice")
            asked = [unit(random.normal(size=64).astype(np.float32)) for _ in range(60)]
            answered = [bool(memory.recall("what?", vector=query, namespace="alice").hits) for query in asked]
            assert np.mean(answered) <= most
            near = [unit(row + 0.1 * query) for row, query in zip(rows, asked, strict=False)]
            for number, query in enumerate(near):
                hits = memory.recall("what?", vector=query, namespace="alice", k=20).hits
                assert hits[0].template.content == f"{number}"
                assert 0.5 < hits[0].relevance <= 1
    with EpisodicMemory.open(None, recall=RankingConfig(floor=0, chance=50)) as memory:
        memory.write([TemplateDraft(content="a red lamp", key=rows[0])], namespace="alice")
        assert not memory.recall("lamp", vector=rows[1], namespace="alice").abstained


def test_what_was_said_in_these_words_is_found_also_in_a_space_where_all_is_alike() -> None:
    with EpisodicMemory.open(None, encoder=lambda texts: np.array([[1.0, len(text) % 3] for text in texts])) as memory:
        texts = ["grass grows green", "the red door", "blue", "the cat sat on the mat", "not the red door", "red doors"]
        ids = memory.write(
            [
                TemplateDraft(content=text, key=np.array([1.0, 0.1]) if place % 2 else None)
                for place, text in enumerate(texts)
            ],
            namespace="alice",
        )
        for number, text in zip(ids, texts, strict=True):
            assert number in [hit.template.id for hit in memory.recall(text, namespace="alice").hits]
    assert RankingConfig().level(5.0) == RankingConfig().level(50.0) < 0.21
    assert RankingConfig(chance=2.0).level(5.0) == 2 * RankingConfig().level(5.0)
