"""The meta-trained policy through the agent: what it notes, what a later session finds, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorWrapper
from toy_worlds import Arms, Corridor

import environments  # noqa: F401 - registers them
from agent import Agent, History, PretrainedPolicy, RetentionPolicy
from agent.meta.batch import BatchReader
from agent.meta.checkpoint import save_checkpoint
from agent.meta.families import FAMILIES
from agent.meta.network import MetaNetwork
from agent.policies.protocol import ActsOnLanes
from retention import EpisodicMemory, FeedbackGate, GateConfig, UnsupportedSpaceError

Make = Callable[..., PretrainedPolicy]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A policy of each family whose weights were drawn and not trained: what it does depends on all it reads."""
    made: dict[str, Path] = {}
    for name, family in FAMILIES.items():
        torch.manual_seed(len(made))
        network = MetaNetwork(family.shape)
        with torch.no_grad():
            for weight in network.parameters():
                weight.add_(0.3 * torch.randn_like(weight))
        made[name] = tmp_path_factory.mktemp(name)
        save_checkpoint(network, {"family": name}, made[name])
    return made


@pytest.fixture
def make(folders: dict[str, Path]) -> Make:
    return lambda name="hidden-rule", **more: PretrainedPolicy(str(folders[name]), **more)


class Told(gymnasium.Env[Any, Any]):
    """Shows contexts in an order that is given, and judges by a rule that is given."""

    def __init__(self, contexts: list[int], rule: tuple[int, ...]) -> None:
        self.observation_space, self.action_space = spaces.Discrete(10), spaces.Discrete(5)
        self._contexts, self._rule = contexts, rule
        self.chosen: list[int] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return np.int64(self._contexts[0]), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        now = self._contexts[len(self.chosen)]
        self.chosen.append(int(action))
        over = len(self.chosen) == len(self._contexts)
        return (
            np.int64(self._contexts[-1 if over else len(self.chosen)]),
            float(action == self._rule[now]),
            over,
            False,
            {},
        )


