"""Tables of every kind, and the truth that they are held against."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from retention.index.dense import DenseTable
from retention.index.scan import ScanTable
from retention.index.table import VectorTable
from retention.index.trained import TrainedConfig, TrainedTable

MakeTable = Callable[[int, int], VectorTable]


def trained(capacity: int, dim: int) -> VectorTable:
    pytest.importorskip("faiss", reason="the trained table is made with faiss, of the extra [index]")
    return TrainedTable(capacity, dim, TrainedConfig(untrained=20, lists=4))


def chunked(capacity: int, dim: int) -> VectorTable:
    return ScanTable(capacity, dim, chunk=64)


@pytest.fixture(params=[DenseTable, ScanTable, chunked, trained], ids=["dense", "scan", "chunked-scan", "trained"])
def make_table(request: pytest.FixtureRequest) -> MakeTable:
    """A function from capacity and dim to an empty table."""
    return request.param


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(7)
