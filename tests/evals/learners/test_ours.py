from __future__ import annotations

import gymnasium
import pytest

from agent import make_policy
from evals.learners.learner import Budget
from evals.learners.ours import Ours
from retention import EpisodicMemory


def rule(task: int = 1):
    return gymnasium.make("holdfast/HiddenRule-v0", task=task)


def ours(folder, arm: str = "kept") -> Ours:
    folder.mkdir(exist_ok=True)
    return Ours(lambda: make_policy("recall", discount=0.5), folder, arm=arm)


def episodes_kept(learner: Ours) -> int:
    with EpisodicMemory.open(learner.file, mode="ro") as memory:
        return memory.episode_count(namespace="evals", task="world")


def test_a_kept_memory_learns_and_a_frozen_agent_on_its_file_plays_as_well(tmp_path):
    learner, told = ours(tmp_path), []
    learning = learner.learn(rule, budget=Budget(episodes=20), seed=0, after_episode=told.append)
    assert told == list(range(1, 21))
    assert sum(learning.returns[-5:]) >= 48
    assert learning.env_steps == 200
    assert sum(learner.play(rule, episodes=3, seed=1)) >= 29
    assert episodes_kept(learner) == 20  # playing wrote nothing
    assert ours(tmp_path / "again").learn(rule, budget=Budget(episodes=20), seed=0).returns == learning.returns


def test_it_plays_while_it_learns(tmp_path):
    learner, played = ours(tmp_path), {}

    def after(episode: int) -> None:
        if episode in (1, 20):
            played[episode] = sum(learner.play(rule, episodes=2, seed=1))

    alone = ours(tmp_path / "alone").learn(rule, budget=Budget(episodes=20), seed=0)
    watched = learner.learn(rule, budget=Budget(episodes=20), seed=0, after_episode=after)
    assert watched.returns == alone.returns  # being asked changes nothing
    assert played[20] > 17 > played[1]


def test_a_budget_of_steps_ends_with_the_episode_that_spends_it(tmp_path):
    learner = ours(tmp_path)
    assert learner.learn(rule, budget=Budget(env_steps=25), seed=0).lengths == (10, 10, 10)
    assert episodes_kept(learner) == 3


def test_wiped_and_foreign_memories_learn_nothing(tmp_path):
    wiped = ours(tmp_path / "wiped", "wiped").learn(rule, budget=Budget(episodes=15), seed=0)
    assert sum(wiped.returns) / 15 < 4.0
    assert not list((tmp_path / "wiped").iterdir())
    other = ours(tmp_path / "foreign", "foreign")
    other.study(lambda: rule(2), episodes=20, seed=0)
    before = (tmp_path / "foreign" / "foreign.db").read_bytes()
    foreign = other.learn(rule, budget=Budget(episodes=15), seed=0)
    assert sum(foreign.returns) / 15 < 4.0
    assert (tmp_path / "foreign" / "foreign.db").read_bytes() == before
    assert episodes_kept(other) == 21  # those of the other world, and the last of this one
    at_home = ours(tmp_path / "home", "foreign")
    at_home.study(rule, episodes=20, seed=0)
    assert sum(at_home.learn(rule, budget=Budget(episodes=5), seed=0).returns) > 45  # it does begin with the memory


def test_wrong_arms_are_named(tmp_path):
    with pytest.raises(ValueError, match="must be kept, wiped or foreign, got 'lost'"):
        ours(tmp_path, "lost")
    with pytest.raises(ValueError, match="only the arm foreign studies another world, not kept"):
        ours(tmp_path).study(rule, episodes=1, seed=0)
