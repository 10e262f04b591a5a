"""The bench of the tools measures the same recall three ways."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from evals.benches.tools import measure
from evals.commands import bench
from evals.poisoning import measuring
from evals.poisoning.simulation import Result


def test_it_measures_the_memory_the_core_and_the_tool() -> None:
    rows = measure(templates=30, rounds=10)
    assert [row["name"] for row in rows] == [
        "EpisodicMemory.recall",
        "MemoryTools.recall",
        "memory_recall of LangChain",
    ]
    assert rows[0]["adds_ms"] == 0
    assert all(row["p50_ms"] > 0 and row["cpu_ms"] > 0 for row in rows)


def test_the_command_prints_a_table_and_json() -> None:
    words = ["tools", "--templates", "20", "--rounds", "5"]
    assert "memory_recall of LangChain" in CliRunner().invoke(bench, words).output
    told = json.loads(CliRunner().invoke(bench, [*words, "--json"]).output)
    assert (told["bench"], len(told["rows"])) == ("tools", 3)


def test_shares_are_over_all_seeds(monkeypatch: Any) -> None:
    def simulate(config: Any, seed: int) -> Result:
        done = Result(blocked=seed)
        done.offered.update({"lies": 4, "": 10})
        done.ever.update({"lies": seed, "": 3})
        done.used.update({"": 5 * seed})
        return done

    monkeypatch.setattr(measuring, "simulate", simulate)
    told = json.loads(CliRunner().invoke(bench, ["poisoning", "--seeds", "2", "--json"]).output)
    shares = {row["name"]: row["default"] for row in told["rows"]}
    assert shares == {
        "lies": "12.5 %",
        "hostile, ever in the top 3": "12.5 %",
        "hostile, in the top 3 at the end": "0.0 %",
        "honest, blocked": "5.0 %",
        "honest, in use at the end": "25.0 %",
    }
