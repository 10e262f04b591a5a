"""Settings of the tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, final

from .caller import SOURCES


class Guard(Protocol):
    """An outside check of texts, e.g. a classifier of injections."""

    def __call__(self, text: str, where: Literal["note", "recall"]) -> str | None:
        """Return what is wrong with a text, in a few words; ``None`` for nothing.

        Args:
            text: the text, cleaned of control and invisible characters.
            where: a note is kept with that as a flag; what is recalled is left out.
        """
        ...


@final
@dataclass(frozen=True, kw_only=True)
class ToolConfig:
    """Settings of :class:`MemoryTools`.

    Attributes:
        on_secret: what becomes of a note with a secret in it: ``"reject"``, or ``"redact"`` to keep it without.
        untrusted: sources whose notes must have been noted in several runs that went well.
        untrusted_needs: in how many.
        shared: whether the users of a namespace do not trust each other: then what one of them brings in must have been
            noted in runs of others, too. ``None``: as soon as runs of the namespace were for several named users.
        shared_needs: of how many users.
        flagged_needs: in runs of how many users, all rated well, a note must have been noted that looks like an
            instruction, a lure or a disguise.
        word_rules: whether notes are looked at for what makes them suspicious; a guard of your own looks in any case.
        per_run: how many notes a run may have.
        per_hour: how many notes a source may have in an hour, in a namespace.
    """

    on_secret: Literal["reject", "redact"] = "reject"
    untrusted: frozenset[str] = frozenset({"tool", "web"})
    untrusted_needs: int = 2
    shared: bool | None = None
    shared_needs: int = 2
    flagged_needs: int = 3
    word_rules: bool = True
    per_run: int = 32
    per_hour: int = 240

    def __post_init__(self) -> None:
        if self.on_secret not in ("reject", "redact"):
            raise ValueError(f"on_secret must be 'reject' or 'redact', got {self.on_secret!r}")
        if not self.untrusted <= set(SOURCES):
            raise ValueError(f"untrusted must be among {', '.join(SOURCES)}, got {sorted(self.untrusted)}")
        for name in ("untrusted_needs", "shared_needs", "flagged_needs", "per_run", "per_hour"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)!r}")
