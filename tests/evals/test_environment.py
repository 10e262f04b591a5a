from __future__ import annotations

import os

import pytest

from evals.environment import environment


def test_what_was_there_is_given_back_whatever_happens(monkeypatch):
    monkeypatch.setenv("HOLDFAST_TEST_OLD", "before")
    monkeypatch.delenv("HOLDFAST_TEST_NEW", raising=False)

    def fail():
        with environment(HOLDFAST_TEST_OLD="meanwhile", HOLDFAST_TEST_NEW="meanwhile"):
            assert os.environ["HOLDFAST_TEST_OLD"] == os.environ["HOLDFAST_TEST_NEW"] == "meanwhile"
            raise RuntimeError("planted")

    with pytest.raises(RuntimeError, match="planted"):
        fail()
    assert os.environ["HOLDFAST_TEST_OLD"] == "before"
    assert "HOLDFAST_TEST_NEW" not in os.environ
