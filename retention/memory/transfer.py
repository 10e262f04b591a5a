"""Export and import: a memory as lines of JSON, with vectors, utilities and where everything came from.

The first line says what the file is, the last one how many rows it has; between them a row of a table each, in an order
in which a row comes after those it points at. Bytes are base64. What is imported twice is there once.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, final

from sqlite_utils import Database

from ..errors import ForeignFileError, MemoryWriteError, NewerFileError
from .schema import SCHEMA_VERSION
from .scope import Scope
from .transition_rows import current_revision

FORMAT = "holdfast memory"

FIRST_VERSION = 2
"""The schema version of the oldest exports; what later ones have beside it follows from the rest, or has a default."""

WORDS = "words"
"""The column that is not exported: it follows from the content."""

SEAL = "seal"
"""Nor is this one: it is of the memory's own key, and what is taken in is sealed there."""

_SQLITE = b"SQLite format 3\0"

TABLES = (
    "episodes",
    "templates",
    "runs",
    "notes",
    "outcomes",
    "receipts",
    "receipt_templates",
    "receipt_outcomes",
    "settings",
    "rollbacks",
)

NUMERIC = ("INTEGER", "REAL")
"""The types of columns that hold numbers alone."""

_OF_NAMESPACE = {
    "outcomes": "episode_id IN (SELECT episode_id FROM episodes WHERE {where})",
    "receipt_templates": "receipt_id IN (SELECT id FROM receipts WHERE {where})",
    "receipt_outcomes": "receipt_id IN (SELECT receipt_id FROM receipts WHERE {where})",
}


