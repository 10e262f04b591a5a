"""The five calls without a framework: what they return, and what they say of arguments that are wrong."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from word_encoder import by_words

from retention import (
    Caller,
    HoldfastError,
    MemoryTools,
    MemoryWriteError,
    NotFoundError,
    TemplateDraft,
    ToolConfig,
    quoted,
)

Keep = Callable[..., int]


def test_each_call_returns_what_the_page_says_and_json_can_hold(tools: MemoryTools, keep: Keep) -> None:
    kept = keep("The ward opens at nine", kind="lesson")
    run = tools.begin(namespace="alice", task="support", user="ann")
    found = tools.recall(run, "when does the ward open?")
    assert set(found) == {"recall_id", "run_id", "abstained", "items"}
    (item,) = found["items"]
    fields = "id content kind score relevance utility utility_sd uses source trust age_s flags"
    assert set(item) == set(fields.split())
    assert (item["id"], item["content"], item["kind"], item["source"]) == (
        kept, "The ward opens at nine", "lesson", "agent",
    )  # fmt: skip
    noted = tools.note(run, "The ward opens at ten", ttl_days=0.5)
    assert set(noted) == {"id", "status", "reason", "similar_ids"}
    assert noted["similar_ids"] == [kept]
    assert tools.memory.get(noted["id"], namespace="alice").expires is not None
    told = tools.feedback(
        run, found["recall_id"], "up", items={str(kept): "helped"}, reason="it was right", feedback_id="f"
    )
    assert (told["applied"], told["feedback_id"]) == (True, "f")
    (changed,) = told["changed"]
    assert changed["id"] == kept
    assert changed["utility"] != changed["before"]
    again = tools.feedback(run, found["recall_id"], "down", items={str(kept): "harmed"}, feedback_id="f")
    assert again == {"applied": False, "feedback_id": "f", "changed": []}
    said = tools.outcome(run.run_id or "", namespace="alice", reward=1.0, feedback_id="o", reason="fine")
    assert set(said) == {"applied", "feedback_id", "run_id", "episode_id", "gate"}
    why = tools.explain(run, kept)
    assert {"status", "reason", "provenance", "outcomes", "utility_curve", "trust", "flags"} <= set(why)
    assert why["utility_curve"][-1] == pytest.approx(why["utility"])
    assert [each["recall_id"] for each in why["outcomes"]][-1] == found["recall_id"]
    gone = tools.forget(run, [kept, str(noted["id"]), 99], confirm=True)
    assert gone == {"deleted": 2, "verified": True}
    for result in (found, noted, told, said, why, gone):
        assert json.loads(json.dumps(result)) == result


def test_a_harmful_item_loses_and_an_unused_one_is_left_alone(tools: MemoryTools, keep: Keep) -> None:
    one, other, third = keep("The ward opens at nine"), keep("The ward opens at ten"), keep("The ward shuts at six")
    run = tools.begin(namespace="alice")
    found = tools.recall(run, "when does the ward open, when does the ward shut?")
    assert {item["id"] for item in found["items"]} == {one, other, third}
    before = {number: tools.memory.get(number, namespace="alice") for number in (one, other, third)}
    tools.feedback(run, found["recall_id"], reward=0.5, items={one: "helped", other: "harmed", third: "unused"})
    after = {number: tools.memory.get(number, namespace="alice") for number in (one, other, third)}
    moved = {number: after[number].utility - before[number].utility for number in after}
    assert moved[other] < moved[one]
    assert (moved[third], after[third].uses) == (0, before[third].uses)


@pytest.mark.parametrize(
    ("call", "given", "line"),
    [
        ("recall", {"query": ""}, "query must say something"),
        ("recall", {"query": "x" * 4001}, "query must have at most 4000 characters, got 4001"),
        ("recall", {"query": 7}, "query must be a text, got int"),
        ("recall", {"query": "\ud800"}, "query must be text that UTF-8 can hold"),
        ("recall", {"query": "x", "k": 0}, "k must lie in 1 to 20, got 0"),
        ("recall", {"query": "x", "k": True}, "k must be a whole number, got True"),
        ("recall", {"query": "x", "k": 2.5}, "k must be a whole number, got 2.5"),
        ("recall", {"query": "x", "max_tokens": 0}, "max_tokens must lie in 1 to 8000, got 0"),
        ("recall", {"query": "x", "kinds": "fact"}, "kinds must be a list of names, got 'fact'"),
        ("recall", {"query": "x", "kinds": ["transition"]}, "kinds must name texts"),
        ("note", {"content": "x" * 8001}, "content must have at most 8000 characters, got 8001"),
        ("note", {"content": " \n"}, "content must say something"),
        (
            "note",
            {"content": "x", "kind": "transition"},
            "kind must be one of fact, lesson, template, got 'transition'",
        ),
        ("note", {"content": "x", "source": "system"}, "source must be one of user, agent, tool, web, got 'system'"),
        ("note", {"content": "x", "ttl_days": 0}, "ttl_days must be above 0, got 0"),
        ("note", {"content": "x", "ttl_days": math.inf}, "ttl_days must lie in 0 to 3650, got inf"),
        ("note", {"content": "x", "ttl_days": 10**400}, "ttl_days must lie in 0 to 3650, got 10"),
        ("note", {"content": "x", "ttl_days": "1"}, "ttl_days must be a number, got '1'"),
        ("feedback", {"recall_id": "x"}, "give either rating .'up' or 'down'. or reward"),
        ("feedback", {"recall_id": "x", "rating": "up", "reward": 1}, "give either rating"),
        ("feedback", {"recall_id": "x", "rating": "good"}, "rating must be 'up' or 'down', got 'good'"),
        ("feedback", {"recall_id": "x", "reward": math.nan}, "reward must lie in -1 to 1, got nan"),
        ("feedback", {"recall_id": "x", "reward": 10**400}, "reward must lie in -1 to 1, got 10"),
        (
            "feedback",
            {"recall_id": "x", "rating": "up", "items": [1]},
            "items must map ids to helped, harmed or unused",
        ),
        ("feedback", {"recall_id": "x", "rating": "up", "items": {"1": "bad"}}, "items must be helped, harmed, unused"),
        ("feedback", {"recall_id": "x", "rating": "up", "items": {"one": "helped"}}, "id must be a whole number"),
        ("feedback", {"recall_id": "x", "rating": "up"}, "namespace 'alice' has no receipt 'x'"),
        ("feedback", {"recall_id": "x", "rating": "up", "feedback_id": "AKIAIOSFODNN7EXAMPLE"}, "looks like a secret"),
        ("forget", {"ids": []}, "ids must be 1 to 20, got 0"),
        ("forget", {"ids": list(range(1, 22))}, "ids must be 1 to 20, got 21"),
        ("forget", {"ids": 1, "confirm": True}, "ids must be a list of ids, got 1"),
        ("forget", {"ids": [1]}, "nothing was deleted: say confirm=true"),
        ("forget", {"ids": [1], "confirm": 1}, "nothing was deleted: say confirm=true"),
        ("forget", {"ids": [-1], "confirm": True}, "id must lie in 1 to"),
        ("explain", {"id": 1}, "namespace 'alice' has no template 1"),
        ("explain", {"id": "one"}, "id must be a whole number, got 'one'"),
    ],
)
def test_wrong_arguments_are_told_in_one_line_and_change_nothing(
    call: str, given: dict[str, Any], line: str, tools: MemoryTools, caller: Caller
) -> None:
    with pytest.raises((HoldfastError, TypeError, ValueError), match=line) as caught:
        getattr(tools, call)(caller, **given)
    assert "\n" not in str(caught.value)
    assert tools.memory.templates(namespace="alice") == []


def test_an_item_that_was_not_recalled_is_refused_before_anything_is_kept(tools: MemoryTools, keep: Keep) -> None:
    kept = keep("The ward opens at nine")
    run = tools.begin(namespace="alice")
    found = tools.recall(run, "when does the ward open?")
    with pytest.raises(ValueError, match=rf"items \[99\] were not recalled there; recalled were \[{kept}\]"):
        tools.feedback(run, found["recall_id"], "up", items={99: "helped"}, feedback_id="f")
    assert tools.feedback(run, found["recall_id"], "up", feedback_id="f")["applied"]


def test_who_calls_is_fixed_and_checked(tools: MemoryTools) -> None:
    caller = tools.begin(namespace="alice", task="support", user="ann", highest_source="agent")
    with pytest.raises(FrozenInstanceError):
        caller.namespace = "bob"  # type: ignore[misc]  # what is refused
    assert tools.begin(namespace="alice", task="support", user="ann", run_id=caller.run_id).run_id == caller.run_id
    for wrong, line in (
        ({"highest_source": "god"}, "highest_source must be one of user, agent, tool, web, got 'god'"),
        ({"user": ""}, "user must have 1 to 200 characters"),
        ({"task": ""}, "task must have 1 to 4000 characters"),
    ):
        with pytest.raises(ValueError, match=line):
            tools.begin(**({"namespace": "alice"} | wrong))  # what is refused
    with pytest.raises(ValueError, match="a note needs a run, whose outcome decides on it"):
        tools.note(Caller(namespace="alice"), "x")
    with pytest.raises(ValueError, match="what an agent has read needs a run"):
        tools.saw(Caller(namespace="alice"), "web")


def test_a_run_that_is_not_there_is_told_whether_or_not_something_is_found(tools: MemoryTools, keep: Keep) -> None:
    keep("The ward opens at nine")
    lost = Caller(namespace="alice", run_id="lost")
    for query in ("when does the ward open?", "zebra quilt"):
        with pytest.raises(NotFoundError, match="namespace 'alice' has no run 'lost'"):
            tools.recall(lost, query)


def test_settings_are_checked() -> None:
    for wrong, line in (
        ({"on_secret": "keep"}, "on_secret must be 'reject' or 'redact', got 'keep'"),
        ({"untrusted": frozenset({"net"})}, r"untrusted must be among user, agent, tool, web, got \['net'\]"),
        ({"flagged_needs": 0}, "flagged_needs must be at least 1, got 0"),
    ):
        with pytest.raises(ValueError, match=line):
            ToolConfig(**wrong)  # what is refused


def test_an_outcome_needs_something_that_is_said(tools: MemoryTools, keep: Keep) -> None:
    keep("The ward opens at nine")
    found = tools.recall(Caller(namespace="alice"), "when does the ward open?")
    with pytest.raises(ValueError, match="feedback needs a rating, a reward, or both"):
        tools.outcome(found["recall_id"], namespace="alice")
    with pytest.raises(ValueError, match="success is said of a run"):
        tools.outcome(found["recall_id"], namespace="alice", success=True)
    with pytest.raises(ValueError, match=r"rating must lie in \[-1, 1\], got 2"):
        tools.outcome(found["recall_id"], namespace="alice", rating=2.0)
    with pytest.raises(ValueError, match="reward must be a number that a float can hold, got 1000"):
        tools.outcome(found["recall_id"], namespace="alice", reward=10**400)
    done = tools.outcome(found["recall_id"], namespace="alice", rating="up", reason="a key: AKIAIOSFODNN7EXAMPLE")
    assert (done["applied"], done["run_id"], done["episode_id"]) == (True, None, None)


def test_kinds_and_budget_choose(tools: MemoryTools, keep: Keep) -> None:
    fact, lesson = keep("The ward opens at nine"), keep("Ask at the desk when the ward opens", kind="lesson")
    asked = Caller(namespace="alice")

    def ids(**how: Any) -> list[int]:
        return [item["id"] for item in tools.recall(asked, "when does the ward open?", **how)["items"]]

    assert set(ids()) == {fact, lesson}
    assert ids(kinds=["lesson"]) == [lesson]
    assert len(ids(k=1)) == 1
    assert len(ids(max_tokens=10)) == 1


def test_a_memory_that_is_read_only_recalls_and_explains(path: Path, tools: MemoryTools, keep: Keep) -> None:
    kept = keep("The ward opens at nine")
    tools.close()
    with MemoryTools.open(path, mode="ro", encoder=by_words) as reading:
        asked = Caller(namespace="alice")
        found = reading.recall(asked, "when does the ward open?")
        assert ([item["id"] for item in found["items"]], found["recall_id"]) == ([kept], None)
        assert reading.explain(asked, kept)["status"] == "active"
        for call in (lambda: reading.begin(namespace="alice"), lambda: reading.forget(asked, [kept], confirm=True)):
            with pytest.raises(MemoryWriteError, match="open read-only"):
                call()


def test_the_command_rates_and_shows_a_run(path: Path, clean_environment: dict[str, str]) -> None:
    with MemoryTools.open(path, encoder=by_words) as tools:
        run = tools.begin(namespace="alice", user="ann")
        noted = tools.note(run, "The ward opens at nine")["id"]

    def holdfast(*words: str) -> str:
        done = subprocess.run(["holdfast", *words], capture_output=True, text=True, env=clean_environment, check=True)
        return done.stdout

    assert "the gate is now +1.00" in holdfast("feedback", str(path), str(run.run_id), "up")
    assert json.loads(holdfast("memory", "show", str(path), str(run.run_id), "--json"))["user"] == "ann"
    with MemoryTools.open(path, encoder=by_words) as tools:
        assert tools.explain(run, noted)["status"] == "active"


def test_without_langchain_the_middleware_says_what_to_install(clean_environment: dict[str, str]) -> None:
    script = """
