"""Other people's memories of texts under one interface, and ours beside them: one module and one line here for each.

All are given the same vectors, and none opens a connection to another machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, final

from retention import NotFoundError

from ..reference import load

if TYPE_CHECKING:
    from .store import Store


@final
@dataclass(frozen=True, kw_only=True)
class StoreEntry:
    """A store that can be opened.

    Attributes:
        reference: ``"module:class"`` of what opens it.
        packages: what it needs beside holdfast: names to import, and the distributions that have them.
    """

    reference: str
    packages: tuple[tuple[str, str], ...] = ()


STORES = {
    "holdfast": StoreEntry(reference="evals.stores.ours:OurStore"),
    "langchain": StoreEntry(reference="evals.stores.langchain:LangChainStore"),
    "langgraph": StoreEntry(reference="evals.stores.langgraph:LangGraphStore", packages=(("langgraph", "langgraph"),)),
    "chromadb": StoreEntry(reference="evals.stores.chroma:ChromaStore", packages=(("chromadb", "chromadb"),)),
    "mem0": StoreEntry(
        reference="evals.stores.mem0:Mem0Store", packages=(("mem0", "mem0ai"), ("langchain", "langchain"))
    ),
    "rank-bm25": StoreEntry(reference="evals.stores.bm25:BM25Store", packages=(("rank_bm25", "rank-bm25"),)),
    "fts5": StoreEntry(reference="evals.stores.fts5:FTS5Store"),
}


def available(name: str) -> bool:
    """Return whether what a store needs is installed; nothing of it is imported.

    Raises:
        NotFoundError: there is no store of that name.
    """
    return not _absent(name)


def left_out(name: str) -> str | None:
    """Return the sentence that says why a store cannot be opened and what installs it; ``None`` where it can.

    Raises:
        NotFoundError: there is no store of that name.
    """
    absent = _absent(name)
    if not absent:
        return None
    verb = "are" if len(absent) > 1 else "is"
    return f"{name} is left out: {' and '.join(absent)} {verb} not installed (pip install 'holdfast[bench]')"


def open_store(name: str, folder: Path, **settings: Any) -> Store:
    """Open a store in a folder, made if it does not exist. What a durable one kept there is there again.

    Args:
        name: of ``STORES``.
        folder: where it lives.
        settings: what this store alone takes.

    Raises:
        NotFoundError: there is no store of that name; the message gives the nearest one and all that are known.
        HoldfastError: its package is not installed; the message has the command that installs it.
    """
    entry = find_store(name)
    folder.mkdir(parents=True, exist_ok=True)
    return cast("Store", load(entry.reference)(folder, **settings))


def find_store(name: str) -> StoreEntry:
    """Return the entry of a store.

    Raises:
        NotFoundError: there is none of that name.
    """
    if name not in STORES:
        near = get_close_matches(name, STORES, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise NotFoundError(f"no store named {name!r}. {hint}Known stores: {', '.join(sorted(STORES))}")
    return STORES[name]


def _absent(name: str) -> list[str]:
    return [distribution for module, distribution in find_store(name).packages if find_spec(module) is None]
