"""The agent: a policy, an episodic memory, and the loop between them and an environment."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, final

from gymnasium.vector import VectorEnv
from gymnasium.wrappers import TimeLimit

from retention import EpisodeDraft, EpisodicMemory, Feedback, FeedbackGate

from .history import EpisodeResult, History
from .loop import Played, play
from .policies.protocol import Policy, Task
from .policies.retention import RetentionPolicy
from .seeding import check_seed, episode_rng
from .tasks import AnyEnv, task_name, task_of
from .vector_loop import play_vector

_SETTINGS = "policy"  # the policy's settings beside the templates
_SWEPT = "swept"  # the revision whose swept values are saved
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

    def __init__(self, memory: EpisodicMemory, policy: Policy, *, namespace: str, seed: int, frozen: bool) -> None:
        """Use :meth:`open`, or hand in a memory that is open already (the agent closes it)."""
        self.memory = memory
        self.policy = policy
        self.namespace = namespace
        self.seed = check_seed(seed)
        self.frozen = frozen
        self._bound: tuple[str, Task] | None = None
        self._settings: dict[str, Any] | None = None
        self._revision = 0
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
    ) -> Agent:
        """Open a memory and put an agent on it.

        Args:
            path: the memory's file, made if it does not exist; None for a memory that is gone at the end.
            namespace: whose memory it is, matched exactly.
            policy: what acts; a :class:`RetentionPolicy` by default.
            gate: what decides from an outcome whether, as what and how strongly it is kept.
            seed: of all randomness; the same seed and memory give the same run, bit for bit.
            frozen: act on what the memory holds and write nothing; the file is then opened read-only.

        Raises:
            MemoryFileError: the file cannot be used.
            NotFoundError: frozen, and there is no such file.
            TypeError: the seed is no integer.
            ValueError: the seed is negative.
        """
        check_seed(seed)  # before a file is made
        mode: Literal["ro", "rw"] = "ro" if frozen and path is not None else "rw"
        memory = EpisodicMemory.open(path, mode=mode, gate=gate)
        return cls(memory, policy or RetentionPolicy(), namespace=namespace, seed=seed, frozen=frozen)

    def run(
        self,
        env: AnyEnv,
        *,
        episodes: int,
        task: str | None = None,
        max_episode_steps: int | None = None,
        on_episode: Callable[[EpisodeResult], None] | None = None,
    ) -> History:
        """Play episodes and learn from them; what an earlier session learned of the task is there from the first step.

        Args:
            env: a single environment, or a vector of them.
            episodes: how many more.
            task: the name under which the memory keeps the task; by default the environment's id and arguments.
            max_episode_steps: truncate episodes of a single environment after so many steps.
            on_episode: called after each episode, once it is stored.

        Raises:
            EnvironmentFaultError: the environment raised, or sent NaN or infinity. Finished episodes are stored.
            TypeError: ``env`` is no environment.
            UnsupportedSpaceError: the policy cannot serve the environment's spaces.
            ValueError: a number is out of its range.
        """
        if episodes < 0:
            raise ValueError(f"episodes must not be negative, got {episodes}")
        scope = self.bind(env, task=task)
        first = self.memory.episode_count(namespace=self.namespace, task=scope) + 1
        if isinstance(env, VectorEnv):
            if max_episode_steps is not None:
                raise ValueError("max_episode_steps is for a single environment; make the vector with a time limit")
            plays = play_vector(env, self.policy, first=first, episodes=episodes, seed=self.seed)
        else:
            limited = env if max_episode_steps is None else TimeLimit(env, max_episode_steps)
            plays = play(limited, self.policy, first=first, episodes=episodes, seed=self.seed)
        results: list[EpisodeResult] = []
        ended = False
        try:
            for played in plays:
                results.append(self._keep(scope, played))
                if on_episode is not None:
                    on_episode(results[-1])
            ended = not isinstance(env, VectorEnv)  # the other lanes of a vector are in the middle of an episode
        finally:
            self._abandoned = not ended
            self._save_values(scope)
        return History(tuple(results))

    def bind(self, env: AnyEnv, *, task: str | None = None) -> str:
        """Make the policy ready for an environment, with what the memory holds of the task; ``run`` does this itself.

        Args:
            env: the environment, or a vector of them.
            task: the name of the task; by default the environment's id and arguments.

        Returns the name of the task.

        Raises:
            TypeError: ``env`` is no environment.
            UnsupportedSpaceError: the policy cannot serve the environment's spaces.
        """
        bound = task_of(env, frozen=self.frozen)
        scope = task or task_name(env)
        if self._abandoned or (scope, bound) != self._bound:
            self._bound = None
            self.policy.begin(bound)
            self._restore(scope)
            self._bound, self._abandoned = (scope, bound), False
        else:
            self._refresh(scope)
        return scope

    @property
    def task(self) -> str:
        """The name of the task bound last.

        Raises:
            ValueError: no task is bound yet.
        """
        if self._bound is None:
            raise ValueError("no task yet: call run(env, ...) or bind(env) first")
        return self._bound[0]

    @property
    def template_count(self) -> int:
        """How many templates the memory holds of the task bound last."""
        return self.memory.template_count(namespace=self.namespace, task=self.task)

    def act(self, observation: Any) -> int:
        """Choose an action for one observation of the task bound last; nothing is learned from it.

        Each call decides anew: an action that a run would hold for several steps is not held here. Unless the agent is
        frozen, actions that the memory does not know look promising, as in a run.

        Raises:
            EnvironmentFaultError: the observation does not fit its space, or holds NaN or infinity.
            ValueError: no task is bound yet.
        """
        _ = self.task  # raises where none is bound
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
            ValueError: neither a rating nor a reward, or one that is out of its range.
        """
        told = self.memory.feedback(
            episode_id, namespace=self.namespace, rating=rating, reward=reward, feedback_id=feedback_id
        )
        if self._bound is not None:
            self._catch_up(self.task)
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

    def _keep(self, scope: str, played: Played) -> EpisodeResult:
        """Let the policy learn from an episode, and commit it in one transaction."""
        experience = self.policy.end_episode(played.return_, lane=played.lane)
        if self.frozen:
            return EpisodeResult(episode=played.number, return_=played.return_, length=played.length)
        settings = self.policy.settings()
        if settings != self._settings:  # saved first: settings without their templates do no harm
            self.memory.save_setting(_SETTINGS, settings, namespace=self.namespace, task=scope)
            self._settings = settings
        committed = self.memory.commit_episode(
            EpisodeDraft(
                namespace=self.namespace,
                task=scope,
                number=played.number,
                seed=played.seed,
                return_=played.return_,
                length=played.length,
                success=played.success,
                seconds=played.seconds,
            ),
            experience.transitions,
            experience.recalled,
            void_up_to=self._revision if experience.replace else 0,
        )
        refused = bool(experience.slots) and committed.written + committed.merged == 0
        if refused or experience.replace:  # what the policy holds is no longer what the memory holds
            self._restore(scope, anew=True)
        else:
            self.policy.stored(experience, committed.template_ids)
            self._refresh(scope, committed.revision)
        return EpisodeResult(
            episode=played.number,
            episode_id=committed.episode_id,
            return_=played.return_,
            length=played.length,
            gate=committed.gate.signed,
            written=committed.written,
        )

    def _restore(self, scope: str, *, after: int = 0, anew: bool = False) -> None:
        """Take in the templates that changed after a revision; with 0 all of them, and the policy's settings."""
        transitions, self._revision = self.memory.transitions(namespace=self.namespace, task=scope, after=after)
        settings = None
        if not after:
            settings = self._settings = self.memory.setting(_SETTINGS, namespace=self.namespace, task=scope)
        self.policy.restore(transitions, settings, swept=self._swept(scope), anew=anew)

    def _swept(self, scope: str) -> bool:
        """Whether no template of the task has changed since its values were saved."""
        at = self.memory.setting(_SWEPT, namespace=self.namespace, task=scope)
        return at is not None and not len(self.memory.transitions(namespace=self.namespace, task=scope, after=at)[0])

    def _refresh(self, scope: str, revision: int | None = None) -> None:
        """Take in what other processes wrote since, if they wrote; else note the revision of our own commit."""
        if self.memory.changed_elsewhere():
            self._catch_up(scope)
        elif revision is not None:
            self._revision = revision

    def _catch_up(self, scope: str) -> None:
        """Take in what changed since; all anew if templates are gone, since the memory does not say which."""
        self._restore(scope, after=self._revision)
        held, _ = self.policy.values()
        if len(held) > self.memory.template_count(namespace=self.namespace, task=scope):
            self._restore(scope, anew=True)

    def _save_values(self, scope: str) -> None:
        """Keep the swept values, so that the next session acts at once as this one ended."""
        if self.frozen:
            return
        ids, values = self.policy.values()
        self.memory.save_values(ids, values, namespace=self.namespace)
        self.memory.save_setting(_SWEPT, self._revision, namespace=self.namespace, task=scope)
