"""Templates in the tables: writing general ones, reading any."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from ..errors import NotFoundError
from .credit import utility
from .episode_rows import find as find_episode
from .merge_key import of_content
from .scope import Scope
from .settings import as_json
from .templates import Template, TemplateDraft
from .transition_rows import check_width, next_revision
from .vectors import from_blobs, to_blobs

# The same words with the same vector are one template, seen once more.
_WRITE = """
INSERT INTO templates (
    namespace, task, kind, merge_key, key, content, metadata, source, encoder,
    count, first_episode_id, last_episode_id, created, revision
) VALUES (
    :namespace, :task, :kind, :merge_key, :key, :content, :metadata, :source, :encoder,
    1, :episode_id, :episode_id, :created, :revision
)
ON CONFLICT (namespace, task, kind, merge_key) DO UPDATE SET
    count = count + 1,
    last_episode_id = excluded.last_episode_id,
    revision = excluded.revision
"""


def write(db: Database, namespace: str, drafts: Sequence[TemplateDraft]) -> list[int]:
    """Write templates and return their ids, in order."""
    revision, now = next_revision(db), time.time()
    ids = []
    for draft in drafts:
        if draft.episode_id is not None:
            find_episode(db, Scope(namespace), draft.episode_id)
        scope = Scope(namespace, draft.task or "", draft.kind)
        check_width(db, scope, len(draft.key))
        (key,) = to_blobs(draft.key[None])
        values = scope.bind(
            merge_key=of_content(key, draft.content.encode()),
            key=key,
            content=draft.content,
            metadata=as_json(dict(draft.metadata), "metadata"),
            source=draft.source,
            encoder=draft.encoder,
            episode_id=draft.episode_id,
            created=now,
            revision=revision,
        )
        db.conn.execute(_WRITE, values)
        (number,) = db.conn.execute(
            f"SELECT id FROM templates WHERE {scope.where} AND merge_key = :merge_key", values
        ).fetchone()
        ids.append(int(number))
    return ids


def count(db: Database, scope: Scope) -> int:
    """Return how many active templates a scope holds."""
    query = f"SELECT count(*) FROM templates WHERE {scope.where} AND status = 'active'"
    (found,) = db.conn.execute(query, scope.bind()).fetchone()
    return int(found)


def find(db: Database, scope: Scope, template_id: int) -> Template:
    """Return a template.

    Raises:
        NotFoundError: if the namespace has no such template.
    """
    for row in db.query(f"SELECT * FROM templates WHERE {scope.where} AND id = :id", scope.bind(id=template_id)):
        return _template(row)
    raise NotFoundError(
        f"namespace {scope.namespace!r} has no template {template_id}; list them with: holdfast memory list"
    )


def select(db: Database, scope: Scope, limit: int | None, offset: int, newest: bool) -> list[Template]:
    """Return the templates of a scope, by id, the newest first or last."""
    order = "DESC" if newest else "ASC"
    query = f"SELECT * FROM templates WHERE {scope.where} ORDER BY id {order} LIMIT :limit OFFSET :offset"
    return [_template(row) for row in db.query(query, scope.bind(limit=-1 if limit is None else limit, offset=offset))]


def namespaces(db: Database) -> list[str]:
    """Return the namespaces that have anything in the file, sorted."""
    query = "SELECT namespace FROM episodes UNION SELECT namespace FROM templates ORDER BY 1"
    return [row[0] for row in db.conn.execute(query)]


def tasks(db: Database, scope: Scope) -> list[str]:
    """Return the tasks of a namespace, sorted."""
    where = f"{scope.where} AND task <> ''"
    query = f"SELECT task FROM episodes WHERE {where} UNION SELECT task FROM templates WHERE {where} ORDER BY 1"
    return [row[0] for row in db.conn.execute(query, scope.bind())]


def _template(row: dict[str, Any]) -> Template:
    mean, error = utility(row["utility_sum"], row["utility_square"], row["utility_weight"])
    is_transition = row["action"] is not None
    return Template(
        key=from_blobs([row["key"]])[0],
        next_key=from_blobs([row["next_key"]])[0] if is_transition else None,
        task=row["task"] or None,
        metadata=json.loads(row["metadata"] or "{}"),
        reward=row["reward_sum"] / row["count"] if is_transition else None,
        terminated=bool(row["terminated"]) if is_transition else None,
        rating=row["rating_sum"] / row["rating_count"] if row["rating_count"] else None,
        utility=mean,
        utility_error=None if math.isnan(error) else error,
        **{name: row[name] for name in _AS_STORED},
    )


_AS_STORED = (
    "id",
    "namespace",
    "kind",
    "content",
    "source",
    "encoder",
    "action",
    "count",
    "value",
    "rating_count",
    "status",
    "first_episode_id",
    "last_episode_id",
    "created",
    "revision",
)
