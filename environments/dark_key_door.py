"""A dark room with a hidden key and a hidden door, which one process can find for another."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from .instance import checked_flag, checked_integer
from .misuse import refuse_foreign_action, warn_of_no_render_mode
from .room import MOVES, distance, drawn, moved, scattered

_FAMILY = "holdfast/DarkKeyDoor-v0"


class DarkKeyDoorEnv(gymnasium.Env[np.int64, int | np.int64]):
    """Find a key, then the door that it opens, neither of which can be seen; and go straight there the next time.

    ## Description
    A square room of ``size`` x ``size`` cells. The agent starts in the centre and knows only the cell it stands on. One
    cell holds a key, another one is a door: nothing shows them but the reward. The agent takes the key by stepping on
    it, and the door opens for who has it; without the key the door is a cell like any other. Where both are is fixed by
    ``task`` alone: the same task has the same layout in every episode, process and machine. So one process can find
    them and another one, which shares nothing but a memory with the first, can use what was found: the cross-session
    key-door.

    It is a variant of the dark key-to-door task of Algorithm Distillation (Laskin et al. 2022, arXiv 2210.14215). The
    start is the centre in every episode, and layouts are numbered, so that those to learn on and those to test on can
    be kept apart.

    ## Action Space
    ``Discrete(5)``: 0 stay, 1 up, 2 right, 3 down, 4 left. A move into a wall leaves the agent where it is.

    ## Observation Space
    ``Discrete(2 * size * size)``: the agent's cell, ``row * size + column``, plus ``size * size`` once it has the key.

    That the agent has the key is observed, where the key and the door are is not. The flag tells nothing that the
    reward for the key has not told in the same episode, and with it the room is Markov for who knows the layout: what
    an agent fails at is then memory across episodes, not memory of the last few steps. With ``show_key=False`` it is
    hidden as well and the space is ``Discrete(size * size)``; then the agent has to remember both.

    ## Starting State
    The centre, ``(size // 2) * size + size // 2``, without the key.

    ## Rewards
    1 for the step that takes the key, 1 for the step that enters the door with the key, else 0.

    ## Episode End
    - Termination: the door was entered with the key.
    - Truncation: after ``steps`` steps. The environment counts by itself instead of taking ``max_episode_steps`` from
      its registration, because the least allowed depends on ``size``.

    ## Information
    ``info["success"]``: whether the door was opened in this episode.

    ## Arguments
    - ``task`` (0): which layout; any integer from 0. With n = ``size * size - 1`` the first ``n * (n - 1)`` tasks
      (6,320 for 9 x 9) have every pair of different cells, the start apart, as key and door, each once; then they
      repeat. Tasks 0 to n - 1 have every cell as their key once, and so do the next n. Layouts to learn on and
      held-out layouts are two ranges of these.
    - ``size`` (9): cells along a side, an odd number from 3.
    - ``steps`` (50): most steps of an episode, at least ``3 * (size - 1)``, so that every layout can be solved.
    - ``show_key`` (True): whether the observation tells that the agent has the key.

    ```python
    import gymnasium
    import environments
    env = gymnasium.make("holdfast/DarkKeyDoor-v0", task=3)
    ```

    ## Optimum
    Who knows the layout earns 2, in every layout: ``optimal_return``. It needs d(start, key) + d(key, door) steps, d
    being the Manhattan distance: ``optimal_steps``, for 9 x 9 between 2 and 24, on average 10.5 over all layouts.

    ## Version History
    - v0: first version
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012 - gymnasium types it as an instance variable

    def __init__(
        self,
        task: int = 0,
        size: int = 9,
        steps: int = 50,
        *,
        show_key: bool = True,
        render_mode: str | None = None,
    ) -> None:
        """See the class.

        Raises:
            TypeError: an argument is no integer, or ``show_key`` no bool.
            ValueError: an argument is out of range.
        """
        self.task = checked_integer("task", task, low=0)
        self.size = checked_integer("size", size, low=3)
        if self.size % 2 == 0:
            raise ValueError(f"size must be odd, so that the room has a centre, got {self.size}")
        self.steps = checked_integer("steps", steps, low=3 * (self.size - 1))
        self.show_key = checked_flag("show_key", show_key)
        self.observation_space = spaces.Discrete(self.size * self.size * (2 if self.show_key else 1))
        self.action_space = spaces.Discrete(len(MOVES))
        self.render_mode = render_mode
        self.start = self.size * self.size // 2
        self.key, self.door = self._layout()
        self._cell = self.start
        self._step = self.steps
        self._has_key = self._opened = False

    def _layout(self) -> tuple[int, int]:
        """Return the cells of key and door."""
        cells = [cell for cell in range(self.size * self.size) if cell != self.start]
        round_, place = divmod(self.task, len(cells))
        key = scattered(cells, _FAMILY, self.size)[place]
        doors = scattered([cell for cell in cells if cell != key], _FAMILY, self.size, key)
        return key, doors[round_ % len(doors)]

    @property
    def optimal_return(self) -> float:
        """The return of an episode that takes the key and opens the door."""
        return 2.0

    @property
    def optimal_steps(self) -> int:
        """The steps of the shortest such episode."""
        return distance(self.start, self.key, self.size) + distance(self.key, self.door, self.size)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Start an episode in the centre, without the key."""
        super().reset(seed=seed)
        self._cell, self._step, self._has_key, self._opened = self.start, 0, False, False
        return self._observation(), {"success": False}

    def step(self, action: int | np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """Move, or stay.

        Raises:
            gymnasium.error.InvalidAction: the action is not in the action space.
            gymnasium.error.ResetNeeded: the episode is over, or never began.
        """
        if self._opened or self._step >= self.steps:
            why = "the door is open" if self._opened else f"all {self.steps} steps are used"
            raise gymnasium.error.ResetNeeded(f"{why}: call reset() before the next step()")
        refuse_foreign_action(self.action_space, action)
        self._cell = moved(self._cell, int(action), self.size)
        self._step += 1
        found = self._cell == self.key and not self._has_key
        self._has_key = self._has_key or found
        self._opened = self._cell == self.door and self._has_key
        truncated = self._step == self.steps and not self._opened
        return self._observation(), float(found or self._opened), self._opened, truncated, {"success": self._opened}

    def _observation(self) -> np.int64:
        return np.int64(self._cell + (self.size * self.size if self.show_key and self._has_key else 0))

    def render(self) -> str | None:
        """Return the room as text.

        ``A`` is the agent and ``a`` the agent with the key, ``K`` the key until it is taken, ``D`` the door, ``*`` the
        agent in the open door, ``.`` any other cell.
        """
        if self.render_mode is None:
            warn_of_no_render_mode()
            return None
        agent = "*" if self._opened else "a" if self._has_key else "A"
        key = {} if self._has_key else {self.key: "K"}
        return drawn(self.size, key | {self.door: "D"} | {self._cell: agent})
