"""Templates: what is kept, one vector each and what it stands for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from .numeric import real
from .scope import TASK_LIMIT, check_name
from .vectors import as_vectors

TRANSITION = "transition"
"""The kind of the templates that episodes leave; they are written by committing an episode alone."""

ITEM = "item"
"""The kind of the templates that are kept under a key; they are written by putting an item alone."""

ITEM_PART = "item part"
"""The kind of what such an item says beside its first text."""

ROLLED_BACK = "rolled back"
"""Why a template is held that a rollback took out of use, until the same is written anew."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class TemplateDraft:
    """Something to keep.

    Attributes:
        content: what it says.
        key: the vector it is found by, of shape (d,); ``None`` to have the memory's encoder make it from the content.
        kind: what sort of thing it is; any name but ``"transition"``.
        task: the task it belongs to; ``None`` for all tasks.
        metadata: whatever else JSON can hold.
        source: who said it, e.g. ``"user"``, ``"tool"`` or ``"agent"``; never changed later.
        encoder: the fingerprint of what made the vector, where one is given.
        episode_id: the episode it came from, if any.
        ttl: for how many seconds it is kept; ``None`` for ever.
        pinned: whether it stays whatever its use, its age and the size of the memory.
    """

    content: str
    key: NDArray[np.float32] | None = None
    kind: str = "text"
    task: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    source: str = "user"
    encoder: str = ""
    episode_id: str | None = None
    ttl: float | None = None
    pinned: bool = False

    def __post_init__(self) -> None:
        if self.key is not None:
            object.__setattr__(self, "key", as_vectors("key", self.key, "d"))
        elif self.encoder:
            raise ValueError(f"encoder {self.encoder!r} is the name of what made a key, and there is no key")
        if check_name(self.kind, "kind") == TRANSITION:
            raise ValueError("kind 'transition' is what committing an episode writes; name another kind")
        if self.kind in (ITEM, ITEM_PART):
            raise ValueError(f"kind {self.kind!r} is what put_items writes; name another kind")
        check_name(self.source, "source")
        if self.task is not None:
            check_name(self.task, "task", TASK_LIMIT)
        if not isinstance(self.content, str):
            raise TypeError(f"content must be a str, got {type(self.content).__name__}")
        if self.ttl is not None:
            object.__setattr__(self, "ttl", real(self.ttl, "ttl"))
        if self.ttl is not None and not (math.isfinite(self.ttl) and self.ttl > 0):
            raise ValueError(f"ttl must be a finite number of seconds above 0, got {self.ttl!r}")


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Template:
    """A template as the memory holds it.

    Attributes:
        id: its id in the file.
        namespace: whose it is.
        task: the task it belongs to; ``None`` for all tasks.
        kind: ``"transition"`` for what an episode left, else the kind it was written with.
        key: its vector, float32 of shape (d,).
        content: what it says; ``None`` for a transition.
        metadata: what was kept with it.
        source: who said it.
        encoder: the fingerprint of what made the vector; empty where nothing did.
        action: of a transition, what was done.
        reward: of a transition, the mean reward of its visits, in the units of the environment.
        next_key: of a transition, where it led, float32 of shape (d,).
        terminated: of a transition, whether the episode was over there.
        count: how often it was seen or written.
        value: the swept value; ``None`` where none was computed yet.
        rating: the mean of the users' ratings in [-1, 1]; ``None`` without one.
        rating_count: how many ratings.
        utility: the expected advantage when it is recalled, in spreads of its task's outcomes; before any outcome 0, or
            what its source has lost by what else it said.
        utility_error: the standard error of the utility; ``None`` while no outcome was credited.
        uses: how many outcomes were credited to it, each weighted by its exposure; older ones fade.
        status: ``"quarantined"`` for one that is kept from use.
        held: why no outcome can free it, ``"tampered"`` or ``"rolled back"``; ``None`` where outcomes decide.
        pinned: whether it stays whatever its use, its age and the size of the memory.
        expires: when its time runs out, in seconds since 1970; ``None`` for never.
        first_episode_id: the episode it first came from, if any.
        last_episode_id: the episode that found it last, if any.
        created: when it was first written, in seconds since 1970.
        revision: the memory's revision that last changed it.
    """

    id: int
    namespace: str
    task: str | None
    kind: str
    key: NDArray[np.float32]
    content: str | None
    metadata: Mapping[str, Any]
    source: str
    encoder: str
    action: int | None
    reward: float | None
    next_key: NDArray[np.float32] | None
    terminated: bool | None
    count: int
    value: float | None
    rating: float | None
    rating_count: int
    utility: float
    utility_error: float | None
    uses: float
    status: Literal["active", "quarantined"]
    held: str | None
    pinned: bool
    expires: float | None
    first_episode_id: str | None
    last_episode_id: str | None
    created: float
    revision: int
