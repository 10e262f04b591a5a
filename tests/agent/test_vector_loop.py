"""The loop over a vector of environments: each lane hears what it would hear alone, whatever the autoreset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics
from toy_worlds import Arms, Corridor, Counter, Faulty, Line, Signs

from agent import Agent, Experience, IdlePolicy, RetentionPolicy, Task, make_env, task_name
from agent.policies.protocol import ActsOnLanes
from agent.vector_loop import play_vector
from retention import EnvironmentFaultError, FeedbackGate, GateConfig, Transitions

Columns = Callable[..., dict[str, Any]]

MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP]
LENGTHS = [(3, 1, 4), (2, 2, 5), (6, 1, 1)]  # of the episodes of each lane, again and again


def plain(observation: Any) -> Any:
    if isinstance(observation, dict):
        return {name: plain(value) for name, value in sorted(observation.items())}
    if isinstance(observation, tuple):
        return tuple(plain(value) for value in observation)
    return np.asarray(observation).tolist()


@final
class Recording:
    """Notes for each lane what it hears; acts by a rule of its own."""

    def __init__(self) -> None:
        self.heard: dict[int, list[Any]] = {}
        self.acted = 0
        self.drawn: list[int] = []  # the first number of the randomness handed over with each episode

    def begin(self, task: Task) -> None:
        self.task = task

    def restore(self, transitions: Transitions, settings: Mapping[str, Any] | None, **how: bool) -> None:
        pass

    def start_episode(self, observation: Any, rng: np.random.Generator, *, lane: int = 0) -> None:
        self.heard.setdefault(lane, []).append(("start", plain(observation)))
        self.drawn.append(int(rng.integers(2**62)))

    def act(self, *, lane: int = 0) -> int:
        self.acted += 1
        self.heard[lane].append("act")
        return 1 + lane

    def observe(self, reward: float, observation: Any, terminated: bool, truncated: bool, *, lane: int = 0) -> None:
        assert type(reward) is float
        assert type(terminated) is type(truncated) is bool
        self.heard[lane].append((reward, plain(observation), terminated, truncated))

    def end_episode(self, return_: float, *, lane: int = 0) -> Experience:
        self.heard[lane].append(("end", return_))
        return Experience()

    def stored(self, experience: Experience, template_ids: Any) -> None:
        pass

    def settings(self) -> dict[str, Any]:
        return {}

    def values(self) -> tuple[Any, Any]:
        return np.zeros(0, np.int64), np.zeros(0)


def alone(env: gymnasium.Env[Any, Any], action: int, episodes: int) -> tuple[list[Any], list[Any]]:
    """What one lane should hear, played by itself; and (return, length, success) of its episodes."""
    heard: list[Any] = []
    outcomes = []
    for _ in range(episodes):
        observation, _ = env.reset()
        heard.append(("start", plain(observation)))
        total, length, over = 0.0, 0, False
        while not over:
            observation, reward, terminated, truncated, info = env.step(action)
            heard += ["act", (float(reward), plain(observation), terminated, truncated)]
            total, length, over = total + float(reward), length + 1, terminated or truncated
        heard.append(("end", total))
        outcomes.append((total, length, info["success"]))
    return heard, outcomes


def in_order_of_ending(mode: AutoresetMode, outcomes: list[list[Any]]) -> list[tuple[int, Any]]:
    """Lane and outcome of all episodes as they end; at the same step, by lane."""
    ends = []
    for lane, of_lane in enumerate(outcomes):
        clock = 0
        for each in of_lane:
            clock += each[1]
            ends.append((clock, lane, each))
            clock += mode is AutoresetMode.NEXT_STEP  # resetting takes a step of the vector
    return [(lane, each) for _, lane, each in sorted(ends, key=lambda end: end[:2])]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["array", "dict", "tuple"])
def test_each_lane_hears_what_it_would_hear_alone(mode: AutoresetMode, kind: str) -> None:
    env = SyncVectorEnv([lambda ls=ls: Counter(ls, kind) for ls in LENGTHS], autoreset_mode=mode)
    policy, episodes = Recording(), 14
    with Agent.open(None, namespace="alice", policy=policy) as agent:
        history = agent.run(env, episodes=episodes)
        kept = agent.memory.episodes(namespace="alice")
    assert policy.task.lanes == 3
    alone_each = [alone(Counter(lengths, kind), 1 + lane, 15) for lane, lengths in enumerate(LENGTHS)]
    for lane, (heard, _) in enumerate(alone_each):
        got = policy.heard[lane]
        assert len(got) > 10
        assert got == heard[: len(got)]
    ended = in_order_of_ending(mode, [outcomes for _, outcomes in alone_each])[:episodes]
    assert [(each.return_, each.length) for each in history.episodes] == [outcome[:2] for _, outcome in ended]
    assert [each.success for each in kept] == [outcome[2] for _, outcome in ended]
    assert [each.episode for each in history.episodes] == list(range(1, episodes + 1))
    assert [each.number for each in kept] == list(range(1, episodes + 1))
    assert all(each.seed is None for each in kept)


@pytest.mark.parametrize("mode", MODES)
def test_lanes_that_end_at_the_same_step_are_numbered_one_after_the_other(mode: AutoresetMode) -> None:
    env = SyncVectorEnv([lambda: Counter((2,))] * 4, autoreset_mode=mode)
    policy = Recording()
    lanes = []
    for each in play_vector(env, policy, first=7, episodes=6, seed=0):
        lanes.append((each.number, each.lane))
        policy.end_episode(each.return_, lane=each.lane)
    assert lanes == [(7, 0), (8, 1), (9, 2), (10, 3), (11, 0), (12, 1)]


def test_while_a_lane_resets_it_is_not_asked_to_act() -> None:
    steps = {}
    for mode in MODES:
        env = SyncVectorEnv([lambda: Counter((1,))] * 2, autoreset_mode=mode)
        policy = Recording()
        for each in play_vector(env, policy, first=1, episodes=8, seed=0):
            policy.end_episode(each.return_, lane=each.lane)
        steps[mode] = policy.acted
    assert steps == dict.fromkeys(MODES, 8)


def test_without_autoreset_it_says_so() -> None:
    env = SyncVectorEnv([Arms, Arms], autoreset_mode=AutoresetMode.DISABLED)
    with (
        Agent.open(None, namespace="alice") as agent,
        pytest.raises(ValueError, match="autoreset disabled; make it with NEXT_STEP or SAME_STEP"),
    ):
        agent.run(env, episodes=1)


class Plain(VectorWrapper):
    """Rewards and ends as lists, as an environment of one's own may have them; and no last observation."""

    def __init__(self, env: VectorEnv[Any, Any, Any], *, final: bool) -> None:
        super().__init__(env)
        self.final = final

    def step(self, actions: Any) -> Any:
        batch, rewards, terminations, truncations, infos = super().step(actions)
        if not self.final:
            infos.pop("final_obs", None)
        return batch, rewards.tolist(), terminations.tolist(), truncations.tolist(), infos


