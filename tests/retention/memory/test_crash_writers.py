"""Eight processes that write at once and are killed at any moment: what one was told is kept, nobody hears "locked".

The size here is small. ``HOLDFAST_SOAK=1000`` in the environment makes it a thousand acknowledged writes a process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from retention import EpisodicMemory

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the conductor forks its writers")

WRITES = int(os.environ.get("HOLDFAST_SOAK", "60"))
WRITERS = 8

# Importing takes seconds and a fork takes none: the conductor imports once and forks the writers. What a writer was
# told it says in single writes to a file of its own, so that it is kept whatever becomes of the process.
CONDUCTOR = """
import itertools, json, os, random, signal, sys, time
import numpy as np
from retention import EpisodicMemory, TemplateDraft

path, writers, writes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(5)
key = np.ones(4, np.float32)

def said(who):
    try:
        return open(f"{path}.said{who}").read().splitlines()
    except FileNotFoundError:
        return []

def work(who, life):
    out = os.open(f"{path}.said{who}", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    say = lambda *words: os.write(out, (" ".join(map(str, words)) + "\\n").encode())
    done = sum(line.startswith("wrote") for line in said(who))
    mine, conductor = [], os.getppid()
    try:
        with EpisodicMemory.open(path) as memory:
            for n in itertools.count():
                if done == writes or os.getppid() != conductor:
                    return
                content = f"writer {who} life {life} note {n}"
                (number,) = memory.write([TemplateDraft(content=content, key=key)], namespace="all")
                say("wrote", number, content)
                done += 1
                mine.append((number, content))
                if n % 10 == 3:
                    found = memory.recall(key, namespace="all", k=3)
                    name = f"{who}-{life}-{n}"
                    memory.update_outcome(found.receipt_id, namespace="all", rating=1, feedback_id=name)
                    say("rated", found.receipt_id, name)
                if n % 12 == 5:
                    number, content = mine.pop(len(mine) // 2)
                    say("forgetting", number, content)
                    assert memory.forget([number], namespace="all").templates == 1
                    say("forgot", number, content)
                if n % 25 == 7:
                    drafts = [TemplateDraft(content=f"{who} {life} {n} bulk {i}", key=key) for i in range(300)]
                    memory.write_many(drafts, namespace="bulk", batch=150, progress=False)
                    say("bulk", who, life, n)
                if n % 100 == 50 and who == 0:
                    memory.compact()
                    say("compacted")
    except BaseException as error:
        say("error", repr(error))

def read():
    out = os.open(f"{path}.saidreader", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    try:
        conductor = os.getppid()
        for turn in itertools.count():
            if os.getppid() != conductor:
                return
            with EpisodicMemory.open(path, mode=("rw", "ro")[turn % 2]) as memory:
                for _ in range(5):
                    for hit in memory.recall("writer note", vector=key, namespace="all", k=5).hits:
                        assert hit.template.content.startswith("writer"), hit
            os.write(out, b"read\\n")
    except BaseException as error:
        os.write(out, f"error {error!r}\\n".encode())

def fork(act, *args):
    child = os.fork()
    if not child:
        act(*args)
        os._exit(0)
    return child

began, kills = time.time(), 0
EpisodicMemory.open(path).close()
lives = [0] * writers
alive = {fork(work, who, 0): who for who in range(writers)}
reader = fork(read)
while alive:
    time.sleep(chance.uniform(0, 0.15))
    while alive and (ended := os.waitpid(-1, os.WNOHANG)[0]):
        alive.pop(ended, None)  # or it is a reader
    if not alive:
        break
    if kills % 9 == 8:
        os.kill(reader, signal.SIGKILL)
        reader = fork(read)
    victim = chance.choice(list(alive))
    os.kill(victim, signal.SIGKILL)
    _, status = os.waitpid(victim, 0)
    who = alive.pop(victim)
    kills += os.WIFSIGNALED(status)
    if os.WIFSIGNALED(status):
        lives[who] += 1
        alive[fork(work, who, lives[who])] = who
os.kill(reader, signal.SIGKILL)
print(json.dumps({"kills": kills, "seconds": round(time.time() - began, 1)}))
"""


def test_what_eight_writers_were_told_is_kept(root: Path, path: Path, clean_environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONDUCTOR, str(path), str(WRITERS), str(WRITES)],
        cwd=root,
        env=clean_environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60 + 2 * WRITES,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    said = {who: path.with_name(f"{path.name}.said{who}").read_text() for who in [*range(WRITERS), "reader"]}
    assert [line for lines in said.values() for line in lines.splitlines() if line.startswith("error")] == []
    # A compaction that was killed is reported by those who open the file next, until it is done again.
    waits = [line for line in done.stderr.splitlines() if ": waiting since" in line.replace("writing; ", ": ")]
    assert {line.split(": ")[1] for line in done.stderr.splitlines() if line not in waits} <= {"compact"}
    assert "read" in said.pop("reader")
    told: dict[str, list[str]] = {}
    for line in "".join(said.values()).splitlines():
        what, _, rest = line.partition(" ")
        told.setdefault(what, []).append(rest)
    assert len(told["wrote"]) == WRITERS * WRITES
    with EpisodicMemory.open(path) as memory:
        assert memory.verify() == []
        there = {f"{each.id} {each.content}": each.count for each in memory.templates(namespace="all")}
        lost = set(told["wrote"]) - there.keys() - set(told["forgetting"])
        assert lost == set()
        assert not set(told["forgot"]) & there.keys()
        assert set(there.values()) == {1}  # nothing was written twice
        untold = Counter(row.split(" note ")[0].split(" ", 1)[1] for row in there.keys() - set(told["wrote"]))
        assert all(count == 1 for count in untold.values()), untold  # at most the one in flight in each life
        assert sum(untold.values()) <= report["kills"]
        bulk = Counter(each.content.split(" bulk ")[0] for each in memory.templates(namespace="bulk") if each.content)
        assert {bulk[name] for name in told["bulk"]} <= {300}
        assert set(bulk.values()) <= {150, 300}  # a batch is there as a whole
        for line in told["rated"]:
            receipt, name = line.split()
            assert not memory.update_outcome(receipt, namespace="all", rating=1, feedback_id=name).applied
        print(
            report
            | {"told": len(told["wrote"]), "lost": len(lost), "in flight": sum(untold.values()), "waits": len(waits)}
        )
    assert report["kills"] >= 3  # how many fit in depends on the machine
    assert sorted(file.name for file in path.parent.iterdir() if "said" not in file.name) == [path.name]
