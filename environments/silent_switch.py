"""A hidden rule that changes without a sign, and changes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from .episode_count import EpisodeCount
from .hidden_rule import HiddenRuleEnv
from .instance import checked_integer, checked_list, draw
from .misuse import warn_of_no_render_mode

_FAMILY = "holdfast/SilentSwitch-v0"


class SilentSwitchEnv(gymnasium.Env[np.int64, int | np.int64]):
    """Answer each context by a hidden rule that silently becomes another one, and later the first one again.

    ## Description
    The episodes are those of ``holdfast/HiddenRule-v0``: every context once, in a random order that the seed of
    ``reset`` decides, and one right action for each. But there are two rules, A and B. The episodes before the first
    switch follow A, those from there on B, those from the second switch on A again, and so on. Nothing tells which rule
    is in force, neither the observation nor ``info``, but the rewards. In B the right action of every context is
    another one than in A, so what was learned before a switch is wrong throughout after it.

    So two things are asked for that pull against each other: to give up what is no longer right, and to have it still
    when it is right again.

    Both rules are fixed by ``task`` alone, in every process and machine. An environment starts with episode
    ``first_episode`` and counts an episode as played once a step of it was taken; a ``reset`` before that changes
    nothing.

    ## Action Space
    ``Discrete(actions)``: the answer to the context shown.

    ## Observation Space
    ``Discrete(contexts)``: the context to answer. After the last answer no context is left, and the observation is the
    last one again.

    ## Starting State
    The first context of a random order.

    ## Rewards
    1 for the action that is right by the rule in force, else 0.

    ## Episode End
    Termination: after the last context, that is after ``contexts`` steps. There is no truncation.

    ## Information
    At the last step ``info["success"]`` says whether every context was answered rightly.

    ## Arguments
    - ``task`` (0): which pair of rules; any integer from 0.
    - ``contexts`` (10): the number of contexts.
    - ``actions`` (5): the number of actions, at least 2.
    - ``switches`` (20, 40): the episodes, counted from 0, from which on the other rule is in force: increasing
      numbers from 1. Without any the rule stays A.
    - ``first_episode`` (0): where the count starts. A process that continues where another one stopped after n
      episodes starts with n.

    ```python
    import gymnasium
    import environments
    env = gymnasium.make("holdfast/SilentSwitch-v0", task=3, switches=[6, 12])
    ```

    ## Optimum
    Who knows the rule in force earns ``contexts``: ``optimal_return``. Who knows both rules, but not when they change,
    loses 1 in the episode of each switch: the first answer shows it. Who knows only that every answer changes, and
    remembers all it tried, earns in the k-th episode of A ``contexts * min(1, k / actions)``, as in
    ``holdfast/HiddenRule-v0``; in the k-th episode of B ``(contexts - 1) * min(1, k / (actions - 1)) + min(1, (k - 1) /
    (actions - 1))``; and back in A, if both were long enough to be learned, ``contexts - 1`` once and then
    ``contexts``. Who keeps to A earns 0 in B. An answer at random earns ``contexts / actions`` throughout.

    ## Version History
    - v0: first version
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012 - gymnasium types it as an instance variable

    def __init__(
        self,
        task: int = 0,
        contexts: int = 10,
        actions: int = 5,
        switches: Sequence[int] = (20, 40),
        first_episode: int = 0,
        *,
        render_mode: str | None = None,
    ) -> None:
        """See the class.

        Raises:
            TypeError: an argument is no integer, or ``switches`` no sequence of integers.
            ValueError: an argument is out of range, or the switches do not increase.
        """
        self.task = checked_integer("task", task, low=0)
        self.switches = _checked_switches(switches)
        self._episodes = EpisodeCount(checked_integer("first_episode", first_episode, low=0))
        self._inner = HiddenRuleEnv(self.task, contexts, actions)
        self.observation_space = self._inner.observation_space
        self.action_space = self._inner.action_space
        self.render_mode = render_mode
        first = [draw(_FAMILY, self.task, c, 0) % int(actions) for c in range(int(contexts))]
        other = [1 + draw(_FAMILY, self.task, c, 1) % (int(actions) - 1) for c in range(int(contexts))]
        second = [(a + b) % int(actions) for a, b in zip(first, other, strict=True)]
        self.rules = (tuple(first), tuple(second))

    def _phase(self) -> int:
        """Return the index, in ``rules``, of the rule that is in force."""
        return sum(self._episodes.number >= switch for switch in self.switches) % 2

    @property
    def rule(self) -> tuple[int, ...]:
        """The right action of each context in the episode that runs, or in the first one."""
        return self.rules[self._phase()]

    @property
    def optimal_return(self) -> float:
        """The return of an episode in which every answer is right."""
        return self._inner.optimal_return

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        """Start an episode in a new order of the contexts."""
        super().reset(seed=seed)
        self._episodes.start()
        self._inner.rule = self.rule
        self._inner.np_random = self.np_random
        return self._inner.reset()

    def step(self, action: int | np.int64) -> tuple[np.int64, float, bool, bool, dict[str, Any]]:
        """Answer the context shown.

        Raises:
            gymnasium.error.InvalidAction: the action is not in the action space.
            gymnasium.error.ResetNeeded: the episode is over, or never began.
        """
        result = self._inner.step(action)
        self._episodes.step()
        return result

    def render(self) -> str | None:
        """Return one line of text: the episode, the rule in force, and what ``HiddenRuleEnv`` shows."""
        if self.render_mode is None:
            warn_of_no_render_mode()
            return None
        return f"episode {self._episodes.number}  rule {'AB'[self._phase()]}  {self._inner.drawn()}"


def _checked_switches(switches: object) -> tuple[int, ...]:
    numbers = [checked_integer(f"switches[{i}]", n, low=1) for i, n in enumerate(checked_list("switches", switches))]
    if numbers != sorted(set(numbers)):
        raise ValueError(f"switches must increase, got {numbers}")
    return tuple(numbers)
