"""A meta-trained policy in use: its weights are frozen, and all it learns of a task is what it notes."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from retention import Transitions, UnsupportedSpaceError

from ..meta.checkpoint import load_checkpoint
from ..meta.notebook import Identity, Notebook, as_transitions
from ..meta.reader import Reader
from ..meta.shelf import Shelf
from ..meta.weights import Array
from ..recall.actions import numbered_actions
from ..recall.keys import KeySpace, key_space
from .protocol import Experience, Task

_RECEIPT = 64  # templates that a receipt names at most
_KEPT = 4096  # keys of observations that are integers
_ROUNDING = 1e-4  # what lies nearer, relatively, might be otherwise when one lane is asked alone


@dataclass(kw_only=True)
class _Lane:
    """An episode in progress.

    Attributes:
        notebook: what is read and written: the task's own, or a copy that is dropped.
        borrowed: whether it is the task's own and must not be written: the first note then goes into a copy.
        key: of the latest observation.
        action: the latest, from 0.
        visits: what was noted, in order.
        drawn: the attention that stored notes drew, by template.
    """

    notebook: Notebook
    key: NDArray[np.float32]
    borrowed: bool = False
    action: int = 0
    visits: list[Identity] = field(default_factory=list)
    drawn: dict[int, float] = field(default_factory=dict)

    def relied_on(self, rows: NDArray[np.intp], drawn: Array) -> None:
        """Add the attention on those notes among some rows that are stored."""
        for template, share in zip(self.notebook.ids()[rows].tolist(), drawn[rows].tolist(), strict=True):
            if template:
                self.drawn[template] = self.drawn.get(template, 0.0) + share


@final
class PretrainedPolicy:
    """Reads what it noted of a task through a network that was meta-trained on a family of tasks, and does the best.

    No gradient is taken and nothing is drawn at random: the same memory and observation give the same action. What an
    episode notes counts from the next step on. A frozen agent notes too, until the episode ends.
    """

    def __init__(self, name: str, *, capacity: int | None = None, enabled: bool = True) -> None:
        """Load the weights.

        Args:
            name: of a policy that comes with the package, or the path of a folder that ``holdfast train`` made.
            capacity: the most notes of one task; None for no limit.
            enabled: False empties the memory before each episode, to see what it is worth.

        Raises:
            NotFoundError: there is no such policy.
            SlotFileError: its files are foreign, newer or damaged.
            ValueError: the capacity is below 1.
        """
        if capacity is not None and capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        network, recipe = load_checkpoint(name)
        self.name, self.recipe = name, recipe
        self._reader = Reader(network)
        self._capacity, self._enabled = capacity, enabled

    def begin(self, task: Task) -> None:
        """Get ready for a task, knowing nothing of it.

        Raises:
            UnsupportedSpaceError: the policy was trained for another observation or action space.
        """
        self._task = task
        self._keys: KeySpace = key_space(task.observation_space)
        self._key_of: dict[int, Array] = {}
        self._acted = numbered_actions(task.action_space)
        shape = self._reader.shape
        if not self._keys.exact or shape.observation not in (None, str(task.observation_space)):
            wanted = shape.observation or "symbols"
            raise UnsupportedSpaceError(
                f"the policy {self.name!r} is for observations of {wanted}, but the environment shows "
                f"{task.observation_space}"
            )
        if self._acted.count != shape.actions and (shape.observation is not None or self._acted.count > shape.actions):
            raise UnsupportedSpaceError(
                f"the policy {self.name!r} is for {shape.actions} actions, but the environment has {self._acted.count}"
            )
        self._notebook = self._new_notebook()
        self._shelf = Shelf(self._reader, task.lanes)
        self._lanes: dict[int, _Lane] = {}
        self._episode = 0

    def _new_notebook(self) -> Notebook:
        return Notebook(self._reader, capacity=self._capacity)

    def restore(
        self, transitions: Transitions, settings: Mapping[str, Any] | None, *, swept: bool, anew: bool = False
    ) -> None:
        """Take in what was noted in earlier sessions, or elsewhere.

        Raises:
            UnsupportedSpaceError: the templates are not notes of this policy.
        """
        family = self.recipe["family"]
        if settings and settings.get("family") != family:
            other = settings.get("family", "another kind of policy")
            raise UnsupportedSpaceError(
                f"the memory's templates of this task are those of {other}, but the policy was trained on {family}: "
                "give this one another namespace"
            )
        if len(transitions) and transitions.width != self._keys.width:
            raise UnsupportedSpaceError(
                f"the memory's templates of this task have keys of {transitions.width} numbers, but the environment's "
                f"have {self._keys.width}: they are two tasks, so give this one another namespace"
            )
        shared = self._notebook
        if anew:
            self._notebook = self._new_notebook()
        writing = [lane for lane in self._lanes.values() if lane.notebook is shared]
        visits = [identity for lane in writing for identity in lane.visits]
        self._notebook.load(transitions, None if anew else Counter(visits))
        for symbol, action, reward in visits if anew else ():
            self._notebook.note(np.frombuffer(symbol, np.float32), action, reward, self._episode + 1)
        for lane in writing:
            lane.notebook = self._notebook
        self._episode = max(self._episode, self._notebook.latest_episode)

    def start_episode(self, observation: Any, rng: np.random.Generator, *, lane: int = 0) -> None:
        """Begin an episode at its first observation."""
        self._lanes[lane] = now = _Lane(
            notebook=self._notebook if self._enabled else self._new_notebook(),
            key=self._key(observation),
            borrowed=self._enabled and (self._task.frozen or lane < 0),  # below 0: for one action outside of a run
        )
        if self._reader.shape.noted == "arrival":
            self._note(now, lane, 0, 0.0)

    def act(self, *, lane: int = 0) -> Any:
        """Return the action of the highest score; of equal ones the first."""
        now = self._lanes[lane]
        scores, drawn = now.notebook.scores(now.key, self._episode + 1)
        now.action = int(scores[: self._acted.count].argmax())
        if not self._task.frozen:
            now.relied_on(np.flatnonzero(drawn > 1.0 / (1 + len(drawn))), drawn)
        return self._acted.take(now.action)

    def act_lanes(self, lanes: Sequence[int]) -> list[Any]:
        """Choose for several lanes: their notes are read together, and again alone where rounding might decide."""
        every, actions = [self._lanes[lane] for lane in lanes], self._acted.count
        if len(every) < 2 or actions < 2:
            return [self.act(lane=lane) for lane in lanes]
        scores, drawn = self._read_together(lanes, every)
        scores = scores[:, :actions]
        ranked = np.sort(scores, axis=1)
        best = ranked[:, -1]
        sure = best - ranked[:, -2] > _ROUNDING * (1.0 + best - ranked[:, 0])  # which NaN is not
        relied: NDArray[np.bool_] | None = None
        if drawn is not None:
            over = drawn * np.array([[1 + len(now.notebook)] for now in every]) - 1.0  # over an even share
            sure &= (np.abs(over) > _ROUNDING).all(axis=1)
            relied = over > 0.0
        chosen = zip(lanes, every, sure.tolist(), scores.argmax(axis=1).tolist(), strict=True)
        for i, (lane, now, is_sure, action) in enumerate(chosen):
            if not is_sure:
                self.act(lane=lane)
                continue
            now.action = action
            if relied is not None and drawn is not None:
                now.relied_on(np.flatnonzero(relied[i]), drawn[i])
        return [self._acted.take(now.action) for now in every]

    def _read_together(self, lanes: Sequence[int], every: Sequence[_Lane]) -> tuple[Array, Array | None]:
        """Return the scores of lanes, and unless the agent is frozen the attention on their notes."""
        shared, attention = every[0].notebook, not self._task.frozen
        if all(now.notebook is shared for now in every):
            return shared.several([now.key for now in every], self._episode + 1, attention=attention)
        for lane, now in zip(lanes, every, strict=True):
            if now.borrowed:
                self._own(now, lane)
            else:
                self._shelf.put(now.notebook, lane)
        keys = {lane: now.key for lane, now in zip(lanes, every, strict=True)}
        return self._shelf.scores(keys, self._episode + 1, attention=attention)

    def _own(self, now: _Lane, lane: int) -> None:
        """Let a lane write on a copy, and the task's own notebook stay as it is."""
        now.notebook.bring_up_to_date(self._episode + 1)  # once, and not in each copy
        now.notebook = copy.deepcopy(now.notebook) if lane < 0 else self._shelf.copy(now.notebook, lane)
        now.borrowed = False

    def observe(self, reward: float, observation: Any, terminated: bool, truncated: bool, *, lane: int = 0) -> None:
        """Note what the action led to."""
        now, noted = self._lanes[lane], self._reader.shape.noted
        if noted == "answer":
            self._note(now, lane, now.action, reward)
        elif noted == "sight":
            self._note(now, lane, 0, 0.0)
        now.key = self._key(observation)
        if noted == "arrival":
            self._note(now, lane, 0, reward)

    def _key(self, observation: Any) -> Array:
        """Return the key of an observation; those of integers are kept."""
        if not isinstance(observation, (int, np.integer)):
            return self._keys.key(observation)
        number = int(observation)
        key = self._key_of.get(number)
        if key is None:
            if len(self._key_of) >= _KEPT:
                self._key_of.clear()
            key = self._key_of[number] = self._keys.key(observation)
        return key

    def _note(self, now: _Lane, lane: int, action: int, reward: float) -> None:
        if now.borrowed:
            self._own(now, lane)
        now.visits.append(now.notebook.note(now.key, action, float(np.float32(reward)), self._episode + 1))

    def end_episode(self, return_: float, *, lane: int = 0) -> Experience:
        """Offer what the episode noted."""
        now = self._lanes.pop(lane)
        if self._task.frozen:
            return Experience()
        self._episode += 1
        most = sorted(now.drawn.items(), key=lambda each: -each[1])[:_RECEIPT]
        return Experience(
            transitions=as_transitions(now.visits, self._keys.width),
            slots=tuple(range(len(now.visits))),
            recalled=dict(most),
        )

    def stored(self, experience: Experience, template_ids: NDArray[np.int64]) -> None:
        """Note under which ids the memory keeps the notes."""
        assert experience.transitions is not None
        rows = experience.transitions
        for row, template in enumerate(template_ids):
            if template:
                identity = (rows.key[row].tobytes(), int(rows.action[row]), float(rows.reward[row]))
                self._notebook.bind(identity, int(template))

    def settings(self) -> dict[str, Any]:
        """Return the family: notes of one are nothing to another."""
        return {"family": self.recipe["family"]}

    def values(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the ids of the stored notes, and their order, by which the next session ranks them."""
        ids = self._notebook.ids()
        known = ids > 0
        return ids[known], self._notebook.order()[known].astype(np.float64)
