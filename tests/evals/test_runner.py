from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from evals.phase import PhaseRun
from evals.results import Result, ResultsFile
from evals.runner import run_cases
from retention import ForeignFileError, MemoryLockedError, MemoryWriteError


def marks(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def test_every_phase_has_a_process_of_its_own_and_finds_what_the_earlier_left(toy, tmp_path):
    suite = toy()
    results = run_cases(suite.cases([0, 3]), tmp_path / "out", jobs=2)
    assert [result.case for result in results] == list(suite.cases([0, 3]))
    processes = [phase.process for result in results for phase in result.phases]
    assert len(set(processes)) == len(processes) == 6
    assert os.getpid() not in processes
    for result in results:
        assert result.error is None
        last = result.phases[-1].answer
        if result.case.arm == "kept":
            assert (last["learned"], last["read"]) == (result.case.seed + 1, str(result.case.seed))
        else:
            assert last["learned"] is None
        assert last["threads"] == "1"
        assert last["modules"] is False  # the runner's own child imports nothing heavy
        assert all(phase.seconds > 0 for phase in result.phases)


def test_a_finished_case_is_never_run_twice(toy, tmp_path):
    mark = tmp_path / "mark"
    out = tmp_path / "out"
    suite = toy(mark=str(mark))
    first = run_cases(suite.cases([0]), out)
    assert len(marks(mark)) == 1
    assert run_cases(suite.cases([0]), out) == first
    assert len(marks(mark)) == 1
    run_cases(suite.cases([0, 1]), out)
    assert len(marks(mark)) == 2
    run_cases(toy(mark=str(mark), other=1).cases([0]), out)  # another configuration: other cases
    assert len(marks(mark)) == 3


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("raise", "toy_suite:use failed: RuntimeError: planted fault (log: "),
        ("kill", "toy_suite:use was killed by signal 9 (Killed)"),
        ("exit", "toy_suite:use gave no answer and ended with exit code 3"),
        ("answer", "ValueError: Out of range float values are not JSON compliant"),
    ],
)
def test_a_failing_case_is_told_stops_no_other_and_is_tried_again(toy, tmp_path, how, words):
    until = tmp_path / "mended"
    suite = toy(fail={"seed": 1, "how": how, "until": str(until)})
    seen = []
    results = run_cases(suite.cases([0, 1]), tmp_path / "out", on_result=seen.append)
    assert [result.error is None for result in results] == [True] * 2 + [False] * 2
    assert len(seen) == 4
    for result in results[2:]:
        assert words in result.error
        assert "\n" not in result.error
        assert Path(result.error.rpartition("log: ")[2].rstrip(")")).exists()
    until.touch()
    results = run_cases(suite.cases([0, 1]), tmp_path / "out")
    assert [result.error for result in results] == [None] * 4


def test_a_case_that_was_interrupted_begins_in_an_empty_folder(toy, tmp_path):
    suite = toy(fail={"seed": 0, "how": "raise", "until": str(tmp_path / "mended")})
    out = tmp_path / "out"
    run_cases(suite.cases([0]), out)
    (tmp_path / "mended").touch()
    stale = [folder / "stale" for folder in (out / "cases").iterdir()]
    for file in stale:
        file.touch()
    run_cases(suite.cases([0]), out)
    assert stale
    assert not any(file.exists() for file in stale)


def test_two_runs_in_one_folder_are_refused(toy, tmp_path):
    with ResultsFile(tmp_path / "results.db"), pytest.raises(MemoryLockedError, match="another run writes to"):
        run_cases(toy().cases([0]), tmp_path)
    assert len(run_cases(toy().cases([0]), tmp_path)) == 2


def test_a_foreign_file_is_refused_and_not_touched(toy, tmp_path):
    (tmp_path / "results.db").write_text("these are the notes of somebody else, long enough to be no empty file\n" * 9)
    before = (tmp_path / "results.db").read_bytes()
    with pytest.raises(ForeignFileError, match="no file of results"):
        run_cases(toy().cases([0]), tmp_path)
    assert (tmp_path / "results.db").read_bytes() == before


def test_a_case_that_is_named_twice_runs_once(toy, tmp_path):
    mark = tmp_path / "mark.txt"
    (case, other) = toy(mark=str(mark)).cases([0])
    first, second, third = run_cases([case, other, case], tmp_path / "out", jobs=2)
    assert first == third and first.error is None and second.case == other
    assert len(marks(mark)) == 1


@pytest.mark.parametrize("table", ["templates (id)", "cases (key)"])
def test_a_database_of_something_else_is_refused_and_not_touched(table, toy, tmp_path):
    with closing(sqlite3.connect(tmp_path / "results.db")) as database:
        database.execute(f"create table {table}")
    before = (tmp_path / "results.db").read_bytes()
    with pytest.raises(ForeignFileError, match="no file of results"):
        run_cases(toy().cases([0]), tmp_path)
    assert (tmp_path / "results.db").read_bytes() == before


def test_results_that_cannot_be_opened_are_one_error(toy, tmp_path):
    (tmp_path / "results.db").mkdir()
    with pytest.raises(MemoryWriteError, match=r"results\.db cannot be written"):
        run_cases(toy().cases([0]), tmp_path)


def test_a_full_disk_ends_a_run_in_one_error_and_keeps_what_had_ended(toy, tmp_path):
    with ResultsFile(tmp_path / "results.db") as results:
        case, other = toy().cases([0])
        results.save(Result(case=case, phases=()))
        results._database.execute("pragma max_page_count = 1")  # it does not go below what there is
        full = PhaseRun(phase="toy:play", process=1, seconds=1.0, answer={"filler": "x" * 100_000})
        with pytest.raises(MemoryWriteError, match=r"cannot be written .*full"):
            results.save(Result(case=other, phases=(full,)))
        assert [each.case for each in results.finished([case, other])] == [case]


def test_wrong_jobs_are_named(tmp_path):
    with pytest.raises(ValueError, match="jobs must be at least 1, got 0"):
        run_cases([], tmp_path, jobs=0)


RUN = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from evals.runner import run_cases
from evals.suite import Suite
suite = Suite(
    name="toy", version=1, summary="?", score="toy_suite:score", headline="share",
    tasks={{"blocks": {settings!r}}}, arms={{"kept": ("toy_suite:learn",)}},
)
run_cases(suite.cases(range(6)), Path({out!r}), on_result=lambda result: print(result.case.seed, flush=True))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_keeps_what_ended_leaves_no_process_and_goes_on(toy, tmp_path, sent):
    toy()
    mark, gate = tmp_path / "mark", tmp_path / "gate"  # seed 2 does not end before the gate is there
    settings = {"mark": str(mark), "gate": str(gate)}
    script = RUN.format(path=sys.path[:1], settings=settings, out=str(tmp_path / "out"))
    run = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    with run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"0\n"
        assert run.stdout.readline() == b"1\n"
        while len(marks(mark)) < 3:
            time.sleep(0.02)
        run.send_signal(sent)
        run.wait(10)
    child = int(marks(mark)[2].split()[-1])
    deadline = time.monotonic() + 5
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(child)
    gate.touch()
    again = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert sorted(again.stdout.split()) == [b"2", b"3", b"4", b"5"]
    begun = [int(line.split()[2]) for line in marks(mark)]
    assert begun == [0, 1, 2, 2, 3, 4, 5]  # the case in flight began again, and no other


def alive(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    if stat.exists():  # a zombie that nobody has reaped yet is not alive
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    if Path("/proc").exists():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
