"""The tables of a memory file, as migrations that are applied when it is opened.

A file says in its header what it is: ``application_id`` is ``HOLD``, ``user_version`` counts the migrations. A change
of the tables is a new function at the end and a new :data:`SCHEMA_VERSION`; a released function is never edited.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

APPLICATION_ID = 0x484F4C44
SCHEMA_VERSION = 1

migrations = Migrations("holdfast.memory")


@migrations()
def m001_create_tables(db: Database) -> None:
    """Create the tables of version 1."""
    db.executescript(_VERSION_1)


_VERSION_1 = """
CREATE TABLE revision (value INTEGER NOT NULL);
INSERT INTO revision VALUES (0);

CREATE TABLE episodes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    episode_id TEXT NOT NULL UNIQUE,
    namespace TEXT NOT NULL,
    task TEXT NOT NULL,
    number INTEGER NOT NULL,
    seed INTEGER,
    return_ REAL NOT NULL,
    length INTEGER NOT NULL,
    success INTEGER,
    seconds REAL NOT NULL,
    polarity INTEGER NOT NULL,
    weight REAL NOT NULL,
    baseline REAL,
    written INTEGER NOT NULL DEFAULT 0,
    merged INTEGER NOT NULL DEFAULT 0,
    last_template_id INTEGER,
    created REAL NOT NULL
);
CREATE INDEX episodes_by_task ON episodes (namespace, task, id, return_);

CREATE TABLE templates (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL,
    task TEXT NOT NULL,
    kind TEXT NOT NULL,
    merge_key BLOB NOT NULL,
    key BLOB NOT NULL,
    action INTEGER,
    next_key BLOB,
    terminated INTEGER,
    content TEXT,
    metadata TEXT,
    source TEXT NOT NULL,
    encoder TEXT NOT NULL,
    count INTEGER NOT NULL,
    reward_sum REAL NOT NULL DEFAULT 0,
    value REAL,
    rating_sum REAL NOT NULL DEFAULT 0,
    rating_count INTEGER NOT NULL DEFAULT 0,
    utility_sum REAL NOT NULL DEFAULT 0,
    utility_square REAL NOT NULL DEFAULT 0,
    utility_weight REAL NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'quarantined')),
    first_episode_id TEXT REFERENCES episodes (episode_id),
    last_episode_id TEXT REFERENCES episodes (episode_id),
    created REAL NOT NULL,
    revision INTEGER NOT NULL,
    UNIQUE (namespace, task, kind, merge_key)
);
CREATE INDEX templates_by_revision ON templates (namespace, task, kind, revision);
CREATE INDEX templates_by_first_episode ON templates (first_episode_id);
CREATE TRIGGER templates_identity
BEFORE UPDATE OF id, namespace, task, kind, merge_key, source, first_episode_id, created ON templates
BEGIN
    SELECT RAISE(ABORT, 'identity and source of a template never change');
END;

CREATE TABLE outcomes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    episode_id TEXT NOT NULL REFERENCES episodes (episode_id),
    kind TEXT NOT NULL CHECK (kind IN ('return', 'feedback')),
    reward REAL,
    rating REAL,
    feedback_id TEXT,
    created REAL NOT NULL,
    UNIQUE (episode_id, feedback_id)
);

CREATE TABLE receipts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL,
    episode_id TEXT REFERENCES episodes (episode_id),
    advantage REAL,
    created REAL NOT NULL
);
CREATE INDEX receipts_by_episode ON receipts (episode_id);

CREATE TABLE receipt_templates (
    receipt_id INTEGER NOT NULL REFERENCES receipts (id),
    template_id INTEGER NOT NULL REFERENCES templates (id),
    share REAL NOT NULL,
    PRIMARY KEY (receipt_id, template_id)
) WITHOUT ROWID;
CREATE INDEX receipt_templates_by_template ON receipt_templates (template_id);

CREATE TABLE settings (
    namespace TEXT NOT NULL,
    task TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (namespace, task, name)
) WITHOUT ROWID;
"""
