"""Giving the texts of a memory the vectors of another encoder: in batches, each kept, so that a crash costs one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import final

from sqlite_utils import Database

from .connections import Connections
from .encoding import REEMBED, Encoding
from .merge_key import of_content
from .progress import tracked
from .transition_rows import next_revision
from .vectors import to_blobs

BATCH = 256


@final
@dataclass(frozen=True, kw_only=True)
class Reembedded:
    """What encoding anew did.

    Attributes:
        encoder: the fingerprint of the encoder that all texts have vectors of now.
        encoded: how many texts were encoded.
        known: how many had its vectors already, as after an interruption.
    """

    encoder: str
    encoded: int
    known: int


def reembed(connections: Connections, encoding: Encoding, progress: bool | None) -> Reembedded:
    """Give every text of a memory the vector of an encoder; what was done before an interruption is not done again."""
    fingerprint = encoding.encoder.fingerprint
    # An encoder that fails at once must not leave a file that asks for it.
    if first := connections.read(partial(_following, fingerprint=fingerprint)):
        encoding.encode([content for _, content in first], progress=False)
    known, todo = connections.write(lambda db: _begin(db, fingerprint))
    done = 0
    for batch in tracked(_batches(connections, fingerprint), "encoding", progress, total=-(-todo // BATCH)):
        vectors = to_blobs(encoding.encode([content for _, content in batch], progress=False))
        rows = [(number, content, key) for (number, content), key in zip(batch, vectors, strict=True)]
        done += connections.write(partial(_give, fingerprint=fingerprint, rows=rows))
    connections.write(lambda db: db.conn.execute("DELETE FROM unfinished WHERE job = ?", (REEMBED,)).rowcount)
    return Reembedded(encoder=fingerprint, encoded=done, known=known)


def _begin(db: Database, fingerprint: str) -> tuple[int, int]:
    """Note what is to be done, and return how many texts have the vectors already and how many have not."""
    db.conn.execute(
        "INSERT OR REPLACE INTO unfinished VALUES (?, ?, ?)",
        (REEMBED, json.dumps({"encoder": fingerprint}), time.time()),
    )
    (texts,) = db.conn.execute("SELECT count(*) FROM templates WHERE content IS NOT NULL").fetchone()
    known = "SELECT count(*) FROM templates WHERE content IS NOT NULL AND encoder = ?"
    (there,) = db.conn.execute(known, (fingerprint,)).fetchone()
    return there, texts - there


def _batches(connections: Connections, fingerprint: str) -> Iterator[list[tuple[int, str]]]:
    while batch := connections.read(partial(_following, fingerprint=fingerprint)):
        yield batch


def _following(db: Database, *, fingerprint: str) -> list[tuple[int, str]]:
    """Return texts that have no vector of an encoder yet, a batch of them."""
    query = "SELECT id, content FROM templates WHERE content IS NOT NULL AND encoder {} ? LIMIT ?"
    # Two ranges of the index; "not equal" would look at every row.
    below = db.conn.execute(query.format("<"), (fingerprint, BATCH)).fetchall()
    return below or db.conn.execute(query.format(">"), (fingerprint, BATCH)).fetchall()


def _give(db: Database, *, fingerprint: str, rows: list[tuple[int, str, bytes]]) -> int:
    revision = next_revision(db)
    return db.conn.executemany(
        "UPDATE templates SET key = ?, encoder = ?, digest = ?, revision = ? WHERE id = ?",
        [(key, fingerprint, of_content(key, content.encode()), revision, number) for number, content, key in rows],
    ).rowcount