def test_lists_serve_as_well_as_arrays() -> None:
    vector = SyncVectorEnv([lambda: Counter((3,), "array")] * 2, autoreset_mode=AutoresetMode.SAME_STEP)
    with Agent.open(None, namespace="alice", policy=Recording()) as agent:
        assert agent.run(Plain(vector, final=True), episodes=4).episodes[-1].length == 3


def test_infos_in_which_lanes_or_last_observations_are_not_found_are_told() -> None:
    def vector() -> VectorEnv[Any, Any, Any]:
        return SyncVectorEnv([lambda: Counter((3,), "array")] * 2, autoreset_mode=AutoresetMode.SAME_STEP)

    with Agent.open(None, namespace="alice", policy=Recording()) as agent:
        with pytest.raises(EnvironmentFaultError, match="resets in the same step, but its infos hold no final_obs"):
            agent.run(Plain(vector(), final=False), episodes=4)
        with pytest.raises(ValueError, match="the infos of the vector environment are a list, wanted a dict"):
            agent.run(DictInfoToList(vector()), episodes=4)


def test_a_step_limit_is_for_single_environments() -> None:
    with (
        Agent.open(None, namespace="alice") as agent,
        pytest.raises(ValueError, match="max_episode_steps is for a single environment"),
    ):
        agent.run(SyncVectorEnv([Arms, Arms]), episodes=1, max_episode_steps=5)