class Watched(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Notes every action, and what it earned."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.seen: list[tuple[int, int, float]] = []
        self._shown: Any = None

    def reset(self, **given: Any) -> tuple[Any, dict[str, Any]]:
        self._shown, info = self.env.reset(**given)
        return self._shown, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        shown, reward, terminated, truncated, info = self.env.step(action)
        self.seen.append((int(np.ravel(self._shown)[0]), int(action), float(reward)))
        self._shown = shown
        return shown, reward, terminated, truncated, info


def world(name: str = "hidden-rule", **more: Any) -> Watched:
    return Watched(gymnasium.make(FAMILIES[name].entry.env_id, **more))


@contextmanager
def opened(path: Path | None, policy: PretrainedPolicy, **more: Any) -> Iterator[Agent]:
    with Agent.open(path, namespace="alice", policy=policy, **more) as agent:
        yield agent


def play(path: Path | None, policy: PretrainedPolicy, env: Any, episodes: int, **more: Any) -> History:
    with opened(path, policy, **more) as agent:
        return agent.run(env, episodes=episodes)


def stored(path: Path, task: str) -> Any:
    with EpisodicMemory.open(path, mode="ro") as memory:
        assert memory.verify() == []
        return memory.transitions(namespace="alice", task=task)[0]


# -- what it writes


def test_each_outcome_of_an_answer_is_one_template(path: Path, make: Make) -> None:
    env = world()
    play(path, make(), env, 6)
    rows = stored(path, "holdfast/HiddenRule-v0")
    found = zip(rows.key[:, 0].tolist(), rows.action.tolist(), rows.reward.tolist(), rows.count.tolist(), strict=True)
    assert sorted((int(k), a, r, n) for k, a, r, n in found) == sorted(
        (*each, env.seen.count(each)) for each in set(env.seen)
    )
    assert (rows.next_key[:, 0] == rows.reward).all()
    assert not rows.terminated.any()
    latest = {each: 1 + i // 10 for i, each in enumerate(env.seen)}
    assert rows.episode.tolist() == [
        latest[int(k), a, r] for k, a, r in zip(rows.key[:, 0], rows.action.tolist(), rows.reward.tolist(), strict=True)
    ]


def test_a_room_is_noted_by_where_one_arrived(path: Path, make: Make) -> None:
    env = world("dark-room", size=9, steps=8)
    with opened(path, make("dark-room")) as agent:
        agent.run(env, episodes=3)
        rows = stored(path, agent.task)
    assert int(rows.count.sum()) == 3 * (1 + 8)
    start = rows.key[:, 0] == 40
    assert int(rows.count[start].sum()) >= 3
    assert (rows.action == 0).all()
    assert rows.reward.tolist() == [float(k == env.unwrapped.goal) for k in rows.key[:, 0]]


def test_facts_are_noted_as_they_are_shown(path: Path, make: Make) -> None:
    play(path, make("entity-rewrite"), world("entity-rewrite"), 2)
    rows = stored(path, "holdfast/EntityRewrite-v0")
    assert int(rows.count.sum()) == 16 + 10
    assert (rows.reward == 0).all()
    assert rows.key.shape[1] == 2
    told = rows.key[rows.key[:, 1] < 5]
    assert set(told[:, 0].astype(int).tolist()) == set(range(8))


# -- sessions


@pytest.mark.parametrize("name", FAMILIES)
def test_a_second_session_goes_on_as_if_there_had_been_no_end(name: str, tmp_path: Path, make: Make) -> None:
    once, twice = world(name), world(name)
    play(tmp_path / "once.db", make(name), once, 5, seed=4)
    play(tmp_path / "twice.db", make(name), twice, 3, seed=4)
    play(tmp_path / "twice.db", make(name), twice, 2, seed=4)
    assert len(once.seen) > 20
    assert twice.seen == once.seen


def test_the_same_seed_is_the_same_run_and_memory_is_what_it_acts_on(make: Make) -> None:
    runs = []
    for policy in (make(), make(), make(enabled=False)):
        env = world()
        play(None, policy, env, 6, seed=2)
        runs.append(env.seen)
    assert runs[0] == runs[1]
    assert runs[0][:10] == runs[2][:10]
    assert runs[0] != runs[2]


def test_without_memory_each_episode_is_a_first_one(path: Path, make: Make) -> None:
    """It writes all the same, and acts with a full memory as it would with none."""
    play(path, make(), world(), 6, seed=9)
    later = world()
    with opened(path, make(enabled=False), seed=3) as agent:
        agent.run(later, episodes=3)
        assert agent.memory.episode_count(namespace="alice", task=agent.task) == 9
        assert int(agent.memory.transitions(namespace="alice", task=agent.task)[0].count.sum()) == 90
    for first in range(0, 30, 10):
        alone = Told([context for context, _, _ in later.seen[first : first + 10]], later.unwrapped.rule)
        play(None, make(), alone, 1)
        assert alone.chosen == [action for _, action, _ in later.seen[first : first + 10]]


def test_without_memory_a_refused_episode_of_one_lane_shows_the_others_nothing(path: Path, make: Make) -> None:
    play(path, make(), world(), 4)
    policy = make(enabled=False)
    with opened(path, policy, gate=FeedbackGate(GateConfig(admit="success"))) as agent:
        agent.bind(SyncVectorEnv([lambda: gymnasium.make("holdfast/HiddenRule-v0") for _ in range(2)]))
        for lane in range(2):
            policy.start_episode(np.int64(lane), np.random.default_rng(0), lane=lane)
        rows = agent.memory.transitions(namespace="alice", task=agent.task)[0]
        policy.restore(rows, policy.settings(), swept=False, anew=True)
        assert len(rows) > 5
        assert len(policy._lanes[1].notebook) == 0


@pytest.mark.parametrize("name", ["hidden-rule", "dark-room", "entity-rewrite"])
def test_frozen_it_acts_the_same_and_writes_nothing(name: str, path: Path, make: Make) -> None:
    play(path, make(name), world(name), 3, seed=1)
    content = path.read_bytes()
    frozen, again, learning = world(name), world(name), world(name)
    play(path, make(name), frozen, 1, seed=1, frozen=True)
    play(path, make(name), again, 1, seed=1, frozen=True)
    assert path.read_bytes() == content
    play(path, make(name), learning, 1, seed=1)
    assert frozen.seen == again.seen == learning.seen


def test_frozen_episodes_do_not_hear_of_each_other(path: Path, make: Make) -> None:
    play(path, make(), world(), 2, seed=1)
    policy = make()
    with opened(path, policy, seed=1, frozen=True) as agent:
        agent.run(world(), episodes=3)
        rows = agent.memory.transitions(namespace="alice", task=agent.task)[0]
        assert len(policy._notebook) == len(rows)
        assert policy._notebook._count[: len(rows)].sum() == rows.count.sum() == 20


@pytest.mark.parametrize("name", ["hidden-rule", "dark-room"])
def test_asking_for_an_action_leaves_no_trace(name: str, path: Path, make: Make) -> None:
    runs = []
    for asked in (False, True):
        env = world(name)
        with opened(path.with_name(f"{asked}.db"), make(name), seed=5) as agent:
            agent.run(env, episodes=2)
            for _ in range(4 * asked):
                agent.act(np.int64(3))
            agent.run(env, episodes=2)
            runs.append((env.seen, sorted(stored(path.with_name(f"{asked}.db"), agent.task).count.tolist())))
    assert runs[0] == runs[1]


def test_a_refused_episode_is_forgotten_by_the_policy_too(path: Path, make: Make) -> None:
    policy = make()
    gate = FeedbackGate(GateConfig(admit="success"))
    with opened(path, policy, gate=gate, seed=1) as agent:
        history = agent.run(world(), episodes=8)
        rows = agent.memory.transitions(namespace="alice", task=agent.task)[0]
        assert any(each.gate <= 0 for each in history.episodes)
        assert sorted(policy._notebook.ids().tolist()) == sorted(rows.id.tolist())
        assert int(policy._notebook._count[: len(rows)].sum()) == int(rows.count.sum())


def test_receipts_name_templates_of_the_memory(path: Path, make: Make) -> None:
    play(path, make(), world(), 5)
    with EpisodicMemory.open(path, mode="ro") as memory:
        known = {each.id for each in memory.templates(namespace="alice")}
        used = [each for each in memory.templates(namespace="alice") if each.uses]
    assert used
    assert {each.id for each in used} <= known


# -- feedback


def test_a_rating_is_taken_in_at_once_as_by_the_next_session(path: Path, make: Make) -> None:
    policy = make()
    with opened(path, policy) as agent:
        history = agent.run(world(), episodes=3)
        before = sorted(policy._notebook._reward[: len(policy._notebook)].tolist())
        agent.feedback(history.episodes[0].episode_id or "", rating=-1.0)
        after = sorted(policy._notebook._reward[: len(policy._notebook)].tolist())
        assert sum(before) - sum(after) == pytest.approx(1.0)
        agent.run(world(), episodes=4)  # some of it is seen again: it stays one note
        live = policy._notebook
        rows = agent.memory.transitions(namespace="alice", task=agent.task)[0]
        assert len(live) == len(rows)
        assert sorted(live.ids().tolist()) == sorted(rows.id.tolist())
        assert sum(live._reward[: len(live)]) == pytest.approx(sum(rows.reward + rows.rating), abs=1e-4)


def test_with_hidden_rewards_it_notes_what_ratings_say(path: Path, make: Make) -> None:
    env, policy = world(), make()
    with opened(path, policy, reward="hidden") as agent:
        history = agent.run(env, episodes=4, rate=lambda result: 2.0 * result.return_ / 10.0 - 1.0)
        rows = agent.memory.transitions(namespace="alice", task=agent.task)[0]
        assert (rows.reward == 0).all()
        assert len(policy._notebook) == len(rows) == len({each[:2] for each in env.seen})
    assert history.returns.sum() == sum(each[2] for each in env.seen)


# -- several at once


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize("name", ["hidden-rule", "dark-room", "entity-rewrite"])
def test_vectors_note_every_step_of_finished_episodes(mode: AutoresetMode, name: str, path: Path, make: Make) -> None:
    env = SyncVectorEnv([lambda: gymnasium.make(FAMILIES[name].entry.env_id) for _ in range(3)], autoreset_mode=mode)
    with opened(path, make(name)) as agent:
        history = agent.run(env, episodes=7)
        rows = agent.memory.transitions(namespace="alice", task=agent.task)[0]
    begun = 7 if name == "dark-room" else 0  # where one starts is noted too
    assert int(rows.count.sum()) == history.env_steps + begun
    if name == "hidden-rule":
        assert float((rows.reward * rows.count).sum()) == history.returns.sum()
    env.close()


def test_two_processes_worth_of_agents_take_in_each_others_notes(path: Path, make: Make) -> None:
    one, two = make(), make()
    with opened(path, one) as first, opened(path, two) as second:
        for _ in range(3):
            first.run(world(), episodes=2)
            second.run(world(), episodes=1)
        first.bind(world())
        rows = first.memory.transitions(namespace="alice", task=first.task)[0]
        for policy in (one, two):
            assert sorted(policy._notebook.ids().tolist()) == sorted(rows.id.tolist())
            assert int(policy._notebook._count[: len(rows)].sum()) == int(rows.count.sum()) == 90
            assert policy._notebook.latest_episode == policy._episode == 9


def test_what_lanes_have_not_stored_is_still_counted_after_a_catch_up(path: Path, make: Make) -> None:
    play(path, make(), world(), 2)
    policy = make()
    with opened(path, policy) as agent:
        agent.bind(SyncVectorEnv([lambda: gymnasium.make("holdfast/HiddenRule-v0") for _ in range(2)]))
        rows = agent.memory.transitions(namespace="alice", task=agent.task)[0]
        for lane in range(2):
            policy.start_episode(rows.key[0].astype(np.int64)[0], np.random.default_rng(0), lane=lane)
            policy._lanes[lane].action = int(rows.action[0])
            policy.observe(float(rows.reward[0]), np.int64(0), False, False, lane=lane)
        note = (rows.key[0].tobytes(), int(rows.action[0]), float(rows.reward[0]))
        for anew in (False, True, False):
            policy.restore(rows, None, swept=False, anew=anew)
            count = policy._notebook._count[policy._notebook._row_of[note]]
            assert count == rows.count[0] + 2
            assert all(lane.notebook is policy._notebook for lane in policy._lanes.values())


def test_frozen_the_tasks_own_notes_are_neither_copied_to_ask_nor_changed_by_an_episode(path: Path, make: Make) -> None:
    play(path, make(), world(), 2)
    policy = make()
    with opened(path, policy, frozen=True) as agent:
        agent.bind(world())
        own, before = policy._notebook, policy._notebook._count.copy()
        policy.start_episode(np.int64(3), np.random.default_rng(0))
        policy.act()
        assert policy._lanes[0].notebook is own
        policy.observe(1.0, np.int64(4), False, False)
        assert policy._lanes[0].notebook is not own
        assert (own._count == before).all()
        assert policy._lanes[0].notebook._count.sum() == before.sum() + 1


def test_a_huge_reward_that_a_note_holds_is_lived_with(path: Path, make: Make) -> None:
    env = Arms((0.0, 1e30))
    assert play(path, make(), env, 4).returns.max() in (0.0, 1e30)
    play(path, make(), env, 2)


# -- all lanes of a vector at once


class OneByOne:
    """Acts as another policy does, and can only be asked for one lane at a time."""

    def __init__(self, inner: PretrainedPolicy) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        if name == "act_lanes":
            raise AttributeError(name)
        return getattr(self._inner, name)


class Heard(VectorWrapper):
    """Keeps what all lanes were told to do."""

    def __init__(self, env: SyncVectorEnv) -> None:
        super().__init__(env)
        self.heard: list[list[int]] = []

    def step(self, actions: Any) -> Any:
        self.heard.append(actions.tolist())
        return super().step(actions)


def lanes_of(name: str, mode: AutoresetMode, lanes: int = 4) -> SyncVectorEnv:
    """A vector of one family, each lane another task."""
    env_id = FAMILIES[name].entry.env_id
    return SyncVectorEnv([lambda n=n: gymnasium.make(env_id, task=n) for n in range(lanes)], autoreset_mode=mode)


@pytest.mark.parametrize("mode", [AutoresetMode.SAME_STEP, AutoresetMode.NEXT_STEP])
@pytest.mark.parametrize(
    ("name", "frozen", "more"),
    [
        ("hidden-rule", True, {}),
        ("hidden-rule", True, {"capacity": 12}),
        ("hidden-rule", False, {}),
        ("hidden-rule", False, {"capacity": 12}),
        ("hidden-rule", False, {"enabled": False}),
        ("dark-room", True, {}),
        ("dark-room", False, {}),
        ("entity-rewrite", True, {}),
        ("key-door", True, {"enabled": False}),
    ],
)
def test_lanes_are_chosen_for_together_as_one_after_the_other(
    name: str, frozen: bool, more: dict[str, Any], mode: AutoresetMode, tmp_path: Path, make: Make
) -> None:
    told = []
    for number, wrap in enumerate((lambda policy: policy, OneByOne)):
        path, policy = tmp_path / f"{number}.db", wrap(make(name, **more))
        assert isinstance(policy, ActsOnLanes) is (number == 0)
        play(path, make(name), lanes_of(name, mode), 4, seed=3)
        env = Heard(lanes_of(name, mode))
        with opened(path, policy, seed=4, frozen=frozen) as agent:
            history = agent.run(env, episodes=9)
            rows = agent.memory.transitions(namespace="alice", task=agent.task)[0]
            found = [each.utility for each in agent.memory.templates(namespace="alice", limit=1000)]
        columns = (rows.key, rows.action, rows.reward, rows.count, rows.episode, rows.value)
        told.append((env.heard, history.returns.tolist(), [each.tolist() for each in columns]))
        told[-1] += (pytest.approx(found, rel=1e-3, abs=1e-6),) if number else (found,)
    assert len(told[0][0]) > 5
    assert told[0] == told[1]


def test_where_rounding_might_decide_a_lane_is_asked_alone(tmp_path: Path, make: Make, monkeypatch: Any) -> None:
    """Two actions whose scores are one number: whatever a read of all lanes says of them, it is the first."""
    torch.manual_seed(0)
    network = MetaNetwork(FAMILIES["hidden-rule"].shape)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
        network.head.weight[1:] = network.head.weight[:1]
        network.head.bias[:] = torch.tensor([2.0, 2.0, 1.0, 1.0, 1.0])
    save_checkpoint(network, {"family": "hidden-rule"}, tmp_path / "twins")
    read = BatchReader.scores

    def shaken(self: Any, *given: Any, **more: Any) -> Any:
        logits, drawn = read(self, *given, **more)
        logits[:, 1] += 1e-5
        return logits, drawn

    monkeypatch.setattr(BatchReader, "scores", shaken)
    policy = PretrainedPolicy(str(tmp_path / "twins"))
    with opened(tmp_path / "a.db", policy) as agent:
        agent.bind(lanes_of("hidden-rule", AutoresetMode.SAME_STEP))
        for lane in range(4):
            policy.start_episode(np.int64(lane), np.random.default_rng(0), lane=lane)
        assert policy.act_lanes(range(4)) == [0] * 4


def test_a_huge_reward_in_one_lane_is_lived_with_in_all(path: Path, make: Make) -> None:
    """What it draws is not to be had from a read of all lanes at once."""
    runs = []
    for wrap in (lambda policy: policy, OneByOne):
        env = SyncVectorEnv([lambda n=n: Arms((0.0, 1e30 if n else 1.0)) for n in range(3)])
        with opened(None, wrap(make()), frozen=True) as agent:
            runs.append(agent.run(env, episodes=9, task="arms").returns.tolist())
    assert runs[0] == runs[1]


# -- refused


@pytest.mark.parametrize(
    ("name", "env", "message"),
    [
        (
            "dark-room",
            lambda: Corridor(),
            r"is for observations of Discrete\(81\), but the environment shows Discrete\(6\)",
        ),
        ("hidden-rule", lambda: Arms((0.0,) * 6), "is for 5 actions, but the environment has 6"),
        ("hidden-rule", lambda: Arms((0.0,) * 3, real=True), r"is for observations of symbols, but .* shows Box"),
        (
            "entity-rewrite",
            lambda: gymnasium.make("holdfast/EntityRewrite-v0", entities=3),
            "is for observations of Multi",
        ),
        (
            "key-door",
            lambda: gymnasium.make("holdfast/DarkKeyDoor-v0", show_key=False),
            r"is for observations of Discrete\(162\)",
        ),
    ],
)
def test_other_spaces_are_refused(name: str, env: Callable[[], Any], message: str, make: Make) -> None:
    with opened(None, make(name)) as agent, pytest.raises(UnsupportedSpaceError, match=message) as raised:
        agent.run(env(), episodes=1)
    assert "\n" not in str(raised.value)


def test_fewer_actions_and_other_symbols_are_served(make: Make) -> None:
    env = Arms((0.0, 1.0, 0.0), start=7)
    play(None, make(), env, 20)
    assert set(env.chosen) <= {7, 8, 9}

    class Words(Arms):
        def __init__(self) -> None:
            super().__init__((0.0, 1.0))
            self.observation_space = spaces.Text(5)

        @property
        def shown(self) -> Any:
            return "hello"

    policy = make()
    with opened(None, policy) as agent:
        agent.run(Words(), episodes=3)
        assert agent.template_count == len(policy._notebook) <= 2


def test_notes_of_another_family_are_refused_in_one_line(path: Path, make: Make) -> None:
    play(path, make(), world(), 1)
    with (
        opened(path, make("silent-switch")) as agent,
        pytest.raises(
            UnsupportedSpaceError, match="are those of hidden-rule, but the policy was trained on silent-switch"
        ),
    ):
        agent.run(world(), episodes=1)


def test_templates_of_transitions_are_refused_and_notes_are_by_the_other_policy(tmp_path: Path, make: Make) -> None:
    with Agent.open(tmp_path / "a.db", namespace="alice") as agent:
        agent.run(world(), episodes=1)
    with (
        opened(tmp_path / "a.db", make()) as agent,
        pytest.raises(
            UnsupportedSpaceError, match="are those of another kind of policy, but the policy was trained on"
        ),
    ):
        agent.run(world(), episodes=1)
    play(tmp_path / "b.db", make(), world(), 1)
    with (
        Agent.open(tmp_path / "b.db", namespace="alice", policy=RetentionPolicy()) as agent,
        pytest.raises(UnsupportedSpaceError, match="templates of this task are those of hidden-rule"),
    ):
        agent.run(world(), episodes=1)


def test_a_capacity_below_one_is_refused(make: Make) -> None:
    with pytest.raises(ValueError, match="capacity must be at least 1, got 0"):
        make(capacity=0)


def test_a_small_capacity_holds_while_the_memory_keeps_all(path: Path, make: Make) -> None:
    policy = make(capacity=7)
    for _ in range(2):
        with opened(path, policy) as agent:
            agent.run(world(), episodes=4)
            assert len(policy._notebook) == 7
            assert agent.template_count > 7


# -- what comes with the package


def test_the_shipped_policy_for_rules_finds_ten_rules() -> None:
    returns = [play(None, PretrainedPolicy("hidden-rule"), world(task=task), 8).returns[4:] for task in range(500, 510)]
    assert np.mean(returns) >= 9.7


def test_the_shipped_policy_for_rooms_finds_ten_goals() -> None:
    unseen = set(FAMILIES["dark-room"].held_out)
    tasks = [task for task in range(80) if world("dark-room", task=task).unwrapped.goal in unseen]
    returns = [
        play(None, PretrainedPolicy("dark-room"), world("dark-room", task=task), 10).returns[7:] for task in tasks[:10]
    ]
    assert len(returns) == 10
    assert np.mean(returns) >= 15.0
