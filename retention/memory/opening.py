"""Opening a memory: the file is recognised, brought up to date, and a connection to it made."""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from sqlite_utils import Database

from ..errors import ForeignFileError, MemoryWriteError
from .faults import is_busy, patiently
from .location import check_readable, claim, uri
from .schema import APPLICATION_ID, SCHEMA_VERSION, migrations

logger = logging.getLogger(__name__)

BUSY_TIMEOUT_S = 300.0
"""How long a busy file is waited for, in seconds, before it is reported: an import or a compaction may hold it long."""

LOOK_S = 0.05
"""How long SQLite itself looks for a free file, in seconds, before we let it begin again (:func:`.faults.patiently`).

After a while it would look ten times a second only, and miss the moments between another's batches.
"""

CACHE_KIB = 64 * 1024
"""How much of a file each connection may hold in memory: the indexes of 100,000 texts fit in."""

LOG_PAGES = 4000
"""After how many pages the write-ahead log is moved into the file: 16 MB, so that many rows share a page."""


def connect(path: Path | None, query: str) -> Database:
    """Return a new connection; it may be closed from another thread, and starts no transaction by itself.

    Args:
        path: the file; ``None`` for a database without one.
        query: the query of SQLite's URI, e.g. ``"mode=rw"``.
    """
    connection = sqlite3.connect(
        ":memory:" if path is None else uri(path, query),
        timeout=min(LOOK_S, BUSY_TIMEOUT_S),
        isolation_level=None,
        check_same_thread=False,
        uri=path is not None,
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}").fetchone()
    except BaseException:
        connection.close()
        raise
    return Database(connection, execute_plugins=False)


def recognise(path: Path, *, read_only: bool) -> None:
    """Check that a file is a memory, or can become one, before SQLite opens it.

    Where this process has the file open already, nobody may do this: the file is read and closed, and on closing any of
    its descriptors POSIX takes from a process all locks that it has on the file. Without them the next process to close
    it would take itself for the last and delete the log that this one goes on writing to.

    Raises:
        NotFoundError: if there is no memory, and it is to be read only.
        MemoryFileError: if the file cannot be used; see its sub-classes.
    """
    if read_only:
        check_readable(path)
    else:
        claim(path)


def open_for_writing(path: Path | None) -> tuple[Database, str]:
    """Open a memory whose file was recognised, and return its first connection and the query for more.

    Raises:
        MemoryFileError: if the file cannot be used; see its sub-classes.
    """
    name = "the memory" if path is None else str(path)
    if path is not None and not os.access(path, os.W_OK):
        raise MemoryWriteError(f"{path}: the file cannot be written; make it writable, or open it read-only")
    db = patiently(name, BUSY_TIMEOUT_S, connect, path, "mode=rw")
    try:
        if patiently(name, BUSY_TIMEOUT_S, _identity, db) != (APPLICATION_ID, SCHEMA_VERSION):
            patiently(name, BUSY_TIMEOUT_S, _migrate, db, path)
        if path is not None:
            patiently(name, BUSY_TIMEOUT_S, db.conn.execute, "PRAGMA journal_mode = WAL")
    except BaseException:
        db.close()
        raise
    return db, "mode=rw"


def open_for_reading(path: Path) -> tuple[Database, str]:
    """Open a memory that was recognised, without writing to it, and return its first connection and the query for more.

    Where SQLite cannot make the side files that sharing needs (a read-only folder or disk), the file is opened as one
    that nobody changes.

    Raises:
        MemoryFileError: if the file cannot be used; see its sub-classes.
    """
    try:
        return patiently(str(path), BUSY_TIMEOUT_S, _open_checked, path, "mode=ro"), "mode=ro"
    except sqlite3.OperationalError as error:
        if is_busy(error):
            raise  # one that others change must not be read as one that nobody does
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise MemoryWriteError(
                f"{path}: its latest changes are in {log.name}, which cannot be read here; "
                "copy both files to a folder that can be written, and open them there"
            ) from None
        return _open_checked(path, "immutable=1"), "immutable=1"


def _open_checked(path: Path, query: str) -> Database:
    db = connect(path, query)
    try:
        application, version = _identity(db)
    except BaseException:
        db.close()
        raise
    if (application, version) != (APPLICATION_ID, SCHEMA_VERSION):
        db.close()
        raise MemoryWriteError(
            f"{path}: has schema version {version}, {SCHEMA_VERSION} is needed; open it for writing once to update it"
        )
    return db


def _identity(db: Database) -> tuple[int, int]:
    return read_pragma(db, "application_id"), read_pragma(db, "user_version")


def read_pragma(db: Database, name: str) -> int:
    """Return the value of one of SQLite's numbers."""
    (value,) = db.conn.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def _migrate(db: Database, path: Path | None) -> None:
    # One transaction for all: a process that is killed here leaves the file as it was, and of two that open a new file
    # at the same time the second finds it made.
    db.conn.execute("BEGIN IMMEDIATE")
    try:
        if read_pragma(db, "application_id") != APPLICATION_ID and db.table_names():
            raise ForeignFileError(f"{path}: is the SQLite file of another application; name another file")
        older = read_pragma(db, "user_version")
        kept, again = None, ""
        if path is not None and 0 < older < SCHEMA_VERSION:
            kept = _copy_of(path, older)
            again = ", which was begun before and cut off" if any(map(Path.exists, [kept, *_parts(kept)])) else ""
            _back_up(path, older, kept)
        migrations.apply(db)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.commit()
    except BaseException:
        db.rollback()
        raise
    if kept is not None:
        logger.warning(
            "%s: brought from schema version %d to %d%s; as it was before, it is kept in %s",
            path,
            older,
            SCHEMA_VERSION,
            again,
            kept.name,
        )


def _copy_of(path: Path, version: int) -> Path:
    return path.with_name(f"{path.name}.v{version}.backup")


def _parts(copy: Path) -> list[Path]:
    """Return the files that a copy in the making has: itself, and SQLite's journal of it."""
    part = copy.with_name(f"{copy.name}.part")
    return [part, part.with_name(f"{part.name}-journal")]


def _back_up(path: Path, version: int, copy: Path) -> None:
    """Copy a file that is about to be migrated, while the lock keeps others from writing.

    Raises:
        MemoryWriteError: if the copy cannot be written; nothing is migrated then.
    """
    part, journal = _parts(copy)
    try:
        for file in (part, journal):  # of a process that was killed
            file.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_RDWR, 0o600))
        with closing(connect(path, "mode=ro").conn) as source, closing(sqlite3.connect(part)) as target:
            source.backup(target)
        part.replace(copy)
    except (OSError, sqlite3.Error) as error:
        for file in (part, journal):
            with suppress(OSError):
                file.unlink(missing_ok=True)
        raise MemoryWriteError(
            f"{path}: is of schema version {version} and is copied before it is brought up to date; the copy "
            f"{copy.name} cannot be written ({error}); free some space there, the file is as it was"
        ) from error


def side_files(path: Path) -> list[Path]:
    """Return the side files of a memory that are there: its write-ahead log and the log's index."""
    sides = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    return [side for side in sides if side.exists()]


def clear_side_files(path: Path) -> None:
    """Remove the empty side files that reading left: the last connection that may write takes them away."""
    if side_files(path):
        with suppress(sqlite3.Error), closing(connect(path, "mode=rw").conn) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