# -- names


def test_lanes_are_the_same_task_as_the_environment_alone() -> None:
    def make() -> Any:
        return gymnasium.make("toy/Corridor-v0", cells=4)

    wanted = 'toy/Corridor-v0?{"cells":4}'
    assert task_name(make()) == wanted
    assert task_name(SyncVectorEnv([make, make])) == wanted
    assert task_name(RecordEpisodeStatistics(SyncVectorEnv([make, make]))) == wanted
    assert task_name(gymnasium.make_vec("toy/Corridor-v0", 2, vectorization_mode="sync", cells=4)) == wanted


def test_lanes_that_vectorize_themselves_are_the_same_task() -> None:
    env = gymnasium.make_vec("CartPole-v1", 3, vectorization_mode="vector_entry_point")
    assert task_name(env) == task_name(gymnasium.make("CartPole-v1")) == "CartPole-v1"
    env.close()


def test_lanes_in_processes_are_the_same_task_too() -> None:
    env = AsyncVectorEnv([lambda: gymnasium.make("FrozenLake-v1", is_slippery=False)] * 2)
    try:
        assert task_name(env) == task_name(gymnasium.make("FrozenLake-v1", is_slippery=False))
        with Agent.open(None, namespace="alice", seed=1) as agent:
            assert len(agent.run(env, episodes=3)) == 3
    finally:
        env.close()


# -- learning


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["discrete", "dict", "box"])
def test_all_lanes_learn_in_one_memory(mode: AutoresetMode, kind: str) -> None:
    env = SyncVectorEnv([lambda: Signs(kind, steps=1)] * 4, autoreset_mode=mode)
    with Agent.open(None, namespace="alice", seed=1) as agent:
        history = agent.run(env, episodes=140)
        assert history.returns[-60:].mean() >= 0.9
        rows, _ = agent.memory.transitions(namespace="alice", task=agent.task)
        assert int(rows.count.sum()) == history.env_steps  # no visit is lost or counted twice
        assert agent.memory.verify() == []


@pytest.mark.parametrize("mode", MODES)
def test_the_last_observation_is_that_of_the_episode_and_not_of_the_next(mode: AutoresetMode) -> None:
    env = SyncVectorEnv([lambda: Corridor(cells=4)] * 3, autoreset_mode=mode)
    with Agent.open(None, namespace="alice", seed=1) as agent:
        agent.run(env, episodes=30)
        rows, _ = agent.memory.transitions(namespace="alice", task=agent.task)
    over = rows.terminated
    assert over.any()
    assert set(rows.next_key[over, 0]) == {3.0}
    assert set(rows.reward[over]) == {1.0}
    moved = (rows.next_key - rows.key)[:, 0]
    assert set(moved[rows.action == 1]) == {1.0}
    assert set(moved[rows.action == 0]) <= {-1.0, 0.0}


def test_what_lanes_learned_serves_one_environment(path: Path) -> None:
    def make() -> Any:
        return gymnasium.make("toy/Corridor-v0")

    with Agent.open(path, namespace="alice", seed=1) as agent:
        agent.run(SyncVectorEnv([make] * 3), episodes=30)
    with Agent.open(path, namespace="alice", seed=2, frozen=True) as agent:
        history = agent.run(make(), episodes=5)
    assert history.returns.tolist() == [1.0] * 5
    assert [each.episode for each in history.episodes] == [31, 32, 33, 34, 35]


