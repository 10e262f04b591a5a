"""What the tests of the surfaces share: memories with a small encoder, and no network."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retention import EpisodicMemory, FunctionEncoder

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
