"""Whether a memory is whole: SQLite's own checks, and what must hold between its rows."""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database

from .merge_key import of_content, of_transition
from .sealing import TAMPERED, Seal, broken, key_id
from .templates import TRANSITION
from .transfer import NUMERIC, TABLES, columns_of

# What must find nothing, and how to say it when it finds something.
_LAWS = {
    "templates whose key is not a row of float32": (
        "SELECT id FROM templates WHERE typeof(key) <> 'blob' OR length(key) % 4 OR length(key) = 0"
    ),
    "transitions that lack a part": (
        f"SELECT id FROM templates WHERE (kind = '{TRANSITION}') <> "
        "(action IS NOT NULL AND terminated IS NOT NULL AND ifnull(length(next_key) = length(key), 0))"
    ),
    "templates of another width than their task, kind and encoder": (
        "SELECT id FROM templates JOIN (SELECT namespace, task, kind, encoder, min(length(key)) AS size FROM templates "
        "GROUP BY namespace, task, kind, encoder) USING (namespace, task, kind, encoder) WHERE length(key) <> size"
    ),
    "templates that were never seen": "SELECT id FROM templates WHERE count < 1",
    "templates with impossible ratings": "SELECT id FROM templates WHERE abs(rating_sum) > rating_count + 1e-6",
    "templates newer than the memory": "SELECT id FROM templates WHERE revision > (SELECT value FROM revision)",
    "templates from an episode of another namespace": (
        "SELECT templates.id FROM templates JOIN episodes "
        "ON episodes.episode_id IN (first_episode_id, last_episode_id) WHERE episodes.namespace <> templates.namespace"
    ),
    "episodes without their outcome": (
        "SELECT id FROM episodes WHERE 1 <> (SELECT count(*) FROM outcomes "
        "WHERE outcomes.episode_id = episodes.episode_id AND kind = 'return')"
    ),
    "episodes that ended on a template of another task, or none": (
        "SELECT episodes.id FROM episodes LEFT JOIN templates ON templates.id = last_template_id "
        "WHERE last_template_id IS NOT NULL AND "
        "(templates.namespace IS NOT episodes.namespace OR templates.task IS NOT episodes.task)"
    ),
    "runs and notes that reach into another namespace": (
        "SELECT runs.id FROM runs LEFT JOIN notes USING (run_id) LEFT JOIN templates ON templates.id = template_id "
        "LEFT JOIN episodes ON episodes.episode_id = runs.episode_id WHERE notes.namespace <> runs.namespace "
        "OR templates.namespace <> runs.namespace OR episodes.namespace <> runs.namespace"
    ),
    "receipts of another namespace than their run": (
        "SELECT receipts.id FROM receipts JOIN runs USING (run_id) WHERE runs.namespace <> receipts.namespace"
    ),
    "receipts that reach into another namespace": (
        "SELECT receipts.id FROM receipts LEFT JOIN receipt_templates ON receipt_templates.receipt_id = receipts.id "
        "LEFT JOIN templates ON templates.id = template_id LEFT JOIN episodes USING (episode_id) "
        "WHERE templates.namespace <> receipts.namespace OR episodes.namespace <> receipts.namespace"
    ),
}


def faults_in(db: Database, seal: Seal | None = None) -> list[str]:
    """Return what is wrong with a memory, a line each; an empty list if nothing is."""
    try:
        found = [f"SQLite: {line}" for (line,) in db.conn.execute("PRAGMA integrity_check") if line != "ok"]
    except sqlite3.DatabaseError as error:
        return [f"SQLite: {error}"]
    if found:
        return found  # queries on a file that is damaged tell nothing
    orphans = db.conn.execute("PRAGMA foreign_key_check").fetchall()
    found += [
        f"row {rowid} of {table} points at a row of {parent} that is not there" for table, rowid, parent, _ in orphans
    ]
    for law, query in _LAWS.items():
        ids = [row[0] for row in db.conn.execute(query)]
        found += [_line(law, ids)] if ids else []
    found += _other_than_numbers(db)
    changed = _changed_templates(db)
    found += [_line("templates whose content was changed", changed)] if changed else []
    return found + _broken_seals(db, seal)


def _other_than_numbers(db: Database) -> list[str]:
    found = []
    for table in TABLES:
        names = [name for name, kind in columns_of(db, table).items() if kind in NUMERIC]
        wrong = " OR ".join(f"typeof({name}) NOT IN ('integer', 'real', 'null')" for name in names)
        if names and (count := db.conn.execute(f"SELECT count(*) FROM {table} WHERE {wrong}").fetchone()[0]):
            found.append(f"{count} rows of {table} that hold something else where a number belongs")
    return found


def _broken_seals(db: Database, seal: Seal | None) -> list[str]:
    held = [row[0] for row in db.conn.execute("SELECT id FROM templates WHERE held = ?", (TAMPERED,))]
    found = [_line("templates held since they were changed from outside", held)] if held else []
    if seal is not None:
        bad = broken(db, seal)
        found += [_line("texts whose seal is broken or missing", bad)] if bad else []
    elif key_id(db) is not None:
        found.append(f"the texts are sealed with key {key_id(db)}, which is not here: they could not be checked")
    return found


def _changed_templates(db: Database) -> list[int]:
    query = (
        "SELECT id, ifnull(digest, merge_key), CAST(key AS BLOB), action, terminated, CAST(next_key AS BLOB), "
        "CAST(content AS BLOB) FROM templates"
    )
    changed = []
    for number, merge_key, key, action, terminated, next_key, content in db.conn.execute(query):
        if next_key is None:
            wanted = of_content(key, content or b"")
        else:
            wanted = of_transition(action or 0, bool(terminated), key, next_key)
        if wanted != merge_key:
            changed.append(number)
    return changed


def _line(law: str, ids: list[int]) -> str:
    shown = ", ".join(str(number) for number in sorted(ids)[:5]) + (", ..." if len(ids) > 5 else "")
    return f"{len(ids)} {law}: {shown}"
