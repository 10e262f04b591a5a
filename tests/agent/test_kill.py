"""A run that is killed at any moment loses at most the episode in flight."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from retention import EpisodicMemory

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the driver forks its workers")

KILLS = 20  # from outside, at a random moment
STOPS = 12  # at a random statement of SQL, so that no transaction is too short to be hit

# Importing takes seconds and a fork takes none: one driver imports, and forks a worker for each line it reads. A worker
# says which process it is, then each episode once it is finished, in single writes, which never mix; when it is dead
# the driver says so. A worker that is given a number kills itself before that statement of SQL. Two tasks take turns:
# one of symbols, and one of real numbers, whose episodes write many templates. Its steps are so long that no action is
# held, once that is found out: each step remains a template.
DRIVER = """
import os, signal, sqlite3, sys
import toy_worlds
from agent import Agent

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def stop_before(statement):
    connect, left = sqlite3.connect, [statement]

    def count(sql):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def traced(*args, **kwargs):
        connection = connect(*args, **kwargs)
        connection.set_trace_callback(count)
        return connection

    sqlite3.connect = traced

def work(path, seed, statement):
    say("pid", os.getpid())
    if statement:
        stop_before(statement)
    with Agent.open(path, namespace="alice", seed=seed) as agent:
        for turn in range(10_000):
            env = toy_worlds.Line(stride=0.3, noise=0.01, limit=40) if turn % 2 else toy_worlds.Corridor()
            told = lambda each: say("episode", each.episode_id, each.episode, agent.task)
            agent.run(env, episodes=3, on_episode=told)

for line in sys.stdin:
    path, seed, statement = line.split()
    worker = os.fork()
    if not worker:
        try:
            work(path, int(seed), int(statement))
        except BaseException as error:
            say("fault", repr(error))
        os._exit(1)
    _, status = os.waitpid(worker, 0)
    say("ended", os.waitstatus_to_exitcode(status))
"""


@pytest.fixture
def driver(clean_environment: dict[str, str], worlds_folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        cwd=worlds_folder,
        env=clean_environment | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_killed_at_any_moment_a_run_loses_at_most_the_episode_in_flight(
    driver: subprocess.Popen[str], path: Path
) -> None:
    assert driver.stdin is not None
    assert driver.stdout is not None
    moments = random.Random(20)
    told: list[tuple[str, int, str]] = []  # id, number and task of every episode that was said to be finished
    unfinished = 0
    for kill in range(KILLS + STOPS):
        outside = kill % 8 < 5
        # Some while the file is being opened and read, most in the middle of the run, after so many episodes.
        patience = 0 if kill % 5 == 4 else moments.randint(1, 15)
        delay = moments.uniform(0.0, 0.03)
        driver.stdin.write(f"{path} {kill} {0 if outside else moments.randint(5, 500)}\n")
        driver.stdin.flush()
        word, pid = driver.stdout.readline().split()
        assert word == "pid"
        if outside:
            for _ in range(patience):
                word, *rest = driver.stdout.readline().split()
                assert word == "episode", rest
                told.append((rest[0], int(rest[1]), rest[2]))
            time.sleep(delay)
            os.kill(int(pid), signal.SIGKILL)
        for line in driver.stdout:  # what it said until it died
            word, *rest = line.split()
            if word == "ended":
                assert rest == [str(-signal.SIGKILL)]
                break
            assert word == "episode", rest
            told.append((rest[0], int(rest[1]), rest[2]))
        if not path.exists():
            assert not told
            continue
        with EpisodicMemory.open(path) as memory:
            assert memory.verify() == []
            kept = memory.episodes(namespace="alice")
            of_id = {each.episode_id: (each.number, each.task) for each in kept}
            assert [(id_, *of_id[id_]) for id_, _, _ in told] == told
            assert len(of_id) - len(told) <= kill + 1  # at each kill one may be stored and not be told yet
            unfinished = len(of_id) - len(told)
            for task in memory.tasks(namespace="alice"):
                numbers = [each.number for each in kept if each.task == task]
                assert numbers == list(range(1, len(numbers) + 1))
                rows, _ = memory.transitions(namespace="alice", task=task)
                # an episode is there with all of its templates or not at all
                assert int(rows.count.sum()) == sum(each.length for each in kept if each.task == task)
    assert len(told) > 2 * KILLS
    assert unfinished < KILLS + STOPS  # else what is told would prove nothing
