"""How soon does it play well? Episodes, environment steps and CPU seconds to a threshold, beside other learners.

| arm | what learns |
|---|---|
| recall | ours: acts on its memory from the first step, no gradient |
| gradient | ours: proximal policy optimisation on an agent's file, where the asymptote counts: LunarLander |
| retention | ours: meta-trained on the family, frozen at use; what the training cost is printed beside |
| retention-wiped | the same weights with an empty memory in every episode |
| retention-foreign | the same weights; every episode begins with the memory of another world of the family |
| ppo, dqn, recurrent-ppo | Stable-Baselines3, sb3-contrib, with the zoo's settings; see ``evals.learners.zoo`` |
| tabular-q | Q-learning on a table, epsilon-greedy, on symbolic tasks |

Ours is given ``"ours"`` of a task's settings, the others ``"peers"``: at least twice as many environment steps. Where
the settings have a budget under the name of an arm, that is the arm's.
RecurrentPPO plays CartPole and the families in which memory is needed; tabular Q plays what is symbolic.

| metric | meaning |
|---|---|
| episodes_to_threshold | the first episode of the first window whose mean return reaches the threshold |
| median_episodes | its median over the seeds; all else are interquartile means |
| env_steps_to_threshold | environment steps to the end of that episode |
| cpu_seconds_to_threshold | process CPU seconds to the end of that window, learning included, where it is reached |
| cpu_seconds | process CPU seconds of the whole run |
| reached | the share of seeds that get there |
| held | the share of seeds whose last episodes, 20 or a window if that is more, have a mean that reaches it |
| final_return | the mean return of the last 20 episodes |
| training_env_steps, training_cpu_seconds | what the policy cost before it was used; 0 where it was not trained |
| probability_of_improvement | that a seed of ours needs fewer environment steps than one of a peer |

A run that never gets there counts as one episode and one step more than the longest run of any arm on the task had: it
is worse than every run that does, and no better than another that does not. Returns are those of the episodes as they
are played, exploring included: what a user would have earned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..suite import Suite

if TYPE_CHECKING:
    from ..report import Report
    from ..results import Result

_PLAY = ("evals.suites.learning_phases:play",)
_SYMBOLIC: Mapping[str, Mapping[str, Any]] = {
    "FrozenLake 4x4": {
        "env": "FrozenLake-v1",
        "arguments": {"is_slippery": False},
        "thresholds": {"FrozenLake 4x4": [0.9, 20]},
        "ours": {"episodes": 500, "env_steps": 6_000},
        "peers": {"env_steps": 12_000},
    },
    "FrozenLake 8x8": {
        "env": "FrozenLake-v1",
        "arguments": {"is_slippery": False, "map_name": "8x8"},
        "thresholds": {"FrozenLake 8x8": [0.9, 20]},
        "ours": {"episodes": 500, "env_steps": 10_000},
        "peers": {"env_steps": 30_000},
    },
    "FrozenLake slippery": {
        "env": "FrozenLake-v1",
        "thresholds": {"FrozenLake slippery": [0.70, 50]},
        "ours": {"episodes": 500, "env_steps": 20_000},
        "peers": {"env_steps": 40_000},
    },
    "CliffWalking": {
        "env": "CliffWalking-v1",
        "max_episode_steps": 200,
        "thresholds": {"CliffWalking": [-20.0, 20]},
        "ours": {"episodes": 500, "env_steps": 10_000},
        "peers": {"env_steps": 30_000},
    },
    "Taxi": {
        "env": "Taxi-v4",
        "thresholds": {"Taxi": [7.0, 50]},
        "ours": {"episodes": 500, "env_steps": 20_000},
        "peers": {"env_steps": 40_000},
    },
}
_REAL: Mapping[str, Mapping[str, Any]] = {
    "CartPole": {
        "env": "CartPole-v1",
        "thresholds": {"CartPole to 195": [195.0, 10], "CartPole to 475": [475.0, 10]},
        "ours": {"episodes": 100, "env_steps": 25_000},
        "peers": {"env_steps": 50_000},
    },
    "MountainCar": {
        "env": "MountainCar-v0",
        "thresholds": {"MountainCar": [-120.0, 10]},
        "ours": {"episodes": 100, "env_steps": 20_000},
        "peers": {"env_steps": 50_000},
    },
    "Acrobot": {
        "env": "Acrobot-v1",
        "thresholds": {"Acrobot": [-90.0, 10]},
        "ours": {"episodes": 150, "env_steps": 20_000},
        "peers": {"env_steps": 40_000},
    },
    "LunarLander": {
        "env": "LunarLander-v3",
        "packages": {"Box2D": "box2d", "pygame": "pygame"},
        "thresholds": {"LunarLander": [200.0, 10]},
        "ours": {"env_steps": 25_000},
        "gradient": {"env_steps": 200_000},
        "peers": {"env_steps": 300_000},
    },
}
_FAMILIES: Mapping[str, Mapping[str, Any]] = {
    "HiddenRule": {
        "env": "holdfast/HiddenRule-v0",
        "policy": "retention:hidden-rule",
        "numbered": True,
        "split": "held-out",
        "discount": 0.5,
        "foreign_episodes": 10,
        "thresholds": {"HiddenRule": [9.0, 10]},
        "ours": {"episodes": 50},
        "peers": {"env_steps": 4_000},
    },
    "DarkRoom": {
        "env": "holdfast/DarkRoom-v0",
        "policy": "retention:dark-room",
        "numbered": True,
        "split": "held-out",
        "discount": 0.8,
        "foreign_episodes": 10,
        "thresholds": {"DarkRoom": [0.9, 10]},
        "of_optimum": True,
        "ours": {"episodes": 60},
        "peers": {"env_steps": 15_000},
    },
    "DarkKeyDoor": {
        "env": "holdfast/DarkKeyDoor-v0",
        "policy": "retention:key-door",
        "numbered": True,
        "split": "held-out",
        "foreign_episodes": 10,
        "thresholds": {"DarkKeyDoor": [0.9, 10]},
        "of_optimum": True,
        "ours": {"episodes": 60},
        "peers": {"env_steps": 12_000},
    },
}

SUITE = Suite(
    name="learning",
    version=1,
    summary="How soon does it play well? Episodes, steps and seconds to a threshold, beside PPO, DQN and others.",
    tasks={**_SYMBOLIC, **_REAL, **_FAMILIES},
    arms={
        arm: _PLAY
        for arm in (
            "recall",
            "gradient",
            "retention",
            "retention-wiped",
            "retention-foreign",
            "ppo",
            "dqn",
            "recurrent-ppo",
            "tabular-q",
        )
    },
    score="evals.suites.learning:score",
    headline="episodes_to_threshold",
    plays={
        "gradient": ("LunarLander",),
        **{arm: tuple(_FAMILIES) for arm in ("retention", "retention-wiped", "retention-foreign")},
        "recurrent-ppo": ("CartPole", *_FAMILIES),
        "tabular-q": (*_SYMBOLIC, *_FAMILIES),
    },
    left_out="evals.suites.learning_phases:absent",
)


def score(results: Sequence[Result]) -> Report:
    """Compute the rows, the curves and the verdict.

    Args:
        results: finished cases of this suite, in any order.
    """
    from .learning_score import report_of

    return report_of(results, SUITE)
