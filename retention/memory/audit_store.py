"""What a memory does about changes: it says what came since a time, and takes it back."""

from __future__ import annotations

import math
import time
from abc import ABC
from collections.abc import Iterable

from sqlite_utils import Database

from . import audit as auditing
from . import rollback, run_rows
from .audit import Audit
from .connections import Connections
from .gate import FeedbackGate
from .numeric import real
from .rollback import RolledBack
from .rollback_plan import Selection
from .scope import Scope, check_name


class AuditStore(ABC):
    """The part of :class:`EpisodicMemory` that is about what has changed since a time."""

    _connections: Connections
    _gate: FeedbackGate

    def audit(self, as_of: float, *, namespace: str, source: str | None = None, run_id: str | None = None) -> Audit:
        """Return what has changed in a namespace since a time, by whom and by which run, and what follows from it.

        Args:
            as_of: the time, in seconds since 1970.
            namespace: whose.
            source: what this source wrote and said alone.
            run_id: what belongs to this run of an agent alone: what it noted, and what was said of it.

        Raises:
            ValueError: if the time is not finite, or has not come yet.
            NotFoundError: if the namespace has no such run.
        """
        scope, wanted = _checked(as_of, namespace, source, run_id)

        def look(db: Database) -> Audit:
            _check_run(db, scope, wanted)
            return auditing.audit(db, scope, wanted, self._gate)

        return self._connections.read(look)

    def roll_back(
        self,
        as_of: float,
        *,
        namespace: str | Iterable[str],
        source: str | None = None,
        run_id: str | None = None,
    ) -> RolledBack:
        """Take back what :meth:`audit` shows, at once: recall finds then what it would find had it never come.

        Templates written since are quarantined, pinned ones too, and kept; nothing frees them, but what is written anew
        takes their place. Episodes, outcomes, ratings, verdicts and notes stay in the file and no longer count, and
        utilities, the records of sources, gates and the notes of runs are counted anew from what is left. A run whose
        outcome is gone may be given another; the same ``feedback_id`` again still changes nothing. There is no way
        back: export the memory first if you are not sure.

        What left no trace cannot be taken back: what was forgotten or overwritten since, pins, times to live, settings,
        and what visits since added to the counts and mean rewards of transitions that were there. What was imported has
        the times it had elsewhere. Utilities that were fitted by :meth:`refit_utilities` are to be fitted again.

        Args:
            as_of: the time, in seconds since 1970.
            namespace: whose; of several, all or nothing.
            source: what this source wrote and said alone. With the outcome that made an episode goes all that others
                said of it.
            run_id: what belongs to this run of an agent alone.

        Raises:
            ValueError: if the time is not finite, or has not come yet.
            NotFoundError: if the namespace has no such run.
        """
        names = [namespace] if isinstance(namespace, str) else list(dict.fromkeys(namespace))
        checked = [_checked(as_of, name, source, run_id) for name in names]

        def take_back(db: Database) -> RolledBack:
            done = []
            for scope, wanted in checked:
                _check_run(db, scope, wanted)
                done.append(rollback.roll_back(db, scope, wanted, self._gate))
            return RolledBack.of(done)

        return self._connections.write(take_back)


def _checked(as_of: float, namespace: str, source: str | None, run_id: str | None) -> tuple[Scope, Selection]:
    as_of = real(as_of, "as_of")
    if not math.isfinite(as_of):
        raise ValueError(f"as_of must be a finite number of seconds since 1970, got {as_of!r}")
    if as_of > time.time():
        raise ValueError(f"as_of must lie in the past, got {as_of!r}, {as_of - time.time():.0f} seconds from now")
    if source is not None:
        check_name(source, "source")
    return Scope(namespace), Selection(as_of=as_of, source=source, run_id=run_id)


def _check_run(db: Database, scope: Scope, wanted: Selection) -> None:
    if wanted.run_id is not None:
        run_rows.find(db, scope, wanted.run_id)
