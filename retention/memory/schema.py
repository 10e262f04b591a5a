"""The tables of a memory file, as migrations that are applied when it is opened.

A file says in its header what it is: ``application_id`` is ``HOLD``, ``user_version`` counts the migrations. A change
of the tables is a new function at the end and a new :data:`SCHEMA_VERSION`; a released function is never edited.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

from . import tables, word_codes
from .merge_key import of_words
from .recount import recount
from .rollback_schema import add_rollbacks
from .words import words

APPLICATION_ID = 0x484F4C44
SCHEMA_VERSION = 6

migrations = Migrations("holdfast.memory")


@migrations()
def m001_create_tables(db: Database) -> None:
    """Create the tables of version 1."""
    db.executescript(tables.VERSION_1)


@migrations()
def m002_text_memories(db: Database) -> None:
    """Add what text memories, late outcomes of receipts and removals need; credit is counted anew, in spreads."""
    db.executescript(tables.VERSION_2)
    texts = db.execute("SELECT id, content FROM templates WHERE content IS NOT NULL").fetchall()
    rows = [(of_words(words(content)), number) for number, content in texts]
    db.conn.executemany("UPDATE templates SET near_key = ? WHERE id = ?", rows)
    recount(db)


@migrations()
def m003_words_and_sources(db: Database) -> None:
    """Add the words of each text, so that no process has to find their stems again, and the record of each source."""
    db.executescript(tables.VERSION_3)
    texts = db.execute("SELECT id, content FROM templates WHERE content IS NOT NULL").fetchall()
    db.conn.executemany(
        "UPDATE templates SET words = ? WHERE id = ?",
        [(word_codes.to_blob(words(content)), number) for number, content in texts],
    )


@migrations()
def m004_runs_and_seals(db: Database) -> None:
    """Add the runs of agents and what they noted, verdicts on single items, and seals against tampering."""
    db.executescript(tables.VERSION_4)


@migrations()
def m005_cached_slots(db: Database) -> None:
    """Add the slots that a frozen language model wrote of texts, kept so that it need not read these again."""
    db.executescript(tables.VERSION_5)


migrations(name="m006_rollbacks")(add_rollbacks)
