"""What each version of the schema added to the tables of a memory file, in SQL; a released one is never edited."""

from __future__ import annotations

VERSION_1 = """
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

VERSION_2 = """
ALTER TABLE templates ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
ALTER TABLE templates ADD COLUMN expires REAL;
ALTER TABLE templates ADD COLUMN near_key BLOB;
ALTER TABLE templates ADD COLUMN digest BLOB;
CREATE INDEX templates_by_near_key ON templates (near_key) WHERE near_key IS NOT NULL;
CREATE INDEX templates_by_encoder ON templates (encoder, namespace, task, kind) WHERE content IS NOT NULL;
CREATE INDEX templates_by_expiry ON templates (namespace, expires) WHERE expires IS NOT NULL;

ALTER TABLE outcomes ADD COLUMN source TEXT NOT NULL DEFAULT 'user';

ALTER TABLE receipts ADD COLUMN receipt_id TEXT;
UPDATE receipts SET receipt_id = lower(hex(randomblob(16)));
CREATE UNIQUE INDEX receipts_by_receipt_id ON receipts (receipt_id);
ALTER TABLE receipts ADD COLUMN task TEXT NOT NULL DEFAULT '';
ALTER TABLE receipts ADD COLUMN outcome REAL;
CREATE INDEX receipts_by_outcome ON receipts (namespace, task, id) WHERE outcome IS NOT NULL;
ALTER TABLE receipt_templates ADD COLUMN exposure REAL NOT NULL DEFAULT 0;
ALTER TABLE receipt_templates ADD COLUMN credit REAL;
ALTER TABLE receipt_templates ADD COLUMN withheld INTEGER NOT NULL DEFAULT 0;

CREATE TABLE receipt_outcomes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    receipt_id TEXT NOT NULL REFERENCES receipts (receipt_id),
    reward REAL,
    rating REAL,
    source TEXT NOT NULL,
    feedback_id TEXT NOT NULL,
    created REAL NOT NULL,
    UNIQUE (receipt_id, feedback_id)
);

CREATE TABLE removals (
    namespace TEXT NOT NULL,
    task TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (namespace, task)
) WITHOUT ROWID;

CREATE TABLE unfinished (
    job TEXT PRIMARY KEY,
    details TEXT NOT NULL,
    created REAL NOT NULL
) WITHOUT ROWID;
"""

# The record of a source is the sum over its templates, whatever changes them.
VERSION_3 = """
ALTER TABLE templates ADD COLUMN words BLOB;
ALTER TABLE receipts ADD COLUMN weight REAL NOT NULL DEFAULT 1;
DROP INDEX templates_by_first_episode;
CREATE INDEX templates_by_first_episode ON templates (first_episode_id) WHERE first_episode_id IS NOT NULL;

CREATE TABLE sources (
    namespace TEXT NOT NULL,
    source TEXT NOT NULL,
    total REAL NOT NULL,
    square REAL NOT NULL,
    weight REAL NOT NULL,
    PRIMARY KEY (namespace, source)
) WITHOUT ROWID;
INSERT INTO sources
SELECT namespace, source, sum(utility_sum), sum(utility_square), sum(utility_weight) FROM templates
WHERE utility_weight > 0 GROUP BY namespace, source;

CREATE TRIGGER sources_gain AFTER INSERT ON templates WHEN new.utility_weight > 0
BEGIN
    INSERT INTO sources VALUES (new.namespace, new.source, new.utility_sum, new.utility_square, new.utility_weight)
    ON CONFLICT DO UPDATE SET
        total = total + excluded.total, square = square + excluded.square, weight = weight + excluded.weight;
END;
CREATE TRIGGER sources_change AFTER UPDATE OF utility_sum, utility_square, utility_weight ON templates
BEGIN
    INSERT INTO sources VALUES (
        new.namespace, new.source, new.utility_sum - old.utility_sum, new.utility_square - old.utility_square,
        new.utility_weight - old.utility_weight
    )
    ON CONFLICT DO UPDATE SET
        total = total + excluded.total, square = square + excluded.square, weight = weight + excluded.weight;
END;
CREATE TRIGGER sources_lose AFTER DELETE ON templates WHEN old.utility_weight > 0
BEGIN
    UPDATE sources SET
        total = total - old.utility_sum, square = square - old.utility_square, weight = weight - old.utility_weight
    WHERE namespace = old.namespace AND source = old.source;
END;
"""

# A note waits for the outcome of its run; what a template is worth of being used follows from all notes of it.
VERSION_4 = """
ALTER TABLE templates ADD COLUMN held TEXT;
ALTER TABLE templates ADD COLUMN seal BLOB;
ALTER TABLE receipt_templates ADD COLUMN verdict REAL NOT NULL DEFAULT 0;
ALTER TABLE outcomes ADD COLUMN reason TEXT;
ALTER TABLE receipt_outcomes ADD COLUMN reason TEXT;

CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    namespace TEXT NOT NULL,
    task TEXT NOT NULL,
    user TEXT,
    saw TEXT,
    episode_id TEXT UNIQUE REFERENCES episodes (episode_id),
    created REAL NOT NULL
);
CREATE INDEX runs_by_user ON runs (namespace, user);
CREATE TRIGGER runs_identity
BEFORE UPDATE OF id, run_id, namespace, task, user, created ON runs
BEGIN
    SELECT RAISE(ABORT, 'identity of a run never changes');
END;

CREATE TABLE notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL REFERENCES runs (run_id),
    namespace TEXT NOT NULL,
    template_id INTEGER NOT NULL REFERENCES templates (id),
    source TEXT NOT NULL,
    born INTEGER NOT NULL,
    needs INTEGER NOT NULL,
    rated INTEGER NOT NULL,
    apart INTEGER NOT NULL,
    flags TEXT NOT NULL,
    went_well INTEGER,
    rated_well INTEGER,
    created REAL NOT NULL,
    UNIQUE (run_id, template_id)
);
CREATE INDEX notes_by_template ON notes (template_id);
CREATE INDEX notes_by_source ON notes (namespace, source, created);
CREATE TRIGGER notes_identity
BEFORE UPDATE OF id, run_id, namespace, template_id, source, born, needs, rated, apart, flags, created ON notes
BEGIN
    SELECT RAISE(ABORT, 'identity and source of a note never change');
END;

ALTER TABLE receipts ADD COLUMN run_id TEXT REFERENCES runs (run_id);
CREATE INDEX receipts_by_run ON receipts (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE seals (
    key_id TEXT PRIMARY KEY,
    created REAL NOT NULL
) WITHOUT ROWID;
"""

# A cache: what is missing is made anew from the text, and what a text said before is no slot of it.
VERSION_5 = """
CREATE TABLE cached_slots (
    template_id INTEGER NOT NULL REFERENCES templates (id),
    adapter TEXT NOT NULL,
    slots BLOB NOT NULL,
    PRIMARY KEY (template_id, adapter)
) WITHOUT ROWID;
CREATE TRIGGER cached_slots_deleted BEFORE DELETE ON templates
BEGIN
    DELETE FROM cached_slots WHERE template_id = old.id;
END;
CREATE TRIGGER cached_slots_outdated AFTER UPDATE OF content ON templates WHEN new.content IS NOT old.content
BEGIN
    DELETE FROM cached_slots WHERE template_id = old.id;
END;
"""
