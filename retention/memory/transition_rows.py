"""Transitions in the tables: merging what an episode found, loading what is known."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sqlite_utils import Database

from .merge_key import of_transition
from .removals import announce, latest
from .scope import Scope
from .settings import SWEPT, load_setting, save_setting
from .templates import TRANSITION
from .transitions import Transitions
from .vectors import from_blobs, to_blobs

# SQLite before 3.32 takes at most 999 parameters.
_CHUNK = 500

# The merge law: counts and sums add up, whoever wrote first. A visit that the gate admits frees what was quarantined;
# what was rolled back begins anew with it.
_MERGE = """
INSERT INTO templates (
    namespace, task, kind, merge_key, key, action, next_key, terminated, source, encoder,
    count, reward_sum, value, rating_sum, rating_count, first_episode_id, last_episode_id, created, revision
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'episode', '', ?, ?, ?, 0, 0, ?, ?, ?, ?)
ON CONFLICT (namespace, task, kind, merge_key) DO UPDATE SET
    count = (held IS NULL) * count + excluded.count,
    reward_sum = (held IS NULL) * reward_sum + excluded.reward_sum,
    rating_sum = (held IS NULL) * rating_sum,
    rating_count = (held IS NULL) * rating_count,
    value = coalesce(excluded.value, CASE WHEN held IS NULL THEN value END),
    status = 'active',
    held = NULL,
    last_episode_id = excluded.last_episode_id,
    revision = excluded.revision
"""


def next_revision(db: Database) -> int:
    """Begin a new revision of the memory and return its number."""
    db.conn.execute("UPDATE revision SET value = value + 1")
    return current_revision(db)


def current_revision(db: Database) -> int:
    """Return the number of the memory's latest revision; 0 in a new one."""
    (value,) = db.conn.execute("SELECT value FROM revision").fetchone()
    return int(value)


def merge(
    db: Database, of_task: Scope, rows: Transitions, episode_id: str, revision: int
) -> tuple[NDArray[np.int64], int]:
    """Merge rows into the templates of a task.

    Returns:
        The template of each row, int64 of shape (n,), and how many templates are new.

    Raises:
        ValueError: if the keys have another width than the task's templates.
    """
    scope = replace(of_task, kind=TRANSITION)
    check_width(db, scope, rows.width)
    starts, ends, actions = to_blobs(rows.key), to_blobs(rows.next_key), rows.action.tolist()
    keys = [of_transition(*row) for row in zip(actions, rows.terminated.tolist(), starts, ends, strict=True)]
    known = _ids(db, scope, keys)
    now = time.time()
    db.conn.executemany(
        _MERGE,
        zip(
            *([constant] * len(rows) for constant in (scope.namespace, scope.task, scope.kind)),
            keys,
            starts,
            actions,
            ends,
            rows.terminated.tolist(),
            rows.count.tolist(),
            (rows.reward * rows.count).tolist(),
            [None if value != value else value for value in rows.value.tolist()],
            *([constant] * len(rows) for constant in (episode_id, episode_id, now, revision)),
            strict=True,
        ),
    )
    ids = _ids(db, scope, keys)
    return np.array([ids[key] for key in keys], dtype=np.int64), len(ids) - len(known)


def discard(db: Database, of_task: Scope, up_to: int, revision: int) -> None:
    """Delete the transitions of a task up to a revision, with their places on receipts; its episodes stay."""
    scope = replace(of_task, kind=TRANSITION)
    void, values = f"{scope.where} AND revision <= :up_to", scope.bind(up_to=up_to)
    gone = f"SELECT id FROM templates WHERE {void}"
    db.conn.execute(f"DELETE FROM receipt_templates WHERE template_id IN ({gone})", values)
    db.conn.execute(f"UPDATE episodes SET last_template_id = NULL WHERE last_template_id IN ({gone})", values)
    db.conn.execute(f"DELETE FROM templates WHERE {void}", values)
    announce(db, scope.namespace, revision, of_task.task or "")


