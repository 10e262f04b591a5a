"""Seals: a keyed digest beside each text, which tells whether its words, its source or its namespace were changed.

HMAC-SHA256 (RFC 2104) over the three, cut to 16 bytes. The key is the application's, or lies beside the memory in
``NAME.key``, readable by its owner alone. Who can write the memory but not read the key cannot change a text, or have
it said by someone else, without being noticed.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import final

from sqlite_utils import Database

from ..errors import MemoryFileError, MemoryWriteError
from .connections import Connections
from .removals import announce
from .scope import Scope
from .transition_rows import next_revision

logger = logging.getLogger(__name__)

TAMPERED = "tampered"
"""Why a template is held whose seal does not fit."""

SEAL_BYTES = 16
"""How long a seal is."""

KEY_BYTES = 32
_LEAST_KEY_BYTES = 16
_CHUNK = 500


@final
class Seal:
    """A key at work.

    Args:
        key: at least 16 bytes that nobody else knows.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < _LEAST_KEY_BYTES:
            raise ValueError(f"a seal needs a key of at least {_LEAST_KEY_BYTES} bytes, got {len(key)}")
        self._key = key
        self.key_id = hmac.digest(key, b"holdfast seal", "sha256").hex()[:16]

    def of(self, namespace: str, source: str, content: str) -> bytes:
        """Return the seal of a text."""
        return self.of_parts(namespace.encode(), source.encode(), content.encode())

    def of_parts(self, *parts: bytes) -> bytes:
        """Return the seal of several things together."""
        return hmac.digest(self._key, told_apart(*parts), "sha256")[:SEAL_BYTES]


@final
class Sealing:
    """Where the seal of a memory comes from: given, in the file beside it, or none.

    Args:
        path: the memory; ``None`` for one without a file.
        given: the key; ``True`` to make a key file where there is none and the memory is not sealed; ``None`` for that
            which is there, if any.
    """

    def __init__(self, path: Path | None, given: bytes | bool | None) -> None:
        self._file = None if path is None else path.absolute().with_name(path.name + ".key")
        self._wanted = given is True
        self._seal = Seal(given) if isinstance(given, bytes) else None

    @property
    def seal(self) -> Seal | None:
        """The seal; looked for again where there was none, since another process may have made a key.

        Raises:
            MemoryFileError: if the key file is no key, or can be read by others.
        """
        if self._seal is None and self._file is not None and self._file.exists():
            self._seal = Seal(_read_key_file(self._file))
        return self._seal

    def use(self, key: bytes | None) -> Seal:
        """Take a key from now on: the given one, or that of the key file, which is made if there is none."""
        if key is not None:
            self._seal = Seal(key)
        elif self._file is None:
            self._seal = self._seal or Seal(secrets.token_bytes(KEY_BYTES))
        elif self._seal is None and not self._file.exists():
            _make_key_file(self._file)
        found = self.seal
        assert found is not None, "there is a key now"
        return found

    def adopt(self, connections: Connections) -> None:
        """Check that the memory was sealed with this key; where it never was, seal what is there if that is wanted.

        Raises:
            MemoryFileError: if it was sealed with another key, or with one that is not here and wanted.
        """
        known, seal = connections.read(key_id), self.seal
        if known is None:
            if (seal is not None or self._wanted) and not connections.read_only:
                seal = self.use(None) if seal is None else seal
                if count := connections.write(lambda db: seal_all(db, seal)):
                    logger.warning("%s: %d texts had no seal, and were sealed as they are", connections.name, count)
        elif seal is None and self._wanted:
            raise MemoryFileError(
                f"{connections.name}: is sealed with key {known}, which is not here; bring its key file, or take its "
                "texts for true as they are: holdfast memory seal"
            )
        elif seal is None:
            logger.warning("%s: its texts are sealed by a key that is not here; they are not checked", connections.name)
        elif known != seal.key_id:
            raise MemoryFileError(
                f"{connections.name}: is sealed with key {known}, this one is {seal.key_id}; open it with its own key, "
                "or open it without one and take its texts for true as they are: holdfast memory seal"
            )


def told_apart(*parts: bytes) -> bytes:
    """Return several things as one, each with its length before it, so that none can pass for two."""
    return b"".join(len(part).to_bytes(8, "little") + part for part in parts)


