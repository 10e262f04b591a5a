"""Several tasks one after another in one environment, with or without a sign which one it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

from .episode_count import EpisodeCount
from .instance import checked_flag, checked_integer, checked_list

TaskLike = str | EnvSpec | tuple[str, Mapping[str, Any]] | gymnasium.Env[Any, Any]

_RULES = (("holdfast/HiddenRule-v0", {"task": 0}), ("holdfast/HiddenRule-v0", {"task": 1}))


class TaskStream(gymnasium.Env[Any, Any]):
    """Play one task after another, each for a given number of episodes.

    ## Description
    A stream goes through stages. A stage is one of ``tasks`` and lasts a number of episodes; then the next stage
    begins with the next ``reset``. Tasks are any gymnasium environments with the same observation and action space, by
    id, also of other packages, or ready made. They are made once: a task that comes again in a later stage is the same
    object, and a world that goes on between its episodes is where it was left.

    An episode counts as played once a step of it was taken; a ``reset`` before that does not bring the next task
    nearer.

    ## Action Space
    That of the tasks.

    ## Observation Space
    That of the tasks; with ``cued=True`` a ``Dict`` of it as ``"observation"`` and ``"task"``, the place of the task
    in ``tasks``, ``Discrete(len(tasks))``.

    ## Starting State
    That of the task whose turn it is. A seed given to ``reset`` is the seed of that task, so the episode is the one
    that the task alone would play. Without a seed, a task that was not reset since the last seed gets one drawn from
    that. So the seed of the first ``reset`` alone determines a run, whatever the tasks are.

    ## Rewards
    Those of the tasks.

    ## Episode End
    That of the tasks, their time limits included.

    ## Information
    That of the tasks; with ``task_in_info=True`` also ``info["task"]``, the place of the task in ``tasks``.

    ## Arguments
    - ``tasks``: a list of ids (``"FrozenLake-v1"``, ``"module:Name-v0"``), pairs of an id and a mapping of arguments,
      ``EnvSpec`` or environments. By default two rules of ``holdfast/HiddenRule-v0``.
    - ``episodes`` (20): how many episodes a stage lasts: one number for all, or one for each stage.
    - ``order`` (None): the stages, as places in ``tasks``: ``[0, 1, 0]`` for A, B, A. By default each task once, in the
      order given.
    - ``cycle`` (False): whether after the last stage the first one begins again. Else the last one goes on for ever.
    - ``cued`` (False): whether the observation tells the task.
    - ``task_in_info`` (False): whether ``info`` does.
    - ``first_episode`` (0): where the count starts. A process that continues where another one stopped after n episodes
      starts with n. It moves the stream, not the tasks: one that itself goes on has its own such argument.

    ```python
    import gymnasium
    import environments
    lakes = [("FrozenLake-v1", {"is_slippery": False}), ("FrozenLake-v1", {"is_slippery": True})]
    env = gymnasium.make("holdfast/TaskStream-v0", tasks=lakes, episodes=30, order=[0, 1, 0], cued=True)
    ```

    ## Optimum
    ``optimal_return`` is that of the present task, where the task has one. All families of holdfast do.

    ## Version History
    - v0: first version
    """

    metadata = {"render_modes": ["ansi", "human", "rgb_array"]}  # noqa: RUF012 - see dark_room; of one stream fewer

    def __init__(
        self,
        tasks: Sequence[TaskLike] = _RULES,
        episodes: int | Sequence[int] = 20,
        order: Sequence[int] | None = None,
        *,
        cycle: bool = False,
        cued: bool = False,
        task_in_info: bool = False,
        first_episode: int = 0,
        render_mode: str | None = None,
    ) -> None:
        """See the class.

        Raises:
            TypeError: an argument is of the wrong kind.
            ValueError: an argument is out of range, or the tasks differ in their spaces or render modes.
            gymnasium.error.Error: there is no such environment, or it cannot be made.
        """
        self.cycle = checked_flag("cycle", cycle)
        self.cued = checked_flag("cued", cued)
        self.task_in_info = checked_flag("task_in_info", task_in_info)
        self._episodes = EpisodeCount(checked_integer("first_episode", first_episode, low=0))
        listed = _listed("tasks", tasks)
        self.order = _checked_order(order, len(listed))
        self.episodes = _checked_episodes(episodes, len(self.order))
        self.tasks = tuple(_made(place, task, render_mode) for place, task in enumerate(listed))
        _check_alike(self.tasks)
        first = self.tasks[0]
        self.render_mode = first.render_mode
        self.metadata = first.metadata | {
            "render_modes": [
                mode
                for mode in first.metadata.get("render_modes", [])
                if all(mode in task.metadata.get("render_modes", []) for task in self.tasks)
            ]
        }
        self.action_space = first.action_space
        self.observation_space = (
            spaces.Dict({"observation": first.observation_space, "task": spaces.Discrete(len(self.tasks))})
            if self.cued
            else first.observation_space
        )
        self._seeded: set[int] = set()  # places of the tasks that were reset since the last seed
        self._begun = False

    @property
    def task(self) -> int:
        """The place in ``tasks`` of the task of the episode that runs, or of the first one."""
        total = sum(self.episodes)
        number = self._episodes.number % total if self.cycle else min(self._episodes.number, total - 1)
        stage = 0
        while number >= self.episodes[stage]:
            number -= self.episodes[stage]
            stage += 1
        return self.order[stage]

    @property
    def optimal_return(self) -> float:
        """The best return of the present task.

        Raises:
            AttributeError: the task does not tell its own.
        """
        return float(self.tasks[self.task].get_wrapper_attr("optimal_return"))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode of the task whose turn it is; ``options`` are passed on to it."""
        super().reset(seed=seed)
        self._episodes.start()
        self._begun = True
        task = self.task
        if seed is not None:
            self._seeded.clear()
        elif task not in self._seeded:
            seed = int(self.np_random.integers(2**31))
        self._seeded.add(task)
        observation, info = self.tasks[task].reset(seed=seed, options=options)
        return self._told(observation, info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Act in the present task.

        Raises:
            gymnasium.error.ResetNeeded: no episode was begun.
        """
        if not self._begun:
            raise gymnasium.error.ResetNeeded("no episode was begun: call reset() before the first step()")
        observation, reward, terminated, truncated, info = self.tasks[self.task].step(action)
        self._episodes.step()
        observation, info = self._told(observation, info)
        return observation, float(reward), terminated, truncated, info

    def _told(self, observation: Any, info: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Add what is told of the task."""
        if self.cued:
            observation = {"observation": observation, "task": self.task}
        return observation, info | {"task": self.task} if self.task_in_info else info

    def render(self) -> Any:
        """Return what the present task renders."""
        return self.tasks[self.task].render()

    def close(self) -> None:
        """Close all tasks."""
        for task in self.tasks:
            task.close()


def _listed(name: str, value: object) -> list[Any]:
    """Return the items of a list that must have some."""
    listed = checked_list(name, value)
    if not listed:
        raise ValueError(f"{name} must not be empty, got {value!r}")
    return listed


def _checked_order(order: object, tasks: int) -> tuple[int, ...]:
    if order is None:
        return tuple(range(tasks))
    places = [checked_integer(f"order[{i}]", place, low=0) for i, place in enumerate(_listed("order", order))]
    for i, place in enumerate(places):
        if place >= tasks:
            raise ValueError(f"order[{i}] must be the place of one of {tasks} tasks, counted from 0, got {place}")
    return tuple(places)


def _checked_episodes(episodes: object, stages: int) -> tuple[int, ...]:
    if not isinstance(episodes, (Sequence, np.ndarray)) or isinstance(episodes, str):
        return (checked_integer("episodes", episodes, low=1),) * stages
    numbers = [checked_integer(f"episodes[{i}]", n, low=1) for i, n in enumerate(_listed("episodes", episodes))]
    if len(numbers) != stages:
        raise ValueError(f"episodes must be one number, or one for each of {stages} stages, got {len(numbers)}")
    return tuple(numbers)


def _made(place: int, task: object, render_mode: str | None) -> gymnasium.Env[Any, Any]:
    if isinstance(task, gymnasium.Env):
        return task
    if isinstance(task, str | EnvSpec):
        return gymnasium.make(task, render_mode=render_mode)
    if isinstance(task, tuple | list) and len(task) == 2 and isinstance(task[0], str) and isinstance(task[1], Mapping):
        return gymnasium.make(task[0], **({"render_mode": render_mode} | dict(task[1])))
    raise TypeError(
        f"tasks[{place}] must be an id, a pair of an id and a mapping of arguments, an EnvSpec or an environment, "
        f"got {task!r} of type {type(task).__name__}"
    )


def _check_alike(tasks: Sequence[gymnasium.Env[Any, Any]]) -> None:
    first = tasks[0]
    for place, task in enumerate(tasks[1:], 1):
        for what in ("observation_space", "action_space", "render_mode"):
            wanted, got = getattr(first, what), getattr(task, what)
            if wanted != got:
                raise ValueError(
                    f"all tasks must have the same {what}: tasks[0], {_name(first)}, has {wanted}, "
                    f"but tasks[{place}], {_name(task)}, has {got}"
                )


def _name(task: gymnasium.Env[Any, Any]) -> str:
    return str(task) if task.spec is None else task.spec.id
