"""What each package shows: its ``__all__`` is true, and importing it stays light."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = ("agent", "environments", "evals", "retention")


@pytest.mark.parametrize("name", PACKAGES)
def test_all_is_sorted_and_every_name_can_be_imported(name: str) -> None:
    package = importlib.import_module(name)
    assert package.__all__, f"{name} shows nothing"
    assert list(package.__all__) == sorted(set(package.__all__))
    missing = [shown for shown in package.__all__ if not hasattr(package, shown)]
    assert missing == []


@pytest.mark.parametrize("name", PACKAGES)
def test_what_is_shown_is_at_home_in_the_package(name: str) -> None:
    package = importlib.import_module(name)
    for shown in package.__all__:
        value = getattr(package, shown)
        home = getattr(value, "__module__", None)
        if callable(value) and home is not None:
            assert home.split(".")[0] == name, f"{name}.{shown} lives in {home}"


@pytest.mark.parametrize("name", PACKAGES)
def test_the_stub_says_the_same_as_the_face(name: str, root: Path) -> None:
    stub = root / name / "__init__.pyi"
    if not stub.exists():
        assert name != "retention", "the face of retention must be a stub: it may not import torch"
        return
    body = ast.parse(stub.read_text()).body
    imported = [alias.asname or alias.name for node in body if isinstance(node, ast.ImportFrom) for alias in node.names]
    declared = [
        ast.literal_eval(node.value)
        for node in body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    face = list(importlib.import_module(name).__all__)
    assert sorted(imported) == face
    assert declared in ([], [face])


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import retention", ["torch", "sqlite_utils", "gymnasium", "langchain_core", "langgraph", "mcp", "numpy"]),
        ("from retention import HoldfastError", ["torch", "sqlite_utils", "gymnasium", "langchain_core", "numpy"]),
        ("from retention import EpisodicMemory", ["torch", "gymnasium", "langchain_core"]),
        ("from retention import MemoryVectorStore, MemoryByteStore", ["torch", "gymnasium", "langchain", "langgraph"]),
        ("from retention import LangGraphStore, MemoryRetriever", ["torch", "gymnasium", "langchain"]),
        ("from retention import MemoryTools", ["torch", "gymnasium", "langchain_core", "langgraph", "mcp"]),
        ("from retention import langchain_tools", ["torch", "gymnasium", "langchain", "langgraph", "mcp"]),
        ("import agent", ["torch", "sqlite_utils", "gymnasium"]),
        ("import evals", ["torch", "sqlite_utils", "gymnasium"]),
        ("import environments", ["torch", "sqlite_utils"]),
    ],
)
def test_an_import_stays_light(statement: str, absent: list[str], clean_environment: dict[str, str]) -> None:
    script = f"{statement}\nimport sys\nprint(*[name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=clean_environment
    )
    assert done.stdout.split() == []
