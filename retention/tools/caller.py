"""Who calls the tools: said by the application, never by a language model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from ..memory.scope import TASK_LIMIT, check_name

Source = Literal["user", "agent", "tool", "web"]

SOURCES: tuple[Source, ...] = ("user", "agent", "tool", "web")
"""Who may have said something, the most trusted first."""


@final
@dataclass(frozen=True, kw_only=True)
class Caller:
    """For whom the tools are called. :meth:`MemoryTools.begin` makes one with a run.

    Attributes:
        namespace: whose memory it is; nothing else can be seen or changed.
        user: for whom the run is done, as the application knows them.
        run_id: the run that recalls and notes are tied to; ``None`` to recall without one: nothing can be noted then.
        task: what its outcomes are compared within.
        highest_source: the most trusted source that a note of this caller may claim to have.
    """

    namespace: str
    user: str | None = None
    run_id: str | None = None
    task: str = "chat"
    highest_source: Source = "user"

    def __post_init__(self) -> None:
        check_name(self.namespace, "namespace")
        check_name(self.task, "task", TASK_LIMIT)
        for name in ("user", "run_id"):
            if getattr(self, name) is not None:
                check_name(getattr(self, name), name)
        check_source(self.highest_source, "highest_source")


def check_source(value: object, what: str) -> Source:
    """Return a source, or say what is wrong with it."""
    for source in SOURCES:
        if value == source:
            return source
    raise ValueError(f"{what} must be one of {', '.join(SOURCES)}, got {value!r}")


def least_trusted(*sources: str | None) -> Source:
    """Return the least trusted of some sources; the most trusted one for none."""
    places = [SOURCES.index(check_source(source, "source")) for source in sources if source is not None]
    return SOURCES[max(places, default=0)]
