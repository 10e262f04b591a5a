"""The agent and its memory: sessions, feedback, other agents on the same file, namespaces, the gate."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from toy_worlds import Arms, Corridor, Line, Signs

from agent import Agent, EpisodeResult, IdlePolicy, RecallConfig, RetentionPolicy
from agent.recall.slots import TransitionSlots
from retention import (
    EpisodicMemory,
    FeedbackGate,
    GateConfig,
    HoldfastError,
    MemoryWriteError,
    NotFoundError,
    UnsupportedSpaceError,
)

Columns = Callable[..., dict[str, Any]]

SYMBOLS_AND_NUMBERS = pytest.mark.parametrize("real", [False, True], ids=["symbols", "numbers"])


def recalled(agent: Agent, observation: Any) -> Any:
    assert isinstance(agent.policy, RetentionPolicy)
    return agent.policy.recall(observation)


def choices(agent: Agent, env: Arms, times: int = 20) -> set[int]:
    return {agent.act(env.shown) for _ in range(times)}


# -- sessions


def test_what_one_session_learned_the_next_one_acts_on_at_once(path: Path) -> None:
    with Agent.open(path, namespace="alice", seed=1) as agent:
        first = agent.run(Corridor(), episodes=20)
    with Agent.open(path, namespace="alice", seed=2) as agent:
        second = agent.run(Corridor(), episodes=5)
    assert first.lengths[0] > 5
    assert second.lengths.tolist() == [5] * 5
    assert [each.episode for each in second.episodes] == [21, 22, 23, 24, 25]
    assert [each.written for each in second.episodes] == [0] * 5


@SYMBOLS_AND_NUMBERS
def test_what_another_task_writes_leaves_the_swept_values_standing(
    path: Path, real: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = Arms(real=real)
    with Agent.open(path, namespace="alice", seed=1) as agent:
        balanced(agent, env)
        agent.run(Corridor(), episodes=2)
    changes: list[str] = []
    for name in ("learn", "settle_values"):
        monkeypatch.setattr(TransitionSlots, name, lambda self, *_, name=name: changes.append(name))
    with Agent.open(path, namespace="alice", frozen=True) as agent:
        agent.bind(env)
        assert changes == []


@SYMBOLS_AND_NUMBERS
@pytest.mark.parametrize("first", [RecallConfig(discount=0.5), RecallConfig(enabled=False)], ids=["discount", "blind"])
def test_values_of_other_settings_are_swept_anew(path: Path, real: bool, first: RecallConfig) -> None:
    env = Arms((1.0, 2.0), real=real)
    with Agent.open(path, namespace="alice", policy=RetentionPolicy(first), seed=1) as agent:
        balanced(agent, env)
    found = []
    for name in (path, path.with_name("other.db")):
        with Agent.open(name, namespace="alice", seed=1) as agent:
            if name != path:
                balanced(agent, env)
            agent.bind(env)
        with Agent.open(name, namespace="alice", frozen=True) as agent:
            agent.bind(env)
            found.append(recalled(agent, env.shown).values)
    assert found[0].argmax() == found[1].argmax() == 1
    assert found[0][1] > 1.5  # what the arm pays, and not the 0 of a slot that was never swept


def test_a_result_says_what_the_memory_holds(path: Path) -> None:
    heard: list[EpisodeResult] = []
    with Agent.open(path, namespace="alice", seed=1) as agent:
        history = agent.run(Corridor(), episodes=8, on_episode=heard.append)
        kept = agent.memory.episodes(namespace="alice", task=agent.task)
        assert heard == list(history.episodes)
        assert [(e.episode, e.episode_id, e.return_, e.length, e.gate, e.written) for e in heard] == [
            (k.number, k.episode_id, k.return_, k.length, k.gate.signed, k.written) for k in kept
        ]
        assert (
            agent.template_count
            == sum(each.written for each in heard)
            == len(agent.memory.templates(namespace="alice"))
        )


def test_an_episode_is_stored_before_it_is_told(path: Path) -> None:
    def stored(result: EpisodeResult) -> None:
        with EpisodicMemory.open(path, mode="ro") as memory:
            assert result.episode_id is not None
            assert memory.episode(result.episode_id, namespace="alice").number == result.episode

    with Agent.open(path, namespace="alice") as agent:
        agent.run(Arms(), episodes=3, on_episode=stored)


def test_a_memory_without_a_file_is_gone_at_the_end() -> None:
    for _ in range(2):
        with Agent.open(None, namespace="alice") as agent:
            assert agent.run(Arms(), episodes=1).episodes[0].episode == 1


def test_tasks_in_one_file_stay_apart(path: Path) -> None:
    left, right = Arms((1.0, 0.0)), Arms((0.0, 1.0))
    with Agent.open(path, namespace="alice", seed=1) as agent:
        for _ in range(2):  # and back again: an agent may change tasks as it likes
            agent.run(left, episodes=12, task="left")
            agent.run(right, episodes=12, task="right")
        assert agent.memory.tasks(namespace="alice") == ["left", "right"]
    assert left.chosen[-12:] == [0] * 12
    assert right.chosen[-12:] == [1] * 12


def test_a_run_within_a_run_is_refused_and_one_beside_it_is_not(path: Path) -> None:
    other = Arms((0.0, 1.0))

    def beside(result: EpisodeResult) -> None:
        with Agent.open(path, namespace="alice", frozen=True) as second:
            assert len(second.run(other, episodes=1, task="other")) == 1

    with Agent.open(path, namespace="alice") as agent:
        agent.run(Arms(), episodes=2, on_episode=beside)
        for within in (lambda _: agent.run(other, episodes=1, task="other"), lambda _: agent.bind(other)):
            with pytest.raises(ValueError, match="in the middle of a run"):
                agent.run(Arms(), episodes=2, on_episode=within)
        assert len(agent.run(other, episodes=2)) == 2


def test_going_back_to_a_task_changes_nothing_it_knew(path: Path) -> None:
    with Agent.open(path, namespace="alice", seed=1) as agent:
        agent.run(Corridor(), episodes=15, task="corridor")
        before = recalled(agent, np.int64(2)).values
        agent.run(Arms(), episodes=3, task="arms")
        agent.bind(Corridor(), task="corridor")
        np.testing.assert_allclose(recalled(agent, np.int64(2)).values, before, rtol=1e-4)


# -- act


def test_act_chooses_without_learning() -> None:
    env = Arms((0.0, 1.0, 0.0))
    with Agent.open(None, namespace="alice", seed=1) as agent:
        agent.run(env, episodes=20)
        before = recalled(agent, env.shown).values.tolist(), agent.template_count
        assert choices(agent, env) == {1}
        assert (recalled(agent, env.shown).values.tolist(), agent.template_count) == before


def test_act_in_the_middle_of_a_run_does_not_disturb_it(columns_of: Columns) -> None:
    def run(ask: bool) -> Any:
        with Agent.open(None, namespace="alice", seed=1) as agent:
            history = agent.run(
                Corridor(),
                episodes=10,
                on_episode=lambda _: agent.act(np.int64(3)) if ask else None,
            )
            rows, _ = agent.memory.transitions(namespace="alice", task=agent.task)
            return history.lengths.tolist(), columns_of(rows)

    assert run(ask=True) == run(ask=False)


def test_before_a_task_is_bound_there_is_nothing_to_act_on() -> None:
    with Agent.open(None, namespace="alice") as agent:
        for ask in (lambda: agent.act(0), lambda: agent.task, lambda: agent.template_count):
            with pytest.raises(ValueError, match=r"no task yet: call run\(env, ...\) or bind\(env\) first"):
                ask()
        assert agent.bind(Arms()) == "Arms"
        assert agent.act(np.int64(0)) in (0, 1)


# -- feedback


def balanced(agent: Agent, env: Arms, episodes: int = 24) -> list[list[str]]:
    """Play until both arms were tried, and return the episodes of each."""
    history = agent.run(env, episodes=episodes)
    of_arm: list[list[str]] = [[], []]
    for arm, each in zip(env.chosen[-episodes:], history.episodes, strict=True):
        assert each.episode_id is not None
        of_arm[arm].append(each.episode_id)
    assert all(of_arm), "both arms must have been tried; take another seed"
    return of_arm


@SYMBOLS_AND_NUMBERS
@pytest.mark.parametrize("arm", [0, 1])
def test_a_thumb_down_moves_the_choice_away_and_a_thumb_up_towards(arm: int, real: bool) -> None:
    env = Arms(real=real)
    with Agent.open(None, namespace="alice", seed=4) as agent:
        of_arm = balanced(agent, env)
        told = agent.feedback(of_arm[arm][0], rating=-1.0)
        assert told.applied
        assert told.gate.polarity == -1
        assert choices(agent, env) == {1 - arm}
        agent.run(env, episodes=6)
        assert env.chosen[-6:] == [1 - arm] * 6
    env = Arms(real=real)
    with Agent.open(None, namespace="alice", seed=4) as agent:
        of_arm = balanced(agent, env)
        assert agent.feedback(of_arm[arm][0], rating=1.0).gate.signed == 1.0
        assert choices(agent, env) == {arm}


@SYMBOLS_AND_NUMBERS
def test_late_reward_moves_the_choice_too(real: bool) -> None:
    env = Arms(real=real)
    with Agent.open(None, namespace="alice", seed=4) as agent:
        of_arm = balanced(agent, env)
        agent.feedback(of_arm[1][0], reward=100.0)
        assert choices(agent, env) == {1}


@SYMBOLS_AND_NUMBERS
@pytest.mark.parametrize("bound", [False, True])
def test_feedback_may_come_in_a_later_session(path: Path, bound: bool, real: bool) -> None:
    env = Arms(real=real)
    with Agent.open(path, namespace="alice", seed=4) as agent:
        of_arm = balanced(agent, env)
    with Agent.open(path, namespace="alice", seed=5) as agent:
        if bound:
            agent.bind(env)
        assert agent.feedback(of_arm[0][-1], rating=-1.0).applied
        agent.bind(env)
        assert choices(agent, env) == {1}
    with Agent.open(path, namespace="alice", seed=6, frozen=True) as agent:
        agent.bind(env)
        assert choices(agent, env) == {1}


@SYMBOLS_AND_NUMBERS
def test_feedback_acts_now_as_it_would_after_a_restart(path: Path, real: bool) -> None:
    env = Arms(real=real)
    with Agent.open(path, namespace="alice", seed=4) as agent:
        of_arm = balanced(agent, env)
        agent.feedback(of_arm[0][0], rating=-0.5)
        agent.feedback(of_arm[1][0], reward=3.0)
        agent.run(env, episodes=1)  # sweeps
        now = recalled(agent, env.shown)
    with Agent.open(path, namespace="alice", seed=4) as agent:
        agent.bind(env)
        later = recalled(agent, env.shown)
    np.testing.assert_allclose(later.values, now.values, rtol=1e-4)
    np.testing.assert_allclose(later.null_mass, now.null_mass, rtol=1e-4)


def test_the_same_feedback_twice_counts_once(path: Path) -> None:
    env = Arms()
    with Agent.open(path, namespace="alice", seed=4) as agent:
        of_arm = balanced(agent, env)
        first = agent.feedback(of_arm[0][0], rating=-1.0, feedback_id="click-1")
        value = recalled(agent, env.shown).values.tolist()
        again = agent.feedback(of_arm[0][0], rating=-1.0, feedback_id="click-1")
        assert (first.applied, again.applied) == (True, False)
        assert recalled(agent, env.shown).values.tolist() == value
        assert again.gate == first.gate
    with Agent.open(path, namespace="alice") as agent:
        assert not agent.feedback(of_arm[0][0], rating=-1.0, feedback_id="click-1").applied


def test_feedback_says_what_is_wrong_with_it() -> None:
    with Agent.open(None, namespace="alice", seed=4) as agent:
        (episode,) = agent.run(Arms(), episodes=1).episodes
        assert episode.episode_id is not None
        with pytest.raises(NotFoundError, match="has no episode 'nonsense'"):
            agent.feedback("nonsense", rating=1.0)
        with pytest.raises(ValueError, match="feedback needs a rating, a reward, or both"):
            agent.feedback(episode.episode_id)
        with pytest.raises(ValueError, match=r"rating must lie in \[-1, 1\], got 2.0"):
            agent.feedback(episode.episode_id, rating=2.0)


def test_feedback_of_a_frozen_agent_is_refused(path: Path) -> None:
    with Agent.open(path, namespace="alice") as agent:
        (episode,) = agent.run(Arms(), episodes=1).episodes
    with Agent.open(path, namespace="alice", frozen=True) as agent:
        assert episode.episode_id is not None
        with pytest.raises(MemoryWriteError, match="read-only"):
            agent.feedback(episode.episode_id, rating=1.0)


# -- several agents on one file


def test_agents_at_once_lose_nothing(path: Path) -> None:
    """Four agents in threads of their own, each with its own connection, on the same task."""
    results: dict[int, Any] = {}
    faults: list[BaseException] = []
    start = threading.Barrier(4)

    def work(seed: int) -> None:
        try:
            start.wait()
            with Agent.open(path, namespace="alice", seed=seed) as agent:
                results[seed] = agent.run(Signs(steps=4), episodes=25)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with EpisodicMemory.open(path, mode="ro") as memory:
        assert memory.verify() == []
        kept = memory.episodes(namespace="alice")
        told = [each.episode_id for history in results.values() for each in history.episodes]
        assert sorted(each.episode_id for each in kept) == sorted(told)
        assert len(kept) == 100
        rows, _ = memory.transitions(namespace="alice", task="Signs")
        assert int(rows.count.sum()) == 400
        written = sum(each.written for history in results.values() for each in history.episodes)
        assert len(rows) == written


def test_an_agent_hears_in_the_middle_of_its_run_what_another_found(path: Path) -> None:
    learner, listener = Agent.open(path, namespace="alice", seed=1), Agent.open(path, namespace="alice", seed=2)
    with learner, listener:

        def teach(result: EpisodeResult) -> None:
            if result.episode == 1:
                learner.run(Corridor(cells=10, limit=20), episodes=40)

        history = listener.run(Corridor(cells=10, limit=20), episodes=6, on_episode=teach)
    assert history.lengths[0] == 20  # by itself it would take long to arrive
    assert history.lengths[2:].tolist() == [9] * 4


@pytest.mark.parametrize("world", [lambda: Corridor(), lambda: Signs("box", steps=3)], ids=["symbols", "numbers"])
def test_agents_taking_turns_end_up_knowing_the_same(world: Callable[[], Any], path: Path, columns_of: Columns) -> None:
    one, other = Agent.open(path, namespace="alice", seed=1), Agent.open(path, namespace="alice", seed=2)
    with one, other:
        for _ in range(8):
            one.run(world(), episodes=1)
            other.run(world(), episodes=2)
        one.bind(world())  # hears of the last episodes
        probes = (
            [np.int64(cell) for cell in range(5)]
            if isinstance(world(), Corridor)
            else [np.array([x, y], np.float32) for x in (-1, 1) for y in (-1, 1)]
        )
        for probe in probes:
            np.testing.assert_allclose(recalled(one, probe).null_mass, recalled(other, probe).null_mass, rtol=1e-4)
        assert one.template_count == other.template_count
        rows, _ = one.memory.transitions(namespace="alice", task=one.task)
        kept = one.memory.episodes(namespace="alice")
        assert int(rows.count.sum()) == sum(each.length for each in kept)
        assert len(kept) == 24


def test_feedback_given_elsewhere_is_heard(path: Path) -> None:
    env = Arms()
    with Agent.open(path, namespace="alice", seed=4) as agent:
        of_arm = balanced(agent, env)
        with EpisodicMemory.open(path) as memory:
            memory.feedback(of_arm[0][0], namespace="alice", rating=-1.0)
        agent.bind(env)
        assert choices(agent, env) == {1}


class Meanwhile(Line):
    """A line on which something else happens before the first step."""

    def __init__(self, happens: Callable[[], Any], limit: int) -> None:
        super().__init__(stride=0.01, limit=limit)
        self._happens, self._begun = happens, False

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if not self._begun:
            self._begun = True
            self._happens()
        return super().step(action)


def test_agents_that_find_out_one_after_the_other_that_actions_must_be_held(path: Path) -> None:
    """The slow one throws the templates of single steps away while the quick one relies on better ones already."""
    slow, quick = Agent.open(path, namespace="alice", seed=1), Agent.open(path, namespace="alice", seed=2)
    short, long = Line(stride=0.01, limit=50), Line(stride=0.01, limit=110)
    good: set[int] = set()

    def quick_finds_out() -> None:
        quick.run(long, episodes=2)
        assert slow.policy.settings()["pace"]["hold"] is None
        rows, _ = quick.memory.transitions(namespace="alice", task=quick.task)
        moved = np.abs(rows.next_key - rows.key)[:, 0]
        good.update(int(each) for each in rows.id[moved > 0.015])

    with slow, quick:
        slow.run(short, episodes=1)
        quick.run(long, episodes=1)  # with what the slow one has seen
        slow.run(short, episodes=2)
        slow.run(Meanwhile(quick_finds_out, limit=110), episodes=1, task=slow.task)
        assert good
        assert all(each.policy.settings()["pace"]["hold"] > 1 for each in (slow, quick))
        for _ in range(4):
            slow.run(short, episodes=1)
            quick.run(long, episodes=1)
        assert slow.memory.verify() == []
        assert slow.memory.episode_count(namespace="alice", task=slow.task) == 15
        rows, _ = slow.memory.transitions(namespace="alice", task=slow.task)
        assert good <= set(rows.id.tolist())  # what the quick one had learned is still there


def test_an_agent_hears_from_another_one_that_actions_must_be_held(path: Path) -> None:
    slow, quick = Agent.open(path, namespace="alice", seed=1), Agent.open(path, namespace="alice", seed=2)
    with slow, quick:
        slow.run(Line(stride=0.01, limit=50), episodes=1)
        quick.run(Line(stride=0.01, limit=110), episodes=2)
        slow.bind(Line(stride=0.01, limit=50))
        assert slow.policy.settings()["pace"]["hold"] == quick.policy.settings()["pace"]["hold"] > 1
        assert set(slow.policy.values()[0].tolist()) == set(quick.policy.values()[0].tolist())


# -- namespaces


def test_namespaces_do_not_see_each_other(path: Path) -> None:
    env = Arms((0.0, 1.0, 0.0))
    with Agent.open(path, namespace="alice", seed=1) as agent:
        (episode, *_) = agent.run(env, episodes=15).episodes
    for stranger in ("Alice", "alic", "alice ", "bob"):
        with Agent.open(path, namespace=stranger, seed=1) as agent:
            agent.bind(env)
            assert agent.template_count == 0
            assert recalled(agent, env.shown).null_mass.tolist() == [1.0] * 3
            assert episode.episode_id is not None
            with pytest.raises(NotFoundError):
                agent.feedback(episode.episode_id, rating=-1.0)
    with Agent.open(path, namespace="bob", seed=1) as agent:
        assert agent.run(env, episodes=2).episodes[0].episode == 1
    with Agent.open(path, namespace="alice", seed=1) as agent:
        assert agent.run(env, episodes=1).episodes[0].episode == 16


@pytest.mark.parametrize("namespace", ["", "x" * 201])
def test_a_namespace_must_be_a_name(namespace: str) -> None:
    with pytest.raises(ValueError, match="namespace"), Agent.open(None, namespace=namespace) as agent:
        agent.run(Arms(), episodes=1)


# -- another environment under the same name


class Plain(Arms):
    """Arms with observations of one's own choice."""

    def __init__(self, space: spaces.Space[Any], arms: int) -> None:
        super().__init__((1.0,) * arms)
        self.observation_space = space

    @property
    def shown(self) -> Any:
        return self.observation_space.sample()


