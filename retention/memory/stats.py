"""What a memory holds, in numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlite_utils import Database

from .opening import read_pragma
from .schema import SCHEMA_VERSION
from .scope import Scope
from .template_rows import namespaces, tasks

_LAST = 20


def describe(db: Database, path: Path | None, only: str | None) -> dict[str, Any]:
    """Return what the memory holds; of one namespace, or of all with the size of the file."""
    return {
        "schema_version": SCHEMA_VERSION,
        "path": None if path is None else str(path),
        "bytes": read_pragma(db, "page_count") * read_pragma(db, "page_size") if only is None else None,
        "tasks": _describe_tasks(db, only),
    }


def _describe_tasks(db: Database, only: str | None) -> list[dict[str, Any]]:
    found = []
    for namespace in namespaces(db) if only is None else [only]:
        scope = Scope(namespace)
        found += [_describe_task(db, Scope(namespace, task)) for task in ["", *tasks(db, scope)]]
    return [row for row in found if row["episodes"] or row["templates"]]


def _describe_task(db: Database, scope: Scope) -> dict[str, Any]:
    episodes, mean, best = db.conn.execute(
        f"SELECT count(*), avg(return_), max(return_) FROM episodes WHERE {scope.where} AND void IS NULL", scope.bind()
    ).fetchone()
    (last,) = db.conn.execute(
        f"SELECT avg(return_) FROM (SELECT return_ FROM episodes WHERE {scope.where} AND void IS NULL "
        f"ORDER BY id DESC LIMIT {_LAST})",
        scope.bind(),
    ).fetchone()
    (rated,) = db.conn.execute(
        f"SELECT count(*) FROM episodes WHERE {scope.where} AND void IS NULL AND episode_id IN "
        "(SELECT episode_id FROM outcomes WHERE rating IS NOT NULL AND void IS NULL)",
        scope.bind(),
    ).fetchone()
    templates, quarantined, size = db.conn.execute(
        "SELECT count(*), total(status = 'quarantined'), "
        "total(length(key) + ifnull(length(next_key), 0) + ifnull(length(CAST(content AS BLOB)), 0)) "
        f"FROM templates WHERE {scope.where}",
        scope.bind(),
    ).fetchone()
    return {
        "namespace": scope.namespace,
        "task": scope.task or None,
        "episodes": episodes,
        "mean_return": mean,
        "best_return": best,
        "last_20_mean_return": last,
        "rated": rated,
        "templates": templates,
        "quarantined": int(quarantined),
        "bytes": int(size),
    }
