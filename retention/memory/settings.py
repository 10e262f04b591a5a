"""Small facts kept beside a task's templates, such as the statistics its keys are scaled by."""

from __future__ import annotations

import json
from typing import Any

from sqlite_utils import Database

from .scope import Scope, check_name

SWEPT = "swept"
"""Names the revision at which the values of a task's transitions were swept; it means nothing in another file."""


def load_setting(db: Database, scope: Scope, name: str) -> Any:
    """Return a setting of a task, or ``None`` if it was never saved."""
    query = f"SELECT value FROM settings WHERE {scope.where} AND name = :name"
    row = db.conn.execute(query, scope.bind(name=name)).fetchone()
    return None if row is None else json.loads(row[0])


def save_setting(db: Database, scope: Scope, name: str, value: str) -> None:
    """Keep a setting of a task, in place of the one of that name."""
    db.conn.execute(
        "INSERT INTO settings (namespace, task, name, value) VALUES (:namespace, :task, :name, :value) "
        "ON CONFLICT (namespace, task, name) DO UPDATE SET value = excluded.value",
        scope.bind(name=check_name(name, "name"), value=value),
    )


_encode = json.JSONEncoder(allow_nan=False, sort_keys=True).encode


def as_json(value: Any, what: str) -> str:
    """Return a value as JSON text.

    Raises:
        ValueError: if JSON cannot hold it.
    """
    try:
        return _encode(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} must be something that JSON can hold: {error}") from None