def key_id(db: Database) -> str | None:
    """Return which key a memory is sealed with; ``None`` for none."""
    row = db.conn.execute("SELECT key_id FROM seals").fetchone()
    return None if row is None else str(row[0])


def seal_all(db: Database, seal: Seal) -> int:
    """Seal every text of a memory as it is, but those that are held as tampered, and return how many."""
    query = "SELECT id, namespace, source, content FROM templates WHERE content IS NOT NULL AND held IS NOT ?"
    rows = [(seal.of(*row[1:]), row[0]) for row in db.conn.execute(query, (TAMPERED,)).fetchall()]
    db.conn.executemany("UPDATE templates SET seal = ? WHERE id = ?", rows)
    db.conn.execute("DELETE FROM seals")
    db.conn.execute("INSERT INTO seals VALUES (?, ?)", (seal.key_id, time.time()))
    return len(rows)


def is_ours(db: Database, seal: Seal) -> bool:
    """Say whether a memory is sealed, with this key.

    Raises:
        MemoryFileError: if it was sealed anew with another one since it was opened.
    """
    known = key_id(db)
    if known is not None and known != seal.key_id:
        raise MemoryFileError("the memory was sealed anew with another key meanwhile; open it again with that")
    return known is not None


def broken(db: Database, seal: Seal, ids: list[int] | None = None) -> list[int]:
    """Return which texts, of all or of some, do not have the seal they should have and are not held for it yet.

    Raises:
        MemoryFileError: if the memory was sealed anew with another key since it was opened.
    """
    if not is_ours(db, seal):
        return []
    query = "SELECT id, seal, namespace, source, CAST(content AS BLOB) FROM templates WHERE content IS NOT NULL {}"
    if ids is None:
        rows = db.conn.execute(query.format("AND held IS NOT ?"), (TAMPERED,))
        return [row[0] for row in rows if not _fits(seal, row)]
    found: list[int] = []
    for start in range(0, len(ids), _CHUNK):
        marks = ", ".join(map(str, ids[start : start + _CHUNK]))
        rows = db.conn.execute(query.format(f"AND id IN ({marks})"))
        found += [row[0] for row in rows if not _fits(seal, row)]
    return found


def hold(db: Database, scope: Scope, ids: list[int]) -> int:
    """Keep tampered templates of a namespace from use until they are forgotten; no outcome frees them."""
    revision, marks = next_revision(db), ", ".join(map(str, ids))
    query = (
        f"UPDATE templates SET status = 'quarantined', held = :held, revision = :revision WHERE id IN ({marks}) "
        f"AND {scope.where}"
    )
    held = db.conn.execute(query, scope.bind(held=TAMPERED, revision=revision)).rowcount
    announce(db, scope.namespace, revision)
    return held


def _fits(seal: Seal, row: tuple[int, bytes | None, str, str, bytes]) -> bool:
    _, held, namespace, source, content = row
    try:
        wanted = seal.of(namespace, source, content.decode())
    except (AttributeError, UnicodeDecodeError):  # no text any more
        return False
    return isinstance(held, bytes) and hmac.compare_digest(held, wanted)


def _make_key_file(file: Path) -> None:
    """Make a key file, whole or not at all; one that another process made meanwhile stays."""
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(KEY_BYTES).hex().encode() + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with suppress(FileExistsError):
            os.link(part, file)
    except OSError as error:
        raise MemoryWriteError(
            f"{file}: the key cannot be written ({error.strerror}); make its folder writable"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _read_key_file(file: Path) -> bytes:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        text = file.read_text(encoding="ascii")
        key = bytes.fromhex(text)
    except (OSError, ValueError) as error:
        raise MemoryFileError(f"{file}: is no key of a memory ({error}); restore a copy of it") from None
    if sys.platform != "win32" and mode & 0o077:
        raise MemoryFileError(f"{file}: others may read the key (mode {mode:04o}); run: chmod 600 {file}")
    if len(key) != KEY_BYTES:
        raise MemoryFileError(
            f"{file}: is no key of a memory ({len(key)} bytes, not {KEY_BYTES}); restore a copy of it"
        )
    return key
