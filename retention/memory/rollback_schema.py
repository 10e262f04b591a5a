"""The tables of version 6: rollbacks, marks on what they took back, and of verdicts who gave them when."""

from __future__ import annotations

from sqlite_utils import Database


def add_rollbacks(db: Database) -> None:
    """Add rollbacks, marks on the rows that no longer count (when that was), and the time and source of verdicts.

    The receipt that an episode was committed with has the time of the episode from now on: it is credited as soon as
    that, one of a later recall not before feedback.
    """
    db.executescript(_VERSION_6)


_VERSION_6 = """
ALTER TABLE episodes ADD COLUMN void REAL;
ALTER TABLE outcomes ADD COLUMN void REAL;
ALTER TABLE receipts ADD COLUMN void REAL;
ALTER TABLE receipt_outcomes ADD COLUMN void REAL;
ALTER TABLE notes ADD COLUMN void REAL;
ALTER TABLE receipt_templates ADD COLUMN judge TEXT;
ALTER TABLE receipt_templates ADD COLUMN judged REAL;
DROP INDEX episodes_by_task;
CREATE INDEX episodes_by_task ON episodes (namespace, task, id, return_, void);

UPDATE receipts SET created = (SELECT created FROM episodes WHERE episodes.episode_id = receipts.episode_id)
WHERE weight = 1 AND run_id IS NULL AND advantage IS NOT NULL
AND created < (SELECT created + 1 FROM episodes WHERE episodes.episode_id = receipts.episode_id);

CREATE TABLE rollbacks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL,
    as_of REAL NOT NULL,
    source TEXT,
    run_id TEXT,
    counts TEXT NOT NULL,
    created REAL NOT NULL,
    UNIQUE (namespace, created)
);
"""
