from __future__ import annotations

import pytest

from evals.benches.device_ceilings import Ceilings, measure_ceilings


def test_the_slower_of_moving_and_computing_is_the_floor():
    ceilings = Ceilings(bytes_per_second=100.0, flops_per_second=1000.0)
    assert ceilings.seconds(moved=200, flops=1000) == 2.0
    assert ceilings.seconds(moved=200, flops=5000) == 5.0


def test_both_ceilings_are_measured_in_bytes_and_operations():
    found = measure_ceilings("cpu", "float32", megabytes=4, side=128, repeats=3)
    assert 1e7 < found.bytes_per_second < 1e13
    assert 1e7 < found.flops_per_second < 1e14


def test_wrong_numbers_are_named():
    with pytest.raises(ValueError, match="must be at least 1, got 4, 0 and 7"):
        measure_ceilings("cpu", "float32", megabytes=4, side=0)
