"""Hyper-parameters of the peers, as data.

``ZOO`` holds what rl-baselines3-zoo (DLR-RM/rl-baselines3-zoo, hyperparams/ppo.yml, dqn.yml and ppo_lstm.yml) has for
an environment, number by number; for RecurrentPPO on CartPole that of CartPoleNoVel-v1. The zoo has no entry for
FrozenLake, CliffWalking, Taxi or an environment of holdfast. There ``TUNED`` stands, or ``DEFAULTS``: the library's own
settings but for what is given, tuned lightly by hand for episodes of ten to two hundred steps (with the library's own,
PPO's first update would come after 2,048 steps, and DQN would explore for longer than some runs last).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final


@final
@dataclass(frozen=True, kw_only=True)
class PeerSettings:
    """How a peer is made for an environment.

    Attributes:
        n_envs: environments side by side.
        normalize: whether observations and rewards are normalised as they come (VecNormalize).
        linear: arguments that fall linearly from the number to 0 over the run.
        arguments: the other arguments of the algorithm.
        net: units of the hidden layers; None for the algorithm's own.
        lstm: units of the LSTM, with one more for the critic; None for the algorithm's own.
    """

    n_envs: int = 1
    normalize: bool = False
    linear: Mapping[str, float] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    net: tuple[int, ...] | None = None
    lstm: int | None = None


_CARTPOLE = {"n_steps": 32, "batch_size": 256, "gae_lambda": 0.8, "gamma": 0.98, "n_epochs": 20, "ent_coef": 0.0}
_CARTPOLE_LINEAR = {"learning_rate": 0.001, "clip_range": 0.2}
_DQN_PER_STEP = {  # the zoo has the same for Acrobot and LunarLander
    "learning_rate": 6.3e-4,
    "batch_size": 128,
    "buffer_size": 50_000,
    "learning_starts": 0,
    "gamma": 0.99,
    "target_update_interval": 250,
    "train_freq": 4,
    "gradient_steps": -1,
    "exploration_fraction": 0.12,
    "exploration_final_eps": 0.1,
}

ZOO: Mapping[str, Mapping[str, PeerSettings]] = {
    "ppo": {
        "CartPole-v1": PeerSettings(n_envs=8, arguments=_CARTPOLE, linear=_CARTPOLE_LINEAR),
        "MountainCar-v0": PeerSettings(
            n_envs=16,
            normalize=True,
            arguments={"n_steps": 16, "gae_lambda": 0.98, "gamma": 0.99, "n_epochs": 4, "ent_coef": 0.0},
        ),
        "Acrobot-v1": PeerSettings(
            n_envs=16,
            normalize=True,
            arguments={"n_steps": 256, "gae_lambda": 0.94, "gamma": 0.99, "n_epochs": 4, "ent_coef": 0.0},
        ),
        "LunarLander-v3": PeerSettings(
            n_envs=16,
            arguments={
                "n_steps": 1024,
                "batch_size": 64,
                "gae_lambda": 0.98,
                "gamma": 0.999,
                "n_epochs": 4,
                "ent_coef": 0.01,
            },
        ),
    },
    "dqn": {
        "CartPole-v1": PeerSettings(
            arguments={
                "learning_rate": 2.3e-3,
                "batch_size": 64,
                "buffer_size": 100_000,
                "learning_starts": 1000,
                "gamma": 0.99,
                "target_update_interval": 10,
                "train_freq": 256,
                "gradient_steps": 128,
                "exploration_fraction": 0.16,
                "exploration_final_eps": 0.04,
            },
            net=(256, 256),
        ),
        "MountainCar-v0": PeerSettings(
            arguments={
                "learning_rate": 4e-3,
                "batch_size": 128,
                "buffer_size": 10_000,
                "learning_starts": 1000,
                "gamma": 0.98,
                "target_update_interval": 600,
                "train_freq": 16,
                "gradient_steps": 8,
                "exploration_fraction": 0.2,
                "exploration_final_eps": 0.07,
            },
            net=(256, 256),
        ),
        "Acrobot-v1": PeerSettings(arguments=_DQN_PER_STEP, net=(256, 256)),
        "LunarLander-v3": PeerSettings(arguments=_DQN_PER_STEP, net=(256, 256)),
    },
    "recurrent-ppo": {
        "CartPole-v1": PeerSettings(
            n_envs=8, normalize=True, arguments=_CARTPOLE, linear=_CARTPOLE_LINEAR, net=(64,), lstm=64
        ),
    },
}

TUNED: Mapping[str, Mapping[str, PeerSettings]] = {
    "ppo": {
        "holdfast/HiddenRule-v0": PeerSettings(
            arguments={"n_steps": 10, "batch_size": 10, "learning_rate": 3e-3, "gamma": 0.5}
        ),
    },
    "dqn": {
        "holdfast/HiddenRule-v0": PeerSettings(
            arguments={
                "learning_rate": 1e-3,
                "gamma": 0.5,
                "buffer_size": 10_000,
                "learning_starts": 20,
                "train_freq": 1,
                "target_update_interval": 50,
                "exploration_fraction": 0.06,
                "exploration_final_eps": 0.02,
            }
        ),
    },
    "recurrent-ppo": {
        "holdfast/HiddenRule-v0": PeerSettings(
            arguments={"n_steps": 20, "batch_size": 20, "learning_rate": 1e-2, "gamma": 0.5}, net=(64,), lstm=64
        ),
    },
}
"""The best of three to five settings tried by hand on two rules, for 1,500 steps (RecurrentPPO 1,000, DQN 2,500)."""

DEFAULTS: Mapping[str, PeerSettings] = {
    "ppo": PeerSettings(arguments={"n_steps": 64, "batch_size": 64, "learning_rate": 1e-3, "ent_coef": 0.01}),
    "dqn": PeerSettings(
        arguments={
            "learning_rate": 1e-3,
            "buffer_size": 20_000,
            "learning_starts": 100,
            "target_update_interval": 200,
            "exploration_fraction": 0.3,
            "exploration_final_eps": 0.02,
        }
    ),
    "recurrent-ppo": PeerSettings(
        arguments={"n_steps": 64, "batch_size": 64, "learning_rate": 1e-3, "ent_coef": 0.01}, net=(64,), lstm=64
    ),
}

_ALIKE = {
    "holdfast/SilentSwitch-v0": "holdfast/HiddenRule-v0",
    "holdfast/TaskStream-v0": "holdfast/HiddenRule-v0",
}
"""Environments whose episodes are those of another one, for which that one's settings stand."""


def peer_settings(algorithm: str, env_id: str) -> PeerSettings:
    """Return the zoo's settings of an algorithm for an environment, or where it has none those tuned here.

    Raises:
        KeyError: there is no such algorithm.
    """
    known = {**TUNED[algorithm], **ZOO[algorithm]}
    return known.get(_ALIKE.get(env_id, env_id), DEFAULTS[algorithm])
