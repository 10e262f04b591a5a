"""Runs: what an agent recalled and noted for one thing that it did, until it is known how that went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final


@final
@dataclass(frozen=True, kw_only=True)
class Run:
    """A run of an agent. Its recalls and notes are tied to it, and its outcome decides what becomes of them.

    Attributes:
        run_id: its id, by which an outcome may come at any time.
        namespace: whose it is.
        task: what it was for: outcomes are compared with the earlier ones of the task.
        user: for whom it was done, as the application knows them; ``None`` where it did not say.
        saw: the least trusted source that the agent has read in it; ``None`` for none.
        episode_id: the episode that its outcome made; ``None`` until one came.
        created: when it began, in seconds since 1970.
    """

    run_id: str
    namespace: str
    task: str
    user: str | None
    saw: str | None
    episode_id: str | None
    created: float


@final
@dataclass(frozen=True, kw_only=True)
class NoteRule:
    """What a note has to pass before it is recalled.

    Attributes:
        needs: in how many runs that went well it must have been noted, at least 1.
        by_person: whether only runs count that a person rated well.
        flags: what is suspicious about it, in words.
        per_run: how many notes a run may have.
        per_hour: how many notes a source may have in an hour, in the namespace.
    """

    needs: int = 1
    by_person: bool = False
    flags: tuple[str, ...] = ()
    per_run: int = 32
    per_hour: int = 240

    def __post_init__(self) -> None:
        for name in ("needs", "per_run", "per_hour"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)!r}")


@final
@dataclass(frozen=True, kw_only=True)
class Noted:
    """What became of a note.

    Attributes:
        template_id: the template it is; ``None`` where it was rejected.
        status: ``"pending"`` until the outcome of its run, ``"stored"`` where that came before and was good enough,
            ``"merged"`` where it was there already, ``"quarantined"`` where it needs more than its run, ``"rejected"``.
        reason: what it waits for, or why it was rejected; ``None`` where there is nothing to say.
    """

    template_id: int | None
    status: Literal["pending", "stored", "merged", "quarantined", "rejected"]
    reason: str | None = None


@final
@dataclass(frozen=True, kw_only=True)
class Note:
    """That a run noted a template.

    Attributes:
        run_id: the run.
        template_id: the template.
        source: who said it there.
        born: whether the template was new: then the outcomes of its notes decide whether it is used.
        needs: in how many runs that went well it must have been noted.
        by_person: whether only runs count that a person rated well.
        flags: what was suspicious about it.
        went_well: how the run went; ``None`` until it is known.
        person_agrees: whether a person rated the run well; ``None`` until it is known how it went.
        created: when it was noted, in seconds since 1970.
    """

    run_id: str
    template_id: int
    source: str
    born: bool
    needs: int
    by_person: bool
    flags: tuple[str, ...]
    went_well: bool | None
    person_agrees: bool | None
    created: float

    @property
    def counts(self) -> bool:
        """Whether it is an outcome in the template's favour."""
        return bool(self.went_well) and (bool(self.person_agrees) or not self.by_person)


def has_earned_use(notes: list[Note]) -> bool:
    """Say whether what was noted in these runs may be recalled: one note in its favour has as many as it needs."""
    good = [note for note in notes if note.counts]
    return any(len(good) >= note.needs for note in good)
