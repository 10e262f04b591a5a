"""What was forgotten, taken back or came with an import: an agent acts by what the memory holds now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from agent import Agent, RecallConfig, RetentionPolicy
from retention import EpisodicMemory, TemplateDraft


class Gamble(gymnasium.Env[int, int]):
    """At 0, action 1 leads to a sure 1, action 0 to a gamble, which pays 10 two times of three, or nothing."""

    observation_space = gymnasium.spaces.Discrete(5)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self) -> None:
        self.gambled = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.at = 0
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        if self.at == 0:
            self.at = 1 if action == 0 else 2
            return self.at, 0.0, False, False, {}
        if self.at == 2:
            return 4, 1.0, True, False, {}
        self.gambled += 1
        won = self.gambled % 3 != 0
        return 3 if won else 4, 10.0 * won, True, False, {}


def opened(path: Path, *, frozen: bool = False, **config: Any) -> Agent:
    policy = RetentionPolicy(RecallConfig(**config))
    return Agent.open(path, namespace="alice", policy=policy, seed=0, frozen=frozen)


def forget_what_won(memory: EpisodicMemory) -> set[int]:
    won = [each.id for each in memory.templates(namespace="alice", task="gamble") if each.reward == 10.0]
    assert memory.forget(won, namespace="alice").templates == len(won) > 0
    return set(won)


def test_the_next_session_values_anew_what_led_to_what_was_forgotten(path: Path) -> None:
    with opened(path) as agent:
        agent.run(Gamble(), episodes=60, task="gamble")
    with opened(path, frozen=True) as agent:
        agent.bind(Gamble(), task="gamble")
        assert agent.act(0) == 0
    with EpisodicMemory.open(path) as memory:
        assert memory.values_stand(namespace="alice", task="gamble")
        forget_what_won(memory)
        assert not memory.values_stand(namespace="alice", task="gamble")
    with opened(path, frozen=True) as agent:
        agent.bind(Gamble(), task="gamble")
        assert agent.act(0) == 1


@pytest.fixture(params=["in another process", "by the agent's own memory"])
def forgetting(request: pytest.FixtureRequest, path: Path) -> Any:
    """Forget while an agent runs."""

    def forget(agent: Agent) -> set[int]:
        if request.param == "by the agent's own memory":
            return forget_what_won(agent.memory)
        with EpisodicMemory.open(path) as memory:
            return forget_what_won(memory)

    return forget


@pytest.mark.parametrize("capacity", [30_000, 7])
def test_a_running_agent_holds_nothing_that_is_gone(path: Path, forgetting: Any, capacity: int) -> None:
    with opened(path, capacity=capacity) as agent:
        agent.run(Gamble(), episodes=60, task="gamble")
        drafts = [TemplateDraft(key=key, content=f"a note {key}", task="gamble") for key in np.eye(2, dtype=np.float32)]
        agent.memory.write(drafts, namespace="alice")  # texts of the task are no transitions
        gone = forgetting(agent)
        agent.bind(Gamble(), task="gamble")
        assert not gone & set(agent.policy.values()[0].tolist())
        assert agent.policy.recall(0).values[0] < 1.0


def test_what_is_forgotten_between_two_episodes_of_a_run_is_gone_in_the_next(path: Path) -> None:
    gone: set[int] = set()
    with opened(path) as agent:

        def after(result: Any) -> None:
            if result.episode == 40:
                gone.update(forget_what_won(agent.memory))

        agent.run(Gamble(), episodes=41, task="gamble", on_episode=after)
        assert gone and not gone & set(agent.policy.values()[0].tolist())


def test_a_namespace_that_is_forgotten_is_begun_anew(path: Path) -> None:
    with opened(path) as agent:
        agent.run(Gamble(), episodes=20, task="gamble")
        agent.memory.forget_namespace("alice")
        agent.bind(Gamble(), task="gamble")
        assert len(agent.policy.values()[0]) == agent.template_count == 0


@pytest.fixture
def lake() -> Iterator[Any]:
    env = gymnasium.make("FrozenLake-v1", is_slippery=False)
    yield env
    env.close()


def test_ratings_that_are_taken_back_decide_nothing_any_more(path: Path, lake: Any) -> None:
    def frozen() -> float:
        with Agent.open(path, namespace="alice", frozen=True) as agent:
            return float(agent.run(lake, episodes=1).returns[0])

    with Agent.open(path, namespace="alice") as agent:
        played = agent.run(lake, episodes=30).episodes
    until = max(each.created for each in _episodes(path))
    with EpisodicMemory.open(path) as memory:
        for each in played[-12:]:
            assert each.episode_id is not None
            memory.feedback(each.episode_id, namespace="alice", rating=-1.0, source="mallory")
    with Agent.open(path, namespace="alice") as agent:  # a session that learns has swept what mallory said
        agent.bind(lake)
        agent.run(lake, episodes=0)
        assert agent.policy.values()[1].max() < 1.0
        with EpisodicMemory.open(path) as memory:
            assert memory.roll_back(until, namespace="alice", source="mallory").outcomes == 12
        agent.bind(lake)  # it hears of it while it runs
        assert agent.policy.values()[1].max() == 1.0
    assert frozen() == 1.0


def _episodes(path: Path) -> Any:
    with EpisodicMemory.open(path) as memory:
        return memory.episodes(namespace="alice")


def test_an_export_takes_no_values_along_that_have_fallen(path: Path, tmp_path: Path) -> None:
    with opened(path) as agent:
        agent.run(Gamble(), episodes=60, task="gamble")
        forget_what_won(agent.memory)
        agent.memory.export(tmp_path / "alice.jsonl")
    with EpisodicMemory.open(tmp_path / "other.db") as memory:
        memory.import_file(tmp_path / "alice.jsonl")
    with opened(tmp_path / "other.db", frozen=True) as agent:
        agent.bind(Gamble(), task="gamble")
        assert agent.act(0) == 1


def test_values_of_another_file_are_not_taken_for_swept_here(path: Path, lake: Any, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with Agent.open(path, namespace="alice") as agent:
        last = agent.run(lake, episodes=40).episodes[-1].episode_id
        task = agent.task
        agent.memory.export(tmp_path / "alice.jsonl")
    with Agent.open(other, namespace="bob") as agent:
        agent.run(lake, episodes=1)
    with EpisodicMemory.open(other) as memory:
        memory.import_file(tmp_path / "alice.jsonl")
    values = []
    for each in (path, other):
        with EpisodicMemory.open(each) as memory:
            assert last is not None
            memory.feedback(last, namespace="alice", rating=-1.0)
            assert not memory.values_stand(namespace="alice", task=task)
        with Agent.open(each, namespace="alice", frozen=True) as agent:
            agent.bind(lake)
            values.append(sorted(agent.policy.values()[1].tolist()))
    assert values[0] == pytest.approx(values[1], abs=1e-9) and max(values[0]) < 1.0
