"""A dark room with a hidden, fixed goal that only a memory across episodes can find again."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from .instance import checked_integer
from .misuse import refuse_foreign_action, warn_of_no_render_mode
from .room import MOVES, distance, drawn, moved, scattered


class DarkRoomEnv(gymnasium.Env[np.int64, int | np.int64]):
    """Find a goal that cannot be seen, and go straight to it the next time.

    ## Description
    A square room of ``size`` x ``size`` cells. The agent starts in the centre and knows only the cell it stands on. One
    cell is the goal: nothing shows it but the reward. The goal is fixed by ``task`` alone: the same task has the same
    goal in every episode, process and machine.

    The room follows the Dark Room of Algorithm Distillation (Laskin et al. 2022, arXiv 2210.14215), with two
    differences: the goal never is the start cell, and it is numbered instead of drawn.

    ## Action Space
    ``Discrete(5)``: 0 stay, 1 up, 2 right, 3 down, 4 left. A move into a wall leaves the agent where it is.

    ## Observation Space
    ``Discrete(size * size)``: the agent's cell, ``row * size + column``.

    ## Starting State
    The centre, ``(size // 2) * size + size // 2``.

    ## Rewards
    1 for each step that ends on the goal (arriving and staying alike), else 0.

    ## Episode End
    Truncation: after ``steps`` steps. The time left is no part of the observation and the room itself has no end, so
    this is a time limit and no termination. The environment counts by itself instead of taking ``max_episode_steps``
    from its registration, because the best return depends on the limit. There is no termination.

    ## Information
    ``info["success"]``: whether the goal was reached in this episode so far.

    ## Arguments
    - ``task`` (0): which goal; any integer from 0. The first ``size * size - 1`` tasks have every cell but the start
      as their goal, each once; then they repeat.
    - ``size`` (9): cells along a side, an odd number from 3.
    - ``steps`` (20): steps of an episode, at least ``size - 1``, so that every goal can be reached.

    ```python
    import gymnasium
    import environments
    env = gymnasium.make("holdfast/DarkRoom-v0", task=3)
    ```

    ## Optimum
    A goal at Manhattan distance d from the centre is reached with step d, and each of the ``steps - d + 1`` steps from
    then on is rewarded: for 9 x 9 and 20 steps 13 to 20, on average 16.5 over all tasks.

    ## Version History
    - v0: first version
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012 - gymnasium types it as an instance variable

    def __init__(self, task: int = 0, size: int = 9, steps: int = 20, *, render_mode: str | None = None) -> None:
        """See the class.

        Raises:
            TypeError: an argument is no integer.
            ValueError: an argument is out of range.
        """
        self.task = checked_integer("task", task, low=0)
        self.size = checked_integer("size", size, low=3)
        if self.size % 2 == 0:
            raise ValueError(f"size must be odd, so that the room has a centre, got {self.size}")
        self.steps = checked_integer("steps", steps, low=self.size - 1)
        self.observation_space = spaces.Discrete(self.size * self.size)
        self.action_space = spaces.Discrete(len(MOVES))
        self.render_mode = render_mode
        self.start = self.size * self.size // 2
        self.goal = self._goals()[self.task % (self.size * self.size - 1)]
        self._cell = self.start
        self._step = self.steps
        self._reached = False

    def _goals(self) -> list[int]:
        """Return every cell but the start, in a fixed scattered order."""
        cells = [cell for cell in range(self.size * self.size) if cell != self.start]
        return scattered(cells, "holdfast/DarkRoom-v0", self.size)

    @property
    def optimal_return(self) -> float:
        """The return of an episode that goes straight to the goal and stays: ``steps - d + 1``."""
        return float(self.steps - distance(self.start, self.goal, self.size) + 1)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Start an episode in the centre."""
        super().reset(seed=seed)
        self._cell, self._step, self._reached = self.start, 0, False
        return np.int64(self._cell), {"success": False}

    def step(self, action: int | np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """Move, or stay.

        Raises:
            gymnasium.error.InvalidAction: the action is not in the action space.
            gymnasium.error.ResetNeeded: the episode is over, or never began.
        """
        if self._step >= self.steps:
            raise gymnasium.error.ResetNeeded(f"all {self.steps} steps are used: call reset() before the next step()")
        refuse_foreign_action(self.action_space, action)
        self._cell = moved(self._cell, int(action), self.size)
        self._step += 1
        on_goal = self._cell == self.goal
        self._reached = self._reached or on_goal
        return np.int64(self._cell), float(on_goal), False, self._step == self.steps, {"success": self._reached}

    def render(self) -> str | None:
        """Return the room as text: ``A`` agent, ``G`` goal, ``*`` the agent on the goal, ``.`` any other cell."""
        if self.render_mode is None:
            warn_of_no_render_mode()
            return None
        return drawn(self.size, {self.goal: "G"} | {self._cell: "*" if self._cell == self.goal else "A"})
