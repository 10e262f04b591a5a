"""What the tests of the memory share: short ways to make episodes and transitions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retention import EpisodeDraft, Transitions


@pytest.fixture(scope="session")
def draft() -> Callable[..., EpisodeDraft]:
    """Make an episode that earned ``return_``."""

    def make(return_: float = 1.0, **changes: Any) -> EpisodeDraft:
        given = {
            "namespace": "alice",
            "task": "corridor",
            "number": 1,
            "seed": 7,
            "return_": return_,
            "length": 3,
            "success": None,
            "seconds": 0.25,
        }
        return EpisodeDraft(**(given | changes))

    return make


@pytest.fixture(scope="session")
def steps() -> Callable[..., Transitions]:
    """Make one transition for each number given; equal numbers are the same transition."""

    def make(*numbers: int, reward: float = 1.0) -> Transitions:
        n = len(numbers)
        at = np.array(numbers, np.float32)
        return Transitions(
            key=np.stack([at, np.ones(n)], axis=1),
            action=np.array(numbers, np.int64) % 3,
            reward=np.full(n, reward),
            next_key=np.stack([at + 1, np.ones(n)], axis=1),
            terminated=np.array([number % 5 == 0 for number in numbers], np.bool_),
        )

    return make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test keeps its memory."""
    return tmp_path / "memory.db"
