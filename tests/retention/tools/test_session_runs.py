"""Which run a call belongs to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from retention import MemoryTools, NotFoundError
from retention.tools.session_runs import SessionRuns


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runs(tools: MemoryTools, clock: Clock) -> SessionRuns:
    return SessionRuns(
        tools, namespace="alice", task="support", user="ann", highest_source="tool", idle_s=60, clock=clock
    )


def test_a_session_is_one_run_of_who_is_served(runs: SessionRuns, tools: MemoryTools) -> None:
    first = runs.caller(None)
    assert (first.namespace, first.task, first.user, first.highest_source) == ("alice", "support", "ann", "tool")
    assert runs.caller(None) == first
    run = tools.memory.run(str(first.run_id), namespace="alice")
    assert (run.task, run.user, run.episode_id) == ("support", "ann", None)


def test_another_session_is_another_run(runs: SessionRuns) -> None:
    assert len({runs.caller(session).run_id for session in (None, "a", "b", "a", "b", None)}) == 3


def test_the_outcome_ends_a_run(runs: SessionRuns, tools: MemoryTools) -> None:
    first, other = runs.caller("a"), runs.caller("b")
    tools.outcome(str(first.run_id), namespace="alice", rating="up")
    second = runs.caller("a")
    assert second.run_id != first.run_id
    assert runs.caller("a") == second
    assert runs.caller("b") == other


def test_a_session_that_did_nothing_for_long_begins_another_run(runs: SessionRuns, clock: Clock) -> None:
    first = runs.caller(None)
    for clock.now in (59.0, 118.0, 177.0):
        assert runs.caller(None) == first
    clock.now = 237.0
    assert runs.caller(None) != first
    assert len(runs._current) == 1


def test_sessions_that_are_gone_are_not_kept(runs: SessionRuns, clock: Clock) -> None:
    for clock.now in range(200):
        runs.caller(f"session {clock.now}")
    assert len(runs._current) == 60


def test_an_application_names_a_run_itself(runs: SessionRuns, tools: MemoryTools) -> None:
    own = runs.caller(None)
    assert runs.caller(None, "ticket 7").run_id == "ticket 7"
    tools.outcome("ticket 7", namespace="alice", rating="up")
    assert runs.caller(None, "ticket 7").run_id == "ticket 7"
    assert runs.caller(None) == own


def test_a_run_of_another_namespace_or_user_cannot_be_named(runs: SessionRuns, tools: MemoryTools) -> None:
    tools.begin(namespace="bob", task="support", user="ann", run_id="bob's")
    with pytest.raises(NotFoundError):
        runs.caller(None, "bob's")
    tools.begin(namespace="alice", task="support", user="someone else", run_id="theirs")
    with pytest.raises(ValueError, match="someone else"):
        runs.caller(None, "theirs")
    with pytest.raises(ValueError, match="run_id"):
        runs.caller(None, "")


def test_a_run_that_went_with_its_namespace_is_over(runs: SessionRuns, tools: MemoryTools) -> None:
    first = runs.caller(None)
    tools.memory.forget_namespace("alice")
    assert runs.caller(None).run_id != first.run_id


def test_calls_at_once_begin_one_run(runs: SessionRuns) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: runs.caller("a").run_id, range(40)))
    assert len(set(found)) == 1
