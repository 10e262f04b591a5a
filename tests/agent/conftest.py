"""What the tests of the agent share: toy worlds that can be imported, and short ways to ask for things."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parent
sys.path.append(
    str(FOLDER)
)  # so that `import toy_worlds` finds the module beside this file, and --env toy_worlds:Id too


@pytest.fixture(scope="session")
def worlds_folder() -> Path:
    """The folder of toy_worlds.py, for processes of their own."""
    return FOLDER


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a test keeps its memory."""
    return tmp_path / "memory.db"


@pytest.fixture(scope="session")
def columns_of() -> Callable[..., dict[str, Any]]:
    """Return the columns of transitions as lists, which compare exactly; ids are left out on demand."""

    def columns(transitions: Any, *, ids: bool = True) -> dict[str, Any]:
        names = ["key", "action", "reward", "next_key", "terminated", "count", "value", "rating"] + ["id"] * ids
        return {name: np.asarray(getattr(transitions, name)).tolist() for name in names}

    return columns
