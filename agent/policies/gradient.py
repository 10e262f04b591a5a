"""A policy that learns by gradient while it is used: PPO with a memory of its own decisions in the loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from retention import Transitions, UnsupportedSpaceError

from ..gradient.choice import best_hot, drawn_hot
from ..gradient.config import GradientConfig
from ..gradient.decisions import Decision
from ..gradient.doing import Doing, doing
from ..gradient.learner import Learner
from ..gradient.packing import packed, unpacked
from ..gradient.rollout import Piece
from ..gradient.templates import TemplateForm
from ..recall.image_encoder import MakeEncoder
from ..recall.keys import KeySpace, key_space
from .protocol import Experience, Task

_KIND = "ppo"
_WIDEST = 4096  # numbers of a key
_MOST_ACTIONS = 65_536  # to choose among: weights and rollout of more are larger than what SQLite holds in a row
_SAVES = 8  # times in a rollout that settings are brought up to date: they are larger than an episode

_NOTHING = np.zeros(1, np.float32)

_Key = NDArray[np.float32]
_Noted = tuple[Decision, Piece, int]


@dataclass(kw_only=True)
class _Lane:
    """An episode in progress.

    Attributes:
        rng: all randomness of the episode.
        key: of the latest observation.
        piece: what was played of it since the last update.
        earned: the discounted sum of the rewards so far, by which rewards are scaled.
    """

    rng: np.random.Generator
    key: _Key
    piece: Piece = field(default_factory=Piece)
    earned: float = 0.0


@final
class GradientPolicy:
    """Learns by proximal policy optimisation, with a memory of its best and worst decisions in the loop.

    Discrete actions and Boxes of any size. The weights, the optimiser, the scales, the slots and what was played since
    the last update are settings of the task: the next session goes on as if there had been no break. What the memory in
    the loop takes in becomes a template, so that another process has it. A frozen agent takes the best action, or the
    mean, and learns nothing.

    Reference: J. Schulman et al. 2017, arXiv 1707.06347.
    """

    def __init__(self, config: GradientConfig | None = None, *, encoder: MakeEncoder | None = None) -> None:
        """Start unbound.

        Args:
            config: settings; the defaults serve every task.
            encoder: makes the encoder of observations of many numbers; a fixed random projection by default.
        """
        self.config = config or GradientConfig()
        self._encoder = encoder

    def begin(self, task: Task) -> None:
        """Get ready for a task, knowing nothing of it.

        Raises:
            UnsupportedSpaceError: the observation or action space cannot be served yet.
        """
        self._task = task
        self._keys: KeySpace = key_space(_as_numbers(task.observation_space), self._encoder)
        self._width = self._keys.width - 1
        if self._width > _WIDEST:
            raise UnsupportedSpaceError(f"{task.observation_space} has {self._width} numbers; at most {_WIDEST} fit")
        self._doing: Doing = doing(task.action_space)
        if self._doing.count > _MOST_ACTIONS:
            raise UnsupportedSpaceError(
                f"{task.action_space} has {self._doing.count} actions or numbers; at most {_MOST_ACTIONS} fit"
            )
        self._form = TemplateForm(width=self._width, doing=self._doing)
        self._learner: Learner | None = None
        self._lanes: dict[int, _Lane] = {}
        self._pieces: list[Piece] = []
        self._packed: list[str] = []  # the first pieces, as settings hold them
        self._steps = 0
        self._noted: list[_Noted] = []
        self._incoming: list[Decision] = []
        self._learned: str | None = None
        self._saved: dict[str, Any] = {}
        self._unsaved = 0  # steps since

    def _new_learner(self, seed: int) -> Learner:
        return Learner(self._width, self._doing, self.config, seed=seed)

    def _key(self, observation: Any) -> _Key:
        return self._keys.key((observation, _NOTHING))[:-1]

    def restore(
        self, transitions: Transitions, settings: Mapping[str, Any] | None, *, swept: bool, anew: bool = False
    ) -> None:
        """Take in what earlier sessions learned; later, the decisions that other processes wrote.

        Raises:
            MemoryFileError: the weights in the memory are damaged.
            UnsupportedSpaceError: what the memory holds is of another policy, or of another task.
        """
        if settings and settings.get("kind") != _KIND:
            raise UnsupportedSpaceError(
                "the memory's templates of this task are those of another kind of policy: give this one another "
                "namespace"
            )
        self._form.check(transitions)
        if settings and "learned" in settings and self._learner is None:
            self._resume(settings)
        if self._learner is not None and (settings or anew):
            self._learner.drop(self._form.match(self._learner.decisions.held, transitions))
        else:  # what is not among the slots of resumed weights was evicted
            self._take_in(transitions)

    def _resume(self, settings: Mapping[str, Any]) -> None:
        self._learner = self._new_learner(0)
        self._learner.restore(unpacked(settings["learned"]), unpacked(settings["scales"]))
        self._learned = settings["learned"]
        self._packed = list(settings["rollout"])
        self._pieces = [Piece.restored(unpacked(each)) for each in self._packed]
        self._steps = sum(map(len, self._pieces))

    def _take_in(self, transitions: Transitions) -> None:
        """Note what other processes wrote: for the next update, or with no weights yet for the first observation."""
        held = [] if self._learner is None else self._learner.decisions.held
        known = {each.template for each in held}
        self._incoming += [each for each in self._form.decisions(transitions) if each.template not in known]

    def start_episode(self, observation: Any, rng: np.random.Generator, *, lane: int = 0) -> None:
        """Begin an episode at its first observation; the very first draws the weights."""
        key = self._key(observation)
        if self._learner is None:
            self._learner = self._new_learner(int(rng.integers(2**63)))
            for each in self._incoming:
                self._learner.keys.add(each.key)
            self._hold_incoming()
        self._lanes[lane] = _Lane(rng=rng, key=key)
        if lane >= 0 and not self._task.frozen:
            self._learner.keys.add(key)

    def _hold_incoming(self) -> None:
        assert self._learner is not None  # called once there are weights
        self._learner.hold(self._incoming)
        self._incoming = []

    def act(self, *, lane: int = 0) -> Any:
        """Draw an action; a frozen agent takes the best one, or the mean."""
        return self.act_lanes((lane,))[0]

    def act_lanes(self, lanes: Sequence[int]) -> list[Any]:
        """Draw an action for each lane; to rounding, as ``act`` does one by one."""
        assert self._learner is not None  # start_episode comes before act
        if not lanes:
            return []
        if min(lanes) >= 0:
            self._update_if_due()
        learner, lane_of = self._learner, [self._lanes[lane] for lane in lanes]
        seen = learner.keys.scaled(np.stack([now.key for now in lane_of]))
        outputs, noise = learner.outputs(seen), learner.noise()
        actions = []
        for number, now, scaled, output in zip(lanes, lane_of, seen, outputs, strict=True):
            decision = self._decide(now, output, noise)
            if number >= 0 and not self._task.frozen:
                now.piece.decide(now.key, scaled, decision)
            actions.append(self._doing.take(decision))
        return actions

    def _decide(self, now: _Lane, output: NDArray[np.float32], noise: NDArray[np.float32] | None) -> _Key:
        if noise is None:
            return best_hot(output) if self._task.frozen else drawn_hot(output, now.rng.random())
        return output if self._task.frozen else output + noise * now.rng.standard_normal(len(output), np.float32)

    def observe(self, reward: float, observation: Any, terminated: bool, truncated: bool, *, lane: int = 0) -> None:
        """See what the action led to."""
        now = self._lanes[lane]
        now.key = self._key(observation)
        if self._task.frozen:
            return
        assert self._learner is not None  # start_episode comes before observe
        self._learner.keys.add(now.key)
        now.earned = self.config.discount * now.earned + reward
        self._learner.returns.add(np.array((now.earned,)))
        now.piece.earn(reward, now.key, terminated, terminated or truncated)
        self._steps += 1
        self._unsaved += 1

    def end_episode(self, return_: float, *, lane: int = 0) -> Experience:
        """Learn if enough was played, and offer the decisions that the memory in the loop took in since."""
        now = self._lanes.pop(lane)
        if self._task.frozen:
            return Experience()
        if len(now.piece):
            self._pieces.append(now.piece)
        self._update_if_due()
        return self._offer()

    def _update_if_due(self) -> None:
        """Learn from what was played since the last update, once it is enough and no lane is between two steps."""
        waiting = any(len(each.piece.decision) > len(each.piece) for each in self._lanes.values())
        if self._steps < self.config.rollout or waiting:
            return
        assert self._learner is not None  # something was played
        going = [now for number, now in self._lanes.items() if number >= 0 and len(now.piece)]
        self._noted += self._learner.update([*self._pieces, *(now.piece for now in going)])
        self._hold_incoming()
        for now in going:
            now.piece = Piece()
        self._pieces, self._packed, self._steps, self._learned = [], [], 0, None

    def _offer(self) -> Experience:
        noted, self._noted = self._noted, []
        if not noted:
            return Experience()
        serials = tuple(decision.serial for decision, _, _ in noted)
        return Experience(transitions=self._form.transitions(noted), slots=serials)

    def stored(self, experience: Experience, template_ids: NDArray[np.int64]) -> None:
        """Note under which ids the memory keeps the decisions."""
        if self._learner is None or not experience.slots:
            return
        serials = dict(zip(experience.slots, template_ids.tolist(), strict=True))
        for each in self._learner.decisions.held:
            each.template = serials.get(each.serial, each.template)

    def settings(self) -> dict[str, Any]:
        """Return the weights and all else that a later session needs, as texts of safetensors.

        Between two updates they are brought up to date every eighth of a rollout, and after ``values`` was called, as
        at the end of a session: to save them takes longer than a short episode.
        """
        if self._learner is None:
            return {"kind": _KIND, "discount": self.config.discount}
        if self._saved and self._learned is not None and self._unsaved * _SAVES < self.config.rollout:
            return self._saved
        if self._learned is None:
            self._learned = packed(self._learner.learned())
        self._packed += [packed(piece.state()) for piece in self._pieces[len(self._packed) :]]
        self._unsaved = 0
        self._saved = {
            "kind": _KIND,
            "discount": self.config.discount,
            "learned": self._learned,
            "scales": packed(self._learner.scales()),
            "rollout": list(self._packed),
        }
        return self._saved

    def values(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the ids of the stored decisions, and their advantages; the next settings are up to date."""
        self._unsaved = self.config.rollout
        held = [] if self._learner is None else [each for each in self._learner.decisions.held if each.template]
        return np.array([each.template for each in held], np.int64), np.array([each.advantage for each in held])


def _as_numbers(space: spaces.Space[Any]) -> spaces.Space[Any]:
    """Return a space whose keys are real numbers, symbols one-hot: a constant number beside the observation does it."""
    return spaces.Tuple([space, spaces.Box(0.0, 0.0, (1,), np.float32)])
