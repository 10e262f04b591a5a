"""What a memory does with its file as a whole: it is described, verified, compacted, exported and imported into."""

from __future__ import annotations

import os
from abc import ABC
from pathlib import Path
from typing import Any

from . import template_rows, upkeep
from .connections import Connections
from .encoding import EncoderLike, Encoding
from .importing import Imported, import_file
from .reembedding import Reembedded, reembed
from .scope import Scope
from .sealing import Sealing, seal_all
from .stats import describe
from .transfer import Exported, export
from .upkeep import Compacted
from .verification import faults_in


class FileStore(ABC):
    """The part of :class:`EpisodicMemory` that is about the file as a whole."""

    _connections: Connections
    _encoding: Encoding
    _sealing: Sealing
    path: Path | None

    def namespaces(self) -> list[str]:
        """Return the namespaces that hold anything, sorted. For who owns the file, not for a tenant."""
        return self._connections.read(template_rows.namespaces)

    def tasks(self, *, namespace: str) -> list[str]:
        """Return the tasks of a namespace, sorted."""
        scope = Scope(namespace)
        return self._connections.read(lambda db: template_rows.tasks(db, scope))

    def stats(self, *, namespace: str | None = None) -> dict[str, Any]:
        """Return what the memory holds, in numbers that JSON can hold.

        Args:
            namespace: of this one alone; ``None`` for all, and the size of the file.

        Returns:
            ``schema_version``, ``path``, ``bytes`` (of the file; ``None`` for one namespace) and ``tasks``: for each of
            them its names, counts, returns and size.
        """
        return self._connections.read(lambda db: describe(db, self.path, namespace))

    def verify(self) -> list[str]:
        """Check the whole memory and return what is wrong with it, a line each; an empty list if nothing is."""
        return self._connections.read(lambda db: faults_in(db, self._sealing.seal))

    def seal(self, key: bytes | None = None) -> int:
        """Take every text for true as it is, seal it, and return how many; those that are held stay so.

        Args:
            key: at least 16 bytes; ``None`` for the key file beside the memory, which is made if there is none.
        """
        self._connections.check_writable()
        seal = self._sealing.use(key)
        return self._connections.write(lambda db: seal_all(db, seal))

    def changed_elsewhere(self) -> bool:
        """Say whether another connection wrote since this was last asked; True where that cannot be known."""
        return self._connections.changed_elsewhere()

    def compact(self) -> Compacted:
        """Delete what has run out, and write the file anew as small as what it holds; a crash leaves it as it was.

        Raises:
            MemoryLockedError: if another process holds the file, also after waiting.
            MemoryWriteError: if there is no space for a second file of its size meanwhile.
        """
        return upkeep.compact(self._connections)

    def export(
        self, path: str | os.PathLike[str], *, namespace: str | None = None, overwrite: bool = False
    ) -> Exported:
        """Write everything, or one namespace, to a file of JSON lines, which :meth:`import_file` reads bit by bit.

        The file is there as a whole or not at all, readable by its owner alone.

        Args:
            path: the file.
            namespace: of this one alone.
            overwrite: whether a file that is there may be replaced.

        Raises:
            MemoryWriteError: if the file is there already, or cannot be written.
        """
        if namespace is not None:
            Scope(namespace)
        return self._connections.read(lambda db: export(db, Path(path), namespace, overwrite))

    def import_file(self, path: str | os.PathLike[str]) -> Imported:
        """Take in a file that :meth:`export` wrote, all of it or nothing; what is there already stays as it is.

        Raises:
            ForeignFileError: if the file is something else, or not whole.
            NewerFileError: if a newer holdfast wrote it.
            MemoryWriteError: if it cannot be read, or this memory cannot be written.
        """
        return import_file(self._connections, Path(path), self._sealing.seal)

    def reembed(self, encoder: EncoderLike | None = None, *, progress: bool | None = None) -> Reembedded:
        """Give every text the vector of an encoder, in place of the one it has, and use that encoder from now on.

        Open the memory without an encoder for it. Each batch is kept: after a crash the same call goes on where it was.
        Until it is finished the file is used with the new encoder alone; words find all texts, vectors those that have
        theirs.

        Args:
            encoder: as :meth:`EpisodicMemory.open` takes it; ``None`` for the default.
            progress: whether to show how far it is; ``None`` to show it on a terminal when there are many.

        Raises:
            MissingExtraError: if the default encoder is meant and not installed.
        """
        encoding = Encoding(encoder)
        done = reembed(self._connections, encoding, progress)
        self._encoding = encoding
        return done

    def unfinished(self) -> list[str]:
        """Return what was begun and not finished, a line each: :meth:`reembed`, :meth:`import_file`, :meth:`compact`.

        The same call again finishes it; after a crash in an import, :meth:`compact` takes back its line, too.
        """
        return self._connections.read(upkeep.unfinished)