WIDE = spaces.MultiBinary(3)
ONE = spaces.Discrete(4)
NUMBER = spaces.Box(0.0, 1.0, (1,), np.float32)


@pytest.mark.parametrize(
    ("was", "arms_were", "now", "arms_are"),
    [(ONE, 4, WIDE, 4), (WIDE, 4, ONE, 4), (ONE, 6, ONE, 2), (ONE, 4, NUMBER, 4), (NUMBER, 4, ONE, 4)],
    ids=["wider", "narrower", "fewer actions", "numbers for symbols", "symbols for numbers"],
)
def test_another_environment_under_the_same_name_is_refused(
    was: Any, arms_were: int, now: Any, arms_are: int, path: Path
) -> None:
    with Agent.open(path, namespace="alice", seed=1) as agent:
        agent.run(Plain(was, arms_were), episodes=20, task="toy")
    with Agent.open(path, namespace="alice", seed=1) as agent:
        with pytest.raises(UnsupportedSpaceError, match="namespace") as raised:
            agent.run(Plain(now, arms_are), episodes=1, task="toy")
        assert "\n" not in str(raised.value)
        assert len(agent.run(Plain(was, arms_were), episodes=1, task="toy")) == 1  # the right one still works
        assert agent.memory.episode_count(namespace="alice", task="toy") == 21


