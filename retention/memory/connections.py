"""The connections of a memory: one per thread, none across a fork, every write in a transaction of its own."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar, final

from sqlite_utils import Database

from ..errors import MemoryFileError, MemoryWriteError
from . import opening
from .faults import patiently, reported
from .opening import (
    clear_side_files,
    connect,
    open_for_reading,
    open_for_writing,
    read_pragma,
    recognise,
    side_files,
)

T = TypeVar("T")

CHECKPOINT_S = 5.0
"""For how many seconds others are waited for, so that what was forgotten leaves the write-ahead log, too."""


class _Seat:
    """A thread's place: its connection while open, the lock that guards it, what it last saw of others' writes."""

    def __init__(self, db: Database | None = None) -> None:
        self.lock = threading.RLock()
        self.db = db
        self.seen: int | None = None

    def close(self) -> None:
        if self.db is not None:
            self.db.close()
        self.db = self.seen = None


@final
class Connections:
    """The connections of one memory.

    A file has a connection for each thread, opened on its first use there. A memory without a file has a single one,
    which its threads take turns on. SQLite must not meet, in a forked child, a file that its parent has open (it would
    take the parent's locks for its own), so files are closed just before a fork and opened again when next used.

    Args:
        path: the file; ``None`` for a memory without one.
        read_only: whether writes are refused.
        synced: whether a write is on the disk when it returns.

    Raises:
        MemoryFileError: if the file cannot be used; see its sub-classes.
        NotFoundError: if ``read_only`` and there is no such memory.
    """

    def __init__(self, path: Path | None, *, read_only: bool = False, synced: bool = False) -> None:
        # A relative path is fixed now: later connections must find the same file after a chdir.
        self._file = None if path is None else path.absolute()
        self.read_only = read_only
        self._synced = synced
        self.name = "the memory" if path is None else str(path)
        self._found_sides = [] if self._file is None else side_files(self._file)
        self._pid = os.getpid()
        self._registry = threading.RLock()
        self._seats: dict[threading.Thread | None, _Seat] = {}
        self._closed = False
        self._identity: tuple[int, int] | None = None
        with _opening:
            if self._file is not None and not any(each.is_at(self._file) for each in _open_files):
                recognise(self._file, read_only=read_only)
            _open_files.add(self)
        try:
            with reported(self.name):
                if self._file is not None and read_only:
                    db, self._query = open_for_reading(self._file)
                else:
                    db, self._query = open_for_writing(self._file)
                self._prepare(db)
            self._seats[self._owner()] = _Seat(db)
            self.changed_elsewhere()
            self._identity = self._found()
        except BaseException:
            self.close()
            raise

    def _found(self) -> tuple[int, int] | None:
        """Return which file is at the memory's path now; ``None`` if there is none."""
        try:
            found = None if self._file is None else self._file.stat()
        except OSError:
            return None
        return None if found is None else (found.st_dev, found.st_ino)

    def read(self, query: Callable[[Database], T]) -> T:
        """Run a query on one consistent snapshot and return what it returns."""
        return self._transact("DEFERRED", query)

    def write(self, change: Callable[[Database], T]) -> T:
        """Run a change in one transaction: all of it is kept, or on any error nothing.

        The lock is taken at the beginning: a transaction that reads first and writes then is refused as soon as another
        process wrote in between, however long it waits.

        Raises:
            MemoryFileError: if the file was deleted or replaced since it was opened: what is written would go with it.
            MemoryLockedError: if another process holds the file, also after waiting.
            MemoryWriteError: if the memory is read-only, or the file cannot be written.
        """
        self.check_writable()
        if self._file is not None and self._found() != self._identity:
            raise MemoryFileError(
                f"{self.name}: was deleted or replaced while it was in use, so that nothing more can be kept in it; "
                "open it anew"
            )
        return self._transact("IMMEDIATE", change)

    def maintain(self, work: Callable[[Database], T]) -> T:
        """Run what SQLite does outside of a transaction, such as ``VACUUM``, and return what it returns.

        Raises:
            MemoryLockedError: if another process holds the file, also after waiting.
            MemoryWriteError: if the memory is read-only, or the file cannot be written.
        """
        self.check_writable()
        with reported(self.name), self._seat() as (_, db):
            return patiently(self.name, opening.BUSY_TIMEOUT_S, work, db)

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file and empty it; what others read for long stays there until later."""
        until = time.monotonic() + CHECKPOINT_S
        with self._seat() as (_, db), suppress(sqlite3.Error):
            # Again and again for a moment: while SQLite waits for readers, it lets nobody write.
            while _empty_log(db) and time.monotonic() < until:
                time.sleep(0.01)

    def changed_elsewhere(self) -> bool:
        """Say whether another connection wrote since this thread last asked; True where that cannot be known."""
        with reported(self.name), self._seat() as (seat, db):
            before, seat.seen = seat.seen, patiently(self.name, opening.BUSY_TIMEOUT_S, read_pragma, db, "data_version")
            return before != seat.seen

    def is_at(self, file: Path) -> bool:
        """Say whether a file is the one that is open here."""
        try:
            return not self._closed and self._file is not None and self._file.samefile(file)
        except OSError:  # one of them is not there
            return False

    def close(self) -> None:
        """Close all connections, and move what the write-ahead log holds into the file. May be called twice."""
        with self._registry:
            self._closed = True
            for seat in self._seats.values():
                with seat.lock:
                    if seat.db is not None and not self.read_only:
                        # What cannot be moved now stays in the log, where the next one to open the file finds it.
                        with suppress(sqlite3.Error):
                            _empty_log(seat.db)
                    seat.close()
            self._seats.clear()
            if self._file is not None and self.read_only and not self._found_sides:
                clear_side_files(self._file)

    def check_writable(self) -> None:
        """Raise ``MemoryWriteError`` if the memory is read-only."""
        if self.read_only:
            raise MemoryWriteError(f"{self.name}: is open read-only; open it with mode='rw' to write")

    def _transact(self, kind: str, work: Callable[[Database], T]) -> T:
        with reported(self.name):
            return patiently(self.name, opening.BUSY_TIMEOUT_S, self._transact_once, kind, work)

    def _transact_once(self, kind: str, work: Callable[[Database], T]) -> T:
        with self._seat() as (_, db):
            if db.conn.in_transaction:
                raise RuntimeError("a transaction is under way in this thread; call the memory when it has ended")
            try:
                # An interrupt of the user that comes while this waits is raised once it has begun.
                db.conn.execute(f"BEGIN {kind}")
                result = work(db)
                db.conn.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    db.rollback()
                raise
            return result

    @contextmanager
    def _seat(self) -> Iterator[tuple[_Seat, Database]]:
        """Give the calling thread its seat, with an open connection, for itself alone."""
        if self._file is None and os.getpid() != self._pid:
            raise MemoryFileError("a memory without a file does not cross a fork; open one in this process")
        owner = self._owner()
        with self._registry:
            if self._closed:
                raise ValueError(f"{self.name} is closed")
            if owner not in self._seats:
                self._clear_dead_seats()
                self._seats[owner] = _Seat()
            seat = self._seats[owner]
        with seat.lock:
            if seat.db is None:
                seat.db = connect(self._file, self._query)
                self._prepare(seat.db)
            yield seat, seat.db

    def _prepare(self, db: Database) -> None:
        if self._synced:
            db.conn.execute("PRAGMA synchronous = FULL")

    def _owner(self) -> threading.Thread | None:
        return None if self._file is None else threading.current_thread()

    def _clear_dead_seats(self) -> None:
        for thread in [thread for thread in self._seats if thread is not None and not thread.is_alive()]:
            self._seats.pop(thread).close()

    def _before_fork(self) -> None:
        self._registry.acquire()
        for seat in self._seats.values():
            seat.lock.acquire()
            if self._file is not None:
                seat.close()

    def _after_fork(self) -> None:
        for seat in self._seats.values():
            seat.lock.release()
        self._registry.release()


def _empty_log(db: Database) -> bool:
    """Move the write-ahead log into the file and empty it, and say whether others kept some of it from that."""
    busy, _, _ = db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return bool(busy)


_open_files: weakref.WeakSet[Connections] = weakref.WeakSet()
_opening = threading.Lock()


def _before_fork() -> None:
    _opening.acquire()
    for connections in list(_open_files):
        connections._before_fork()


def _after_fork() -> None:
    for connections in list(_open_files):
        connections._after_fork()
    _opening.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