@pytest.mark.parametrize("mode", MODES)
def test_the_same_seed_is_the_same_run(mode: AutoresetMode, columns_of: Columns) -> None:
    def run(seed: int) -> Any:
        env = SyncVectorEnv([lambda: Line(stride=0.1, noise=0.02, limit=30)] * 3, autoreset_mode=mode)
        with Agent.open(None, namespace="alice", seed=seed) as agent:
            history = agent.run(env, episodes=10)
            rows, _ = agent.memory.transitions(namespace="alice", task=agent.task)
        return [(e.episode, e.return_, e.length, e.gate, e.written) for e in history.episodes], columns_of(rows)

    assert run(5) == run(5)
    assert run(5) != run(6)


@pytest.mark.parametrize("mode", MODES)
def test_lanes_that_were_still_playing_are_forgotten(mode: AutoresetMode, path: Path, columns_of: Columns) -> None:
    """Two runs of one agent are two runs of two agents, of whom the second knows only what the file holds."""
    env = SyncVectorEnv([Corridor] * 4, autoreset_mode=mode)

    def known(agent: Agent) -> Any:
        return columns_of(agent.memory.transitions(namespace="alice", task=agent.task)[0])

    with Agent.open(None, namespace="alice", seed=1) as agent:
        one = [agent.run(env, episodes=5).returns.tolist() for _ in range(2)] + [known(agent)]
    two = []
    for _ in range(2):
        with Agent.open(path, namespace="alice", seed=1) as agent:
            two.append(agent.run(env, episodes=5).returns.tolist())
            after = known(agent)
    assert one == [*two, after]


@pytest.mark.parametrize("mode", MODES)
def test_no_two_episodes_are_the_same_episode(mode: AutoresetMode) -> None:
    def run(seed: int) -> tuple[list[str], list[int]]:
        env = SyncVectorEnv([lambda: Line(stride=0.1, limit=10)] * 4, autoreset_mode=mode)
        policy = Recording()
        for each in play_vector(env, policy, first=1, episodes=12, seed=seed):
            policy.end_episode(each.return_, lane=each.lane)
        return [str(call) for heard in policy.heard.values() for call in heard if call[0] == "start"], policy.drawn

    starts, drawn = run(3)
    assert len(set(starts)) == len(starts) >= 12
    assert len(set(drawn)) == len(drawn) == len(starts)
    assert run(3) == (starts, drawn)
    assert not set(run(4)[1]) & set(drawn)


@pytest.mark.parametrize("mode", MODES)
def test_what_another_agent_writes_meanwhile_is_not_taken_for_something_new(mode: AutoresetMode, path: Path) -> None:
    """The other one stores transitions that lanes in the middle of an episode have met, but not stored yet."""
    one, other = Agent.open(path, namespace="alice", seed=1), Agent.open(path, namespace="alice", seed=2)
    env = SyncVectorEnv(
        [lambda limit=limit: Corridor(cells=6, limit=limit) for limit in (3, 11, 17)], autoreset_mode=mode
    )
    with one, other:
        one.run(
            env,
            episodes=20,
            task="corridor",
            on_episode=lambda _: other.run(Corridor(cells=6, limit=9), episodes=1, task="corridor"),
        )
        assert one.memory.verify() == []
        for agent in (one, other):
            agent.bind(env, task="corridor")
            policy = agent.policy
            assert isinstance(policy, RetentionPolicy)
            outcomes = [(policy.recall(np.int64(cell)).weights > 0.0).sum(axis=1) for cell in range(5)]
            assert np.max(outcomes) == 1  # in a corridor each action in each cell leads to one place


# -- what goes wrong


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("raise", "step raised in episode .*: RuntimeError: the motor is stuck"),
        ("exit", "step raised in episode .*: SystemExit: 0"),
        ("reset", "RuntimeError: the motor is stuck"),
        ("nan", "an observation holds NaN or infinity"),
        ("nan_reward", "the reward is nan in lane 1"),
    ],
)
def test_a_fault_in_one_lane_ends_the_run_and_what_was_finished_is_kept(
    mode: AutoresetMode, fault: str, said: str
) -> None:
    env = SyncVectorEnv([lambda: Faulty("none"), lambda: Faulty(fault)], autoreset_mode=mode)
    told = []
    with Agent.open(None, namespace="alice", seed=1) as agent:
        with pytest.raises(EnvironmentFaultError, match=said) as raised:
            agent.run(env, episodes=20, on_episode=lambda each: told.append(each.episode_id))
        assert "\n" not in str(raised.value)
        kept = agent.memory.episodes(namespace="alice")
        assert [each.episode_id for each in kept] == told
        # Two of each lane, and of lane 0 perhaps one more at the very step; but a reset within the step that ends an
        # episode takes that step with it.
        assert len(told) in ((2,) if fault == "reset" and mode is AutoresetMode.SAME_STEP else (4, 5))
        assert agent.memory.verify() == []


