"""What is known of a situation: which actions worked in it, and which did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from retention import Hit

_SAME = 0.001  # by how much the likeness of equal situations may differ


@final
@dataclass(kw_only=True)
class Tried:
    """What was done in a situation of the episode in progress.

    Attributes:
        situation: the situation, in words.
        action: what was done.
        key: the vector of the situation, float32 ``[width]``; None where there is no memory.
        earned: the discounted reward from there on, so far.
    """

    situation: str
    action: str
    key: NDArray[np.float32] | None
    earned: float = 0.0


@final
@dataclass(frozen=True, kw_only=True)
class Noted:
    """What is known of one action.

    Attributes:
        template_id: the note; 0 for what the episode itself tried.
        situation: in words.
        action: what was done.
        earned: the discounted reward from there on; above 0 it worked.
        likeness: of that situation to the one at hand, a cosine.
        count: how often it went so.
    """

    template_id: int
    situation: str
    action: str
    earned: float
    likeness: float
    count: int = 1


@final
class Evidence:
    """What is known of the actions in a situation.

    Where the same situation is known, it alone counts; else those that are like it, of each action the nearest. What
    the episode itself tried counts before anything recalled: that is how it went now.
    """

    def __init__(self, recalled: Sequence[Noted], tried: Sequence[Noted], *, near: float) -> None:
        """Weigh what is known.

        Args:
            recalled: from the memory.
            tried: in the episode in progress, as long as nothing came of it.
            near: what part of the nearest one's likeness another situation must have to count, where none is the same.
        """
        likest = max((each.likeness for each in (*recalled, *tried)), default=0.0)
        least = 1 - _SAME if likest >= 1 - _SAME else near * likest
        self._of: dict[str, list[Noted]] = {}
        for some in (tried, recalled):
            known = set(self._of)
            for each in sorted(some, key=lambda each: -each.likeness):
                of_it = self._of.get(each.action, [])
                counts = each.likeness >= max(least, of_it[0].likeness - _SAME if of_it else 0.0)
                if counts and each.action not in known:
                    self._of.setdefault(each.action, []).append(each)

    def earned(self, action: str) -> float | None:
        """Return what an action earned, in the mean; None where nothing is known of it."""
        of_it = self._of.get(action)
        if not of_it:
            return None
        return float(np.average([each.earned for each in of_it], weights=[each.count for each in of_it]))

    def worked(self, count: int) -> tuple[Noted, ...]:
        """Return a note of each of the actions that worked, as the memory has it: the best last."""
        found = [
            (earned, of_it[0])
            for action, of_it in self._of.items()
            if of_it[0].template_id and (earned := self.earned(action)) is not None and earned > 0
        ]
        found.sort(key=lambda each: (each[0], each[1].likeness))
        return tuple(noted for _, noted in found[-count:])

    def failed(self) -> tuple[str, ...]:
        """Return the actions that did not work."""
        return tuple(action for action in self._of if (self.earned(action) or 0.0) <= 0)

    def open_among(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the actions that are not known to fail; where all are, those that earned most."""
        failed = set(self.failed())
        left = tuple(name for name in names if name not in failed)
        if left:
            return left
        most = max(self.earned(name) or 0.0 for name in names)
        return tuple(name for name in names if (self.earned(name) or 0.0) == most)


def noted_in(hit: Hit) -> Noted | None:
    """Return what a note says; None for one that is not of this form."""
    said = hit.template.metadata
    situation, action, earned = said.get("situation"), said.get("action"), said.get("earned")
    if not isinstance(situation, str) or not isinstance(action, str) or not isinstance(earned, (int, float)):
        return None
    return Noted(
        template_id=hit.template.id,
        situation=situation,
        action=action,
        earned=float(earned),
        likeness=hit.relevance,
        count=hit.template.count,
    )


def noted_now(tried: Tried, key: NDArray[np.float32] | None) -> Noted | None:
    """Return what the episode in progress says of a situation, by its vector; None where there are no vectors."""
    if key is None or tried.key is None:
        return None
    length = float(np.linalg.norm(key) * np.linalg.norm(tried.key))
    return Noted(
        template_id=0,
        situation=tried.situation,
        action=tried.action,
        earned=tried.earned,
        likeness=float(key @ tried.key) / length if length else 0.0,
    )