def load(db: Database, of_task: Scope, after: int) -> tuple[Transitions, int]:
    """Return the active transitions of a task that changed after a revision, by id, and the latest revision."""
    scope = replace(of_task, kind=TRANSITION)
    found = db.conn.execute(
        "SELECT id, key, action, reward_sum / count, next_key, terminated, count, value, "
        "CASE WHEN rating_count THEN rating_sum / rating_count ELSE 0 END, "
        "coalesce((SELECT number FROM episodes WHERE episode_id = last_episode_id), 0) "
        f"FROM templates WHERE {scope.where} AND status = 'active' AND revision > :after ORDER BY id",
        scope.bind(after=after),
    ).fetchall()
    revision = current_revision(db)
    if not found:
        return Transitions.empty(_width(db, scope) or 1), revision
    try:
        return _columns(found), revision
    except (TypeError, ValueError) as error:
        raise sqlite3.DatabaseError(f"malformed transitions: {error}") from error


def save_values(db: Database, of_task: Scope, ids: ArrayLike, values: ArrayLike, revision: int) -> None:
    """Keep the swept values of templates; ids of another task are passed over."""
    scope = replace(of_task, kind=TRANSITION)
    numbers, swept = np.asarray(ids), np.asarray(values, np.float64)
    if numbers.ndim != 1 or numbers.shape != swept.shape:
        raise ValueError(f"ids and values must be 1-D and of one length, got shapes {numbers.shape} and {swept.shape}")
    if not np.isfinite(swept).all():
        raise ValueError("values must be finite")
    db.conn.executemany(
        f"UPDATE templates SET value = :value WHERE id = :id AND {scope.where}",
        [scope.bind(id=int(number), value=value) for number, value in zip(numbers, swept.tolist(), strict=True)],
    )
    save_setting(db, of_task, SWEPT, str(int(revision)))


def values_stand(db: Database, of_task: Scope) -> bool:
    """Say whether no transition of a task has changed or gone since the revision that its values were swept at."""
    at = load_setting(db, of_task, SWEPT)
    if not isinstance(at, int) or latest(db, of_task) > at:
        return False
    scope = replace(of_task, kind=TRANSITION)
    newer = f"SELECT 1 FROM templates WHERE {scope.where} AND status = 'active' AND revision > :at LIMIT 1"
    return db.conn.execute(newer, scope.bind(at=at)).fetchone() is None


def check_width(db: Database, scope: Scope, width: int) -> None:
    """Raise ``ValueError`` if keys have another width than the templates of their scope."""
    known = _width(db, scope)
    if known not in (None, width):
        raise ValueError(f"keys must have width {known}, as the templates of task {scope.task!r} have, got {width}")


def _ids(db: Database, scope: Scope, keys: list[bytes]) -> dict[bytes, int]:
    wanted = list(set(keys))
    found: dict[bytes, int] = {}
    for start in range(0, len(wanted), _CHUNK):
        chunk: dict[str, Any] = {f"k{i}": key for i, key in enumerate(wanted[start : start + _CHUNK])}
        marks = ", ".join(f":{name}" for name in chunk)
        query = f"SELECT merge_key, id FROM templates WHERE {scope.where} AND merge_key IN ({marks})"
        found.update(db.conn.execute(query, scope.bind(**chunk)).fetchall())
    return found


def _width(db: Database, scope: Scope) -> int | None:
    query = f"SELECT length(key) / 4 FROM templates WHERE {scope.where} LIMIT 1"
    row = db.conn.execute(query, scope.bind()).fetchone()
    return None if row is None else int(row[0])


def _columns(found: list[Any]) -> Transitions:
    ids, key, action, reward, next_key, terminated, count, value, rating, episode = zip(*found, strict=True)
    return Transitions(
        key=from_blobs(key),
        action=np.array(action, np.int64),
        reward=np.array(reward, np.float64),
        next_key=from_blobs(next_key),
        terminated=np.array(terminated, np.bool_),
        count=np.array(count, np.int64),
        value=np.array(value, np.float64),
        rating=np.array(rating, np.float64),
        id=np.array(ids, np.int64),
        episode=np.array(episode, np.int64),
    )
