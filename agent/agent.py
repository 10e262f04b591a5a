"""The agent: a policy, an episodic memory, and the loop between them and an environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any, Literal, final

from gymnasium.vector import VectorEnv
from gymnasium.wrappers import TimeLimit

from retention import EpisodicMemory, Feedback, FeedbackGate

from .history import EpisodeResult, History
from .loop import play
from .policies.protocol import Policy, Task
from .policies.retention import RetentionPolicy
from .seeding import check_seed, episode_rng
from .task_memory import Reward, TaskMemory
from .tasks import AnyEnv, task_name, task_of
from .vector_loop import play_vector

Rate = Callable[[EpisodeResult], float | None]

_OUTSIDE = -1  # the lane of observations that come from outside a run


@final
class Agent:
    """Acts, and keeps what worked: each finished episode is in the memory before the next one begins.

    Example:
        >>> import gymnasium
        >>> with Agent.open(None, namespace="alice", seed=1) as agent:
        ...     history = agent.run(gymnasium.make("FrozenLake-v1", is_slippery=False), episodes=30)
        >>> float(history.returns[-1])
        1.0
    """

    def __init__(
        self,
        memory: EpisodicMemory,
        policy: Policy,
        *,
        namespace: str,
        seed: int,
        frozen: bool,
        reward: Reward = "seen",
    ) -> None:
        """Use :meth:`open`, or hand in a memory that is open already (the agent closes it)."""
        self.memory = memory
        self.policy = policy
        self.namespace = namespace
        self.seed = check_seed(seed)
        self.frozen = frozen
        self.reward: Reward = reward
        self._bound: tuple[TaskMemory, Task] | None = None
        self._playing = False
        self._abandoned = False  # whether the policy saw parts of episodes that never ended, which no memory has
        self._rng = episode_rng(seed, 0)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | None,
        *,
        namespace: str,
        policy: Policy | None = None,
        gate: FeedbackGate | None = None,
        seed: int = 0,
        frozen: bool = False,
        reward: Reward = "seen",
    ) -> Agent:
        """Open a memory and put an agent on it.

        Args:
            path: the memory's file, made if it does not exist; None for a memory that is gone at the end.
            namespace: whose memory it is, matched exactly.
            policy: what acts; a :class:`RetentionPolicy` by default.
            gate: what decides from an outcome whether, as what and how strongly it is kept.
            seed: of all randomness; the same seed and memory give the same run, bit for bit.
            frozen: act on what the memory holds and write nothing; the file is then opened read-only.
            reward: ``"hidden"`` hides every reward from the policy, the gate and the memory: they learn from ratings
                alone (:meth:`feedback`, or ``rate`` of :meth:`run`). Only what ``run`` returns tells the true returns.

        Raises:
            MemoryFileError: the file cannot be used.
            NotFoundError: frozen, and there is no such file.
            TypeError: the seed is no integer.
            ValueError: the seed is negative, or ``reward`` is neither ``"seen"`` nor ``"hidden"``.
        """
        check_seed(seed)  # before a file is made
        if reward not in ("seen", "hidden"):
            raise ValueError(f"reward must be 'seen' or 'hidden', got {reward!r}")
        mode: Literal["ro", "rw"] = "ro" if frozen and path is not None else "rw"
        memory = EpisodicMemory.open(path, mode=mode, gate=gate)
        return cls(memory, policy or RetentionPolicy(), namespace=namespace, seed=seed, frozen=frozen, reward=reward)

    def run(
        self,
        env: AnyEnv,
        *,
        episodes: int,
        task: str | None = None,
        max_episode_steps: int | None = None,
        on_episode: Callable[[EpisodeResult], None] | None = None,
        rate: Rate | None = None,
        rate_after: int = 0,
    ) -> History:
        """Play episodes and learn from them; what an earlier session learned of the task is there from the first step.

        Args:
            env: a single environment, or a vector of them.
            episodes: how many more.
            task: the name under which the memory keeps the task; by default the environment's id and arguments.
            max_episode_steps: truncate episodes of a single environment after so many steps.
            on_episode: called after each episode, once it is stored and, if its rating is not late, rated.
            rate: asked for a rating of each episode, from -1 (bad) to 1 (good); None for no opinion.
            rate_after: how many episodes later it is asked; what is left is asked when all episodes are played.

        Raises:
            EnvironmentFaultError: the environment raised, or sent NaN or infinity. Finished episodes are stored.
            HoldfastError: the memory learned the task from rewards and the agent is to learn from ratings alone, or
                the other way round.
            TypeError: ``env`` is no environment.
            UnsupportedSpaceError: the policy cannot serve the environment's spaces.
            ValueError: a number is out of its range, or a run is in progress.
        """
        if episodes < 0:
            raise ValueError(f"episodes must not be negative, got {episodes}")
        if rate_after < 0:
            raise ValueError(f"rate_after must not be negative, got {rate_after}")
        if rate is not None and self.frozen:
            raise ValueError("a frozen agent writes nothing, so it can keep no ratings: leave out rate")
        scope = self.bind(env, task=task)
        learner = self._learner
        first = self.memory.episode_count(namespace=self.namespace, task=scope) + 1
        hidden = learner.reward == "hidden"
        if isinstance(env, VectorEnv):
            if max_episode_steps is not None:
                raise ValueError("max_episode_steps is for a single environment; make the vector with a time limit")
            plays = play_vector(env, self.policy, first=first, episodes=episodes, seed=self.seed, hidden=hidden)
        else:
            limited = env if max_episode_steps is None else TimeLimit(env, max_episode_steps)
            plays = play(limited, self.policy, first=first, episodes=episodes, seed=self.seed, hidden=hidden)
        results: list[EpisodeResult] = []
        ended = False
        self._playing = True
        try:
            for played in plays:
                results.append(learner.keep(played))
                if rate is not None and len(results) > rate_after:
                    self._rate(rate, results, len(results) - 1 - rate_after)
                if on_episode is not None:
                    on_episode(results[-1])
            if rate is not None:
                for late in range(max(0, len(results) - rate_after), len(results)):
                    self._rate(rate, results, late)
            ended = not isinstance(env, VectorEnv)  # the other lanes of a vector are in the middle of an episode
        finally:
            self._playing, self._abandoned = False, not ended
            learner.save_values()
        return History(tuple(results))

    def _rate(self, rate: Rate, results: list[EpisodeResult], which: int) -> None:
        """Ask for the rating of an episode and note what the gate then decides."""
        result = results[which]
        rating = rate(result)
        if rating is not None and result.episode_id is not None:
            told = self.feedback(result.episode_id, rating=rating)
            results[which] = replace(result, gate=told.gate.signed)

    def bind(self, env: AnyEnv, *, task: str | None = None) -> str:
        """Make the policy ready for an environment, with what the memory holds of the task; ``run`` does this itself.

        Args:
            env: the environment, or a vector of them.
            task: the name of the task; by default the environment's id and arguments.

        Returns the name of the task.

        Raises:
            HoldfastError: the memory learned the task from rewards and the agent is to learn from ratings alone, or
                the other way round.
            TypeError: ``env`` is no environment.
            UnsupportedSpaceError: the policy cannot serve the environment's spaces.
            ValueError: a run is in progress.
        """
        if self._playing:
            raise ValueError("this agent is in the middle of a run: open another one, as frozen, on the same file")
        bound = task_of(env, frozen=self.frozen)
        scope = task or task_name(env)
        if self._bound is None or self._abandoned or (self._learner.scope, self._bound[1]) != (scope, bound):
            self._bound = None
            self.policy.begin(bound)
            learner = TaskMemory(
                self.memory,
                self.policy,
                scope,
                namespace=self.namespace,
                seed=self.seed,
                frozen=self.frozen,
                reward=self.reward,
            )
            self._bound, self._abandoned = (learner, bound), False
        else:
            self._learner.catch_up()
        return scope

    @property
    def _learner(self) -> TaskMemory:
        if self._bound is None:
            raise ValueError("no task yet: call run(env, ...) or bind(env) first")
        return self._bound[0]

    @property
    def task(self) -> str:
        """The name of the task bound last.

        Raises:
            ValueError: no task is bound yet.
        """
        return self._learner.scope

    @property
    def template_count(self) -> int:
        """How many templates the memory holds of the task bound last."""
        return self._learner.template_count

    def act(self, observation: Any) -> Any:
        """Choose an action for one observation of the task bound last; nothing is learned from it.

        Each call decides anew: an action that a run would hold for several steps is not held here. Unless the agent is
        frozen, actions that the memory does not know look promising, as in a run.

        Raises:
            EnvironmentFaultError: the observation does not fit its space, or holds NaN or infinity.
            ValueError: no task is bound yet.
        """
        _ = self._learner  # raises where none is bound
        self.policy.start_episode(observation, self._rng, lane=_OUTSIDE)
        return self.policy.act(lane=_OUTSIDE)

    def feedback(
        self,
        episode_id: str,
        *,
        rating: float | None = None,
        reward: float | None = None,
        feedback_id: str | None = None,
    ) -> Feedback:
        """Tell what a finished episode was worth to a user, now or sessions later.

        Args:
            episode_id: of the episode, as ``run`` returned it.
            rating: from -1 (bad) to 1 (good).
            reward: reward that came late, in the environment's units.
            feedback_id: a name for this feedback; the same one again changes nothing.

        Raises:
            NotFoundError: the namespace has no such episode.
            ValueError: neither a rating nor a reward, or one that is out of its range; or a reward, where the agent
                learns from ratings alone.
        """
        if reward is not None and self.reward == "hidden":
            raise ValueError("rewards are hidden from this agent, also late ones: give a rating instead")
        told = self.memory.feedback(
            episode_id, namespace=self.namespace, rating=rating, reward=reward, feedback_id=feedback_id
        )
        if self._bound is not None:
            self._learner.catch_up()
        return told

    def close(self) -> None:
        """Close the memory."""
        self.memory.close()

    def __enter__(self) -> Agent:
        """Return the agent."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the memory."""
        self.close()
