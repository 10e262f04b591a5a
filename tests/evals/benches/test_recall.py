from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from evals.benches.recall import measure
from evals.benches.recall_command import recall


def test_our_layer_learns_and_a_transformer_without_memory_guesses():
    ours, vanilla = measure(["retention", "vanilla"], steps=130, seeds=1)
    assert ours["accuracy"] > 0.95
    assert ours["each"] == [ours["steps_to_95"]]
    assert 50 < ours["steps_to_95"] <= 130
    assert vanilla["accuracy"] < 0.06
    assert (vanilla["steps_to_95"], vanilla["each"]) == (None, [None])
    assert ours["state_bytes"] > vanilla["state_bytes"] == 0


def test_a_peer_that_is_not_there_is_a_row_with_its_error(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dnc", None)
    turns = []
    (row,) = measure(["dnc"], steps=1, seeds=2, on_turn=turns.append)
    assert turns == ["dnc", "dnc"]
    assert row["accuracy"] is None
    assert "pip install" in row["error"]


def test_the_command_prints_a_table_or_one_json_object():
    shown = CliRunner().invoke(recall, ["--steps", "1", "--seeds", "1", "--no-peers"])
    assert shown.exit_code == 0, shown.output
    assert "retention" in shown.stdout and "steps_to_95" in shown.stdout
    printed = json.loads(CliRunner().invoke(recall, ["--steps", "1", "--seeds", "1", "--no-peers", "--json"]).stdout)
    assert [row["name"] for row in printed["rows"]] == ["retention", "vanilla"]


def test_wrong_numbers_are_named():
    with pytest.raises(ValueError, match="steps and seeds must be at least 1, got 0 and 1"):
        measure(["vanilla"], steps=0, seeds=1)
