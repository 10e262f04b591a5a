"""What an agent says of itself counts for little, as a rating or as a reward, by whatever way it comes in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention import EpisodeDraft, EpisodicMemory, MemoryTools, TemplateDraft, Transitions
from retention.memory.credit import LIMIT, PRIOR_WEIGHT, SELF_RATING_LIMIT
from retention.memory.episodes import AGENT
from retention.memory.hearing import Heard, gained_by_answer, heard

Draft = Callable[..., EpisodeDraft]

MOST = SELF_RATING_LIMIT / (1 + PRIOR_WEIGHT)
KEY = np.array([1.0, 0.0])


class Way(NamedTuple):
    """A way in: what says something of one and the same outcome, and who hears it."""

    memory: EpisodicMemory
    say: Callable[..., Any]

    @property
    def utility(self) -> float:
        return self.memory.get(1, namespace="alice").utility

    @property
    def gates(self) -> list[float]:
        return [episode.gate.signed for episode in self.memory.episodes(namespace="alice")]


def recalled(memory: EpisodicMemory, **more: Any) -> str:
    found = memory.recall(KEY, namespace="alice", task="t", k=1, **more).receipt_id
    assert found is not None
    return found


def of_an_episode(memory: EpisodicMemory, draft: Draft) -> Callable[..., Any]:
    done = memory.commit_episode(draft(1.0, task="t"), recalled={1: 1.0})
    return lambda **said: memory.feedback(done.episode_id, namespace="alice", **said)


def of_an_answer(memory: EpisodicMemory, draft: Draft) -> Callable[..., Any]:
    for reward in (0.0, 2.0):
        other = memory.recall(KEY[::-1].copy(), namespace="alice", task="t", k=1).receipt_id
        memory.update_outcome(str(other), namespace="alice", reward=reward)
    receipt = recalled(memory)
    return lambda **said: memory.update_outcome(receipt, namespace="alice", **said)


def of_the_receipt_of_an_episode(memory: EpisodicMemory, draft: Draft) -> Callable[..., Any]:
    done = memory.commit_episode(draft(1.0, task="t"))
    receipt = recalled(memory, episode_id=done.episode_id)
    return lambda **said: memory.update_outcome(receipt, namespace="alice", **said)


def of_a_run(memory: EpisodicMemory, draft: Draft) -> Callable[..., Any]:
    run = memory.begin_run(namespace="alice", task="t").run_id
    recalled(memory, run_id=run)
    memory.run_outcome(run, namespace="alice", reward=1.0)
    return lambda **said: memory.run_outcome(run, namespace="alice", **said)


def of_the_receipt_of_a_run(memory: EpisodicMemory, draft: Draft) -> Callable[..., Any]:
    run = memory.begin_run(namespace="alice", task="t").run_id
    receipt = recalled(memory, run_id=run)
    return lambda **said: memory.update_outcome(receipt, namespace="alice", **said)


@pytest.fixture(
    params=[of_an_episode, of_an_answer, of_the_receipt_of_an_episode, of_a_run, of_the_receipt_of_a_run],
    ids=lambda way: way.__name__,
)
def way(request: pytest.FixtureRequest, draft: Draft, steps: Callable[..., Transitions]) -> Any:
    """Something that a task of four earlier outcomes around 1 was recalled for."""
    with EpisodicMemory.open(None) as memory:
        notes = [TemplateDraft(content=text, key=key, task="t") for text, key in (("one", KEY), ("two", KEY[::-1]))]
        memory.write(notes, namespace="alice")
        for return_ in (0.0, 2.0, 0.0, 2.0):
            memory.commit_episode(draft(return_, task="t"), steps(1))
        yield Way(memory, request.param(memory, draft))
        assert memory.verify() == []


@pytest.mark.parametrize("said", [{"reward": 1e9}, {"reward": -1e9}, {"rating": 1.0}, {"reward": 50.0, "rating": -1.0}])
def test_an_agent_moves_a_credit_by_a_fifth_of_a_spread_at_most_and_no_gate(way: Way, said: dict[str, float]) -> None:
    before, gates = way.utility, way.gates
    rewards = way.memory.transitions(namespace="alice", task="t")[0].reward.tolist()
    way.say(source=AGENT, **said)
    moved = way.utility - before
    assert moved == pytest.approx(MOST if said.get("rating", said.get("reward", 0)) > 0 else -MOST)
    for number in range(20):
        way.say(source=AGENT, feedback_id=f"again {number}", **said)
    assert way.utility - before == pytest.approx(moved)
    assert way.gates == gates
    assert way.memory.transitions(namespace="alice", task="t")[0].reward.tolist() == rewards
    assert all(episode.late_reward == 0 for episode in way.memory.episodes(namespace="alice"))


def test_a_reward_of_an_agent_is_heard_as_a_rating(way: Way) -> None:
    """As the tool of the language model has it: a small one counts for what it is."""
    before = way.utility
    way.say(source=AGENT, reward=0.1)
    assert way.utility - before == pytest.approx(0.1 / (1 + PRIOR_WEIGHT))


def test_a_reward_of_the_application_counts_in_full(way: Way) -> None:
    before = way.utility
    way.say(source=AGENT, reward=-1e9)
    way.say(source="application", reward=1e3)
    assert way.utility - before > 5 * MOST
    way.say(source="application", rating=-1.0)
    assert way.utility < -3 * MOST


def test_what_an_agent_says_is_no_outcome_that_later_answers_are_compared_with() -> None:
    with EpisodicMemory.open(None) as memory:
        memory.write([TemplateDraft(content="a note", key=KEY, task="t")], namespace="alice")
        for number in range(5):
            memory.update_outcome(recalled(memory), namespace="alice", reward=1e6 + number, source=AGENT)
        last = recalled(memory)
        memory.update_outcome(last, namespace="alice", reward=1.0)
        found = memory.receipt(last, namespace="alice")
        assert (found.outcome, found.advantage) == (1.0, None)


def test_a_verdict_of_an_agent_is_bounded_where_it_is_kept() -> None:
    with EpisodicMemory.open(None) as memory:
        memory.write([TemplateDraft(content="a note", key=KEY, task="t")], namespace="alice")
        receipt = recalled(memory)
        memory.update_outcome(receipt, namespace="alice", rating=0.5)
        memory.judge(receipt, {1: LIMIT}, namespace="alice", source=AGENT)
        assert memory.receipt(receipt, namespace="alice").credits == {1: pytest.approx(0.5 + SELF_RATING_LIMIT)}
        memory.judge(receipt, {1: -LIMIT}, namespace="alice")
        assert memory.receipt(receipt, namespace="alice").credits == {1: pytest.approx(0.5 - LIMIT)}


def test_the_tool_of_the_model_and_the_plain_call_agree() -> None:
    moved = []
    for by_tool in (True, False):
        with EpisodicMemory.open(None) as memory, MemoryTools(memory) as tools:
            memory.write([TemplateDraft(content="a note", key=KEY, task="t")], namespace="alice")
            caller, receipt = tools.begin(namespace="alice"), recalled(memory)
            if by_tool:
                tools.feedback(caller, receipt, reward=-0.7)
            else:
                memory.update_outcome(receipt, namespace="alice", reward=-0.7, source=AGENT)
            moved.append(memory.get(1, namespace="alice").utility)
    assert moved == [pytest.approx(-MOST)] * 2


said_by = st.tuples(
    st.sampled_from([AGENT, "user", "nurse"]), st.none() | st.floats(-1e6, 1e6), st.none() | st.floats(-1, 1)
)


@settings(deadline=None)
@given(st.lists(said_by, max_size=8), st.lists(st.floats(-10, 10), max_size=5))
def test_who_speaks_besides_moves_by_a_fifth_at_most(told: list[Any], earlier: list[float]) -> None:
    """However many voices there are: with the agent's taken away the rest stays the same."""
    with_it, without = heard(told), heard([each for each in told if each[0] != AGENT])
    assert with_it._replace(self_rating=None) == without
    one, other = gained_by_answer(with_it, earlier), gained_by_answer(without, earlier)
    assert abs((one or 0.0) - (other or 0.0)) <= SELF_RATING_LIMIT + 1e-12


def test_each_source_has_one_voice() -> None:
    told = [("ann", 2.0, 1.0), ("ann", 1.0, 0.5), ("bob", None, -1.0), (AGENT, 0.4, None), (AGENT, 9.0, -0.4)]
    assert heard(told) == Heard(reward=3.0, rating=-0.125, self_rating=0.0)
    assert heard([]) == Heard(None, None, None)
    assert (heard(told).outcome, heard([(AGENT, 1.0, 1.0)]).outcome) == (2.875, None)