@pytest.mark.parametrize("mode", MODES)
def test_an_episode_that_the_gate_refuses_does_not_disturb_the_other_lanes(mode: AutoresetMode) -> None:
    """One lane fails while the others are in the middle of an episode."""
    env = SyncVectorEnv(
        [lambda limit=limit: Corridor(cells=4, limit=limit) for limit in (2, 7, 9)],
        autoreset_mode=mode,
    )
    gate = FeedbackGate(GateConfig(admit="success"))
    with Agent.open(None, namespace="alice", gate=gate, seed=1) as agent:
        history = agent.run(env, episodes=40)
        assert len(history) == 40
        assert agent.memory.verify() == []
        rows, _ = agent.memory.transitions(namespace="alice", task=agent.task)
        kept = agent.memory.episodes(namespace="alice")
    assert int(rows.count.sum()) == sum(each.length for each in kept if each.written + each.merged)


@pytest.mark.parametrize("mode", MODES)
def test_when_actions_become_held_the_other_lanes_keep_no_stale_slots(mode: AutoresetMode) -> None:
    """The end of calibration throws earlier slots away while other lanes are in the middle of an episode."""
    lines: list[Line] = []

    def make(limit: int) -> Line:
        lines.append(Line(stride=0.01, noise=0.001, limit=limit))
        return lines[-1]

    env = SyncVectorEnv([lambda limit=limit: make(limit) for limit in (61, 97, 230)], autoreset_mode=mode)
    with Agent.open(None, namespace="alice", seed=1) as agent:
        agent.run(env, episodes=24)
        policy = agent.policy
        assert isinstance(policy, RetentionPolicy)
        hold = policy.settings()["pace"]["hold"]
        assert hold > 1
        rows, _ = agent.memory.transitions(namespace="alice", task=agent.task)
        assert agent.memory.verify() == []
    seen = np.array(sorted({np.float32(at) for line in lines for visited in line.visited for at in visited}))
    assert np.isin(rows.key[:, 0], seen).all()  # every key was really observed
    assert np.isin(rows.next_key[:, 0], seen).all()
    moved = np.abs(rows.next_key - rows.key)[:, 0]
    assert float(np.median(moved)) == pytest.approx(0.01 * hold, rel=0.1)


# -- all lanes at once, and in processes of their own


def heard_in_lanes(policy: Recording, env: Any, episodes: int = 8) -> dict[int, list[Any]]:
    policy.begin(Task(observation_space=env.single_observation_space, action_space=env.single_action_space))
    for each in play_vector(env, policy, first=1, episodes=episodes, seed=3):
        policy.end_episode(each.return_, lane=each.lane)
    return policy.heard


@pytest.mark.parametrize("mode", MODES)
def test_a_policy_that_can_is_asked_for_all_lanes_at_once(mode: AutoresetMode) -> None:
    asked: list[list[int]] = []

    class Batched:
        """Hears what a Recording hears; lanes that are being reset are left out."""

        def __init__(self) -> None:
            self.inner = Recording()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def act_lanes(self, lanes: Any) -> list[int]:
            asked.append(list(lanes))
            return [self.inner.act(lane=lane) for lane in lanes]

    def make() -> Any:
        return SyncVectorEnv([lambda each=each: Counter(each) for each in LENGTHS], autoreset_mode=mode)

    one, other = Recording(), Batched()
    assert heard_in_lanes(one, make()) == heard_in_lanes(other, make())
    assert asked[0] == [0, 1, 2]
    assert sum(len(each) for each in asked) == other.inner.acted
    shorter = any(len(each) < 3 for each in asked)
    assert shorter is (mode is AutoresetMode.NEXT_STEP)


