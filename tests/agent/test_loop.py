"""The loop over one environment, against the same loop written out by hand; and that a seed decides everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import RecordEpisodeStatistics, TimeLimit
from toy_worlds import Arms, Corridor, Counter, Faulty, Line, Signs

from agent import Agent, Experience, History, IdlePolicy, Task
from agent.loop import play
from agent.seeding import episode_rng, episode_seed
from retention import EnvironmentFaultError, Transitions

Columns = Callable[..., dict[str, Any]]


@final
class Recording:
    """A policy that acts at random and notes every call it hears, and what was handed to it."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._rng: dict[int, np.random.Generator] = {}

    def begin(self, task: Task) -> None:
        self.task = task
        self.calls.append(("begin", task.lanes, task.frozen))

    def restore(self, transitions: Transitions, settings: Mapping[str, Any] | None, **how: bool) -> None:
        self.calls.append(("restore", len(transitions), settings))

    def start_episode(self, observation: Any, rng: np.random.Generator, *, lane: int = 0) -> None:
        self._rng[lane] = rng
        self.calls.append(("start", np.asarray(observation).tolist(), lane))

    def act(self, *, lane: int = 0) -> int:
        action = int(self._rng[lane].integers(1, 4))
        self.calls.append(("act", action, lane))
        return action

    def observe(self, reward: float, observation: Any, terminated: bool, truncated: bool, *, lane: int = 0) -> None:
        assert type(reward) is float
        assert type(terminated) is type(truncated) is bool
        self.calls.append(("observe", reward, np.asarray(observation).tolist(), terminated, truncated, lane))

    def end_episode(self, return_: float, *, lane: int = 0) -> Experience:
        self.calls.append(("end", return_, lane))
        return Experience()

    def stored(self, experience: Experience, template_ids: Any) -> None:
        self.calls.append(("stored", template_ids.tolist()))

    def settings(self) -> dict[str, Any]:
        return {}

    def values(self) -> tuple[Any, Any]:
        self.calls.append(("values",))
        return np.zeros(0, np.int64), np.zeros(0)


def by_hand(env: gymnasium.Env[Any, Any], *, first: int, episodes: int, seed: int) -> tuple[list[Any], list[Any]]:
    """What the policy should hear, and (return, length, success) of each episode."""
    calls: list[Any] = []
    outcomes = []
    for number in range(first, first + episodes):
        observation, _ = env.reset(seed=episode_seed(seed, number))
        rng = episode_rng(seed, number)
        calls.append(("start", np.asarray(observation).tolist(), 0))
        total, length, over = 0.0, 0, False
        while not over:
            action = int(rng.integers(1, 4))
            calls.append(("act", action, 0))
            observation, reward, terminated, truncated, info = env.step(action)
            calls.append(("observe", float(reward), np.asarray(observation).tolist(), terminated, truncated, 0))
            total, length, over = total + float(reward), length + 1, terminated or truncated
        calls += [("end", total, 0), ("stored", [])]
        outcomes.append((total, length, info.get("success")))
    return calls, outcomes


def test_the_policy_hears_what_a_loop_by_hand_would_tell_it() -> None:
    policy, numbers = Recording(), (4, 3, 2)
    heard, results = [], []
    for each in play(Counter((3, 1, 4)), policy, first=4, episodes=5, seed=11):
        heard.append(policy.end_episode(each.return_))
        policy.stored(heard[-1], np.zeros(0, np.int64))
        results.append((each.return_, each.length, each.success))
        assert each.seed == episode_seed(11, each.number)
        assert each.seconds >= 0.0
        assert each.lane == 0
    calls, outcomes = by_hand(Counter((3, 1, 4)), first=4, episodes=5, seed=11)
    assert policy.calls == calls
    assert results == outcomes
    assert [length for _, length, _ in outcomes[:3]] == [3, 1, 4] != list(numbers)


def test_the_agent_adds_nothing_to_the_loop_but_memory() -> None:
    policy = Recording()
    with Agent.open(None, namespace="alice", policy=policy, seed=11) as agent:
        history = agent.run(Counter((3, 1, 4)), episodes=4)
    calls, outcomes = by_hand(Counter((3, 1, 4)), first=1, episodes=4, seed=11)
    assert policy.calls == [("begin", 1, False), ("restore", 0, None), *calls, ("values",)]
    assert list(zip(history.returns, history.lengths, strict=True)) == [each[:2] for each in outcomes]
    assert history.env_steps == 3 + 1 + 4 + 3
    assert len(history) == 4


def test_each_episode_is_handed_over_before_the_next_begins() -> None:
    policy = Recording()
    for number, each in enumerate(play(Counter((2,)), policy, first=1, episodes=3, seed=0), start=1):
        assert each.number == number
        assert sum(call[0] == "start" for call in policy.calls) == number


