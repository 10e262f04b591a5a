from __future__ import annotations

import pytest

from evals.learners.zoo import DEFAULTS, TUNED, ZOO, peer_settings


def test_the_zoo_goes_before_what_was_tuned_here_and_that_before_the_defaults():
    assert peer_settings("dqn", "CartPole-v1") is ZOO["dqn"]["CartPole-v1"]
    assert peer_settings("ppo", "holdfast/HiddenRule-v0") is TUNED["ppo"]["holdfast/HiddenRule-v0"]
    assert peer_settings("ppo", "holdfast/SilentSwitch-v0") is TUNED["ppo"]["holdfast/HiddenRule-v0"]
    assert peer_settings("ppo", "FrozenLake-v1") is DEFAULTS["ppo"]
    with pytest.raises(KeyError):
        peer_settings("a2c", "CartPole-v1")


def test_environments_that_count_their_episodes_are_played_alone():
    for algorithm in DEFAULTS:
        for name in ("holdfast/SilentSwitch-v0", "holdfast/TaskStream-v0", "holdfast/HiddenRule-v0"):
            assert peer_settings(algorithm, name).n_envs == 1
