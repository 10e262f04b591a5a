from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from evals.benches import memory as bench
from evals.benches.memory_command import memory
from evals.benches.memory_rows import Run, row_of
from retention import HoldfastError


def row(store, templates, **values):
    return row_of(Run(store=store, templates=templates, queries=[]), 60.0) | {"held": templates, **values}


ROWS = [
    row("holdfast", 6000, synced=False, single_per_s=900.5, recall_p50_ms=1.25, recall_at_10=1.0),
    row("mem0", 6000, held=2000, note="stopped after 2,000: its 60 s were over"),
    row("holdfast", 100_000, recall_p50_ms=float("nan")),
    row("chromadb", 100_000, error="its process ended with exit code -9"),
]


@pytest.fixture
def measured(monkeypatch):
    """Let nothing be measured, and note what was asked for."""
    asked = {}

    def fake(plan, folder, *, keep, on_start):
        asked.update(plan=plan, folder=folder, keep=keep, there=folder.is_dir())
        on_start("holdfast, 6,000: writing")
        return iter(ROWS)

    monkeypatch.setattr(bench, "measure", fake)
    monkeypatch.setattr(bench, "encoder_speed", lambda seed, threads: {"single_per_s": 80.0, "batch_per_s": 300.0})
    monkeypatch.setattr("evals.stores.left_out", lambda name: "mem0 is left out" if name == "mem0" else None)
    monkeypatch.setattr(bench, "names", lambda peers: ("holdfast", "fts5") if peers else ("holdfast",))
    return asked


def test_people_get_tables_that_fit_and_lines_for_what_is_missing(measured):
    done = CliRunner().invoke(memory, [])
    assert done.exit_code == 0, done.output
    assert (measured["plan"].sizes, measured["plan"].stores) == ((6000, 100_000), ("holdfast", "fts5"))
    assert (measured["plan"].width, measured["plan"].queries, measured["keep"]) == (384, 300, False)
    assert measured["there"]
    assert not measured["folder"].exists()
    for title in ("6,000 templates, writing", "6,000 templates, recalling", "100,000 templates, recalling"):
        assert title in done.stdout
    assert "mem0 with 6,000 templates stopped after 2,000: its 60 s were over" in done.stdout
    assert "chromadb with 100,000 templates failed: its process ended with exit code -9" in done.stdout
    assert "encoder, apart: 80 texts/s one by one, 300 in batches of 64" in done.stdout
    assert "mem0 is left out" in done.stdout
    assert ["holdfast", "6000", "no", "900.5"] in [line.split()[:4] for line in done.stdout.splitlines()]
    assert "1/29 holdfast, 6,000: writing" in done.stderr
    tables = done.stdout.split("single: added one by one")[0].splitlines()
    assert max(map(len, map(str.rstrip, tables))) <= 80


def test_json_is_complete_and_valid(measured, tmp_path):
    out = tmp_path / "new"
    options = [
        "--templates",
        "500",
        "--width",
        "32",
        "--queries",
        "30",
        "--seed",
        "5",
        "--budget",
        "9",
        "--threads",
        "2",
        "--json",
    ]
    done = CliRunner().invoke(memory, [*options, "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert (measured["folder"], measured["keep"]) == (out, True)
    printed = json.loads(done.stdout)
    assert printed["bench"] == "memory"
    assert (printed["sizes"], printed["width"], printed["queries"], printed["seed"]) == ([500], 32, 30, 5)
    assert (printed["budget"], printed["threads"], printed["stores"]) == (9.0, 2, ["holdfast", "fts5"])
    assert printed["left_out"] == ["mem0 is left out"]
    assert printed["encoder"]["batch_per_s"] == 300.0
    assert {"holdfast", "numpy", "langchain-core"} <= printed["machine"]["versions"].keys()
    assert [each["store"] for each in printed["rows"]] == [each["store"] for each in ROWS]
    assert printed["rows"][2]["recall_p50_ms"] is None


def test_without_peers_nothing_is_left_out(measured):
    done = CliRunner().invoke(memory, ["--no-peers", "--json"])
    printed = json.loads(done.stdout)
    assert (printed["stores"], printed["left_out"]) == (["holdfast"], [])


def test_a_folder_that_holds_something_is_refused(measured, tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    done = CliRunner().invoke(memory, ["--out", str(tmp_path)])
    assert isinstance(done.exception, HoldfastError)
    assert "is not empty" in str(done.exception)
    assert measured == {}


def test_an_encoder_that_is_missing_is_said(measured, monkeypatch):
    monkeypatch.setattr(bench, "encoder_speed", lambda seed, threads: {"error": "MissingExtraError: it needs more"})
    done = CliRunner().invoke(memory, [])
    assert "the default encoder, apart: not measured (MissingExtraError: it needs more)" in done.stdout
