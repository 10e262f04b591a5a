"""Decisions as templates of the episodic memory, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from retention import Transitions, UnsupportedSpaceError

from .decisions import Decision
from .doing import Doing
from .rollout import Piece

_ZERO = np.float32(0.0)  # added to a point: -0.0 and 0.0 are one

_Key = NDArray[np.float32]


@final
@dataclass(frozen=True, kw_only=True)
class TemplateForm:
    """How decisions of one task are kept: the transition that they made, and as its value the advantage.

    The point of a Box stands in the key, beside the observation, and the action is then 0.

    Attributes:
        width: numbers of an observation.
        doing: what is decided.
    """

    width: int
    doing: Doing

    @property
    def key_width(self) -> int:
        """Numbers of a template's key."""
        return self.width + (self.doing.count if self.doing.continuous else 0)

    def check(self, transitions: Transitions) -> None:
        """Hold templates against the task.

        Raises:
            UnsupportedSpaceError: they are of another task, or of another kind of policy.
        """
        if not len(transitions):
            return
        highest = int(transitions.action.max())
        most = 1 if self.doing.continuous else self.doing.count
        if transitions.width != self.key_width or highest >= most:
            raise UnsupportedSpaceError(
                f"the memory's templates of this task have keys of {transitions.width} numbers and actions up to "
                f"{highest}, but those of the gradient policy have {self.key_width} and {most - 1}: give this one "
                "another namespace"
            )

    def transitions(self, noted: Sequence[tuple[Decision, Piece, int]]) -> Transitions:
        """Return one row for each decision: it, the piece of an episode it is of, and its step there; at least one."""
        keys, next_keys, actions, rewards, terminated = [], [], [], [], []
        for decision, piece, step in noted:
            last = step == len(piece) - 1
            next_key = piece.last if last else piece.key[step + 1]
            assert next_key is not None  # the step is complete
            key, action = self._identity(decision)
            keys.append(key)
            next_keys.append(np.concatenate((next_key, np.zeros(len(key) - len(next_key), np.float32))))
            actions.append(action)
            rewards.append(piece.reward[step])
            terminated.append(last and piece.terminated)
        return Transitions(
            key=np.stack(keys),
            action=np.array(actions),
            reward=np.array(rewards),
            next_key=np.stack(next_keys),
            terminated=np.array(terminated),
            value=np.array([decision.advantage for decision, _, _ in noted]),
        )

    def decisions(self, transitions: Transitions) -> list[Decision]:
        """Return the decisions of templates whose advantage is known, the largest first."""
        rows = np.flatnonzero(np.isfinite(transitions.value))
        found = [self._decision(transitions, int(row)) for row in rows]
        return sorted(found, key=lambda each: -abs(each.advantage))

    def match(self, held: Iterable[Decision], transitions: Transitions) -> set[int]:
        """Give decisions the ids of their templates where they have none yet.

        Returns:
            The serials of those whose templates are gone.
        """
        rows = zip(transitions.key, transitions.action.tolist(), transitions.id.tolist(), strict=True)
        ids = {(key.tobytes(), action): template for key, action, template in rows}
        there, gone = set(transitions.id.tolist()), set()
        for each in held:
            if not each.template:
                key, action = self._identity(each)
                each.template = ids.get((key.tobytes(), action), 0)
            if each.template and each.template not in there:
                gone.add(each.serial)
        return gone

    def _decision(self, transitions: Transitions, row: int) -> Decision:
        key = transitions.key[row]
        done = key[self.width :].copy()
        if not self.doing.continuous:
            done = np.eye(self.doing.count, dtype=np.float32)[int(transitions.action[row])]
        advantage, template = float(transitions.value[row]), int(transitions.id[row])
        return Decision(key=key[: self.width].copy(), decision=done, advantage=advantage, template=template)

    def _identity(self, decision: Decision) -> tuple[_Key, int]:
        """Return the key and the action of a decision's template."""
        if self.doing.continuous:
            return np.concatenate((decision.key, decision.decision)) + _ZERO, 0
        return decision.key, int(decision.decision.argmax())
