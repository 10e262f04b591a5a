"""What the tests of the tools and stores share: memories with small encoders, and no network."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for word_encoder, which tests name

from word_encoder import by_words

from retention import Caller, EpisodicMemory, FunctionEncoder, MemoryTools

ROOM = 16


def bag(texts: list[str]) -> np.ndarray:
    """Vectors of whole numbers, the same in every process: how often words of each length occur, by first letter."""
    found = np.zeros((len(texts), ROOM), np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().replace('"', " ").split():
            found[row, (ord(word[0]) + 3 * len(word)) % ROOM] += 1
    return found


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test of this folder reaches out: a connection, and a look-up of a name, is an error."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError(f"a socket was asked for: {args[1:]!r}")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test keeps its memory."""
    return tmp_path / "memory.db"


@pytest.fixture
def memory(path: Path) -> Iterator[EpisodicMemory]:
    """A memory in a file, with an encoder of 16 numbers."""
    with EpisodicMemory.open(path, encoder=FunctionEncoder(bag, "bag")) as opened:
        yield opened


@pytest.fixture
def tools(path: Path) -> Iterator[MemoryTools]:
    """The tools over a file."""
    with MemoryTools.open(path, encoder=by_words) as opened:
        yield opened


@pytest.fixture
def caller(tools: MemoryTools) -> Caller:
    """A run of alice."""
    return tools.begin(namespace="alice", task="support")


@pytest.fixture
def keep(tools: MemoryTools) -> Callable[..., int]:
    """Note something in runs that go well, until it is used."""

    def note(content: str, namespace: str = "alice", **how: Any) -> int:
        for _ in range(3):
            run = tools.begin(namespace=namespace, task="support")
            done = tools.note(run, content, **how)
            tools.outcome(str(run.run_id), namespace=namespace, rating="up", reward=1.0)
            if tools.explain(run, done["id"])["status"] == "active":
                return int(done["id"])
        raise AssertionError(f"{content!r} is not used: {done}")

    return note
