"""SQL from strangers on a small database in memory: it can read what is there, and can neither write nor hang."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import final

Value = str | int | float | None

_MOST_ROWS = 10  # of a result
_OPERATIONS, _ROUNDS = 1000, 2000  # of SQLite's machine: a query ends after so many rounds of so many
# None of them makes a text longer than what it is given.
_FUNCTIONS = {"abs", "avg", "coalesce", "count", "ifnull", "instr", "length", "like", "lower", "max", "min"} | {
    *("nullif", "round", "substr", "sum", "total", "trim", "upper")
}


@final
@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with all its rows."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


@final
@dataclass(frozen=True, kw_only=True)
class Result:
    """What a query found.

    Attributes:
        columns: their names.
        rows: the first of them, at most 10.
        more: whether there are more.
        error: why nothing was found, in one line; empty where all went well.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Value, ...], ...] = ()
    more: bool = False
    error: str = ""

    @property
    def single(self) -> Value:
        """The value of a result of one row with one column; else None."""
        return self.rows[0][0] if len(self.rows) == 1 and len(self.columns) == 1 else None


@contextmanager
def guarded_database(tables: Sequence[Table]) -> Iterator[sqlite3.Connection]:
    """Fill a database in memory, and guard it from then on.

    SQLite's own authorizer lets a query read these tables, the catalogue of them not, and call functions that count and
    compare. Recursion, pragmas, attached files and every statement that is no query are refused by it.
    """
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.execute("PRAGMA temp_store = memory")
        for table in tables:
            database.execute(f'CREATE TABLE "{table.name}" ({", ".join(map(_quoted, table.columns))})')
            places = ", ".join("?" * len(table.columns))
            database.executemany(f'INSERT INTO "{table.name}" VALUES ({places})', table.rows)
        readable = frozenset(table.name for table in tables)

        def allowed(action: int, first: str | None, second: str | None, _: str | None, __: str | None) -> int:
            if action == sqlite3.SQLITE_SELECT:
                return sqlite3.SQLITE_OK
            if action == sqlite3.SQLITE_READ and (first in readable or _is_named_in_the_query(first, second)):
                return sqlite3.SQLITE_OK
            if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _FUNCTIONS:
                return sqlite3.SQLITE_OK
            return sqlite3.SQLITE_DENY

        database.set_authorizer(allowed)
        yield database


def ask(database: sqlite3.Connection, query: str) -> Result:
    """Answer a query; whatever it is, something comes back, and soon.

    Args:
        database: a guarded one.
        query: one SELECT, or WITH and SELECT.
    """
    if not query.lstrip().lower().startswith(("select", "with")):
        return Result(error="only a SELECT is answered")
    if "||" in query:
        return Result(error="|| is not served")  # doubled again and again, it would fill the memory
    rounds = iter(range(_ROUNDS))
    database.set_progress_handler(lambda: next(rounds, None) is None, _OPERATIONS)
    try:
        with closing(database.execute(query)) as cursor:
            rows = cursor.fetchmany(_MOST_ROWS + 1)
            columns = tuple(str(each[0]) for each in cursor.description or ())
    except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError) as error:
        said = "the query takes too long" if "interrupted" in str(error) else " ".join(str(error).split())
        return Result(error=said or type(error).__name__)
    finally:
        database.set_progress_handler(None, _OPERATIONS)
    return Result(columns=columns, rows=tuple(rows[:_MOST_ROWS]), more=len(rows) > _MOST_ROWS)


def _is_named_in_the_query(table: str | None, column: str | None) -> bool:
    """Return whether rows are counted, with no column read, of what WITH names; the catalogue's names are SQLite's."""
    return not column and not (table or "").lower().startswith(("sqlite_", "pragma_"))


def _quoted(name: str) -> str:
    return f'"{name}"'
