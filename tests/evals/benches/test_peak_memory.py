from __future__ import annotations

import pytest
import torch

from evals.benches.layer_lineup import Entry
from evals.benches.peak_memory import answer, highest, peak_megabytes, peak_of
from evals.peers.contender import LayerSizes

SMALL = LayerSizes(width=16, heads=2, batch=2, time=8, steps=4)
VANILLA = Entry(name="vanilla", reference="evals.peers.vanilla:contender")
BROKEN = Entry(name="broken", reference="evals.peers.vanilla:contender", settings={"wrong": 1})


def test_the_highest_sum_counts_whatever_the_order_of_the_events():
    assert highest([(3.0, -10), (1.0, 10), (2.0, 5), (4.0, 4)]) == 15
    assert highest([(1.0, -3), (2.0, 1)]) == 0
    assert highest([]) == 0


def test_the_peak_is_what_is_held_at_the_same_time():
    def call() -> None:
        first = torch.empty(250_000)
        del first
        both = torch.empty(500_000), torch.empty(250_000)
        del both

    assert peak_of(call, "cpu") == pytest.approx(3.0, abs=0.01)


def test_a_process_of_its_own_answers_for_each_and_skips_what_fails():
    found = dict(peak_megabytes([VANILLA, BROKEN], SMALL))
    assert list(found) == ["vanilla", "broken"]
    assert found["vanilla"] > 0
    assert found["broken"] is None


def test_entries_that_the_process_did_not_live_to_answer_have_no_peak(monkeypatch):
    monkeypatch.setattr("evals.benches.peak_memory.sys.executable", "true")
    assert list(peak_megabytes([VANILLA, BROKEN], SMALL)) == [("vanilla", None), ("broken", None)]


def test_the_answer_is_data():
    asked = {"sizes": {"width": 16, "heads": 2, "time": 8}, "entries": [{"name": "x", "reference": "no_module:x"}]}
    assert list(answer(asked)) == [{"name": "x", "megabytes": None}]
