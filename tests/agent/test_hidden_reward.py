"""Ratings as the only signal: no reward reaches the policy, the gate or the memory, and it learns all the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from toy_worlds import Arms, Corridor

import environments  # noqa: F401 - registers holdfast/HiddenRule-v0
from agent import Agent, EpisodeResult, Experience, RecallConfig, RetentionPolicy, Task
from retention import EpisodicMemory, FeedbackGate, GateConfig, HoldfastError, MemoryFileError, Transitions


def up_or_down(result: EpisodeResult) -> float:
    return 1.0 if result.return_ > 0 else -1.0


@final
class Watcher:
    """Notes every number that could tell a reward."""

    def __init__(self) -> None:
        self.told: list[float] = []
        self._steps = 0

    def begin(self, task: Task) -> None:
        pass

    def restore(self, transitions: Transitions, settings: Mapping[str, Any] | None, **how: bool) -> None:
        self.told += transitions.reward.tolist()

    def start_episode(self, observation: Any, rng: np.random.Generator, *, lane: int = 0) -> None:
        self._steps = 0

    def act(self, *, lane: int = 0) -> int:
        return 1

    def observe(self, reward: float, observation: Any, terminated: bool, truncated: bool, *, lane: int = 0) -> None:
        self.told.append(reward)

    def end_episode(self, return_: float, *, lane: int = 0) -> Experience:
        self.told.append(return_)
        return Experience()

    def stored(self, experience: Experience, template_ids: Any) -> None:
        pass

    def settings(self) -> dict[str, Any]:
        return {}

    def values(self) -> tuple[Any, Any]:
        return np.zeros(0, np.int64), np.zeros(0)


@pytest.mark.parametrize("lanes", [False, True])
def test_no_reward_reaches_the_policy_and_history_tells_them_all(lanes: bool) -> None:
    policy = Watcher()
    env: Any = SyncVectorEnv([Corridor] * 2) if lanes else Corridor()
    with Agent.open(None, namespace="alice", policy=policy, reward="hidden") as agent:
        history = agent.run(env, episodes=4)
        kept = agent.memory.episodes(namespace="alice")
    assert history.returns.tolist() == [1.0] * 4
    assert len(policy.told) >= 24
    assert set(policy.told) == {0.0}
    assert [each.return_ for each in kept] == [0.0] * 4


def test_what_the_environment_says_of_success_is_hidden_too() -> None:
    with Agent.open(None, namespace="alice", reward="hidden", seed=1) as agent:
        agent.run(Arms((0.0, 1.0), success_from=1.0), episodes=6)
        kept = agent.memory.episodes(namespace="alice")
        rows, _ = agent.memory.transitions(namespace="alice", task=agent.task)
    assert [each.success for each in kept] == [None] * 6
    assert set(rows.reward.tolist()) == {0.0}


def test_without_ratings_nothing_is_learned() -> None:
    arms = Arms((0.0, 1.0, 0.0, 0.0))
    with Agent.open(None, namespace="alice", reward="hidden", seed=1) as agent:
        agent.run(arms, episodes=200)
    assert 30 <= arms.chosen.count(1) <= 70


@pytest.mark.parametrize("late", [0, 5])
def test_it_learns_from_ratings_alone_also_from_late_ones(late: int) -> None:
    env = gymnasium.make("FrozenLake-v1", is_slippery=False)
    asked: list[int] = []

    def rate(result: EpisodeResult) -> float:
        asked.append(result.episode)
        return up_or_down(result)

    with Agent.open(None, namespace="alice", reward="hidden", seed=1) as agent:
        history = agent.run(env, episodes=40, rate=rate, rate_after=late)
        kept = agent.memory.episodes(namespace="alice")
    assert history.returns[-15:].tolist() == [1.0] * 15
    assert asked == list(range(1, 41))
    assert [each.rating for each in kept] == [up_or_down(each) for each in history.episodes]
    assert [each.gate for each in history.episodes] == [each.gate.signed for each in kept]


def test_what_ratings_taught_stays_however_many_episodes_without_any_follow(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.ratings._LOOKED_AT", 20)
    env = gymnasium.make("FrozenLake-v1", is_slippery=False)
    with Agent.open(path, namespace="alice", reward="hidden", seed=1) as agent:
        agent.run(env, episodes=40, rate=up_or_down)
        agent.run(env, episodes=25)
    with Agent.open(path, namespace="alice", frozen=True, seed=2) as agent:
        assert agent.run(env, episodes=5).returns.tolist() == [1.0] * 5


def test_it_learns_although_every_seventh_rating_is_wrong() -> None:
    def rate(result: EpisodeResult) -> float:
        return up_or_down(result) * (-1.0 if result.episode % 7 == 3 else 1.0)

    env = gymnasium.make("FrozenLake-v1", is_slippery=False)
    with Agent.open(None, namespace="alice", reward="hidden", seed=1) as agent:
        agent.run(env, episodes=70, rate=rate)
        agent.memory.verify()
        path = agent.memory.transitions(namespace="alice", task=agent.task)[0]
        assert len(path)
        frozen = Agent(agent.memory, RetentionPolicy(), namespace="alice", seed=2, frozen=True, reward="hidden")
        assert frozen.run(env, episodes=5).returns.tolist() == [1.0] * 5


def test_one_rating_for_ten_answers_is_told_apart() -> None:
    """The rule is learned in 25 to 40 episodes; ratings of the answers one by one would take 8."""
    env = gymnasium.make("holdfast/HiddenRule-v0", task=1)
    policy = RetentionPolicy(RecallConfig(discount=0.5))
    with Agent.open(None, namespace="alice", policy=policy, reward="hidden", seed=1) as agent:
        history = agent.run(env, episodes=60, rate=lambda each: each.return_ / 5 - 1)
    assert history.returns[-10:].mean() >= 9.0
    assert history.returns[:5].mean() <= 5.0


def test_lanes_are_rated_too() -> None:
    env = SyncVectorEnv([lambda: Corridor(cells=4)] * 3)
    with Agent.open(None, namespace="alice", reward="hidden", seed=1) as agent:
        assert agent.run(env, episodes=30, rate=up_or_down).lengths[-8:].tolist() == [3] * 8


RATE_LATER = """
import sys
from agent import Agent
with Agent.open(sys.argv[1], namespace="alice", reward="hidden") as agent:
    for episode in agent.memory.episodes(namespace="alice"):
        agent.feedback(episode.episode_id, rating=1.0 if episode.length < 10 else -1.0)