import sys
sys.modules["langchain"] = None
from retention import MemoryTools, MissingExtraError
try:
    from retention import MemoryMiddleware
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=clean_environment, check=True
    )
    assert done.stdout == (
        "MemoryMiddleware needs an optional part that is not installed: pip install 'holdfast[tools]'\n"
    )


@given(st.lists(st.text(min_size=1), min_size=1, max_size=5), st.text(alphabet="0123456789abcdef", min_size=1))
def test_a_block_has_a_line_for_each_item_whatever_it_says(texts: list[str], nonce: str) -> None:
    items = [
        {"id": i, "kind": "fact", "source": "web", "trust": "untrusted", "utility": 0.0, "flags": [], "content": text}
        for i, text in enumerate(texts)
    ]
    block = quoted({"abstained": False, "recall_id": "r", "items": items}, nonce=nonce)
    first, told, *lines, last = block.split("\n")
    assert (first, last) == (f'<recalled-{nonce} recall_id="r">', f"</recalled-{nonce}>")
    assert [json.loads(line.split("] ", 1)[1]) for line in lines] == texts
    assert "data" in told


def test_what_others_wrote_in_any_way_is_shown_clean(tools: MemoryTools) -> None:
    tools.memory.write([TemplateDraft(content="The ward\x1b[31m opens\u200b at nine\u2028")], namespace="alice")
    (item,) = tools.recall(Caller(namespace="alice"), "when does the ward open?")["items"]
    assert item["content"] == "The ward[31m opens at nine"
    assert item["flags"] == ["a text with hidden characters"]
