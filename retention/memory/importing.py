"""Taking in an export: rows that are not there yet, in one transaction; what is there stays as it is."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from sqlite_utils import Database

from ..errors import ForeignFileError
from . import word_codes
from .connections import Connections
from .credit import Evidence
from .scope import check_name
from .sealing import Seal
from .settings import SWEPT
from .transfer import NUMERIC, SEAL, TABLES, WORDS, columns_of, read_rows
from .transition_rows import current_revision, next_revision
from .upkeep import IMPORT, end, noted
from .words import words

# What SQLite says of rows that break a law of the tables, or that hold what no column can.
_MISFITS = (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError)


@final
@dataclass(frozen=True, kw_only=True)
class Imported:
    """What was taken in.

    Attributes:
        templates: how many templates are new.
        episodes: how many episodes are new.
        rows: how many rows of any table are new.
        known: how many rows were there already.
    """

    templates: int
    episodes: int
    rows: int
    known: int


@dataclass
class _Taking:
    """An import in progress: which numbers rows have here, and which rows are new."""

    db: Database
    columns: dict[str, dict[str, str]]
    into_new: bool
    revision: int
    seal: Seal | None = None
    older: bool = False
    committed: dict[str, float] = field(default_factory=dict)
    templates: dict[int, int] = field(default_factory=dict)
    receipts: dict[int, int] = field(default_factory=dict)
    owners: dict[tuple[str, Any], str] = field(default_factory=dict)
    widths: dict[tuple[str, ...], int] = field(default_factory=dict)
    fresh: dict[str, set[Any]] = field(
        default_factory=lambda: {"episodes": set(), "templates": set(), "receipts": set(), "runs": set()}
    )
    ended_on: dict[str, int] = field(default_factory=dict)
    added: int = 0
    known: int = 0

    def take(self, table: str, row: dict[str, Any]) -> None:
        columns = self.columns[table]
        if not row.keys() <= columns.keys():
            raise ValueError(f"{table} have no columns {sorted(row.keys() - columns.keys())}")
        for name, value in row.items():
            if columns[name] in NUMERIC and not isinstance(value, (int, float)):
                raise ValueError(f"{name} of {table} must be a number, got {value!r}")
        if getattr(self, f"_take_{table}")(row):
            self.added += 1
        else:
            self.known += 1

    def insert(self, table: str, row: dict[str, Any]) -> int:
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        number = self.db.conn.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", row).lastrowid
        return number or 0

    def number(self, table: str, **known: Any) -> int | None:
        terms = " AND ".join(f"{name} = :{name}" for name in known)
        row = self.db.conn.execute(f"SELECT id FROM {table} WHERE {terms}", known).fetchone()
        return None if row is None else int(row[0])

    def _renumbered(self, row: dict[str, Any]) -> dict[str, Any]:
        """A new file keeps the numbers; in one that has rows they may be another row's, or one that was forgotten."""
        return row if self.into_new else {name: value for name, value in row.items() if name != "id"}

    def _owned(self, table: str, row: dict[str, Any], name: str) -> None:
        """Note whose a row is; an id that is another's here cannot be this one's."""
        owner, of = check_name(row["namespace"], "namespace"), row[name]
        self.owners[table, of] = owner
        held = self.db.conn.execute(f"SELECT namespace FROM {table} WHERE {name} = ?", (of,)).fetchone()
        if held is not None and held[0] != owner:
            raise ValueError(f"{name} {of!r} is of another namespace than {owner!r}")

    def _same_owner(self, owner: str, table: str, *of: Any) -> None:
        for one in of:
            if one is not None and self.owners[table, one] != owner:
                raise ValueError(f"a row of {owner!r} points at {table} of another namespace")

    def _check_width(self, row: dict[str, Any]) -> None:
        kind = tuple(row[name] for name in ("namespace", "task", "kind", "encoder"))
        if kind not in self.widths:
            where = "namespace = ? AND task = ? AND kind = ? AND encoder = ?"
            held = self.db.conn.execute(f"SELECT length(key) FROM templates WHERE {where} LIMIT 1", kind).fetchone()
            self.widths[kind] = len(row["key"]) if held is None else held[0]
        if len(row["key"]) != self.widths[kind]:
            raise ValueError(f"keys of task {kind[1]!r} and kind {kind[2]!r} must have width {self.widths[kind] // 4}")

    def _take_episodes(self, row: dict[str, Any]) -> bool:
        self._owned("episodes", row, "episode_id")
        if self.number("episodes", episode_id=row["episode_id"]) is not None:
            return False
        self.committed[row["episode_id"]] = row["created"]
        if "last_template_id" in row:
            self.ended_on[row["episode_id"]] = row.pop("last_template_id")
        self.insert("episodes", self._renumbered(row))
        self.fresh["episodes"].add(row["episode_id"])
        return True

    def _take_templates(self, row: dict[str, Any]) -> bool:
        owner = self.owners["templates", row["id"]] = check_name(row["namespace"], "namespace")
        self._same_owner(owner, "episodes", row.get("first_episode_id"), row.get("last_episode_id"))
        self._check_width(row)
        identity = {name: row[name] for name in ("namespace", "task", "kind", "merge_key")}
        number = self.number("templates", **identity)
        if number is None:
            if not self.into_new:
                row["revision"] = self.revision
            elif row["revision"] > self.revision:
                raise ValueError(f"revision {row['revision']} is newer than the file's")
            if "content" in row:
                row[WORDS] = word_codes.to_blob(words(row["content"]))
                row[SEAL] = self.seal and self.seal.of(owner, row["source"], row["content"])
            self.templates[row["id"]] = fresh = self.insert("templates", self._renumbered(row))
            self.fresh["templates"].add(fresh)
            return True
        self.templates[row["id"]] = number
        return False

    def _take_runs(self, row: dict[str, Any]) -> bool:
        self._owned("runs", row, "run_id")
        self._same_owner(row["namespace"], "episodes", row.get("episode_id"))
        if self.number("runs", run_id=row["run_id"]) is not None:
            return False
        self.insert("runs", self._renumbered(row))
        self.fresh["runs"].add(row["run_id"])
        return True

    def _take_notes(self, row: dict[str, Any]) -> bool:
        if row["run_id"] not in self.fresh["runs"]:
            return False
        self._same_owner(row["namespace"], "runs", row["run_id"])
        self._same_owner(row["namespace"], "templates", row["template_id"])
        self.insert("notes", self._renumbered(row) | {"template_id": self.templates[row["template_id"]]})
        return True

    def _take_outcomes(self, row: dict[str, Any]) -> bool:
        if row["episode_id"] not in self.fresh["episodes"]:
            return False
        self.insert("outcomes", self._renumbered(row))
        return True

    def _take_receipts(self, row: dict[str, Any]) -> bool:
        self._owned("receipts", row, "receipt_id")
        self._same_owner(row["namespace"], "episodes", row.get("episode_id"))
        self._same_owner(row["namespace"], "runs", row.get("run_id"))
        self.owners["receipts", row["id"]] = row["namespace"]
        if self.number("receipts", receipt_id=row["receipt_id"]) is not None:
            return False
        if self.older and "advantage" in row and "run_id" not in row and row.get("weight", 1) == 1:
            since = self.committed.get(row.get("episode_id", ""), row["created"])
            row["created"] = since if 0 <= row["created"] - since < 1 else row["created"]  # as its migration has it
        self.receipts[row["id"]] = self.insert("receipts", self._renumbered(row))
        self.fresh["receipts"].add(row["receipt_id"])
        return True

    def _take_receipt_templates(self, row: dict[str, Any]) -> bool:
        receipt = self.receipts.get(row["receipt_id"])
        if receipt is None:
            return False
        number = self.templates[row["template_id"]]
        self._same_owner(self.owners["receipts", row["receipt_id"]], "templates", row["template_id"])
        self.insert("receipt_templates", row | {"receipt_id": receipt, "template_id": number})
        if number not in self.fresh["templates"] and row.get("credit") is not None:
            self._credit(number, receipt, row["exposure"], row["credit"])
        return True

    def _credit(self, number: int, receipt: int, exposure: float, credit: float) -> None:
        """Give a template that was here before what a receipt that is new gave it elsewhere."""
        sums = "utility_sum, utility_square, utility_weight"
        before = self.db.conn.execute(f"SELECT {sums} FROM templates WHERE id = ?", (number,)).fetchone()
        (weight,) = self.db.conn.execute("SELECT weight FROM receipts WHERE id = ?", (receipt,)).fetchone()
        after = Evidence(*before).plus(weight * exposure, credit)
        self.db.conn.execute(f"UPDATE templates SET ({sums}) = (?, ?, ?) WHERE id = ?", (*after, number))

    def _take_receipt_outcomes(self, row: dict[str, Any]) -> bool:
        if row["receipt_id"] not in self.fresh["receipts"]:
            return False
        self.insert("receipt_outcomes", self._renumbered(row))
        return True

    def _take_settings(self, row: dict[str, Any]) -> bool:
        if row["name"] == SWEPT and not self.into_new:
            return False
        taken = self.db.conn.execute(
            "INSERT INTO settings (namespace, task, name, value) VALUES (:namespace, :task, :name, :value) "
            "ON CONFLICT DO NOTHING",
            row,
        )
        return bool(taken.rowcount)

    def _take_rollbacks(self, row: dict[str, Any]) -> bool:
        check_name(row["namespace"], "namespace")
        if self.number("rollbacks", namespace=row["namespace"], created=row["created"]) is not None:
            return False
        self.insert("rollbacks", self._renumbered(row))
        return True

    def finish(self) -> None:
        for episode_id, template_id in self.ended_on.items():
            self._same_owner(self.owners["episodes", episode_id], "templates", template_id)
            number = self.templates.get(template_id)
            self.db.conn.execute("UPDATE episodes SET last_template_id = ? WHERE episode_id = ?", (number, episode_id))


