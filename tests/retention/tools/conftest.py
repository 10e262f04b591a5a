"""What the tests of the tools share: a memory with an encoder that needs nothing, and no network."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for word_encoder, which tests name

from word_encoder import by_words

from retention import Caller, MemoryTools


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make any socket that reaches out of the process's machine a failure: the default path needs none."""
    make = socket.socket.__init__

    def refuse(self: socket.socket, family: int = -1, *args: Any, **kwargs: Any) -> None:
        if family != socket.AF_UNIX:  # an event loop wakes itself through a pair of these
            raise AssertionError(f"a socket was opened: family {family}")
        make(self, family, *args, **kwargs)

    def no_names(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError(f"a name was looked up: {args}")

    monkeypatch.setattr(socket.socket, "__init__", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", no_names)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test keeps its memory."""
    return tmp_path / "memory.db"


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
