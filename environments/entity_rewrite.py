"""Facts that change: entities whose values are told, rewritten in later episodes, and asked for."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from .instance import checked_integer, draw
from .misuse import refuse_foreign_action, warn_of_no_render_mode

_FAMILY = "holdfast/EntityRewrite-v0"


class EntityRewriteEnv(gymnasium.Env[NDArray[np.int64], int | np.int64]):
    """Answer what the value of an entity is, when values are told once, in any earlier episode, and change.

    ## Description
    There are ``entities``, each of which has one of ``values``. An episode is a row of tellings ("entity 3 is now 5")
    and questions ("what is entity 3?"). The right answer is the newest value told, and that may have been many episodes
    ago: the facts outlive the episode. Episode 0 tells the value of every entity, then asks. Each later episode tells
    ``rewrites`` new values, with the questions among them: an entity asked for may have been told before the question,
    may be told after it, or not at all in this episode.

    So what is needed is a memory that keeps facts across episodes and in which a new fact takes the place of the old
    one. Whoever keeps the first value, or averages over all, is wrong about whatever was rewritten.

    The history of the world, which is what is told in which episode, is fixed by ``task`` alone: it is the same in
    every process and machine. The seed of ``reset`` decides what is asked and where among the tellings, and no more. An
    environment starts with episode ``first_episode`` and goes on by one whenever an episode has ended. An episode that
    is broken off by ``reset`` is begun again, so that nothing is missed that was to be told; an outer time limit
    shorter than the episode so keeps the world where it is.

    ## Action Space
    ``Discrete(values)``: the answer to a question. At a telling every action does the same, which is nothing.

    ## Observation Space
    ``MultiDiscrete([entities, values + 1])``: the entity, and the value it now has or, for a question, ``values``.
    After the last step nothing is left, and the observation is the last one again.

    ## Starting State
    The first telling or question of the episode.

    ## Rewards
    1 for the right answer to a question, else 0.

    ## Episode End
    Termination: after the last telling or question, that is after ``entities + questions`` steps in episode 0 and
    ``rewrites + questions`` steps in later ones. There is no truncation.

    ## Information
    At the last step ``info["success"]`` says whether every question was answered rightly.

    ## Arguments
    - ``task`` (0): which history; any integer from 0.
    - ``entities`` (8): the number of entities.
    - ``values`` (5): the number of values, at least 2.
    - ``rewrites`` (2): how many new values an episode tells, from 0 (facts never change). Each is of a random
      entity, the same one may come twice, and never is the value that the entity has already.
    - ``questions`` (8): how many questions an episode asks, at least 1, each for a random entity.
    - ``first_episode`` (0): where in its history the world starts. A process that continues where another one stopped
      after n episodes starts with n: it is asked for facts that only the other one was told.

    ```python
    import gymnasium
    import environments
    env = gymnasium.make("holdfast/EntityRewrite-v0", task=3)
    ```

    ## Optimum
    Who remembers the newest value told of each entity earns ``questions`` in every episode, the first one included.
    An answer at random earns ``questions / values`` in expectation.

    ## Version History
    - v0: first version
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012 - gymnasium types it as an instance variable

    def __init__(
        self,
        task: int = 0,
        entities: int = 8,
        values: int = 5,
        rewrites: int = 2,
        questions: int = 8,
        first_episode: int = 0,
        *,
        render_mode: str | None = None,
    ) -> None:
        """See the class.

        Raises:
            TypeError: an argument is no integer.
            ValueError: an argument is out of range.
        """
        self.task = checked_integer("task", task, low=0)
        self.entities = checked_integer("entities", entities, low=1)
        self.values = checked_integer("values", values, low=2)
        self.rewrites = checked_integer("rewrites", rewrites, low=0)
        self.questions = checked_integer("questions", questions, low=1)
        self.observation_space = spaces.MultiDiscrete([self.entities, self.values + 1])
        self.action_space = spaces.Discrete(self.values)
        self.render_mode = render_mode
        self._episode = 0
        self._facts: dict[int, int] = {}  # at the start of the episode
        for _ in range(checked_integer("first_episode", first_episode, low=0)):
            self._pass_episode()
        self._told: dict[int, int] = {}  # up to the present step
        self._row: list[tuple[int, int]] = []
        self._step = self._right = self._asked = 0

    @property
    def optimal_return(self) -> float:
        """The return of an episode in which every answer is right."""
        return float(self.questions)

    @property
    def episode(self) -> int:
        """The number of the episode that runs, or of the one that ended last."""
        return self._episode

    def newest(self, entity: int) -> int | None:
        """Return the newest value told of an entity; None where none was."""
        return self._told.get(entity)

    def _tellings(self) -> list[tuple[int, int]]:
        """Return what the present episode tells, as (entity, value) in order."""
        if self._episode == 0:
            return [(entity, draw(_FAMILY, self.task, entity) % self.values) for entity in range(self.entities)]
        facts, told = dict(self._facts), []
        for number in range(self.rewrites):
            entity = draw(_FAMILY, self.task, self._episode, number, 0) % self.entities
            other = 1 + draw(_FAMILY, self.task, self._episode, number, 1) % (self.values - 1)
            facts[entity] = (facts[entity] + other) % self.values
            told.append((entity, facts[entity]))
        return told

    def _pass_episode(self) -> None:
        """Go on to the next episode of the history."""
        self._facts.update(self._tellings())
        self._episode += 1

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """Start the next episode, or the same one again if it was broken off."""
        super().reset(seed=seed)
        if self._row and self._step == len(self._row):
            self._pass_episode()
        tellings = self._tellings()
        asked = [(int(entity), self.values) for entity in self.np_random.integers(self.entities, size=self.questions)]
        if self._episode == 0:
            self._row = tellings + asked
        else:
            places = set(self.np_random.permutation(len(tellings) + len(asked))[: len(tellings)].tolist())
            told, questions = iter(tellings), iter(asked)
            self._row = [next(told if place in places else questions) for place in range(len(tellings) + len(asked))]
        self._told = dict(self._facts)
        self._step = self._right = self._asked = 0
        return self._observation(), {}

    def _observation(self) -> NDArray[np.int64]:
        return np.array(self._row[min(self._step, len(self._row) - 1)], dtype=np.int64)

    def step(self, action: int | np.int64) -> tuple[NDArray[np.int64], float, bool, bool, dict[str, Any]]:
        """Answer the question, or take note of the telling.

        Raises:
            gymnasium.error.InvalidAction: the action is not in the action space.
            gymnasium.error.ResetNeeded: the episode is over, or never began.
        """
        if self._step >= len(self._row):
            raise gymnasium.error.ResetNeeded("nothing is left to tell or ask: call reset() before the next step()")
        refuse_foreign_action(self.action_space, action)
        entity, value = self._row[self._step]
        right = False
        if value == self.values:
            right = bool(action == self._told[entity])
            self._asked += 1
            self._right += right
        else:
            self._told[entity] = value
        self._step += 1
        terminated = self._step == len(self._row)
        info = {"success": self._right == self.questions} if terminated else {}
        return self._observation(), float(right), terminated, False, info

    def render(self) -> str | None:
        """Return one line of text: the telling or question shown, and how many answers were right so far."""
        if self.render_mode is None:
            warn_of_no_render_mode()
            return None
        shown = "-"
        if self._step < len(self._row):
            entity, value = self._row[self._step]
            shown = f"what is entity {entity}?" if value == self.values else f"entity {entity} is now {value}"
        return f"episode {self._episode}  {shown}  answered {self._asked}/{self.questions}  right {self._right}\n"