def test_what_the_environment_says_of_success_is_kept() -> None:
    with Agent.open(None, namespace="alice", policy=Recording()) as agent:
        agent.run(Counter((2,)), episodes=4)
        kept = agent.memory.episodes(namespace="alice")
    assert [each.success for each in kept] == [True, False, False, True]
    assert [each.number for each in kept] == [1, 2, 3, 4]
    assert [each.seed for each in kept] == [episode_seed(0, number) for number in (1, 2, 3, 4)]
    assert [each.length for each in kept] == [2] * 4


@pytest.mark.parametrize("info", [{"is_success": True, "success": False}, {"success": np.True_}])
def test_success_by_either_name(info: dict[str, Any]) -> None:
    class Told(Arms):
        def step(self, action: Any) -> Any:
            return (*super().step(action)[:4], info)

    (each,) = play(Told((1.0,) * 4), Recording(), first=1, episodes=1, seed=0)
    assert each.success is True


# -- limits and wrappers


def test_a_limit_truncates() -> None:
    policy = Recording()
    with Agent.open(None, namespace="alice", policy=policy) as agent:
        history = agent.run(Counter((7,)), episodes=2, max_episode_steps=3)
        assert history.lengths.tolist() == [3, 3]
        observed = [call for call in policy.calls if call[0] == "observe"]
        assert [call[3:5] for call in observed] == [(False, False), (False, False), (False, True)] * 2
        assert agent.run(Counter((7,)), episodes=1).lengths.tolist() == [7]  # the limit was of that run


def test_wrapped_environments_are_the_same_task() -> None:
    made = gymnasium.make("toy/Corridor-v0", cells=4)
    with Agent.open(None, namespace="alice", policy=IdlePolicy()) as agent:
        for env in (made, RecordEpisodeStatistics(made), TimeLimit(made, 5)):
            agent.run(env, episodes=1)
            assert agent.task == 'toy/Corridor-v0?{"cells":4}'
        assert agent.memory.tasks(namespace="alice") == [agent.task]


def test_no_episodes_are_no_episodes() -> None:
    with Agent.open(None, namespace="alice") as agent:
        history = agent.run(Arms(), episodes=0)
        assert (len(history), history.env_steps, history.returns.shape) == (0, 0, (0,))
        with pytest.raises(ValueError, match="episodes must not be negative, got -1"):
            agent.run(Arms(), episodes=-1)


# -- faults

