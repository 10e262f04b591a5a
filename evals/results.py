"""The results of a run, in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import final

from sqlite_utils import Database

from retention import ForeignFileError, MemoryLockedError, MemoryWriteError

from .phase import PhaseRun
from .suite import Case

_COLUMNS = {
    "key": str,
    "suite": str,
    "task": str,
    "arm": str,
    "seed": int,
    "finished": int,
    "error": str,
    "seconds": float,
    "at": str,
    "configuration": str,
    "phases": str,
}


@final
@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a case.

    Attributes:
        case: which.
        phases: its phases with their answers, in order; those before the failure where it failed.
        error: ``None`` where it finished, else one line that says why not.
    """

    case: Case
    phases: tuple[PhaseRun, ...]
    error: str | None = None


@final
class ResultsFile:
    """The table ``cases`` of a SQLite file: one row for each case, under the case's key.

    While it is open nobody else can open it, so that two runs cannot do the same case.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            ForeignFileError: it is not a file of results.
            MemoryLockedError: another run has it open.
            MemoryWriteError: it cannot be opened or written.
        """
        self.path = path
        self._database = Database(self._connected())
        try:
            self._database.execute("pragma locking_mode = exclusive")
            self._check()
            self._database.table("cases").create(_COLUMNS, pk="key", if_not_exists=True)
            with self._database.atomic():  # takes the lock, and keeps it until close
                self._database.execute("pragma user_version = 1")
        except sqlite3.OperationalError as error:
            self.close()
            if "locked" not in str(error):
                raise self._unusable(error) from None
            raise MemoryLockedError(f"another run writes to {path}: wait for it, or choose another --out") from None
        except sqlite3.DatabaseError as error:
            self.close()
            raise ForeignFileError(f"{path} is no file of results ({error}): choose another --out") from None

    def _connected(self) -> sqlite3.Connection:
        try:
            return sqlite3.connect(self.path, timeout=1.0)
        except sqlite3.OperationalError as error:
            raise self._unusable(error) from None

    def _check(self) -> None:
        """Refuse a database of something else, before anything is written to it."""
        tables = self._database.table_names()
        columns = self._database.table("cases").columns_dict if "cases" in tables else {}
        if tables and not columns.keys() >= _COLUMNS.keys():
            self.close()
            raise ForeignFileError(f"{self.path} is no file of results (it has other tables): choose another --out")

    def _unusable(self, error: sqlite3.Error) -> MemoryWriteError:
        return MemoryWriteError(
            f"{self.path} cannot be written ({error}): see to its folder, or choose another --out; what it has is kept"
        )

    def __enter__(self) -> ResultsFile:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file; closing it again does nothing."""
        self._database.close()

    def save(self, result: Result) -> None:
        """Store a result at once, in place of an earlier one of the same case.

        Raises:
            MemoryWriteError: it cannot be written, as when the disk is full.
        """
        case = result.case
        row = {
            "key": case.key,
            "suite": case.suite,
            "task": case.task,
            "arm": case.arm,
            "seed": case.seed,
            "finished": int(result.error is None),
            "error": result.error,
            "seconds": sum(each.seconds for each in result.phases),
            "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "configuration": json.dumps(case.as_dict(), sort_keys=True),
            "phases": json.dumps([asdict(each) for each in result.phases]),
        }
        try:
            self._database.table("cases").insert(row, replace=True)
        except sqlite3.OperationalError as error:
            raise self._unusable(error) from None

    def finished(self, cases: Iterable[Case]) -> list[Result]:
        """Return the results of those of ``cases`` that are finished, in the order of ``cases``."""
        stored = {row["key"]: row["phases"] for row in self._database.table("cases").rows_where("finished = 1")}
        return [
            Result(case=case, phases=tuple(PhaseRun(**each) for each in json.loads(stored[case.key])))
            for case in cases
            if case.key in stored
        ]