"""


def test_another_process_may_rate_and_a_third_uses_it(path: Path) -> None:
    """A short walk is rated good, and nothing else tells that it was."""
    with Agent.open(path, namespace="alice", reward="hidden", seed=1) as agent:
        first = agent.run(Corridor(cells=5, limit=30), episodes=6)
    subprocess.run([sys.executable, "-c", RATE_LATER, str(path)], check=True)
    assert (first.lengths < 10).any()
    with Agent.open(path, namespace="alice", frozen=True) as agent:  # it learns nothing, so it need not say from what
        later = agent.run(Corridor(cells=5, limit=30), episodes=3)
        assert agent.policy.values()[1].max() > 0.5  # what was good is credited
    assert later.lengths.tolist() == [4] * 3
    assert later.returns.tolist() == [1.0] * 3


def test_a_rating_from_another_agent_is_taken_in_before_the_next_episode(path: Path) -> None:
    arms = Arms((0.0, 0.0))
    with Agent.open(path, namespace="alice", reward="hidden", seed=1) as agent:
        agent.run(arms, episodes=4)
        tried = list(arms.chosen)
        with EpisodicMemory.open(path) as other:
            for episode, arm in zip(other.episodes(namespace="alice"), tried, strict=True):
                other.feedback(episode.episode_id, namespace="alice", rating=1.0 if arm == 1 else -1.0)
        agent.run(arms, episodes=6)
    assert set(tried) == {0, 1}
    assert arms.chosen[4:] == [1] * 6


def test_a_changed_mind_counts() -> None:
    arms = Arms((0.0, 0.0))
    with Agent.open(None, namespace="alice", reward="hidden", seed=1) as agent:
        history = agent.run(arms, episodes=8, rate=lambda _: 1.0 if arms.chosen[-1] == 1 else -1.0)
        assert agent.act(arms.shown) == 1
        for each, arm in zip(history.episodes, arms.chosen, strict=True):
            for _ in range(3):  # the mean of what was said counts
                agent.feedback(each.episode_id or "", rating=-1.0 if arm == 1 else 1.0)
        assert agent.act(arms.shown) == 0


def test_an_export_takes_the_ratings_along(path: Path, tmp_path: Path) -> None:
    with Agent.open(path, namespace="alice", reward="hidden", seed=1) as agent:
        agent.run(Corridor(cells=5), episodes=12, rate=up_or_down)
    copied = tmp_path / "copy.jsonl"
    with EpisodicMemory.open(path) as memory:
        memory.export(copied)
    with EpisodicMemory.open(tmp_path / "copy.db") as memory:
        memory.import_file(copied)
    with Agent.open(tmp_path / "copy.db", namespace="alice", frozen=True) as agent:
        assert agent.run(Corridor(cells=5), episodes=2).lengths.tolist() == [4, 4]


# -- what is refused


@pytest.mark.parametrize(("first", "then"), [("seen", "hidden"), ("hidden", "seen")])
def test_a_task_is_learned_one_way(path: Path, first: Any, then: Any) -> None:
    with Agent.open(path, namespace="alice", reward=first) as agent:
        agent.run(Arms(), episodes=1)
    with Agent.open(path, namespace="alice", reward=then) as agent:
        with pytest.raises(HoldfastError, match=f"learned 'Arms' with reward='{first}', not '{then}'"):
            agent.run(Arms(), episodes=1)
        assert len(agent.run(Arms(), episodes=1, task="another")) == 1


def test_a_frozen_agent_does_as_the_one_before_it(path: Path) -> None:
    with Agent.open(path, namespace="alice", seed=1) as agent:
        agent.run(Corridor(), episodes=12)
    with Agent.open(path, namespace="alice", frozen=True, reward="hidden") as agent:
        assert agent.run(Corridor(), episodes=2).lengths.tolist() == [5, 5]


def test_a_late_reward_is_refused_where_rewards_are_hidden() -> None:
    with Agent.open(None, namespace="alice", reward="hidden") as agent:
        episode = agent.run(Arms(), episodes=1).episodes[0]
        with pytest.raises(ValueError, match="give a rating instead"):
            agent.feedback(episode.episode_id or "", reward=1.0)


def test_wrong_arguments_are_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="reward must be 'seen' or 'hidden', got 'none'"):
        Agent.open(None, namespace="alice", reward="none")
    with Agent.open(path, namespace="alice") as agent:
        with pytest.raises(ValueError, match="rate_after must not be negative, got -1"):
            agent.run(Arms(), episodes=1, rate_after=-1)
        agent.run(Arms(), episodes=1)
    with Agent.open(path, namespace="alice", frozen=True) as agent:
        with pytest.raises(ValueError, match="a frozen agent writes nothing"):
            agent.run(Arms(), episodes=1, rate=up_or_down)
        with pytest.raises(MemoryFileError):
            agent.feedback(agent.memory.episodes(namespace="alice")[0].episode_id, rating=1.0)


def test_unrated_episodes_are_neutral_until_they_are_rated() -> None:
    with Agent.open(
        None, namespace="alice", reward="hidden", gate=FeedbackGate(GateConfig(admit="both")), seed=1
    ) as agent:
        history = agent.run(Arms((0.0, 1.0)), episodes=5)
        assert [abs(each.gate) for each in history.episodes[1:]] == [0.1] * 4  # the least weight of the gate
        told = agent.feedback(history.episodes[2].episode_id or "", rating=-1.0)
        assert told.gate.signed == -1.0