FAULTS = {
    "raise": r"step raised in episode 3, step 2: RuntimeError: the motor is stuck",
    "reset": r"reset raised in episode 3, step 0: RuntimeError: the motor is stuck",
    "nan_reset": r"reset of episode 3: an observation holds NaN or infinity",
    "nan": r"step 2 of episode 3: an observation holds NaN or infinity",
    "inf": r"step 2 of episode 3: an observation holds NaN or infinity",
    "shape": r"step 2 of episode 3: an observation has 3 numbers where its space declares 2",
    "huge_reward": r"the reward is -1e\+31 at step 2 of episode 3: up to 1e\+30 is served, so scale it",
    "endless_reward": r"the reward is 10{400} at step 2 of episode 3",
    "nan_reward": r"the reward is nan at step 2 of episode 3",
    "nothing_reward": r"reward.*None|None.*reward",
    "successes": r"step 2 of episode 3: the environment says of success array\(\[ True, False\]\), which is not",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_environment_is_said_in_one_line_and_what_was_finished_is_kept(fault: str, path: Path) -> None:
    told: list[str | None] = []
    with Agent.open(path, namespace="alice", seed=1) as agent:
        with pytest.raises(EnvironmentFaultError, match=FAULTS[fault]) as raised:
            agent.run(Faulty(fault), episodes=5, on_episode=lambda each: told.append(each.episode_id))
        assert "\n" not in str(raised.value)
    assert len(told) == 2
    with Agent.open(path, namespace="alice", seed=1) as agent:
        assert agent.memory.verify() == []
        kept = agent.memory.episodes(namespace="alice")
        assert [each.episode_id for each in kept] == told
        again = agent.run(Faulty("none"), episodes=2)  # and the next session goes on from there
        assert [each.episode for each in again.episodes] == [3, 4]


def test_after_a_fault_the_same_agent_goes_on() -> None:
    with Agent.open(None, namespace="alice", seed=1) as agent:
        with pytest.raises(EnvironmentFaultError):
            agent.run(Faulty("nan"), episodes=5)
        history = agent.run(Faulty("none"), episodes=3)
        assert [each.episode for each in history.episodes] == [3, 4, 5]
        assert agent.memory.verify() == []


def test_an_interrupt_keeps_what_was_finished(path: Path) -> None:
    with Agent.open(path, namespace="alice", seed=1) as agent:
        with pytest.raises(KeyboardInterrupt):
            agent.run(Faulty("interrupt"), episodes=5)
        assert agent.memory.episode_count(namespace="alice", task=agent.task) == 2


# -- seeds


def outcome(history: History) -> list[Any]:
    """A history without what is never the same twice: the ids."""
    return [(e.episode, e.return_, e.length, e.gate, e.written) for e in history.episodes]


WORLDS: dict[str, Callable[[], gymnasium.Env[Any, Any]]] = {
    "symbolic": lambda: gymnasium.make("FrozenLake-v1"),  # slippery: it draws random numbers too
    "real": lambda: Line(stride=0.05, noise=0.01, limit=60),
}


@pytest.mark.parametrize("world", WORLDS)
def test_the_same_seed_is_the_same_run_bit_for_bit(world: str, columns_of: Columns, tmp_path: Path) -> None:
    runs = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        with Agent.open(tmp_path / name, namespace="alice", seed=seed) as agent:
            history = agent.run(WORLDS[world](), episodes=12)
            rows, _ = agent.memory.transitions(namespace="alice", task=agent.task)
            runs.append((outcome(history), columns_of(rows), agent.policy.settings()))
    assert runs[0] == runs[1]
    assert runs[0][0] != runs[2][0]
    assert runs[0][1] != runs[2][1]


class Resets(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Notes the seeds it is reset with, and what was seen then."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.noted: list[Any] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        observation, info = self.env.reset(seed=seed, options=options)
        self.noted.append((seed, np.asarray(observation).tolist()))
        return observation, info


def test_twenty_episodes_are_ten_and_ten_in_two_sessions(path: Path) -> None:
    whole, first, second = (Resets(Line(stride=0.2)) for _ in range(3))
    with Agent.open(None, namespace="alice", seed=5) as agent:
        agent.run(whole, episodes=20)
    for env in (first, second):
        with Agent.open(path, namespace="alice", seed=5) as agent:
            agent.run(env, episodes=10)
    assert whole.noted == first.noted + second.noted
    assert len({seed for seed, _ in whole.noted}) == 20


def test_for_symbols_ten_and_ten_are_twenty_in_every_step(path: Path, columns_of: Columns) -> None:
    """What a session knows at its end the next one knows at its start; so nothing differs."""
    with Agent.open(None, namespace="alice", seed=5) as agent:
        whole = outcome(agent.run(Signs("dict", steps=1), episodes=20))
        rows, _ = agent.memory.transitions(namespace="alice", task=agent.task)
    parts = []
    for _ in range(2):
        with Agent.open(path, namespace="alice", seed=5) as agent:
            parts += outcome(agent.run(Signs("dict", steps=1), episodes=10))
            halves, _ = agent.memory.transitions(namespace="alice", task=agent.task)
    assert parts == whole
    assert columns_of(halves) == columns_of(rows)


def test_seeds_differ_by_episode_and_by_run() -> None:
    seeds = {episode_seed(seed, number) for seed in range(20) for number in range(1, 51)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**31 for seed in seeds)
    draws = {episode_rng(s, n, lane).integers(2**62) for s in range(5) for n in range(5) for lane in range(3)}
    assert len(draws) == 75


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (None, TypeError), (0.5, TypeError)])
def test_what_is_no_seed_is_refused_before_a_file_is_made(seed: Any, error: type[Exception], path: Path) -> None:
    with pytest.raises(error, match=f"a seed must .*, got {seed}"):
        Agent.open(path, namespace="alice", seed=seed)
    assert not path.exists()


def test_what_is_no_environment_is_refused() -> None:
    with (
        Agent.open(None, namespace="alice") as agent,
        pytest.raises(TypeError, match=r"got 'FrozenLake-v1': see .*make_env"),
    ):
        agent.run("FrozenLake-v1", episodes=1)  # what a new user tries first


def test_the_idle_policy_takes_the_first_action_and_keeps_nothing() -> None:
    env = Arms((1.0, 1.0), start=4)
    with Agent.open(None, namespace="alice", policy=IdlePolicy()) as agent:
        assert agent.run(env, episodes=3).returns.tolist() == [1.0] * 3
        assert agent.template_count == 0
        assert agent.memory.episode_count(namespace="alice", task=agent.task) == 3
    assert env.chosen == [4] * 3


def test_corridor_is_walkable() -> None:
    """The toy itself, so that a broken toy is not taken for a broken agent."""
    env = Corridor(cells=3)
    env.reset()
    assert env.step(1)[0] == 1
    assert env.step(1)[:3] == (2, 1.0, True)
