from __future__ import annotations

import pytest

from evals.benches.memory_data import Query
from evals.benches.memory_rows import Run, row_of

QUERIES = [Query(text="a", about=0), Query(text="b", about=70), Query(text="c", about=1)]


def answer(query, seconds, rank, cpu=0.5):
    return {"query": query, "seconds": seconds, "rank": rank, "cpu": cpu}


def filled(**values):
    """A run of a store that has 4 + 46 of 100, and can be changed."""
    settings = {
        "store": "one",
        "templates": 100,
        "queries": QUERIES,
        "opened": {"name": "One", "durable": True, "synced": False},
        "singles": [0.5, 0.5, 0.5, 2.5],
        "bulk": {"added": 46, "seconds": 2.0, "cpu": 0.46},
        "first": [answer(0, 3.0, 0)],
        "both": [[answer(0, 0.1, 0), answer(1, 0.2, -1), answer(2, 0.9, 9)], [answer(2, 0.6, -1)]],
        "vector": [[answer(0, 0.4, -1)]],
        "after": [answer(0, 0.7, 0)],
        "full": [0.25, 0.75],
        "peak_mb": 12.5,
        "size_bytes": 5300,
        "cold_open": 1.0,
        "cold_first": 0.5,
    }
    return Run(**{**settings, **values})


def test_a_row_holds_rates_and_quantiles():
    row = row_of(filled(), 60.0)
    assert (row["store"], row["package"], row["templates"], row["held"]) == ("one", "One", 100, 50)
    assert (row["single_per_s"], row["full_per_s"], row["batch_per_s"]) == (1.0, 2.0, 23.0)
    assert (row["durable"], row["synced"]) == (True, False)
    assert row["batch_cpu_us"] == pytest.approx(10_000)
    assert row["single_p50_ms"] == 500
    assert 2000 < row["single_p99_ms"] < 2500
    assert row["recall_p50_ms"] == pytest.approx(1000 * (0.2 + 0.6) / 2)  # the median of the medians of the rounds
    assert row["recall_p99_ms"] == pytest.approx(900, rel=0.02)
    assert row["recall_cpu_ms"] == 500
    assert (row["vector_p50_ms"], row["after_p50_ms"]) == (400, 700)
    assert (row["first_s"], row["cold_open_s"], row["cold_s"], row["memory_mb"]) == (3.0, 1.0, 1.5, 12.5)
    assert row["asked"] == 4
    assert row["error"] is None


def test_recall_counts_queries_about_what_is_held():
    row = row_of(filled(), 60.0)
    assert row["recall_at_10"] == pytest.approx(2 / 3)  # the query about text 70 does not count
    assert row["vector_at_10"] == 0.0
    assert row_of(filled(bulk={"added": 96, "seconds": 1.0, "cpu": 1.0}), 60.0)["recall_at_10"] == pytest.approx(2 / 4)
    assert row_of(filled(both=[[answer(1, 0.1, -1)]]), 60.0)["recall_at_10"] is None


def test_the_size_is_shared_by_all_that_the_file_holds():
    row = row_of(filled(), 60.0)
    assert row["file_bytes_each"] == 5300 / 53  # 50 at first, 1 before a recall, 2 at the end
    assert row["file_mb"] == pytest.approx(0.0053)
    none = row_of(filled(size_bytes=0), 60.0)
    assert (none["file_mb"], none["file_bytes_each"]) == (None, None)


def test_one_that_ran_out_of_time_says_where_it_stopped():
    assert row_of(filled(), 60.0)["note"] == "stopped after 50: its 60 s were over"
    assert row_of(filled(bulk={"added": 96, "seconds": 1.0, "cpu": 1.0}), 60.0)["note"] == ""
    assert row_of(filled(error="it broke"), 60.0)["note"] == ""


def test_what_was_not_measured_is_none():
    row = row_of(Run(store="one", templates=100, queries=QUERIES, error="it broke"), 60.0)
    known = {"templates", "store", "note", "error"}
    assert {name for name, value in row.items() if value is not None} == known
    assert row["error"] == "it broke"
    assert list(row) == list(row_of(filled(), 60.0))


def test_one_that_others_filled_is_judged_on_all_of_it():
    run = Run(
        store="ro", templates=100, queries=QUERIES, held_before=100, both=[[answer(1, 0.1, 0), answer(0, 0.1, 0)]]
    )
    row = row_of(run, 60.0)
    assert (row["held"], row["recall_at_10"], row["note"], row["batch_per_s"]) == (100, 1.0, "", None)
