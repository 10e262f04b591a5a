"""SQLite's own full-text search, as anyone would use it: Porter stems, stop words left out of the query, BM25."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import final

from .store import Floats, folder_bytes

_WORD = re.compile(r"\w+")
_NOTHING_SAID = """
a about after all also an and any are as at be because been before being but by can could did do does for from had has
have he her hers him his how i if in into is it its just me more most my no not of on only or our ours out over she
should so some such than that the their theirs them then there these they this those to too under up very was we were
what when where which while who whom whose why will with would you your yours
"""
_STOP_WORDS = frozenset(_NOTHING_SAID.split())


@final
class FTS5Store:
    """Words alone, in one file; a transaction for each call."""

    name = "SQLite FTS5"
    durable = True
    synced = False
    finds_words = True
    finds_vectors = False

    def __init__(self, folder: Path) -> None:
        """Open the file of a folder."""
        self._folder = folder
        self._db = sqlite3.connect(folder / "fts5.db", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")  # as ours
        self._db.execute(
            "CREATE VIRTUAL TABLE IF NOT EXISTS kept USING fts5(name UNINDEXED, text, tokenize = 'porter unicode61')"
        )

    def add(self, ids: Sequence[str], texts: Sequence[str], vectors: Floats) -> None:
        """Insert all in one transaction."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT INTO kept (name, text) VALUES (?, ?)", zip(ids, texts, strict=True))
        self._db.execute("COMMIT")

    def add_one(self, id: str, text: str, vector: Floats) -> None:
        """Insert one."""
        self._db.execute("INSERT INTO kept (name, text) VALUES (?, ?)", (id, text))

    def search(self, text: str, vector: Floats | None, k: int) -> list[tuple[str, float]]:
        """Look for any of the words; all of them where none says anything."""
        words = list(dict.fromkeys(_WORD.findall(text.lower())))
        wanted = [word for word in words if word not in _STOP_WORDS] or words
        if not wanted:
            return []
        query = " OR ".join(f'"{word}"' for word in wanted)
        return self._db.execute(
            "SELECT name, -rank FROM kept WHERE kept MATCH ? ORDER BY rank LIMIT ?", (query, k)
        ).fetchall()

    def size_bytes(self) -> int:
        """Return the size of the file and its log."""
        return folder_bytes(self._folder)

    def close(self) -> None:
        """Close the file."""
        self._db.close()