@final
@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written.

    Attributes:
        templates: how many templates.
        episodes: how many episodes.
        rows: how many rows of any table.
        bytes: the size of the file.
    """

    templates: int
    episodes: int
    rows: int
    bytes: int


def export(db: Database, path: Path, namespace: str | None, overwrite: bool) -> Exported:
    """Write a memory, or one namespace of it, to a file that is there as a whole or not at all.

    Raises:
        MemoryWriteError: if the file is there already, or cannot be written.
    """
    if path.exists():
        _check_replaceable(path, overwrite)
    path = path.resolve()  # a link stays one
    part = path.with_name(path.name + ".part")
    try:
        with _claimed(part) as file:
            try:
                counts = _write(db, file, namespace)
                file.flush()
                os.fsync(file.fileno())
                size = part.stat().st_size
                part.replace(path)
            except BaseException:
                with suppress(OSError):
                    part.unlink(missing_ok=True)
                raise
    except BlockingIOError:
        raise MemoryWriteError(f"{path}: another process is writing it; name another file") from None
    except OSError as error:
        raise MemoryWriteError(
            f"{path}: cannot be written ({error.strerror}); name a file in a folder with space"
        ) from error
    return Exported(templates=counts["templates"], episodes=counts["episodes"], rows=sum(counts.values()), bytes=size)


def _check_replaceable(path: Path, overwrite: bool) -> None:
    """Check that what is at a path may give way to an export.

    Raises:
        MemoryWriteError: it may not.
    """
    if not path.is_file():
        raise MemoryWriteError(f"{path}: is no regular file, and an export is there as a whole or not at all")
    if not overwrite:
        raise MemoryWriteError(f"{path}: is there already; name another file")
    with path.open("rb") as file:
        if file.read(len(_SQLITE)) == _SQLITE:
            raise MemoryWriteError(f"{path}: is a memory, or another SQLite database; name another file")


def _claimed(part: Path) -> IO[str]:
    """Open a file in the making, empty and readable by its owner alone; one that a killed process left is taken over.

    Raises:
        BlockingIOError: if another process is making it.
        OSError: if it cannot be opened.
    """
    descriptor = os.open(part, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not (part.exists() and os.path.samestat(part.stat(), os.fstat(descriptor))):
                raise BlockingIOError  # the other one has just finished
            os.fchmod(descriptor, 0o600)
        os.truncate(descriptor, 0)
    except BaseException:
        os.close(descriptor)
        raise
    return open(descriptor, "w", encoding="utf-8", newline="\n")  # noqa: PTH123 - made with its rights


def _write(db: Database, file: IO[str], namespace: str | None) -> dict[str, int]:
    head = {"format": FORMAT, "schema_version": SCHEMA_VERSION, "revision": current_revision(db)}
    file.write(json.dumps(head) + "\n")
    counts = dict.fromkeys(TABLES, 0)
    for table in TABLES:
        where, values = "TRUE", {}
        if namespace is not None:
            scope = Scope(namespace)
            where, values = _OF_NAMESPACE.get(table, "{where}").format(where=scope.where), scope.bind()
        for row in db.query(f"SELECT * FROM {table} WHERE {where} ORDER BY 1, 2, 3", values):
            cells = {
                name: _as_json(value) for name, value in row.items() if value is not None and name not in (WORDS, SEAL)
            }
            file.write(json.dumps({"table": table, **cells}, allow_nan=False) + "\n")
            counts[table] += 1
    file.write(json.dumps({"end": counts}) + "\n")
    return counts


def read_rows(path: Path) -> Generator[tuple[str, dict[str, Any]], None, None]:
    """Return the head of an export, and then its rows with their tables.

    Raises:
        ForeignFileError: if it is something else, or not whole.
        NewerFileError: if a newer holdfast wrote it.
        MemoryWriteError: if it cannot be read.
    """
    if path.exists() and not path.is_file():
        raise MemoryWriteError(f"{path}: is no regular file, and an import is read more than once; save it to a file")
    try:
        file = path.open(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise MemoryWriteError(f"{path}: cannot be read ({error.strerror}); check its name") from error
    counts = dict.fromkeys(TABLES, 0)
    with file:
        yield "head", _check_head(path, _line(path, 1, file.readline(1 << 16)))
        for number, text in enumerate(file, 2):
            row = _line(path, number, text)
            if "end" in row:
                # Older exports know fewer tables.
                if (
                    not isinstance(row["end"], dict)
                    or dict.fromkeys(TABLES, 0) | row["end"] != counts
                    or file.readline()
                ):
                    break
                return
            table = row.pop("table", None)
            if table not in counts:
                raise ForeignFileError(f"{path}: line {number} is of no table; restore a copy of the export")
            counts[table] += 1
            yield table, {name: _from_json(path, number, value) for name, value in row.items()}
    raise ForeignFileError(f"{path}: is not whole: it ends before it should; export it again")


def columns_of(db: Database, table: str) -> dict[str, str]:
    """Return the columns of a table with their declared types."""
    return {row[1]: row[2] for row in db.conn.execute(f"PRAGMA table_info({table})")}


def check_export(path: str | os.PathLike[str]) -> None:
    """Check that a file begins as an export does; see :func:`read_rows` for what it raises."""
    rows = read_rows(Path(path))
    next(rows)
    rows.close()


def _check_head(path: Path, head: dict[str, Any]) -> dict[str, Any]:
    if head.get("format") != FORMAT:
        raise ForeignFileError(f"{path}: is no export of a holdfast memory; name another file")
    for name in ("schema_version", "revision"):
        if type(head.get(name)) is not int or not 0 <= head[name] < 2**63:
            raise ForeignFileError(f"{path}: line 1 is damaged; restore a copy of the export, or export it again")
    if head["schema_version"] > SCHEMA_VERSION:
        raise NewerFileError(
            f"{path}: has schema version {head['schema_version']}, this holdfast knows up to {SCHEMA_VERSION}; "
            "upgrade with: pip install -U holdfast"
        )
    if head["schema_version"] < FIRST_VERSION:
        raise ForeignFileError(
            f"{path}: has schema version {head['schema_version']}, which no export had; export it again"
        )
    return head


def _line(path: Path, number: int, text: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except (ValueError, UnicodeError, RecursionError):
        row = None
    if not isinstance(row, dict):
        if number == 1:
            raise ForeignFileError(f"{path}: is no export of a holdfast memory; name another file")
        raise ForeignFileError(f"{path}: line {number} is damaged; restore a copy of the export, or export it again")
    return row


def _as_json(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _from_json(path: Path, number: int, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    try:
        return base64.b64decode(value["base64"], validate=True)
    except (KeyError, TypeError, ValueError):
        raise ForeignFileError(
            f"{path}: line {number} is damaged; restore a copy of the export, or export it again"
        ) from None
