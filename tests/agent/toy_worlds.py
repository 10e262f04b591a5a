"""Toy environments for the tests of the agent: each small enough that the right answer is known by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

F32 = np.float32

# How a context of 0 to 3 is shown: a space, and the observation in it.
SHOWN: dict[str, tuple[Callable[[], spaces.Space[Any]], Callable[[int], Any]]] = {
    "discrete": (lambda: spaces.Discrete(4, start=5), lambda c: np.int64(5 + c)),
    "multi_discrete": (lambda: spaces.MultiDiscrete([2, 2]), lambda c: np.array([c // 2, c % 2])),
    "multi_binary": (lambda: spaces.MultiBinary(2), lambda c: np.array([c // 2, c % 2], np.int8)),
    "tuple": (
        lambda: spaces.Tuple([spaces.Discrete(2), spaces.MultiBinary(1)]),
        lambda c: (np.int64(c // 2), np.array([c % 2], np.int8)),
    ),
    "dict": (
        lambda: spaces.Dict({"row": spaces.Discrete(2, start=-1), "column": spaces.Discrete(2)}),
        lambda c: {"row": np.int64(c // 2 - 1), "column": np.int64(c % 2)},
    ),
    "integer_box": (
        lambda: spaces.Box(0, 255, (2,), np.uint8),
        lambda c: np.array([200 * (c // 2), c % 2], np.uint8),
    ),
    "box": (
        lambda: spaces.Box(-1.0, 1.0, (2,), F32),
        lambda c: np.array([2 * (c // 2) - 1, 2 * (c % 2) - 1], F32),
    ),
    "mixed": (
        lambda: spaces.Tuple([spaces.Discrete(2), spaces.Box(-1.0, 1.0, (1,), F32)]),
        lambda c: (np.int64(c // 2), np.array([2 * (c % 2) - 1], F32)),
    ),
}


class Signs(gymnasium.Env[Any, Any]):
    """Shows one context after the other at random; the action ``(context + 1) % 4`` earns 1, any other 0."""

    def __init__(self, kind: str = "discrete", steps: int = 4) -> None:
        make_space, self._show = SHOWN[kind]
        self.observation_space = make_space()
        self.action_space = spaces.Discrete(4)
        self._steps = steps

    def _draw(self) -> Any:
        self._context = int(self.np_random.integers(4))
        return self._show(self._context)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._left = self._steps
        return self._draw(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float(action == (self._context + 1) % 4)
        self._left -= 1
        return self._draw(), reward, self._left == 0, False, {}


class Arms(gymnasium.Env[Any, Any]):
    """One step, one state, some arms; it notes which arm was chosen.

    Args:
        pays: what each arm earns.
        real: whether the one observation is a real vector instead of a symbol.
        start: number of the first arm.
        success_from: from this reward on an episode is said to be a success; None: nothing is said.
    """

    def __init__(
        self, pays: Sequence[float] = (1.0, 1.0), real: bool = False, start: int = 0, success_from: float | None = None
    ) -> None:
        self.observation_space = spaces.Box(-1.0, 1.0, (2,), F32) if real else spaces.Discrete(1)
        self.action_space = spaces.Discrete(len(pays), start=start)
        self._pays, self._real, self._start, self._success_from = tuple(pays), real, start, success_from
        self.chosen: list[int] = []

    @property
    def shown(self) -> Any:
        return np.array([0.5, -0.5], F32) if self._real else np.int64(0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self.shown, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.chosen.append(int(action))
        reward = self._pays[int(action) - self._start]
        info = {} if self._success_from is None else {"is_success": reward >= self._success_from}
        return self.shown, reward, True, False, info


class Corridor(gymnasium.Env[Any, Any]):
    """Walk right from cell 0 to the last one, which earns 1; walking left at the start stays there."""

    def __init__(self, cells: int = 6, limit: int = 12, delay: float = 0.0) -> None:
        self.observation_space, self.action_space = spaces.Discrete(cells), spaces.Discrete(2)
        self._cells, self._limit, self._delay = cells, limit, delay

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._at = self._steps = 0
        return np.int64(0), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        time.sleep(self._delay)
        self._at = max(0, self._at + (1 if action == 1 else -1))
        self._steps += 1
        there = self._at == self._cells - 1
        return np.int64(self._at), float(there), there, not there and self._steps == self._limit, {}


class Line(gymnasium.Env[Any, Any]):
    """A point on [0, 1], moved left (0 throws it back) or right; the right end earns 1 and ends the episode.

    Args:
        stride: how far a step moves.
        limit: steps after which an episode is truncated.
        reuse: hand out one and the same array, changed in place, as some environments do.
        offset: added to what is observed.
        noise: standard deviation of what disturbs a step; without it the very same transitions come again and again.
    """

    def __init__(
        self,
        stride: float = 0.02,
        limit: int = 150,
        reuse: bool = False,
        offset: float = 0.0,
        noise: float = 0.0,
    ) -> None:
        self.observation_space, self.action_space = spaces.Box(-np.inf, np.inf, (1,), F32), spaces.Discrete(2)
        self._stride, self._limit, self._reuse, self._offset, self._noise = stride, limit, reuse, offset, noise
        self._buffer = np.zeros(1, F32)
        self.taken: list[list[int]] = []
        self.visited: list[list[float]] = []

    def _shown(self) -> Any:
        if not self._reuse:
            self._buffer = np.zeros_like(self._buffer)
        self._buffer[0] = self._at + self._offset
        return self._buffer

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._at, self._steps = float(self.np_random.uniform(0.3, 0.6)), 0
        self.taken.append([])
        self.visited.append([self._at])
        return self._shown(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        moved = (self._stride if action == 1 else -self._stride) + self._noise * self.np_random.normal()
        self._at = abs(self._at + moved)
        self._steps += 1
        self.taken[-1].append(int(action))
        self.visited[-1].append(self._at)
        there = self._at >= 1.0
        return self._shown(), float(there), there, not there and self._steps == self._limit, {}


class Counter(gymnasium.Env[Any, Any]):
    """Observes how many steps the episode has had, and how many episodes there were; their lengths are given.

    Odd episodes (the first is 0) are truncated, even ones terminate. Step s of episode e earns ``100 e + s``.
    """

    def __init__(self, lengths: Sequence[int] = (3, 1, 4), kind: str = "array") -> None:
        self._lengths, self._kind, self._episode = tuple(lengths), kind, -1
        count = spaces.Box(0, 1000, (2,), np.int64)
        self.observation_space = {
            "array": count,
            "dict": spaces.Dict({"episode": spaces.Discrete(1000), "step": spaces.Discrete(1000)}),
            "tuple": spaces.Tuple([spaces.Discrete(1000), spaces.Discrete(1000)]),
        }[kind]
        self.action_space = spaces.Discrete(3, start=1)

    def _shown(self) -> Any:
        if self._kind == "dict":
            return {"episode": np.int64(self._episode), "step": np.int64(self._step)}
        if self._kind == "tuple":
            return np.int64(self._episode), np.int64(self._step)
        return np.array([self._episode, self._step])

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._episode, self._step = self._episode + 1, 0
        return self._shown(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._step += 1
        over = self._step == self._lengths[self._episode % len(self._lengths)]
        truncated = over and self._episode % 2 == 1
        info = {"success": self._episode % 3 == 0} if over else {}
        return self._shown(), 100.0 * self._episode + self._step, over and not truncated, truncated, info


class Faulty(gymnasium.Env[Any, Any]):
    """Two steps an episode, until something goes wrong in the second step of the third episode.

    Args:
        fault: ``raise``, ``exit`` (raises SystemExit), ``reset`` (raises when reset for the third), ``nan`` or ``inf``
            (in the observation), ``nan_reset``, ``nan_reward``, ``huge_reward``, ``endless_reward`` (an integer that no
            float holds), ``shape``, ``nothing_reward``, ``nothing_info``, ``successes`` (two, in the info),
            ``interrupt`` (raises KeyboardInterrupt), or ``none``.
    """

    def __init__(self, fault: str = "raise") -> None:
        self.observation_space, self.action_space = spaces.Box(0.0, 1.0, (2,), F32), spaces.Discrete(2)
        self._fault, self._episode = fault, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._episode, self._step = self._episode + 1, 0
        if self._fault == "reset" and self._episode == 3:
            raise RuntimeError("the motor\nis stuck")
        lost = self._fault == "nan_reset" and self._episode == 3
        return np.full(2, np.nan if lost else 0.0, F32), {}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, Any]:
        self._step += 1
        shown, reward, info = np.full(2, 0.5 * self._step, F32), 1.0, {}
        if (self._episode, self._step) == (3, 2):
            if self._fault == "raise":
                raise RuntimeError("the motor\nis stuck")
            if self._fault == "exit":
                raise SystemExit(0)
            if self._fault == "interrupt":
                raise KeyboardInterrupt
            shown = {
                "nan": np.array([0.5, np.nan], F32),
                "inf": np.array([np.inf, 0.5], F32),
                "shape": np.zeros(3, F32),
            }.get(self._fault, shown)
            reward = {
                "nan_reward": np.nan,
                "huge_reward": -1e31,
                "endless_reward": 10**400,
                "nothing_reward": None,
            }.get(self._fault, reward)
            info = {"nothing_info": None, "successes": {"success": np.array([True, False])}}.get(self._fault, info)
        return shown, reward, self._step == 2, False, info


class Told(Arms):
    """Notes what arguments it was made with."""

    made_with: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self.made_with.append(arguments)


class Chatty(Arms):
    """Prints what it does."""

    def __init__(self) -> None:
        super().__init__()
        print("made")

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        print("step")
        return super().step(action)

    def close(self) -> None:
        print("closed")


class Wordy(gymnasium.Env[Any, Any]):
    """Observes a sequence of words, which no policy here can read."""

    observation_space, action_space = spaces.Sequence(spaces.Text(8)), spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return ("hello",), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return ("hello",), 0.0, True, False, {}


class Steered(Signs):
    """Wants real actions without bounds, which no policy here can choose."""

    def __init__(self) -> None:
        super().__init__()
        self.action_space = spaces.Box(-np.inf, np.inf, (1,), F32)


ERRANDS = ("Open the gate.", "Feed the goat.", "Ring the bell.")
CALLS = ("call Ana", "turn the dial", "use form K", "write to desk 4")
RIGHT = {"Open the gate.": "use form K", "Feed the goat.": "write to desk 4", "Ring the bell.": "use form K"}


class Errands(gymnasium.Env[str, Any]):
    """Asks for each errand once; the right call earns 1.

    Args:
        acts: ``"candidates"``, ``"numbers"`` (of a Discrete space) or ``"words"`` (a text without candidates).
    """

    def __init__(self, acts: str = "candidates") -> None:
        self.observation_space = spaces.Text(200)
        self.action_space = (
            spaces.Discrete(len(CALLS))
            if acts == "numbers"
            else spaces.Text(40, charset=" aK4bcdefghijklmnopqrstuvwxyzA")
        )
        self._acts = acts

    def _info(self) -> dict[str, Any]:
        return {"candidates": list(CALLS)} if self._acts == "candidates" and self._left else {}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self._left = [ERRANDS[place] for place in self.np_random.permutation(len(ERRANDS))]
        return self._left[0], self._info()

    def step(self, action: Any) -> tuple[str, float, bool, bool, dict[str, Any]]:
        errand = self._left.pop(0)
        said = CALLS[action] if self._acts == "numbers" else action
        return (self._left or [errand])[0], float(said == RIGHT[errand]), not self._left, False, self._info()


for _made in (Signs, Arms, Corridor, Line, Counter, Told, Chatty, Wordy, Steered, Errands):
    gymnasium.register(f"toy/{_made.__name__}-v0", entry_point=_made)
# Its faults are meant to reach the agent, not gymnasium's own checker.
gymnasium.register("toy/Faulty-v0", entry_point=Faulty, disable_env_checker=True)
