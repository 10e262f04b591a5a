from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from evals.benches import index as bench
from evals.benches.index import all_on_one_thread, engines, measure, measure_engine, recall, resident_mb
from evals.benches.index_command import index as command
from evals.benches.index_engines import Engine

NAMES = ["holdfast dense", "holdfast scan", "holdfast trained"]


class Counting(Engine):
    """Finds what it is told, and cannot delete."""

    def __init__(self, found):
        self.found = found

    def build(self, vectors):
        self.built = len(vectors)

    def search(self, queries, k):
        return self.found[: len(queries), :k]

    removes = False

    def add(self, position, vector):
        raise AssertionError("nothing was deleted")

    def delete(self, position):
        raise AssertionError("it says that it cannot")


def test_a_small_measurement_has_a_row_for_each_tier():
    rows = list(measure([1000], kinds=["iid"], peers=False, queries=8))
    assert [(row["slots"], row["data"], row["engine"]) for row in rows] == [(1000, "iid", name) for name in NAMES]
    for row in rows:
        if row["error"] is None:
            assert (row["recall_1"], row["recall_32"]) == (1.0, 1.0)
            assert min(row["p50_us"], row["add_us"], row["delete_us"], row["batch_us"], row["build_s"]) > 0
            assert row["p99_us"] >= row["p50_us"]
        else:
            assert "pip install 'holdfast[index]'" in row["error"]
    assert [row["error"] for row in rows[:2]] == [None, None]


def test_each_measurement_is_announced():
    told = []
    list(measure([1000], kinds=["iid"], peers=False, queries=2, on_start=told.append))
    assert told == [f"{name}, 1,000 iid" for name in NAMES]


def test_recall_is_the_share_that_was_found():
    wanted = np.arange(64).reshape(2, 32)
    found = wanted[:, ::-1].copy()
    found[0, :8] = -1
    assert recall(found, wanted) == 1 - 8 / 64
    row = measure_engine(lambda: Counting(found), np.zeros((40, 2)), np.zeros((2, 2)), wanted)
    assert (row["recall_1"], row["recall_32"]) == (0.0, 1 - 8 / 64)
    assert measure_engine(lambda: Counting(wanted), np.zeros((40, 2)), np.zeros((2, 2)), wanted)["recall_1"] == 1.0


def test_what_an_engine_cannot_do_is_left_open():
    wanted = np.arange(64).reshape(2, 32)
    row = measure_engine(lambda: Counting(wanted), np.zeros((40, 2)), np.zeros((2, 2)), wanted)
    assert (row["add_us"], row["delete_us"], row["error"]) == (None, None, None)


def test_an_engine_that_fails_is_a_row_with_its_error():
    def broken():
        raise RuntimeError("no luck")

    row = measure_engine(broken, np.zeros((40, 2)), np.zeros((2, 2)), np.zeros((2, 32)))
    assert row["error"] == "RuntimeError: no luck"
    assert row["p50_us"] is None


def test_a_library_that_is_not_installed_has_no_row(monkeypatch):
    def missing():
        raise ImportError

    monkeypatch.setattr(bench, "PEERS", {"there": lambda: Counting(None), "missing": missing})
    assert list(engines(peers=True)) == [*NAMES, "there"]
    assert list(engines(peers=False)) == NAMES


def test_memory_is_told_in_megabytes():
    before = resident_mb()
    held = np.ones(30_000_000 // 8)
    after = resident_mb()
    assert held.sum() > 0
    if before is None or after is None:
        pytest.skip("this system does not tell what a process holds")
    assert 25 < after - before < 40


def test_threads_are_given_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with all_on_one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("wrong", [{"sizes": [999]}, {"queries": 0}])
def test_wrong_numbers_are_named(wrong):
    with pytest.raises(ValueError, match="sizes must be at least 1000 and queries at least 1, got"):
        list(measure(**{"sizes": [1000], **wrong}))


def row_of(**values):
    numbers = dict.fromkeys(
        ("build_s", "add_us", "delete_us", "p50_us", "p99_us", "batch_us", "recall_1", "recall_32", "memory_mb"), 1.5
    )
    return {"slots": 1000, "data": "iid", "engine": "one", **numbers, "error": None, **values}


def test_the_command_prints_a_table_for_each_size_and_says_what_failed(monkeypatch):
    rows = [row_of(), row_of(slots=12_000, delete_us=None), row_of(slots=12_000, engine="two", error="it broke")]
    asked = {}

    def fake(sizes, *, kinds, peers, on_start):
        asked.update(sizes=sizes, kinds=kinds, peers=peers)
        on_start("one, 1,000 iid")
        return iter(rows)

    monkeypatch.setattr(bench, "measure", fake)
    done = CliRunner().invoke(command, ["--slots", "1000", "--slots", "12000", "--huge", "--data", "iid", "--no-peers"])
    assert done.exit_code == 0, done.output
    assert asked == {"sizes": (1000, 12_000, 10_000_000), "kinds": ("iid",), "peers": False}
    assert "1/9 one, 1,000 iid" in done.stderr
    assert done.stdout.count("R@32") == 2
    assert "index: 12,000 slots, iid" in done.stdout
    assert "two on 12,000 iid failed: it broke" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_the_command_prints_json(monkeypatch):
    monkeypatch.setattr(bench, "measure", lambda sizes, **_: iter([row_of()]))
    done = CliRunner().invoke(command, ["--json", "--no-peers"])
    assert json.loads(done.stdout) == {"bench": "index", "rows": [row_of()]}
