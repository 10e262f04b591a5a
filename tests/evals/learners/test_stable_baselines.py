from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from evals.learners.learner import Budget
from evals.learners.stable_baselines import StableBaselines
from evals.learners.zoo import PeerSettings, peer_settings
from retention import MissingExtraError

pytestmark = pytest.mark.filterwarnings("default")  # what a peer warns of is not ours to mend

SMALL = {
    "ppo": PeerSettings(arguments={"n_steps": 16, "batch_size": 16, "n_epochs": 1}),
    "dqn": PeerSettings(arguments={"learning_starts": 5, "buffer_size": 200, "batch_size": 8}),
    "recurrent-ppo": PeerSettings(arguments={"n_steps": 16, "batch_size": 16, "n_epochs": 1}, net=(8,), lstm=8),
}


def rule():
    return gymnasium.make("holdfast/HiddenRule-v0", task=1)


@pytest.fixture
def peers():
    pytest.importorskip("stable_baselines3", reason="a peer, of the extra bench")
    pytest.importorskip("sb3_contrib", reason="a peer, of the extra bench")


@pytest.mark.parametrize("algorithm", list(SMALL))
def test_a_peer_plays_for_as_long_as_it_is_given_and_the_same_seed_is_the_same_run(algorithm, peers):
    def learned():
        told = []
        learner = StableBaselines(algorithm, SMALL[algorithm])
        return learner, learner.learn(rule, budget=Budget(episodes=6), seed=0, after_episode=told.append), told

    learner, learning, told = learned()
    assert told == [1, 2, 3, 4, 5, 6]
    assert learning.lengths == (10,) * 6
    assert learned()[1].returns == learning.returns
    assert len(learner.play(rule, episodes=2, seed=0)) == 2


def test_peers_with_environments_side_by_side_are_given_steps_of_them_together(peers):
    learning = StableBaselines("ppo", peer_settings("ppo", "CartPole-v1")).learn(
        lambda: gymnasium.make("CartPole-v1"), budget=Budget(env_steps=400), seed=0
    )
    assert 400 <= learning.env_steps < 400 + 8
    assert sum(learning.lengths) <= learning.env_steps


def test_a_dict_of_symbols_and_normalised_observations_are_understood(peers):
    tasks = [("holdfast/HiddenRule-v0", {"task": task}) for task in (0, 1)]

    def cued():
        return gymnasium.make("holdfast/TaskStream-v0", cued=True, tasks=tasks)

    assert len(StableBaselines("dqn", SMALL["dqn"]).learn(cued, budget=Budget(episodes=2), seed=0).returns) == 2
    normal = StableBaselines("ppo", PeerSettings(normalize=True, arguments=SMALL["ppo"].arguments))
    car = gymnasium.make("MountainCar-v0", max_episode_steps=20)
    assert normal.learn(lambda: car, budget=Budget(episodes=2), seed=0).returns == (-20.0, -20.0)
    assert normal.play(lambda: car, episodes=1, seed=0) == [-20.0]
    act = normal.actor(3)
    assert np.asarray(act(np.zeros((3, 2), np.float32))).shape == (3,)


def test_one_world_cannot_be_several():
    with pytest.raises(ValueError, match="ppo wants 8 environments of CartPole-v1, but there is one"):
        StableBaselines.from_settings("ppo", {"env": "CartPole-v1", "one_world": True})


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "stable_baselines3", None)
    with pytest.raises(MissingExtraError, match=r"stable-baselines3==2.9.2 .* pip install 'holdfast\[bench\]'"):
        StableBaselines("dqn", SMALL["dqn"])
