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

from retention import ForeignFileError, MemoryLockedError

from .phase import PhaseRun
from .suite import Case


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
        """
        self.path = path
        self._database = Database(sqlite3.connect(path, timeout=1.0))
        try:
            self._database.execute("pragma locking_mode = exclusive")
            self._database.table("cases").create(
                {
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
                },
                pk="key",
                if_not_exists=True,
            )
            with self._database.atomic():  # takes the lock, and keeps it until close
                self._database.execute("pragma user_version = 1")
        except sqlite3.OperationalError as error:
            self.close()
            if "locked" not in str(error):
                raise
            raise MemoryLockedError(f"another run writes to {path}: wait for it, or choose another --out") from None
        except sqlite3.DatabaseError as error:
            self.close()
            raise ForeignFileError(f"{path} is no file of results ({error}): choose another --out") from None

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
        """Store a result at once, in place of an earlier one of the same case."""
        case = result.case
        self._database.table("cases").insert(
            {
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
            },
            replace=True,
        )

    def finished(self, cases: Iterable[Case]) -> list[Result]:
        """Return the results of those of ``cases`` that are finished, in the order of ``cases``."""
        stored = {row["key"]: row["phases"] for row in self._database.table("cases").rows_where("finished = 1")}
        return [
            Result(case=case, phases=tuple(PhaseRun(**each) for each in json.loads(stored[case.key])))
            for case in cases
            if case.key in stored
        ]
