"""A hidden, fixed rule from contexts to actions that only a memory across episodes can learn."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from .instance import checked_integer, draw
from .misuse import refuse_foreign_action, warn_of_no_render_mode


class HiddenRuleEnv(gymnasium.Env[np.int64, int | np.int64]):
    """Answer each context with the one action that a hidden rule assigns to it.

    ## Description
    A rule maps each context to one right action. The rule is fixed by ``task`` alone: the same task has the same rule
    in every episode, process and machine. An episode shows every context once, in a random order that the seed of
    ``reset`` decides, and takes one action for each. Within an episode there is nothing to learn, as no context comes
    twice; across episodes everything can be.

    ## Action Space
    ``Discrete(actions)``: the answer to the context shown.

    ## Observation Space
    ``Discrete(contexts)``: the context to answer. After the last answer no context is left, and the observation is the
    last one again.

    ## Starting State
    The first context of a random order.

    ## Rewards
    1 for the right action, else 0.

    ## Episode End
    Termination: after the last context, that is after ``contexts`` steps. There is no truncation.

    ## Information
    At the last step ``info["success"]`` says whether every context was answered rightly.

    ## Arguments
    - ``task`` (0): which rule; any integer from 0.
    - ``contexts`` (10): the number of contexts.
    - ``actions`` (5): the number of actions, at least 2.

    ```python
    import gymnasium
    import environments
    env = gymnasium.make("holdfast/HiddenRule-v0", task=3)
    ```

    ## Optimum
    Who knows the rule earns ``contexts``. Who does not, but remembers every answer and tries a new action each time
    until one is right, earns ``contexts * min(1, e / actions)`` in expectation in episode e = 1, 2, ...: the
    Bayes-optimal schedule, which reaches the optimum in episode ``actions``. Without memory it stays at
    ``contexts / actions``.

    ## Version History
    - v0: first version
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012 - gymnasium types it as an instance variable

    def __init__(self, task: int = 0, contexts: int = 10, actions: int = 5, *, render_mode: str | None = None) -> None:
        """See the class.

        Raises:
            TypeError: an argument is no integer.
            ValueError: an argument is out of range.
        """
        self.task = checked_integer("task", task, low=0)
        contexts = checked_integer("contexts", contexts, low=1)
        actions = checked_integer("actions", actions, low=2)
        self.observation_space = spaces.Discrete(contexts)
        self.action_space = spaces.Discrete(actions)
        self.render_mode = render_mode
        self.rule = tuple(draw("holdfast/HiddenRule-v0", self.task, c) % actions for c in range(contexts))
        self._actions = actions
        self._order = np.empty(0, dtype=np.int64)
        self._step = 0
        self._right = 0

    @property
    def optimal_return(self) -> float:
        """The return of an episode in which every answer is right."""
        return float(len(self.rule))

    def expected_return(self, episode: int) -> float:
        """Return the expected return of a Bayes-optimal agent in its ``episode``-th episode (from 1) on this task."""
        return len(self.rule) * min(1.0, checked_integer("episode", episode, low=1) / self._actions)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Start an episode in a new order of the contexts."""
        super().reset(seed=seed)
        self._order = self.np_random.permutation(len(self.rule))
        self._step = self._right = 0
        return self._order[0], {}

    def step(self, action: int | np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """Answer the context shown.

        Raises:
            gymnasium.error.InvalidAction: the action is not in the action space.
            gymnasium.error.ResetNeeded: the episode is over, or never began.
        """
        if self._step >= len(self._order):
            raise gymnasium.error.ResetNeeded("every context is answered: call reset() before the next step()")
        refuse_foreign_action(self.action_space, action)
        right = bool(action == self.rule[self._order[self._step]])
        self._right += right
        self._step += 1
        terminated = self._step == len(self._order)
        info = {"success": self._right == len(self._order)} if terminated else {}
        return self._order[min(self._step, len(self._order) - 1)], float(right), terminated, False, info

    def render(self) -> str | None:
        """Return one line of text: the context shown, and how many answers were right so far."""
        if self.render_mode is None:
            warn_of_no_render_mode()
            return None
        return self.drawn()

    def drawn(self) -> str:
        """Return what ``render`` returns, whatever the ``render_mode``."""
        shown = "-" if self._step >= len(self._order) else str(self._order[self._step])
        return f"context {shown}  answered {self._step}/{len(self.rule)}  right {self._right}\n"