def import_file(connections: Connections, path: Path, seal: Seal | None = None) -> Imported:
    """Take in an export, all of it or nothing; noted meanwhile, so that after a crash one is told that it is not there.

    Raises:
        ForeignFileError: if it is something else, not whole, or its rows do not fit together.
        NewerFileError: if a newer holdfast wrote it.
        MemoryWriteError: if it cannot be read, or the memory cannot be written.
    """
    job = f"{IMPORT}{path.absolute()}"

    def take(db: Database) -> Imported:
        done = import_rows(db, path, seal)
        end(db, job)
        return done

    with noted(connections, job):
        return connections.write(take)


def import_rows(db: Database, path: Path, seal: Seal | None = None) -> Imported:
    """Take in an export.

    Raises:
        ForeignFileError: if it is something else, not whole, or its rows do not fit together.
        NewerFileError: if a newer holdfast wrote it.
    """
    rows = read_rows(path)
    _, head = next(rows)
    columns = {table: columns_of(db, table) for table in TABLES}
    into_new = current_revision(db) == 0 and not any(
        db.conn.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in TABLES
    )
    if into_new:
        db.conn.execute("UPDATE revision SET value = ?", (head["revision"],))
    revision = head["revision"] if into_new else next_revision(db)
    taking = _Taking(
        db=db, columns=columns, into_new=into_new, revision=revision, seal=seal, older=head["schema_version"] < 6
    )
    try:
        for table, row in rows:
            taking.take(table, row)
        taking.finish()
    except (KeyError, TypeError, ValueError, OverflowError, *_MISFITS) as error:
        raise ForeignFileError(f"{path}: its rows do not fit together ({error}); export it again") from error
    return Imported(
        templates=len(taking.fresh["templates"]),
        episodes=len(taking.fresh["episodes"]),
        rows=taking.added,
        known=taking.known,
    )
