from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from evals.benches.layer_command import layer
from evals.benches.layer_lineup import Entry
from retention import HoldfastError

START = [sys.executable, "-c", "from evals.benches.layer_command import layer; layer()"]
TINY = ["--quick", "--width", "16", "--most-slots", "64", "--rounds", "1"]


def test_a_quick_bench_prints_one_json_object_with_a_row_for_each(clean_environment, root):
    done = subprocess.run(
        [*START, *TINY, "--json"], capture_output=True, text=True, check=True, env=clean_environment, cwd=root
    )
    printed = json.loads(done.stdout)
    assert printed["bench"] == "layer"
    assert (printed["width"], printed["rounds"], printed["device"], printed["compiled"]) == (16, 1, "cpu", False)
    assert min(printed["bytes_per_second"], printed["flops_per_second"]) > 0
    rows = {row["name"]: row for row in printed["rows"]}
    assert rows["vanilla"]["forward_us"] > 0
    assert rows["retention read 4, 64 slots"]["read_ratio"] > 0
    for name in ("titans-pytorch", "memorizing-transformers", "dnc"):
        assert (rows[name]["error"] is None) == (rows[name]["forward_us"] is not None)


@pytest.fixture
def few(monkeypatch):
    """Let only two take part: the yardstick, and one that cannot be built."""
    vanilla = Entry(name="vanilla", reference="evals.peers.vanilla:contender")
    broken = Entry(name="broken", reference="evals.peers.vanilla:contender", settings={"wrong": 1})
    monkeypatch.setattr("evals.benches.layer_lineup.lineup", lambda sizes, most_slots: [vanilla, broken])


def test_people_get_a_table_and_a_line_for_what_failed(few):
    result = CliRunner().invoke(layer, TINY)
    assert result.exit_code == 0, result.output
    assert "microseconds a token" in result.stdout
    assert "vanilla: a step sees one token and no context" in result.stdout
    assert "broken: TypeError:" in result.stdout
    assert result.stderr == ""


def test_a_full_bench_tells_the_peak_of_memory(few, monkeypatch):
    monkeypatch.setattr("evals.benches.device_ceilings.measure_ceilings", quick_ceilings)
    monkeypatch.setattr(
        "evals.benches.peak_memory.peak_megabytes", lambda entries, sizes: [("vanilla", 2.5), ("broken", None)]
    )
    result = CliRunner().invoke(layer, ["--width", "16", "--rounds", "1", "--json"])
    assert [row["memory_mb"] for row in json.loads(result.stdout)["rows"]] == [2.5, None]


def quick_ceilings(device, dtype, *, megabytes, side):
    from evals.benches.device_ceilings import Ceilings

    return Ceilings(bytes_per_second=1.0 * megabytes, flops_per_second=1.0 * side)


def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = CliRunner().invoke(layer, ["--device", "cuda"])
    assert isinstance(result.exception, HoldfastError)
    assert "sees no CUDA device" in str(result.exception)
