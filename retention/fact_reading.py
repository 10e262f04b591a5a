"""What a frozen model recalls of its facts while it reads: for each token, which fact drew how much attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from .layer.fact_slots import FactSlots
from .layer.frozen_read import Trace


@final
@dataclass(frozen=True, kw_only=True)
class FactRecall:
    """What was recalled for one token.

    Attributes:
        masses: the attention that the facts drew that drew most, by template, the greatest first; in [0, 1].
        null: the attention that nothing drew, in [0, 1].
        read: whether it was read: where facts draw too little, the model goes on as if there were none.
        slot: which slot of its fact drew most of all, counted from 0; -1 for none.
        token: the token of that slot; -1 for none.
    """

    masses: dict[int, float]
    null: float
    read: bool
    slot: int = -1
    token: int = -1

    @property
    def top(self) -> int | None:
        """The template that drew most; None where nothing was read."""
        return next(iter(self.masses), None) if self.read else None


@final
class FactReading:
    """What a model recalls while it reads; it grows with each call of the model."""

    def __init__(self, trace: Trace, ids: Sequence[int], slots: FactSlots, floor: float) -> None:
        """Tell a trace by templates.

        Args:
            trace: of the layer.
            ids: the template of each fact there.
            slots: of these facts.
            floor: how much attention facts must draw to be read.
        """
        self._trace, self._ids, self._slots, self._floor = trace, ids, slots, floor

    def recalls(self, row: int = 0) -> list[FactRecall]:
        """Return what was recalled for the token after each call of the model.

        The first call reads the prompt, so its recall belongs to the first token of the answer.

        Args:
            row: of the batch.
        """
        found = []
        for step in self._trace.steps:
            numbers, masses = step.fact[row].tolist(), step.mass[row].tolist()
            null = float(step.null[row])
            drew = {self._ids[number]: mass for number, mass in zip(numbers, masses, strict=True) if number >= 0}
            most = {"slot": int(step.slot[row]), "token": int(step.token[row])}
            found.append(FactRecall(masses=drew, null=null, read=1 - null > self._floor, **most))
        return found

    def tokens(self, template: int) -> list[int]:
        """Return the tokens of a fact that is read: that of each of its slots.

        Raises:
            ValueError: it is not among those read.
        """
        if template not in self._ids:
            raise ValueError(f"fact {template} is not among the {len(self._ids)} that are read")
        row = self._slots.token[self._ids.index(template)].tolist()
        return [token for token in row if token >= 0]
