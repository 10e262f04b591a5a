"""Runs: what an agent recalled and noted for one thing that it did, until it is known how that went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
        rated: whether only runs count that a person rated well.
        apart: whether it must have been in runs of as many different users, who do not vouch for themselves.
        flags: what is suspicious about it, in words.
        per_run: how many notes a run may have.
        per_hour: how many notes a source may have in an hour, in the namespace.
    """

    needs: int = 1
    rated: bool = False
    apart: bool = False
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
        user: for whom the run was done, if that is known.
        template_id: the template.
        source: who said it there.
        born: whether the template was new: then the outcomes of its notes decide whether it is used.
        needs: in how many runs that went well it must have been noted.
        rated: whether only runs count that a person rated well.
        apart: whether these must have been runs of as many different users.
        flags: what was suspicious about it.
        went_well: how the run went; ``None`` until it is known.
        rated_well: whether a person rated the run well; ``None`` until it is known how it went.
        created: when it was noted, in seconds since 1970.
    """

    run_id: str
    user: str | None
    template_id: int
    source: str
    born: bool
    needs: int
    rated: bool
    apart: bool
    flags: tuple[str, ...]
    went_well: bool | None
    rated_well: bool | None
    created: float

    @property
    def counts(self) -> bool:
        """Whether it is an outcome in the template's favour."""
        return bool(self.went_well) and (bool(self.rated_well) or not self.rated)


def has_earned_use(notes: Sequence[Note]) -> bool:
    """Say whether what was noted in these runs may be recalled: a note in its favour has as many as it needs.

    Each run counts once; where a note asks for users apart, each user does, and runs of nobody's together.
    """
    good = [note for note in notes if note.counts]
    users = len({note.user for note in good})
    return any((users if note.apart else len(good)) >= note.needs for note in good)


def needed(note: Note) -> str:
    """Return what a note waits for, in words."""
    runs = "a run" if note.needs == 1 else f"{note.needs} runs"
    runs += " of different users" if note.apart and note.needs > 1 else ""
    said = "that a person rated well" if note.rated else "that went well"
    why = f"it looks like {', '.join(note.flags)}: " if note.flags else ""
    return f"{why}it is used once it was noted in {runs} {said}"


def standing(notes: Sequence[Note]) -> tuple[Literal["pending", "quarantined"], str]:
    """Return how a template stands that is not in use, by the runs that noted it, and what it waits for."""
    if not any(note.born for note in notes):
        return "quarantined", "the episode that wrote it was judged bad"
    hoped = [replace(note, went_well=True) if note.went_well is None else note for note in notes]
    if any(note.went_well is None for note in notes) and has_earned_use(hoped):
        return "pending", "it is used once its run turns out well"
    easiest = min(notes, key=lambda note: (note.needs, note.rated, note.apart))
    return "quarantined", f"{needed(easiest)}; so far in {sum(note.counts for note in notes)}"
