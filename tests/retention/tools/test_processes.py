"""Several processes on one file through the stores, and one that is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from retention import EpisodicMemory, FunctionEncoder, LangGraphStore, MemoryByteStore, MemoryVectorStore

from .conftest import bag

WORK = """
import sys
import numpy as np
from retention import EpisodicMemory, FunctionEncoder, LangGraphStore, MemoryByteStore, MemoryVectorStore

def bag(texts):
    found = np.zeros((len(texts), 16), np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().replace('"', " ").split():
            found[row, (ord(word[0]) + 3 * len(word)) % 16] += 1
    return found

path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with EpisodicMemory.open(path, encoder=FunctionEncoder(bag, "bag")) as memory:
    store = LangGraphStore(memory, namespace="alice", fields=["text"])
    documents = MemoryVectorStore(memory, namespace="alice")
    plain = MemoryByteStore(memory, namespace="alice")
    for number in range(count):
        store.put(("own", name), str(number), {"text": f"{name} says {number}"})
        store.put(("shared",), str(number % 3), {"text": f"{name} says {number}", "by": name})
        documents.add_texts([f"{name} says {number}"], ids=[f"{name} {number}"])
        plain.mset([(f"{name} {number}", name.encode())])
        store.search(("shared",), query="who says it")
        print(number, flush=True)
"""


def start(path: Path, name: str, count: int, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", WORK, str(path), name, str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_what_every_process_put_is_there(path: Path, clean_environment: dict[str, str]) -> None:
    names, count = ["one", "two"], 25
    running = [start(path, name, count, clean_environment) for name in names]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
    with EpisodicMemory.open(path, encoder=FunctionEncoder(bag, "bag")) as memory:
        store = LangGraphStore(memory, namespace="alice", fields=["text"])
        for name in names:
            found = store.search(("own", name), limit=1000)
            assert [item.value["text"] for item in found] == [f"{name} says {number}" for number in range(count)]
        shared = store.search(("shared",), limit=1000)
        assert sorted(item.key for item in shared) == ["0", "1", "2"]
        assert all(item.value["text"].startswith(item.value["by"]) for item in shared)
        wanted = [f"{name} {number}" for name in names for number in range(count)]
        documents = MemoryVectorStore(memory, namespace="alice").get_by_ids(wanted)
        assert [document.page_content.replace(" says", "") for document in documents] == wanted
        plain = MemoryByteStore(memory, namespace="alice")
        assert plain.mget(wanted) == [key.split()[0].encode() for key in wanted]
        assert memory.verify() == []


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("after", [1, 7])
def test_a_process_that_is_killed_leaves_all_that_it_said_was_put(
    after: int, path: Path, clean_environment: dict[str, str]
) -> None:
    process = start(path, "one", 10_000, clean_environment)
    assert process.stdout is not None and process.stderr is not None
    with process.stdout, process.stderr:
        said = [int(process.stdout.readline()) for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        said += [int(line) for line in process.stdout]
        process.wait(timeout=60)
    with EpisodicMemory.open(path, encoder=FunctionEncoder(bag, "bag")) as memory:
        store = LangGraphStore(memory, namespace="alice", fields=["text"])
        kept = [int(item.key) for item in store.search(("own", "one"), limit=100_000)]
        assert kept[: len(said)] == said and len(kept) <= len(said) + 1
        assert memory.verify() == []


def test_another_process_sees_what_was_put(
    memory: EpisodicMemory, path: Path, clean_environment: dict[str, str]
) -> None:
    store = LangGraphStore(memory, namespace="alice", fields=["text"])
    store.put(("shared",), "0", {"text": "before"})
    assert [item.value["text"] for item in store.search(("shared",), query="before")] == ["before"]
    _, errors = start(path, "other", 1, clean_environment).communicate(timeout=60)
    assert errors == ""
    (item,) = store.search(("shared",), query="other says")
    assert item.value == {"text": "other says 0", "by": "other"}
