"""Rows of the memory, as a terminal shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from .episodes import Episode
from .recall import Hit
from .templates import Template

EPISODE_COLUMNS = ("episode_id", "namespace", "task", "number", "return", "length", "gate", "rating", "written")
TEMPLATE_COLUMNS = (
    "id",
    "namespace",
    "task",
    "kind",
    "action",
    "reward",
    "terminated",
    "content",
    "count",
    "value",
    "rating",
    "utility",
    "status",
)
STATS_COLUMNS = (
    "namespace",
    "task",
    "episodes",
    "mean_return",
    "best_return",
    "last_20_mean_return",
    "rated",
    "templates",
    "quarantined",
)

AUDIT_COLUMNS = ("created", "namespace", "what", "id", "source", "run_id", "user", "says", "status")

HIT_COLUMNS = ("id", "namespace", "task", "kind", "score", "relevance", "utility", "uses", "age", "source", "content")

_WIDEST = 40


def episode_row(episode: Episode) -> dict[str, Any]:
    """Return an episode as JSON can hold it, its gate as one signed number."""
    row = asdict(episode)
    row["return"] = row.pop("return_")
    return row | {"gate": episode.gate.signed}


def template_row(template: Template, vectors: bool = False) -> dict[str, Any]:
    """Return a template as JSON can hold it; its vectors only when asked for."""
    row = {field.name: getattr(template, field.name) for field in fields(template)}
    for name in ("key", "next_key"):
        vector = row.pop(name)
        if vectors:
            row[name] = None if vector is None else vector.tolist()
    return row


def hit_row(hit: Hit) -> dict[str, Any]:
    """Return what was recalled as JSON can hold it."""
    return template_row(hit.template) | {"score": hit.score, "relevance": hit.relevance, "age": hit.age}


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as aligned text, without the columns that are empty in all of them."""
    if not rows:
        return "nothing there"
    used = [column for column in columns if any(row[column] is not None for row in rows)]
    cells = [used, *([_cell(row[column], column) for column in used] for row in rows)]
    widths = [max(map(len, cells_of_column)) for cells_of_column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)
    return "\n".join(line.rstrip() for line in lines)


def card(row: Mapping[str, Any]) -> str:
    """Return one row as a line for each of its fields."""
    width = max(map(len, row))
    return "\n".join(f"{name:<{width}}  {_shown(value, name)}".rstrip() for name, value in row.items())


def _shown(value: Any, name: str) -> str:
    if value is None:
        return "-"
    if name in ("created", "expires"):
        return datetime.fromtimestamp(value).astimezone().isoformat(timespec="seconds")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = value if isinstance(value, str) else json.dumps(value)
    # What was stored may hold escape sequences: the terminal must not obey them.
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _cell(value: Any, name: str) -> str:
    """Return a value for a table: long texts are cut, but not a task's name, which other commands ask for."""
    text = _shown(value, name)
    return text if len(text) <= _WIDEST or name == "task" else text[: _WIDEST - 3] + "..."
