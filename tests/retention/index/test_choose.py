from __future__ import annotations

import importlib

import pytest

from retention.errors import MissingExtraError
from retention.index.choose import DENSE_BELOW, TRAINED_FROM, choose_tier, new_table
from retention.index.dense import DenseTable
from retention.index.scan import ScanTable


@pytest.mark.parametrize(
    ("slots", "tier"),
    [
        (0, "dense"),
        (DENSE_BELOW - 1, "dense"),
        (DENSE_BELOW, "scan"),
        (TRAINED_FROM - 1, "scan"),
        (TRAINED_FROM, "trained"),
    ],
)
def test_the_tier_goes_by_the_number_of_slots(slots, tier):
    assert choose_tier(slots) == tier


def test_the_thresholds_can_be_moved():
    assert choose_tier(100, dense_below=50, trained_from=200) == "scan"
    assert choose_tier(100, dense_below=500, trained_from=50) == "trained"
    with pytest.raises(ValueError, match="must not be negative, got 5, -1"):
        choose_tier(5, dense_below=-1)


def test_a_tier_is_a_table():
    assert isinstance(new_table("dense", 4, 2), DenseTable)
    assert isinstance(new_table("scan", 4, 2), ScanTable)
    with pytest.raises(ValueError, match="tier must be one of dense, scan, trained, got 'flat'"):
        new_table("flat", 4, 2)


def test_a_trained_table_without_faiss_says_what_to_install(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"a trained index needs .* pip install 'holdfast\[index\]'"):
        new_table("trained", 4, 2)
