"""The episodic memory: one SQLite file of templates, episodes, receipts and outcomes."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Literal, final

from .audit_store import AuditStore
from .connections import Connections
from .encoding import EncoderLike, Encoding
from .episode_store import EpisodeStore
from .fact_store import FactStore
from .file_store import FileStore
from .gate import FeedbackGate
from .item_store import ItemStore
from .location import as_path
from .ranking import RankingConfig
from .run_store import RunStore
from .sealing import Sealing
from .shelves import Shelves
from .template_store import TemplateStore

logger = logging.getLogger(__name__)


@final
class EpisodicMemory(EpisodeStore, ItemStore, RunStore, AuditStore, FactStore, FileStore):
    """What agents keep between episodes, processes and machines.

    Each method that writes does so in one transaction: a process that is killed leaves all of it or nothing. Threads
    and processes may share a file. A namespace is required wherever rows are read or written, and matched exactly; what
    belongs to another one looks as if it did not exist.

    Example:
        >>> with EpisodicMemory.open(None) as memory:
        ...     memory.episode_count(namespace="alice", task="corridor")
        0
    """

    def __init__(
        self,
        connections: Connections,
        path: Path | None,
        gate: FeedbackGate,
        encoding: Encoding,
        shelves: Shelves,
        sealing: Sealing,
    ) -> None:
        """Use :meth:`open`."""
        self._sealing = sealing
        self._shelves = shelves
        self._connections = connections
        self._gate = gate
        self._encoding = encoding
        self.path = path

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | None,
        *,
        mode: Literal["rw", "ro"] = "rw",
        gate: FeedbackGate | None = None,
        encoder: EncoderLike | None = None,
        recall: RankingConfig | None = None,
        synced: bool = False,
        seal: bytes | bool | None = None,
    ) -> EpisodicMemory:
        """Open a memory. What is in the file stays; a file that is something else is refused and left as it is.

        Args:
            path: the file, made (readable by its owner alone) if it does not exist; ``None`` for a memory without a
                file, gone when it is closed.
            mode: ``"ro"`` needs a memory that exists and writes nothing.
            gate: decides what an episode leaves; default :class:`FeedbackGate` with its default settings.
            encoder: makes the vectors of texts: an :class:`Encoder`, a function from n texts to an array of shape
                (n, d), or a model of sentence-transformers by its folder or name. By default all-MiniLM-L6-v2 of the
                extra ``text``, loaded when a text comes without a vector.
            recall: the settings of recall.
            synced: whether a write is on the disk when it returns, so that even a power cut takes nothing; it waits for
                the disk then. Otherwise nothing that happens to a process takes what it wrote, and after a power cut
                the file is whole but may lack the latest writes.
            seal: the key that texts are sealed with, so that a change of one from outside is noticed and it is not
                recalled; ``True`` makes a key file beside the memory; ``None`` takes the one that is there, if any.

        Raises:
            ForeignFileError: if the file is something else, or damaged.
            NewerFileError: if a newer holdfast wrote it.
            MemoryLockedError: if another process holds it, also after waiting.
            MemoryWriteError: if it cannot be written; not in mode ``"ro"``.
            NotFoundError: if there is no memory, in mode ``"ro"``.
            EncoderMismatchError: if an encoder is given, and the texts in the file are of another one.
            MemoryFileError: if the file is sealed with another key, or the key file cannot be used.
        """
        file = as_path(path, mode)
        encoding = Encoding(encoder)
        memory = cls(
            Connections(file, read_only=mode == "ro", synced=synced),
            file,
            gate or FeedbackGate(),
            encoding,
            Shelves(recall or RankingConfig()),
            Sealing(file, seal),
        )
        try:
            memory._sealing.adopt(memory._connections)
            for line in memory.unfinished():
                logger.warning("%s: %s; the same call again goes on with it", file, line)
            if encoding.chosen:
                memory._check_encoder()
        except BaseException:
            memory.close()
            raise
        return memory

    list = TemplateStore.templates  # by the name that the command has

    def close(self) -> None:
        """Close the file, with everything moved into it; may be called twice."""
        self._connections.close()

    def __enter__(self) -> EpisodicMemory:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
