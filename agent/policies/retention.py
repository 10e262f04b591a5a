"""The retention policy: it acts by reading the memory, and learns by writing to it and sweeping it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from retention import Transitions, UnsupportedSpaceError

from ..recall.actions import numbered_actions
from ..recall.config import RecallConfig
from ..recall.image_encoder import MakeEncoder
from ..recall.keys import KeySpace, key_space
from ..recall.pace import Pace
from ..recall.retrieval import Recollection
from ..recall.slots import TransitionSlots
from ..recall.sweep import best_ahead
from .lane import Lane
from .protocol import Experience, Task

_TIE = 1e-6  # values closer than this, relative to the best, are a tie
_LEAST_LEARNED = 256  # decisions' worth of learning after an episode, however short it was
_ROWS_PER_SWEEP = 2000  # symbolic states up to which every decision is followed by a sweep

_Key = NDArray[np.float32]


@final
class RetentionPolicy:
    """Acts greedily on what the retention read recalls; what memory does not know looks promising.

    A template is a transition. To act, the slots nearest to the observation are attended for each action; the null slot
    beside them carries the optimistic value, so exploration is the null mass and there is no epsilon. Symbolic keys are
    read with the retention layer's attention, real ones by looking one decision ahead. To learn, transitions are
    written and values backed up over the slots. There is no gradient.
    """

    def __init__(self, config: RecallConfig | None = None, *, encoder: MakeEncoder | None = None) -> None:
        """Start unbound.

        Args:
            config: settings of the recall head; the defaults serve every task.
            encoder: makes the encoder of observations of many numbers; a fixed random projection by default.
        """
        self.config = config or RecallConfig()
        self._encoder = encoder

    def begin(self, task: Task) -> None:
        """Get ready for a task, knowing nothing of it.

        Raises:
            UnsupportedSpaceError: the observation or action space cannot be served yet.
        """
        self._task = task
        self._keys: KeySpace = key_space(task.observation_space, self._encoder)
        self._acted = numbered_actions(task.action_space)
        self._actions = self._acted.count
        self._slots = self._new_slots()
        self._pace = Pace(self._keys.width)
        self._lanes: dict[int, Lane] = {}
        self._low, self._high = np.inf, -np.inf

    def _new_slots(self) -> TransitionSlots:
        return TransitionSlots(self._keys, self._actions, self.config)

    def _unfinished(self) -> list[tuple[Lane, _Key, int, float, _Key, bool]]:
        """Return what episodes in progress have visited: it is in no memory yet."""
        columns = self._slots.columns
        key, action, next_key, terminated = columns.key, columns.action, columns.next_key, columns.terminated
        return [
            (lane, key[slot], int(action[slot]), earned, next_key[slot], terminated[slot])
            for lane in self._lanes.values()
            for slot, earned in lane.visits
        ]

    def _drop_slots(self) -> None:
        """Forget every slot, and what episodes in progress noted about them."""
        self._slots = self._new_slots()
        for lane in self._lanes.values():
            lane.visits.clear()
            lane.recalled.clear()

    @property
    def _hold(self) -> int:
        return 1 if self._keys.exact else self._pace.hold or 1

    def restore(
        self, transitions: Transitions, settings: Mapping[str, Any] | None, *, swept: bool, anew: bool = False
    ) -> None:
        """Take in templates and, at the start of a session, the settings of an earlier one.

        Raises:
            UnsupportedSpaceError: the templates are of another observation or action space than the task's.
        """
        self._check(transitions, settings)
        hold, unfinished = self._hold, self._unfinished() if anew else []
        if anew:
            self._drop_slots()
        if settings:
            swept = swept and settings["discount"] == self.config.discount
            low, high = settings["return_low"], settings["return_high"]
            self._low, self._high = (np.inf, -np.inf) if low is None else (low, high)
            self._slots.rating_unit = self._rating_unit()
            self._slots.best_return, self._slots.best_rate = settings["best_return"], settings["best_rate"]
            if not self._keys.exact:
                self._pace.restore(settings["pace"])
                self._slots.set_scale(np.array(settings["scale"], np.float32))
        self._slots.load(transitions)
        if hold == self._hold:
            for lane, key, action, earned, next_key, terminated in unfinished:
                self._visit(lane, key, action, earned, next_key, terminated)
        self._slots.settle()
        if self.config.enabled and len(transitions):
            self._value_anew(len(transitions), all_of_them=bool(settings) or anew, swept=swept)
        if self._slots.full:
            self._thin()

    def _value_anew(self, changed: int, *, all_of_them: bool, swept: bool) -> None:
        """Bring values up to date with the templates of the memory."""
        if all_of_them and (not swept or self._slots.full):  # values of templates that were not held are old
            self._slots.settle_values()
        elif not swept:  # what others wrote meanwhile
            self._slots.learn(max(changed, _LEAST_LEARNED))

    def _check(self, transitions: Transitions, settings: Mapping[str, Any] | None) -> None:
        if settings and "pace" not in settings:
            kind = settings.get("family", "another kind of policy")
            raise UnsupportedSpaceError(
                f"the memory's templates of this task are those of {kind}, not of this policy: give this one another "
                "namespace"
            )
        if settings and (settings["pace"] is None) != self._keys.exact:
            kinds = ("symbols", "numbers") if settings["pace"] is None else ("numbers", "symbols")
            raise UnsupportedSpaceError(
                f"the memory's templates of this task are of {kinds[0]}, but the environment shows {kinds[1]}: "
                "they are two tasks, so give this one another namespace"
            )
        if settings and settings.get("encoder") != self._keys.encoder:
            raise UnsupportedSpaceError(
                f"the memory's templates of this task are encoded by {settings.get('encoder')}, this policy encodes by "
                f"{self._keys.encoder}: use that encoder, or give this one another namespace"
            )
        if not len(transitions):
            return
        highest = int(transitions.action.max())
        if transitions.width != self._keys.width or highest >= self._actions:
            raise UnsupportedSpaceError(
                f"the memory's templates of this task have keys of {transitions.width} numbers and actions up to "
                f"{highest}, but the environment has {self._keys.width} and {self._actions - 1}: they are two tasks, "
                "so give this one another namespace"
            )

    def start_episode(self, observation: Any, rng: np.random.Generator, *, lane: int = 0) -> None:
        """Begin an episode at its first observation."""
        self._lanes[lane] = Lane(rng=rng, key=self._keys.key(observation))

    def act(self, *, lane: int = 0) -> Any:
        """Choose the action of the highest recalled value, ties at random; a held action goes on."""
        return self.act_lanes((lane,))[0]

    def act_lanes(self, lanes: Sequence[int]) -> list[Any]:
        """Choose for several lanes: those where a decision is due read the memory together."""
        every = [self._lanes[lane] for lane in lanes]
        due = [now for now in every if now.start_key is None]
        for now in due:
            now.start_key, now.steps_held, now.reward = now.key, 0, 0.0
        if not self.config.enabled:
            for now in due:
                now.action = int(now.rng.integers(self._actions))
        elif due:
            for now, recollection in zip(due, self._read([now.key for now in due]), strict=True):
                now.action = self._choose(now, recollection)
        return [self._acted.take(now.action) for now in every]

    def recall(self, observation: Any) -> Recollection:
        """Return what memory holds about an observation: values, null mass, slots and attention per action."""
        return self._read([self._keys.key(observation)])[0]

    def _read(self, keys: list[_Key]) -> list[Recollection]:
        return self._slots.read(np.array(keys), null_value=self._slots.lowest if self._task.frozen else None)

    def _choose(self, now: Lane, recollection: Recollection) -> int:
        values: list[float] = recollection.values.tolist()  # of a few numbers a list is looked through sooner
        least = (best := max(values)) - _TIE * max(1.0, abs(best))
        tied = [action for action, value in enumerate(values) if value >= least]
        action = tied[0] if len(tied) == 1 else int(now.rng.choice(tied))
        now.expected = values[action]
        if not self._task.frozen:
            now.recalled.append((recollection.slots[action].copy(), recollection.weights[action]))
        return action

    def observe(self, reward: float, observation: Any, terminated: bool, truncated: bool, *, lane: int = 0) -> None:
        """See what the action led to; write the transition once the action is no longer held."""
        now = self._lanes[lane]
        next_key = self._keys.key(observation)
        if not self._keys.exact and not self._task.frozen:
            self._pace.observe(now.key, next_key)
        now.key = next_key
        now.reward += reward
        now.steps += 1
        now.steps_held += 1
        if now.steps_held < self._hold and not terminated and not truncated:
            return
        if not self._task.frozen:
            self._write(now, terminated)
        now.start_key = None

    def _write(self, now: Lane, terminated: bool) -> None:
        assert now.start_key is not None  # act comes before observe
        self._visit(now, now.start_key, now.action, now.reward, now.key, terminated)
        now.earned.append(now.reward)
        now.terminated = terminated
        if self.config.enabled:
            self._learn(now)

    def _visit(self, now: Lane, key: _Key, action: int, reward: float, next_key: _Key, terminated: bool) -> None:
        if self._slots.full:
            self._thin()
        slot = self._slots.write(key, action, reward, next_key, terminated, expected=now.expected)
        if slot is not None:
            now.visits.append((slot, reward))

    def _thin(self) -> None:
        """Make room in a full memory; what episodes in progress note follows the slots to their new numbers."""
        lanes = self._lanes.values()
        heirs = self._slots.thin(np.array([slot for lane in lanes for slot, _ in lane.visits], np.int64))
        for lane in lanes:
            lane.visits[:] = [(int(heirs[slot]), reward) for slot, reward in lane.visits]
            lane.recalled[:] = [
                (np.maximum(heirs[slots], 0), weights * (heirs[slots] >= 0)) for slots, weights in lane.recalled
            ]

    def _learn(self, now: Lane) -> None:
        """Let what was written reach the values, now or with the next decisions."""
        if self._keys.exact:
            if now.steps % (1 + len(self._slots) // _ROWS_PER_SWEEP) == 0:
                self._slots.learn(1)
        elif len(now.earned) % self.config.learn_every == 0:
            self._slots.rescale(self._pace.spread)
            self._slots.learn(self.config.learn_every)

    def end_episode(self, return_: float, *, lane: int = 0) -> Experience:
        """Sweep what was learned and offer the episode's transitions."""
        now = self._lanes.pop(lane)
        if self._task.frozen:
            return Experience()
        replace = not self._keys.exact and self._pace.settle() and self._hold > 1
        if replace:
            now.visits.clear()
            now.recalled.clear()
            self._drop_slots()
        self._low, self._high = min(self._low, return_), max(self._high, return_)
        self._slots.rating_unit = self._rating_unit()
        paid = now.earned[:-1] if now.terminated else now.earned
        rate = sum(paid) / max(len(paid), 1)
        self._slots.settle(best_ahead(now.earned, self.config.discount), rate)
        if self.config.enabled:
            self._slots.rescale(self._pace.spread)
            self._slots.learn(max(len(now.earned), _LEAST_LEARNED))
        slots = tuple(slot for slot, _ in now.visits)
        return Experience(
            transitions=self._slots.visited(slots, [reward for _, reward in now.visits]),
            slots=slots,
            recalled=now.receipt(self._slots.columns.id[: len(self._slots)]),
            replace=replace,
        )

    def _rating_unit(self) -> float:
        """A full rating is worth the spread of the returns met so far, or 1 while there is none."""
        spread = self._high - self._low
        return float(spread) if 0.0 < spread < np.inf else 1.0

    def stored(self, experience: Experience, template_ids: NDArray[np.int64]) -> None:
        """Note under which ids the memory keeps the visited slots."""
        for slot, template in zip(experience.slots, template_ids, strict=True):
            if template:
                self._slots.bind(slot, int(template))

    def settings(self) -> dict[str, Any]:
        """Return the pace, the scale, the range of returns, and the discount under which values were swept."""
        scale = self._slots.scale
        return {
            "discount": self.config.discount if self.config.enabled else None,
            "encoder": self._keys.encoder,
            "best_return": self._slots.best_return,
            "best_rate": self._slots.best_rate,
            "return_low": self._low if np.isfinite(self._low) else None,  # no episode has ended
            "return_high": self._high if np.isfinite(self._high) else None,
            "pace": None if self._keys.exact else self._pace.state(),
            "scale": None if scale is None else scale.tolist(),
        }

    def values(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the ids of the stored slots and their swept values."""
        columns, size = self._slots.columns, len(self._slots)
        known = np.flatnonzero(columns.id[:size] > 0)
        return columns.id[known], columns.value[known]
