"""The decisions that the memory in the loop holds: where, what, and how much better than expected it turned out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray


@final
@dataclass(kw_only=True, eq=False)
class Decision:
    """One slot's content.

    Attributes:
        key: of the observation, as the environment showed it, ``[width]``.
        decision: what was done, ``[count]``.
        advantage: in spreads of its update's advantages, cut to [-3, 3].
        age: updates since it was written.
        template: the id under which the memory keeps it; 0 where it is not stored yet.
        serial: names the slot.
    """

    key: NDArray[np.float32]
    decision: NDArray[np.float32]
    advantage: float
    age: int = 0
    template: int = 0
    serial: int = 0


@final
@dataclass(kw_only=True, eq=False)
class Decisions:
    """At most ``capacity`` decisions; the least useful makes room.

    The utility of a slot is ``|advantage| fade^age``. A decision like one that is there takes its place.

    Attributes:
        capacity: most slots.
        fade: what a utility keeps of itself from one update to the next.
        apart: distance within which two decisions are one, in units of the root of the numbers of a key.
        held: the slots, in the order of writing.
        next_serial: of the slot that is written next.
    """

    capacity: int
    fade: float
    apart: float
    held: list[Decision] = field(default_factory=list)
    next_serial: int = 1

    def grow_old(self) -> None:
        """An update has passed."""
        for each in self.held:
            each.age += 1

    def write(self, offered: Decision, scale: NDArray[np.float64]) -> bool:
        """Write a decision if it is news or more useful than what it would replace.

        Args:
            offered: its serial is given here.
            scale: the spread of each number of a key, ``[width]``.

        Returns:
            Whether it is held now.
        """
        twin = self._twin(offered, scale)
        if twin is None and len(self.held) < self.capacity:
            self._put(offered)
            return True
        rival = twin or min(self.held, key=self.utility, default=None)
        if rival is None or self.utility(rival) > self.utility(offered):
            return False
        self.held.remove(rival)
        self._put(offered)
        return True

    def utility(self, slot: Decision) -> float:
        """Return how much a slot deserves to stay."""
        return abs(slot.advantage) * self.fade**slot.age

    def _twin(self, offered: Decision, scale: NDArray[np.float64]) -> Decision | None:
        if not self.held:
            return None
        keys = np.stack([each.key for each in self.held])
        done = np.stack([each.decision for each in self.held])
        far = np.sqrt((((keys - offered.key) / scale) ** 2).mean(axis=1))
        other = np.sqrt(((done - offered.decision) ** 2).mean(axis=1))
        distance = np.maximum(far, other)
        nearest = int(distance.argmin())
        return self.held[nearest] if distance[nearest] < self.apart else None

    def _put(self, offered: Decision) -> None:
        offered.serial = self.next_serial
        self.next_serial += 1
        self.held.append(offered)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return what ``restore`` takes; empty where nothing is held."""
        found: dict[str, NDArray[np.generic]] = {"next_serial": np.array([self.next_serial])}
        if self.held:
            found |= {
                "key": np.stack([each.key for each in self.held]),
                "decision": np.stack([each.decision for each in self.held]),
                "advantage": np.array([each.advantage for each in self.held]),
                "counters": np.array([[each.age, each.template, each.serial] for each in self.held]),
            }
        return found

    def restore(self, state: dict[str, NDArray[np.generic]]) -> None:
        """Go on from a state; of more slots than the capacity the most useful stay."""
        self.next_serial = int(state["next_serial"][0])
        self.held = []
        if "key" in state:
            rows = zip(state["key"], state["decision"], state["advantage"], state["counters"], strict=True)
            self.held = [
                Decision(
                    key=np.array(key, np.float32),
                    decision=np.array(decision, np.float32),
                    advantage=float(advantage),
                    age=int(age),
                    template=int(template),
                    serial=int(serial),
                )
                for key, decision, advantage, (age, template, serial) in rows
            ]
        if len(self.held) > self.capacity:
            most = sorted(self.held, key=self.utility, reverse=True)[: self.capacity]
            self.held = sorted(most, key=lambda each: each.serial)