# -- the gate


def only_successes() -> FeedbackGate:
    return FeedbackGate(GateConfig(admit="success"))


@SYMBOLS_AND_NUMBERS
def test_failures_that_the_gate_refuses_leave_nothing(real: bool, path: Path) -> None:
    env = Arms((0.0, 0.0, 1.0, 0.0), success_from=1.0, real=real)
    with Agent.open(path, namespace="alice", seed=2, gate=only_successes()) as agent:
        history = agent.run(env, episodes=40)
        failed = [each for each in history.episodes if each.return_ == 0.0]
        assert failed
        assert all(each.gate < 0 and each.written == 0 for each in failed)
        rows, _ = agent.memory.transitions(namespace="alice", task=agent.task)
        assert set(rows.action.tolist()) == {2}
        assert int(rows.count.sum()) == 40 - len(failed)
        mass = recalled(agent, env.shown).null_mass
        assert mass[[0, 1, 3]].tolist() == [1.0] * 3  # acting does not know them either
        assert mass[2] < 0.1
        assert agent.memory.episode_count(namespace="alice", task=agent.task) == 40


def test_failures_that_the_gate_admits_are_evidence_against() -> None:
    env = Arms((0.0, 0.0, 1.0, 0.0), success_from=1.0)
    with Agent.open(None, namespace="alice", seed=2) as agent:
        agent.run(env, episodes=40)
        assert recalled(agent, env.shown).null_mass.max() < 1.0
        assert env.chosen[-20:] == [2] * 20


