"""Encoding: texts to vectors in batches, those met lately from a cache; and which encoder a file's texts are of."""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sqlite_utils import Database

from ..errors import EncoderMismatchError
from .encoder import Encoder, as_encoder, checked, default_encoder
from .progress import tracked

BATCH = 64
"""How many texts an encoder gets at once."""

CACHED = 4096
"""How many texts and their vectors are remembered."""

REEMBED = "reembed"
"""The name of the job that gives texts the vectors of another encoder, while it is not finished."""

EncoderLike = Encoder | Callable[[list[str]], ArrayLike] | str | os.PathLike[str]


@final
class Encoding:
    """An encoder at work; threads take turns.

    Args:
        encoder: the encoder; ``None`` for the default, looked for when it is first needed.
    """

    def __init__(self, encoder: EncoderLike | None) -> None:
        self._encoder = None if encoder is None else as_encoder(encoder)
        self.chosen = encoder is not None
        self._lock = threading.Lock()
        self._met: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    @property
    def encoder(self) -> Encoder:
        """The encoder.

        Raises:
            MissingExtraError: if it is the default one and not installed.
        """
        if self._encoder is None:
            self._encoder = default_encoder()
        return self._encoder

    def encode(self, texts: Sequence[str], progress: bool | None = None) -> NDArray[np.float32]:
        """Return the vectors of texts, float32 of shape (n, d); each text that is not in the cache is encoded once.

        Args:
            texts: at least one.
            progress: whether to show how far it is; ``None`` to show it on a terminal when there are many.

        Raises:
            ValueError: if the encoder returns something else than a row of finite numbers for each text.
        """
        encoder = self.encoder
        with self._lock:
            found = {text: self._met[text] for text in texts if text in self._met}
            # Texts of one length are padded least together.
            fresh = sorted({text for text in texts if text not in found}, key=len)
            batches = [fresh[start : start + BATCH] for start in range(0, len(fresh), BATCH)]
            for batch in tracked(batches, "encoding", progress):
                vectors = checked(encoder.encode(list(batch)), batch, encoder)
                found.update(zip(batch, vectors, strict=True))
            for text in fresh:
                self._met[text] = found[text]
            while len(self._met) > CACHED:
                self._met.popitem(last=False)
        widths = sorted({len(vector) for vector in found.values()})
        if len(widths) > 1:
            raise ValueError(f"encoder {encoder.fingerprint!r} must return rows of one width, got {widths}")
        return np.stack([found[text] for text in texts])


def check_agrees(db: Database, name: str, fingerprint: str, namespace: str | None = None) -> None:
    """Raise if the texts of a file have vectors of another encoder; vectors that were given count as nobody's.

    Args:
        db: the memory.
        name: the file, as the user knows it.
        fingerprint: the encoder at hand.
        namespace: look at the texts of this one alone.

    Raises:
        EncoderMismatchError: if they do, or are being given those of another.
    """
    going_to = unfinished_reembed(db)
    if going_to is not None and going_to != fingerprint:
        raise EncoderMismatchError(
            f"{name}: its texts are being encoded anew by {going_to!r}, which was interrupted; finish that with "
            f"that encoder, or start over with {fingerprint!r}: holdfast memory reembed"
        )
    others = [name for name in encoders(db, namespace) if name != fingerprint]
    if others and going_to is None:
        raise EncoderMismatchError(
            f"{name}: its texts were encoded by {others[0]!r}, not {fingerprint!r}; open it with that encoder, or "
            "encode them anew: holdfast memory reembed"
        )


def encoders(db: Database, namespace: str | None = None) -> list[str]:
    """Return the fingerprints of the encoders whose vectors the texts of a file have, or those of one namespace."""
    found, last = [], ""
    query = "SELECT min(encoder) FROM templates WHERE content IS NOT NULL AND encoder > ?"
    while (last := db.conn.execute(query, (last,)).fetchone()[0]) is not None:
        found.append(last)
    if namespace is None:
        return found
    of_it = "SELECT 1 FROM templates WHERE content IS NOT NULL AND encoder = ? AND namespace = ? LIMIT 1"
    return [name for name in found if db.conn.execute(of_it, (name, namespace)).fetchone()]


def unfinished_reembed(db: Database) -> str | None:
    """Return the encoder that texts are to be encoded anew by, where that was not finished."""
    row = db.conn.execute("SELECT details FROM unfinished WHERE job = ?", (REEMBED,)).fetchone()
    return None if row is None else str(json.loads(row[0])["encoder"])
