"""Which run the calls of a server's clients belong to: one for each session, from its first call to its outcome."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from ..errors import NotFoundError
from .caller import Caller, Source
from .memory_tools import MemoryTools

IDLE_S = 3600.0
"""After how many seconds without a call the next one of a session begins another run."""


@dataclass
class _Current:
    caller: Caller
    used: float


@final
class SessionRuns:
    """The runs of the sessions of one server, which is for one namespace and user.

    The first recall or note of a session begins a run. The run ends when its outcome comes, which is from outside, or
    when the session does nothing for a while; then the next call begins another. What an application names itself goes
    on for as long as it names it.

    Args:
        tools: the memory as a tool.
        namespace: whose memory it is.
        task: what the runs are for.
        user: for whom they are done.
        highest_source: the most trusted source that notes may claim.
        idle_s: the while, in seconds.
        clock: what tells the time, in seconds.
    """

    def __init__(
        self,
        tools: MemoryTools,
        *,
        namespace: str,
        task: str = "chat",
        user: str | None = None,
        highest_source: Source = "user",
        idle_s: float = IDLE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.anyone = Caller(namespace=namespace, user=user, task=task, highest_source=highest_source)
        self._tools = tools
        self._idle_s = idle_s
        self._clock = clock
        self._lock = threading.Lock()
        self._current: dict[str | None, _Current] = {}

    def caller(self, session: str | None, run_id: str | None = None) -> Caller:
        """Return who calls, with the run that it is in, which is begun if there is none.

        Args:
            session: the session; ``None`` where the server has a single one.
            run_id: a run that the application names.

        Raises:
            ValueError: if the run that is named is of another task or user.
            NotFoundError: if it is of another namespace.
        """
        if run_id is not None:
            return self._begin(run_id)
        with self._lock:
            now = self._clock()
            self._current = {key: each for key, each in self._current.items() if now - each.used < self._idle_s}
            current = self._current.get(session)
            if current is None or self._is_over(current.caller):
                current = self._current[session] = _Current(self._begin(None), now)
            current.used = now
            return current.caller

    def _begin(self, run_id: str | None) -> Caller:
        who = self.anyone
        return self._tools.begin(
            namespace=who.namespace, task=who.task, user=who.user, run_id=run_id, highest_source=who.highest_source
        )

    def _is_over(self, caller: Caller) -> bool:
        """Say whether a run has its outcome, or went with its namespace."""
        try:
            run = self._tools.memory.run(str(caller.run_id), namespace=caller.namespace)
        except NotFoundError:
            return True
        return run.episode_id is not None
