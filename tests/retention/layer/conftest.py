"""What the tests of the layer share."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def assert_same_state():
    """Hold two states, or one row each, against each other bit by bit."""

    def check(got, wanted):
        for field in fields(wanted):
            left, right = getattr(got, field.name), getattr(wanted, field.name)
            assert left.dtype == right.dtype, field.name
            assert torch.equal(left, right), field.name

    return check
