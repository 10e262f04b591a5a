from __future__ import annotations

import numpy as np
import pytest

from evals.benches import memory_worker
from evals.benches.memory_data import Sample, draw_sample
from evals.benches.memory_worker import Worker

STINGY = 1e-12


class Scripted:
    """A store that notes what it is given, and finds what it is told."""

    name, durable, synced, finds_words, finds_vectors = "scripted", True, False, True, True

    def __init__(self):
        self.calls = []
        self.hits = []

    def add(self, ids, texts, vectors):
        self.calls.append(("add", list(ids), list(texts), vectors.copy()))

    def add_one(self, id, text, vector):
        self.calls.append(("add_one", id, text, vector.copy()))

    def search(self, text, vector, k):
        self.calls.append(("search", text, vector.copy(), k))
        return self.hits

    def close(self):
        self.calls.append(("close",))


@pytest.fixture
def folder(tmp_path):
    draw_sample(tmp_path, 400, 6, among=300, width=8)
    return tmp_path


@pytest.fixture
def store(monkeypatch):
    scripted = Scripted()
    monkeypatch.setattr(memory_worker, "open_store", lambda name, folder, **settings: scripted)
    return scripted


@pytest.fixture
def worker(folder, store):
    made = Worker()
    opened = made.open(name="any", folder=str(folder), sample=str(folder))
    assert {key: opened[key] for key in ("name", "durable", "synced", "finds_words", "finds_vectors")} == {
        "name": "scripted",
        "durable": True,
        "synced": False,
        "finds_words": True,
        "finds_vectors": True,
    }
    return made


def test_singles_are_added_one_by_one_each_with_its_own_vector(worker, store, folder):
    taken = worker.add_singles(start=3, stop=6, budget=None)
    assert len(taken) == 3
    assert min(taken) >= 0
    sample = Sample(folder)
    for place, (what, id, text, vector) in enumerate(store.calls, start=3):
        assert (what, id, text) == ("add_one", f"t{place}", sample.texts[place])
        np.testing.assert_array_equal(vector, sample.vectors(place, place + 1)[0])


def test_all_are_added_in_bulk_once_and_in_order(worker, store, folder):
    done = worker.add_many(start=10, stop=400, budget=None)
    assert done["added"] == 390
    assert [id for call in store.calls for id in call[1]] == [f"t{number}" for number in range(10, 400)]
    np.testing.assert_array_equal(np.concatenate([call[3] for call in store.calls]), Sample(folder).vectors(10, 400))
    assert [text for call in store.calls for text in call[2]] == Sample(folder).texts[10:400]
    assert len(store.calls[0][1]) == 100


def test_a_spent_budget_ends_a_phase_after_the_call_that_spent_it(worker, store):
    assert len(worker.add_singles(start=0, stop=9, budget=STINGY)) == 1
    assert worker.add_many(start=0, stop=400, budget=STINGY)["added"] == 100
    assert len(worker.search(queries=[0, 1, 2], budget=STINGY)) == 1
    assert len(worker.search_after_adding(queries=[0, 1, 2], start=9, budget=STINGY)) == 1


def test_the_rank_is_that_of_the_text_the_query_is_about(worker, store, folder):
    queries = Sample(folder).queries
    wanted = f"t{queries[2].about}"
    store.hits = [("other", 0.9), (wanted, 0.8), ("third", 0.7)]
    assert worker.search(queries=[2], budget=None)[0]["rank"] == 1
    store.hits = [("other", 0.9)]
    answers = worker.search(queries=[2, 4], budget=None)
    assert [(each["query"], each["rank"]) for each in answers] == [(2, -1), (4, -1)]
    assert min(each["seconds"] for each in answers) > 0


def test_words_are_asked_for_or_left_out(worker, store, folder):
    worker.search(queries=[1], budget=None)
    worker.search(queries=[1], budget=None, words=False)
    sample = Sample(folder)
    assert [call[1] for call in store.calls] == [sample.queries[1].text, ""]
    for call in store.calls:
        np.testing.assert_array_equal(call[2], sample.query_vectors()[1])
        assert call[3] == memory_worker.K


def test_each_recall_after_an_addition_follows_one_of_its_own(worker, store):
    answers = worker.search_after_adding(queries=[0, 1], start=20, budget=None)
    assert [call[0] for call in store.calls] == ["add_one", "search", "add_one", "search"]
    assert [call[1] for call in store.calls[::2]] == ["t20", "t21"]
    assert [each["query"] for each in answers] == [0, 1]


def test_the_peak_of_memory_is_what_was_held_at_most(worker):
    before = worker.peak_mb()
    if before is None:
        pytest.skip("this system does not tell what a process holds")
    held = np.ones(50_000_000 // 8)
    assert held.sum() > 0
    del held
    assert worker.peak_mb() - before > 30


def test_the_encoder_is_timed_alone_and_in_batches(worker, monkeypatch):
    sizes = []

    class Encoder:
        def encode(self, texts):
            sizes.append(len(texts))

    monkeypatch.setattr("retention.default_encoder", Encoder, raising=False)
    speed = worker.encode(seed=0, count=128, seconds=1e9)
    assert min(speed.values()) > 0
    assert sizes == [1] + [1] * 128 + [64, 64]
