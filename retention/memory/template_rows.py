"""Templates in the tables: reading any, pinning them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from sqlite_utils import Database

from ..errors import NotFoundError
from .credit import distrust, utility
from .scope import Scope
from .templates import Template
from .transition_rows import next_revision
from .vectors import from_blobs

GREATEST = 2**63 - 1
"""The greatest number that SQLite knows: no template has a greater id, and no table more rows."""

# With the record of its source beside each.
_SELECT = """
SELECT templates.*, total AS source_total, square AS source_square, weight AS source_weight
FROM templates {} LEFT JOIN sources USING (namespace, source)
"""


def count(db: Database, scope: Scope) -> int:
    """Return how many active templates a scope holds."""
    query = f"SELECT count(*) FROM templates WHERE {scope.usable}"
    (found,) = db.conn.execute(query, scope.bind()).fetchone()
    return int(found)


def find(db: Database, scope: Scope, template_id: int) -> Template:
    """Return a template.

    Raises:
        NotFoundError: if the namespace has no such template.
    """
    query = f"{_SELECT.format('')} WHERE {scope.there} AND id = :id"
    for row in db.query(query, scope.bind(id=template_id)) if abs(template_id) <= GREATEST else ():
        return _template(row)
    raise NotFoundError(
        f"namespace {scope.namespace!r} has no template {template_id}; list them with: holdfast memory list"
    )


def find_many(db: Database, scope: Scope, ids: Sequence[int]) -> dict[int, Template]:
    """Return those of the templates that may be recalled, by id."""
    marks = ", ".join(map(str, ids))
    query = f"{_SELECT.format('NOT INDEXED')} WHERE id IN ({marks}) AND {scope.usable}"
    return {row["id"]: _template(row) for row in db.query(query, scope.bind())}


def utilities(db: Database, scope: Scope, ids: Sequence[int]) -> dict[int, float]:
    """Return the utilities of those of the templates that may be recalled, by id."""
    marks = ", ".join(map(str, ids))
    query = (
        "SELECT id, utility_sum, utility_square, utility_weight, total, square, weight "
        "FROM templates NOT INDEXED LEFT JOIN sources USING (namespace, source) "
        f"WHERE id IN ({marks}) AND {scope.usable}"
    )
    return {
        row[0]: utility(row[1], row[2], row[3], 0.0 if row[6] is None else distrust(*row[4:]))[0]
        for row in db.conn.execute(query, scope.bind())
    }


def select(db: Database, scope: Scope, limit: int | None, offset: int, newest: bool) -> list[Template]:
    """Return the templates of a scope, by id, the newest first or last."""
    order = "DESC" if newest else "ASC"
    query = f"{_SELECT.format('')} WHERE {scope.there} ORDER BY id {order} LIMIT :limit OFFSET :offset"
    return [
        _template(row)
        for row in db.query(
            query, scope.bind(limit=-1 if limit is None else min(limit, GREATEST), offset=min(offset, GREATEST))
        )
    ]


def pin(db: Database, scope: Scope, ids: Sequence[int], pinned: bool) -> int:
    """Pin templates of a namespace or let them go, and return how many it has."""
    revision = next_revision(db)
    query = f"UPDATE templates SET pinned = :pinned, revision = :revision WHERE id = :id AND {scope.there}"
    return sum(
        db.conn.execute(query, scope.bind(pinned=pinned, revision=revision, id=int(number))).rowcount
        for number in dict.fromkeys(ids)
        if abs(number) <= GREATEST
    )


def namespaces(db: Database) -> list[str]:
    """Return the namespaces that have anything in the file, sorted."""
    tables = ("episodes", "templates", "runs")
    query = " UNION ".join(f"SELECT namespace FROM {table}" for table in tables) + " ORDER BY 1"
    return [row[0] for row in db.conn.execute(query)]


def tasks(db: Database, scope: Scope) -> list[str]:
    """Return the tasks of a namespace, sorted."""
    where = f"{scope.where} AND task <> ''"
    query = f"SELECT task FROM episodes WHERE {where} UNION SELECT task FROM templates WHERE {where} ORDER BY 1"
    return [row[0] for row in db.conn.execute(query, scope.bind())]


def _template(row: dict[str, Any]) -> Template:
    prior = 0.0
    if row["source_weight"] is not None:
        prior = distrust(row["source_total"], row["source_square"], row["source_weight"])
    mean, error = utility(row["utility_sum"], row["utility_square"], row["utility_weight"], prior)
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
        uses=row["utility_weight"],
        pinned=bool(row["pinned"]),
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
    "held",
    "expires",
    "first_episode_id",
    "last_episode_id",
    "created",
    "revision",
)