def test_the_idle_policy_is_one_of_them() -> None:
    assert isinstance(IdlePolicy(), ActsOnLanes)
    assert not isinstance(Recording(), ActsOnLanes)


class OneByOne:
    """Acts as another policy does, and can only be asked for one lane at a time."""

    def __init__(self, inner: RetentionPolicy) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        if name == "act_lanes":
            raise AttributeError(name)
        return getattr(self._inner, name)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("env_id", ["FrozenLake-v1", "CartPole-v1"])
def test_recall_chooses_for_all_lanes_as_for_one_after_the_other(env_id: str, frozen: bool, tmp_path: Path) -> None:
    """To the bit: the same seed gives the same episodes, and what is stored is the same."""
    told = []
    for number, policy in enumerate((RetentionPolicy(), OneByOne(RetentionPolicy()))):
        assert isinstance(policy, ActsOnLanes) is (number == 0)
        path = tmp_path / f"{number}.db"
        env = SyncVectorEnv([lambda: gymnasium.make(env_id)] * 3, autoreset_mode=AutoresetMode.SAME_STEP)
        with Agent.open(path, namespace="a", seed=3, policy=RetentionPolicy()) as agent:
            agent.run(env, episodes=4)
        with Agent.open(path, namespace="a", seed=4, policy=policy, frozen=frozen) as agent:
            played = agent.run(env, episodes=6)
            rows = agent.memory.transitions(namespace="a", task=agent.task)[0]
        told.append((played.returns.tolist(), rows.key.tolist(), rows.action.tolist(), rows.value.tolist()))
    assert told[0] == told[1]


class Wheels(Counter):
    """Has a text to show, and two wheels to turn."""

    def __init__(self) -> None:
        super().__init__((2, 3))
        self.observation_space = spaces.Dict({"mission": spaces.Text(20), "step": spaces.Discrete(1000)})
        self.action_space = spaces.MultiDiscrete([3, 2])
        self.turned: list[list[int]] = []

    def _shown(self) -> Any:
        return {"mission": f"episode {self._episode}", "step": np.int64(self._step)}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        self.turned.append(action.tolist())
        return super().step(1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("make", [Corridor, Wheels, lambda: Line(stride=0.1, limit=20)], ids=["cell", "text", "line"])
def test_lanes_in_processes_are_played_as_lanes_in_this_one(
    make: Callable[[], Any], mode: AutoresetMode, columns_of: Columns
) -> None:
    def run(env: Any) -> Any:
        try:
            with Agent.open(None, namespace="alice", seed=5) as agent:
                history = agent.run(env, episodes=8, task="lanes")
                rows, _ = agent.memory.transitions(namespace="alice", task="lanes")
            return history.returns.tolist(), history.lengths.tolist(), columns_of(rows)
        finally:
            env.close()

    apart = AsyncVectorEnv([make] * 2, autoreset_mode=mode, shared_memory=False)
    assert run(SyncVectorEnv([make] * 2, autoreset_mode=mode)) == run(apart)


def test_combinations_and_texts_reach_each_lane() -> None:
    env = SyncVectorEnv([Wheels] * 2)
    with Agent.open(None, namespace="alice", seed=5) as agent:
        agent.run(env, episodes=12)
        rows, _ = agent.memory.transitions(namespace="alice", task=agent.task)
    assert rows.width == 4
    assert {tuple(turned) for each in env.envs for turned in each.unwrapped.turned} == {
        (a, b) for a in range(3) for b in range(2)
    }


def test_an_environment_of_a_module_is_one_task_alone_and_in_lanes() -> None:
    lanes = gymnasium.make_vec("toy_worlds:toy/Corridor-v0", 2, vectorization_mode="sync")
    assert task_name(lanes) == task_name(make_env("toy_worlds:toy/Corridor-v0")) == "toy/Corridor-v0"
    with Agent.open(None, namespace="alice", seed=1) as agent:
        assert len(agent.run(lanes, episodes=3)) == 3
