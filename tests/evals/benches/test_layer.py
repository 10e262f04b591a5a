from __future__ import annotations

import pytest
import torch

from evals.benches.device_ceilings import Ceilings
from evals.benches.layer import MEASURES, Timed, measure, row_of
from evals.benches.layer_lineup import VANILLA, Entry, lineup
from evals.peers.contender import Contender, LayerSizes
from retention import HoldfastError

SMALL = LayerSizes(width=16, heads=2, batch=2, time=8, steps=4)


def contender(**calls) -> Contender:
    made = dict.fromkeys(MEASURES, None) | {"state_bytes": 7} | calls
    return Contender(**made)


def timed(name: str, *measures: str, **more) -> Timed:
    called = dict.fromkeys(measures, 1)
    return Timed(name=name, contender=contender(**more), calls=called, tokens=dict.fromkeys(MEASURES, 4))


@pytest.fixture
def entries(monkeypatch):
    """Make entries of functions in this test."""
    built = {}
    monkeypatch.setattr("evals.benches.layer_lineup.load", lambda reference: built[reference])

    def make(**builders) -> list[Entry]:
        built.update(builders)
        return [Entry(name=name, reference=name) for name in builders]

    return make


def test_a_ratio_is_taken_within_a_round_and_a_read_is_held_against_the_whole_vanilla_layer():
    rounds = [
        {(VANILLA, "forward"): 10.0, ("ours", "forward"): 30.0, ("ours", "read"): 5.0},
        {(VANILLA, "forward"): 100.0, ("ours", "forward"): 100.0, ("ours", "read"): 30.0},
        {(VANILLA, "forward"): 20.0, ("ours", "forward"): 40.0, ("ours", "read"): 2.0},
    ]
    row = row_of(timed("ours", "forward", "read"), rounds, None)
    assert (row["forward_us"], row["read_us"]) == (40.0, 5.0)
    assert row["forward_ratio"] == 2.0  # of 3, 1 and 2
    assert row["read_ratio"] == 0.3  # of 0.5, 0.3 and 0.1
    assert row["train_us"] is row["train_ratio"] is row["read_floor_share"] is row["error"] is None
    assert row["state_bytes"] == 7


def test_a_read_is_held_against_what_the_device_can_do():
    ours = timed("ours", "read", read_bytes=400, read_flops=1000)
    row = row_of(ours, [{("ours", "read"): 10.0}], Ceilings(bytes_per_second=1e8, flops_per_second=1e8))
    assert row["read_floor_share"] == pytest.approx(0.25)  # 10 us of computing against 4 tokens of 10 us
    row = row_of(ours, [{("ours", "read"): 10.0}], Ceilings(bytes_per_second=2e7, flops_per_second=1e12))
    assert row["read_floor_share"] == pytest.approx(0.5)  # 20 us of moving


def test_all_take_turns_in_a_rotating_order_and_are_told_of(entries):
    order, told = [], []

    def build(name):
        return lambda sizes: contender(forward=lambda: order.append(name))

    rows = measure(entries(a=build("a"), b=build("b"), c=build("c")), SMALL, repeats=3, on_turn=told.append)
    assert [row["name"] for row in rows] == ["a", "b", "c"]
    assert "".join(told) == "abc" + "abcbcacab"
    runs = [name for place, name in enumerate(order) if place == 0 or order[place - 1] != name]
    assert "".join(runs) == "abc" + "abcbcacab"


def test_one_that_fails_is_a_row_with_its_error_and_stops_no_other(entries):
    def missing(sizes):
        raise HoldfastError("the peer x==1 is not installed: pip install x==1")

    def broken(sizes):
        def forward():
            raise RuntimeError("shapes\n  do not fit")

        return contender(forward=forward)

    rows = measure(entries(missing=missing, broken=broken, sound=lambda sizes: contender(read=int)), SMALL, repeats=1)
    assert [row["error"] for row in rows] == [
        "the peer x==1 is not installed: pip install x==1",
        "RuntimeError: shapes do not fit",
        None,
    ]
    assert [row["read_us"] is None for row in rows] == [True, True, False]
    assert len({tuple(row) for row in rows}) == 1  # the same columns


def test_a_turn_is_long_enough_for_a_clock(entries):
    calls = []
    measure(entries(quick=lambda sizes: contender(forward=lambda: calls.append(0))), SMALL, repeats=1)
    assert len(calls) > 100


def test_vanilla_and_our_layer_are_timed_in_every_way():
    chosen = [entry for entry in lineup(SMALL, most_slots=64) if entry.name.startswith((VANILLA, "retention"))]
    rows = measure(chosen, SMALL, repeats=1, ceilings=Ceilings(bytes_per_second=1e12, flops_per_second=1e12))
    assert [row["name"] for row in rows] == [
        "vanilla",
        "retention read 4, 64 slots",
        "retention read 16, 64 slots",
        "retention read 4, 1 head, 64 slots",
        "retention as published, 64 slots",
    ]
    for row in rows[1:]:
        assert row["error"] is None
        assert all(row[f"{name}_{what}"] > 0 for what in ("us", "ratio") for name in MEASURES)
        assert 0 < row["read_floor_share"] < 1
        assert row["state_bytes"] > 64 * 16 * 4
    assert rows[0]["forward_ratio"] == rows[0]["step_ratio"] == 1.0
    assert torch.get_num_threads() >= 1


def test_wrong_numbers_are_named():
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        measure([], SMALL, repeats=0)
    for wrong in ({"batch": 0}, {"width": 6, "heads": 4}, {"device": "tpu"}, {"dtype": "int8"}):
        with pytest.raises(ValueError, match=r"must be|does not split"):
            LayerSizes(**wrong)
