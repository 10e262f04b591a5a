from __future__ import annotations

import multiprocessing
import os
import signal

import pytest

from evals.benches.memory_crew import Member, StoreFailedError
from evals.benches.memory_data import draw_sample


@pytest.fixture
def folder(tmp_path):
    draw_sample(tmp_path, 200, 3, among=200, width=8)
    return tmp_path


def test_a_member_holds_a_store_until_it_is_killed(folder):
    with Member(folder / "log.txt") as member:
        opened = member.ask("open", name="fts5", folder=str(folder / "fts5"), sample=str(folder))
        assert (opened["name"], opened["finds_vectors"]) == ("SQLite FTS5", False)
        assert member.ask("add_many", start=0, stop=200, budget=None)["added"] == 200
        assert [each["rank"] >= 0 for each in member.ask("search", queries=[0, 1], budget=60.0)] == [True, True]
        with pytest.raises(StoreFailedError, match="NotFoundError: no store named 'fts'"):
            member.ask("open", name="fts", folder=str(folder), sample=str(folder))
        assert len(member.ask("add_singles", start=0, stop=2, budget=None)) == 2  # it goes on after an error
        os.kill(member._process.pid, signal.SIGKILL)
        with pytest.raises(StoreFailedError, match="its process ended with exit code -9"):
            member.ask("search", queries=[0], budget=None)


def test_one_that_does_not_answer_in_time_is_given_up(folder):
    member = Member(folder / "log.txt")
    with pytest.raises(StoreFailedError, match="gave no answer in 0 s"):
        member.ask("close", patience=0.0)  # no process is there that soon
    member.end()
    assert not member._process.is_alive()


def test_threads_are_told_to_the_process_alone(tmp_path, monkeypatch):
    started = []

    class Process:
        def __init__(self, **settings):
            self.settings = settings

        def start(self):
            started.append({name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")})

    class Context:
        Pipe = staticmethod(multiprocessing.Pipe)

    Context.Process = Process
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    monkeypatch.setattr(multiprocessing, "get_context", lambda method: Context)
    Member(tmp_path / "log.txt", threads=2)
    Member(tmp_path / "log.txt")
    assert started == [
        {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
        {"OMP_NUM_THREADS": "7", "OPENBLAS_NUM_THREADS": None},
    ]
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_what_a_package_prints_goes_to_the_log(folder, capfd):
    with Member(folder / "log.txt") as member:
        with pytest.raises(StoreFailedError):
            member.ask("no_such_method")
        os.kill(member._process.pid, signal.SIGABRT)
    assert capfd.readouterr() == ("", "")
    assert (folder / "log.txt").exists()
