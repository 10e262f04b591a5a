"""Stable-Baselines3's PPO and DQN, and sb3-contrib's RecurrentPPO, on one thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

import gymnasium
from gymnasium.wrappers import FlattenObservation

from ..benches.stopwatch import one_thread
from ..peers.peer_package import PeerPackage
from .diary import Diary
from .learner import AfterEpisode, Budget, Learning, MakeWorld, World
from .zoo import PeerSettings, peer_settings

_SB3 = PeerPackage(module="stable_baselines3", requirement="stable-baselines3==2.9.2")
_CONTRIB = PeerPackage(module="sb3_contrib", requirement="sb3-contrib==2.9.2")
_CLASSES = {"ppo": (_SB3, "PPO"), "dqn": (_SB3, "DQN"), "recurrent-ppo": (_CONTRIB, "RecurrentPPO")}


@final
class StableBaselines:
    """A peer with the hyper-parameters of the zoo, or see ``evals.learners.zoo``.

    Discrete observations reach its network one-hot: Discrete ones by the library itself, a Dict or Tuple of them by
    gymnasium's FlattenObservation.
    """

    def __init__(self, algorithm: str, settings: PeerSettings) -> None:
        """Import the algorithm.

        Args:
            algorithm: ``ppo``, ``dqn`` or ``recurrent-ppo``.
            settings: how it is made.

        Raises:
            HoldfastError: its package is not installed.
        """
        package, name = _CLASSES[algorithm]
        self._class = getattr(package.load(), name)
        self._recurrent = algorithm == "recurrent-ppo"
        self._settings = settings
        self._model: Any = None

    @classmethod
    def from_settings(cls, algorithm: str, settings: Mapping[str, Any]) -> StableBaselines:
        """Make one for a task's ``"env"``; with ``"one_world"`` its environments must not be several."""
        found = peer_settings(algorithm, settings["env"])
        if settings.get("one_world") and found.n_envs > 1:
            raise ValueError(f"{algorithm} wants {found.n_envs} environments of {settings['env']}, but there is one")
        return cls(algorithm, found)

    def learn(
        self, make_world: MakeWorld, *, budget: Budget, seed: int, after_episode: AfterEpisode | None = None
    ) -> Learning:
        """See :class:`Learner`."""
        diary, told = Diary(budget), 0

        def goes_on(_locals: dict[str, Any], _globals: dict[str, Any]) -> bool:
            nonlocal told
            while after_episode is not None and told < len(diary.returns):
                told += 1
                after_episode(told)
            return not diary.spent

        with one_thread():
            self._model = self._made([diary.note(make_world()) for _ in range(self._settings.n_envs)], seed)
            self._model.learn(_steps_at_most(budget, make_world), callback=goes_on)
        return diary.learning()

    def untrained(self, make_world: MakeWorld, *, seed: int) -> None:
        """Make the model as it is before it has learned anything."""
        self._model = self._made([make_world() for _ in range(self._settings.n_envs)], seed)

    def play(self, make_world: MakeWorld, *, episodes: int, seed: int) -> list[float]:
        """See :class:`Learner`; deterministic."""
        diary = Diary(Budget(episodes=episodes))
        world = _flat(diary.note(make_world()))
        with one_thread():
            while not diary.spent:
                observation, _ = world.reset(seed=None if diary.returns else seed)
                act, over = self.actor(), False
                while not over:
                    observation, _, terminated, truncated, _ = world.step(act(observation))
                    over = terminated or truncated
        return diary.returns

    def actor(self, rows: int | None = None) -> Callable[[Any], Any]:
        """Return what acts, deterministically, from the start of an episode on.

        Args:
            rows: how many observations come at once; None for one that is no row of a batch.
        """
        import numpy as np

        model, normalizer = self._model, self._model.get_vec_normalize_env()
        state: Any = None
        first = np.ones(rows or 1, bool)

        def act(observation: Any) -> Any:
            nonlocal state, first
            seen = observation if normalizer is None else normalizer.normalize_obs(np.asarray(observation))
            if self._recurrent:
                action, state = model.predict(seen, state=state, episode_start=first, deterministic=True)
                first = np.zeros_like(first)
            else:
                action, _ = model.predict(seen, deterministic=True)
            return action if rows else int(action)

        return act

    def _made(self, worlds: list[World], seed: int) -> Any:
        """Make the model on environments side by side."""
        vectors = PeerPackage(module="stable_baselines3.common.vec_env", requirement=_SB3.requirement).load()
        chosen = self._settings
        env = vectors.DummyVecEnv([lambda world=world: _flat(world) for world in worlds])
        if chosen.normalize:
            env = vectors.VecNormalize(env, gamma=chosen.arguments.get("gamma", 0.99))
        network: dict[str, Any] = {}
        if chosen.net is not None:
            network["net_arch"] = list(chosen.net)
        if chosen.lstm is not None:
            import torch

            network |= {"lstm_hidden_size": chosen.lstm, "enable_critic_lstm": True}
            network |= {"ortho_init": False, "activation_fn": torch.nn.ReLU}  # as the zoo has it, wherever it says lstm
        return self._class(
            "MlpLstmPolicy" if self._recurrent else "MlpPolicy",
            env,
            seed=seed,
            device="cpu",
            policy_kwargs=network or None,
            **chosen.arguments,
            **{name: _falling(start) for name, start in chosen.linear.items()},
        )


def _falling(start: float) -> Callable[[float], float]:
    """Return a schedule from ``start`` to 0, of the share of the run that is left."""
    return lambda left: left * start


def _flat(world: World) -> World:
    """Return the environment with observations that a plain network takes."""
    taken = gymnasium.spaces.Box | gymnasium.spaces.Discrete | gymnasium.spaces.MultiDiscrete
    return world if isinstance(world.observation_space, taken) else FlattenObservation(world)


def _steps_at_most(budget: Budget, make_world: MakeWorld) -> int:
    """Return the steps that the library's schedules run over; the budget itself is held by the diary."""
    if budget.env_steps is not None:
        return budget.env_steps
    world, steps, over = make_world(), 0, False
    world.reset(seed=0)
    world.action_space.seed(0)
    while not over:  # the length of one episode at random tells the scale
        _, _, terminated, truncated, _ = world.step(world.action_space.sample())
        steps, over = steps + 1, terminated or truncated
    assert budget.episodes is not None
    return steps * budget.episodes
