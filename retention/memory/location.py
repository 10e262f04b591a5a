"""Where a memory lies, and whether the file found there is one.

A file is recognised by its first 100 bytes, before SQLite opens it: what is not ours is refused without being touched.
See https://www.sqlite.org/fileformat.html for the places in the header.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from ..errors import ForeignFileError, MemoryWriteError, NewerFileError, NotFoundError
from .schema import APPLICATION_ID, SCHEMA_VERSION

_HEADER_SIZE = 100
_MAGIC = b"SQLite format 3\x00"


def uri(path: Path, query: str) -> str:
    """Return SQLite's URI of a file; ``query`` is e.g. ``"mode=ro"``."""
    return f"{path.absolute().as_uri()}?{query}"


def as_path(path: str | os.PathLike[str] | None, mode: str) -> Path | None:
    """Return where a memory lies, or say what is wrong with how it was asked for.

    Raises:
        ValueError: if the mode is unknown, or the path names no file.
    """
    if mode not in ("rw", "ro"):
        raise ValueError(f"mode must be 'rw' or 'ro', got {mode!r}")
    if path is None:
        if mode == "ro":
            raise ValueError("a memory without a file cannot be read-only: nothing would ever be in it")
        return None
    if os.fspath(path) in ("", ":memory:"):
        raise ValueError(f"path must name a file, got {path!r}; for a memory without a file pass None")
    return Path(path)


def check_readable(path: Path) -> None:
    """Check that the file is a memory that this version can read.

    Raises:
        NotFoundError: if there is no file, or nothing in it yet.
        ForeignFileError: if it is something else.
        NewerFileError: if a newer holdfast wrote it.
    """
    if not path.exists():
        raise NotFoundError(f"{path}: no such file; a memory is made by the first run that names it")
    if not _recognise(path):
        raise NotFoundError(f"{path}: the file is empty; the first run that writes to it makes it a memory")


def claim(path: Path) -> None:
    """Check that the file can become or is a memory; create it, readable by its owner alone, where there is none.

    Raises:
        MemoryWriteError: if the folder does not exist, or the file cannot be written.
        ForeignFileError: if something else lies there.
        NewerFileError: if a newer holdfast wrote it.
    """
    if path.exists():
        _recognise(path)
        if not os.access(path, os.W_OK):
            raise MemoryWriteError(f"{path}: the file cannot be written; make it writable, or open it read-only")
        return
    if not path.absolute().parent.is_dir():
        raise MemoryWriteError(f"{path}: the folder {path.absolute().parent} does not exist; create it first")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise MemoryWriteError(f"{path}: cannot be created ({error.strerror}); name a file you can write") from error


def _recognise(path: Path) -> bool:
    """Say whether a file holds a memory (True) or nothing at all (False); raise if it holds something else."""
    if not path.is_file():
        raise ForeignFileError(f"{path}: is not a file; name a file for the memory")
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_SIZE)
    except OSError as error:
        raise MemoryWriteError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if not header:
        return False
    if len(header) < _HEADER_SIZE or not header.startswith(_MAGIC):
        raise ForeignFileError(f"{path}: is not a holdfast memory (not an SQLite file); name another file")
    version = int.from_bytes(header[60:64], "big")
    application = int.from_bytes(header[68:72], "big")
    if application != APPLICATION_ID:
        if application == 0 and _has_no_tables(path):
            return False
        raise ForeignFileError(f"{path}: is the SQLite file of another application; name another file")
    if version > SCHEMA_VERSION:
        raise NewerFileError(
            f"{path}: has schema version {version}, this holdfast knows up to {SCHEMA_VERSION}; "
            "upgrade with: pip install -U holdfast"
        )
    return True


def _has_no_tables(path: Path) -> bool:
    # immutable=1 takes no lock and writes no side file: the stranger's file stays as it is.
    try:
        with closing(sqlite3.connect(uri(path, "immutable=1"), uri=True)) as connection:
            return not connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError:
        return False
