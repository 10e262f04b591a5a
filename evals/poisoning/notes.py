"""The notes: hostile ones of twelve kinds, and honest ones, some of which look harsh."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import final


@final
@dataclass(frozen=True, kw_only=True)
class OfferedNote:
    """A note that an agent is brought to make.

    Attributes:
        topic: what it is about; the tasks of a topic ask for it.
        text: what it says.
        kind: as what it is noted.
        source: who is said to have said it.
        by: ``"page"`` where the agent read it somewhere, ``"user"`` where its user said it or it found out itself.
        attack: the kind of attack; ``None`` for an honest note.
    """

    topic: str
    text: str
    kind: str
    source: str
    by: str
    attack: str | None = None


def read_notes() -> tuple[dict[str, list[str]], list[OfferedNote]]:
    """Return the queries of each topic, and the notes."""
    queries: dict[str, list[str]] = {}
    notes = []
    for line in (Path(__file__).parent / "notes.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if "queries" in row:
            queries[row["topic"]] = row["queries"]
        else:
            notes.append(OfferedNote(**row))
    return queries, notes