def test_a_thumb_down_takes_back_what_the_gate_had_admitted(path: Path) -> None:
    """Admitting successes alone, what a user calls a failure is quarantined; acting must forget it too."""
    env = Arms((1.0, 1.0), success_from=1.0)
    with Agent.open(path, namespace="alice", seed=2, gate=only_successes()) as agent:
        (episode,) = agent.run(env, episodes=1).episodes
        arm = env.chosen[0]
        assert recalled(agent, env.shown).null_mass[arm] < 1.0
        assert episode.episode_id is not None
        agent.feedback(episode.episode_id, rating=-1.0)
        assert agent.template_count == 0
        assert recalled(agent, env.shown).null_mass.tolist() == [1.0, 1.0]
    with Agent.open(path, namespace="alice", seed=2, gate=only_successes()) as agent:
        agent.bind(env)
        assert recalled(agent, env.shown).null_mass.tolist() == [1.0, 1.0]


# -- opening


def test_opening_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such file"):
        Agent.open(tmp_path / "absent.db", namespace="alice", frozen=True)
    with pytest.raises(HoldfastError, match="does not exist"):
        Agent.open(tmp_path / "absent" / "memory.db", namespace="alice")


def test_after_closing_the_file_can_be_moved(path: Path, tmp_path: Path) -> None:
    with Agent.open(path, namespace="alice", policy=IdlePolicy()) as agent:
        agent.run(Arms(), episodes=3)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    moved = path.rename(tmp_path / "moved.db")
    with Agent.open(moved, namespace="alice", policy=IdlePolicy()) as agent:
        assert agent.run(Arms(), episodes=1).episodes[0].episode == 4
