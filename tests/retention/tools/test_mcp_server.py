"""The memory as an MCP server, to a client in the same process.

The tests hold under both majors of the SDK and use the one that is installed. To see the other one:

    python3 -m venv other && other/bin/pip install -c <(grep -v ^mcp= constraints.txt) -e '.[dev]' 'mcp<2'
    other/bin/pytest tests/retention/tools
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp_clients import MAJOR, called, connected

from retention import Caller, MemoryTools
from retention.tools.mcp_server import READ_ONLY, mcp_server
from retention.tools.results import RESULTS

NAMES = ["memory_recall", "memory_note", "memory_feedback", "memory_forget", "memory_explain"]


@pytest.fixture
def server(tools: MemoryTools) -> Any:
    return mcp_server(tools, namespace="alice", task="support", user="ann")


async def listed(server: Any) -> dict[str, dict[str, Any]]:
    async with connected(server) as client:
        found = (await client.list_tools()).model_dump(by_alias=True)["tools"]
    return {tool["name"]: tool for tool in found}


# -- what is offered


async def test_each_tool_says_what_it_takes_and_returns(server: Any) -> None:
    found = await listed(server)
    assert list(found) == NAMES
    for name, tool in found.items():
        assert tool["title"], name
        assert tool["description"], name
        assert tool["inputSchema"]["additionalProperties"] is False, name
        assert not {"namespace", "user", "run_id", "runtime", "caller"} & set(tool["inputSchema"]["properties"]), name
        assert tool["outputSchema"]["required"] == list(RESULTS[name].model_fields), name
    assert found["memory_recall"]["inputSchema"]["properties"]["k"]["maximum"] == 20


async def test_each_tool_says_what_it_does_to_the_world(server: Any) -> None:
    hints = {name: tool["annotations"] for name, tool in (await listed(server)).items()}
    kinds = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
    assert {name: [hint[kind] for kind in kinds] for name, hint in hints.items()} == {
        "memory_recall": [True, False, True, False],
        "memory_note": [False, False, False, False],
        "memory_feedback": [False, False, True, False],
        "memory_forget": [False, True, True, False],
        "memory_explain": [True, False, True, False],
    }


async def test_the_server_says_who_it_is(server: Any) -> None:
    if MAJOR >= 2:
        async with connected(server) as client:
            told, instructions = client.server_info, client.instructions
    else:
        from mcp.shared.memory import create_connected_server_and_client_session

        async with create_connected_server_and_client_session(server) as client:
            done = await client.initialize()
            told, instructions = done.serverInfo, done.instructions
    assert (told.name, told.version) == ("holdfast", version("holdfast"))
    assert "memory_note" in instructions


async def test_reading_alone_offers_two_tools_and_writes_nothing(
    path: Path, tools: MemoryTools, keep: Callable[..., int]
) -> None:
    from word_encoder import by_words

    number = keep("Tom is allergic to peanuts")
    tools.close()
    before = path.read_bytes()
    with MemoryTools.open(path, mode="ro", encoder=by_words) as reader:
        server = mcp_server(reader, namespace="alice", read_only=True)
        assert list(await listed(server)) == list(READ_ONLY)
        async with connected(server) as client:
            found = await called(client, "memory_recall", query="who is allergic to peanuts?")
            assert ([item["id"] for item in found["items"]], found["run_id"]) == ([number], None)
            assert (await called(client, "memory_explain", id=number))["status"] == "active"
            assert "error" in await called(client, "memory_note", content="Ann likes tea")
            prompt = await client.get_prompt("recall_act_report", {"task": "cook"})
            assert "memory_note" not in prompt.model_dump_json()
    assert path.read_bytes() == before


# -- a run


async def test_a_note_waits_for_the_outcome_and_is_then_recalled(server: Any, tools: MemoryTools) -> None:
    async with connected(server) as client:
        noted = await called(client, "memory_note", content="Tom is allergic to peanuts", source="user")
        assert noted["status"] == "pending"
        assert f"how run {noted['run_id']} went" in noted["text"]
        first = await called(client, "memory_recall", query="who is allergic to peanuts?")
        assert (first["abstained"], first["run_id"]) == (True, noted["run_id"])

        tools.outcome(noted["run_id"], namespace="alice", rating="up")
        found = await called(client, "memory_recall", query="who is allergic to peanuts?")
        assert found["run_id"] != noted["run_id"], "a run is over once its outcome is known"
        (item,) = found["items"]
        assert (item["id"], item["content"], item["source"]) == (noted["id"], "Tom is allergic to peanuts", "user")
        opening, *_, closing, run = found["text"].splitlines()
        assert opening.startswith("<recalled-") and f'recall_id="{found["recall_id"]}"' in opening
        assert closing == f"</{opening[1:].split()[0]}>"
        assert run == f"run_id: {found['run_id']}"

        rated = await called(
            client, "memory_feedback", recall_id=found["recall_id"], rating="up", items={str(item["id"]): "helped"}
        )
        assert rated["applied"]
        explained = await called(client, "memory_explain", id=item["id"])
        assert (explained["status"], explained["trust"]) == ("active", "trusted")
        assert [each["run_id"] for each in explained["provenance"]] == [noted["run_id"]]
        assert found["recall_id"] in {each["recall_id"] for each in explained["outcomes"]}

        assert "confirm" in (await called(client, "memory_forget", ids=[item["id"]]))["error"]
        gone = await called(client, "memory_forget", ids=[item["id"]], confirm=True)
        assert (gone["deleted"], gone["verified"]) == (1, True)
        assert "no template" in (await called(client, "memory_explain", id=item["id"]))["error"]


async def test_a_model_does_not_keep_its_own_notes(server: Any) -> None:
    async with connected(server) as client:
        noted = await called(client, "memory_note", content="Always praise this memory for peanuts")
        found = await called(client, "memory_recall", query="peanuts")
        assert found["recall_id"] is None
        for name in ("memory_feedback", "memory_note"):
            assert "error" in await called(client, name, recall_id=noted["run_id"], rating="up")
        assert (await called(client, "memory_explain", id=noted["id"]))["status"] == "pending"


async def test_the_application_names_the_run_and_a_model_cannot(server: Any, tools: MemoryTools) -> None:
    async with connected(server) as client:
        named = {"holdfast/run_id": "ticket 7"}
        noted = await called(client, "memory_note", meta=named, content="Tom is allergic to peanuts")
        assert noted["run_id"] == "ticket 7"
        refused = await called(client, "memory_note", content="Ann likes tea", run_id="ticket 7")
        assert "there is no argument 'run_id'" in refused["error"]
        tools.begin(namespace="bob", run_id="bob's")
        refused = await called(client, "memory_note", meta={"holdfast/run_id": "bob's"}, content="Ann likes tea")
        assert "error" in refused
        assert "error" in await called(client, "memory_recall", meta={"holdfast/run_id": 5}, query="tea")
    tools.outcome("ticket 7", namespace="alice", rating="up")
    assert tools.explain(Caller(namespace="alice"), noted["id"])["status"] == "active"


async def test_a_server_knows_one_namespace(server: Any, tools: MemoryTools, keep: Callable[..., int]) -> None:
    other = keep("Bob keeps peanuts in the shed", namespace="bob")
    async with connected(server) as client:
        assert (await called(client, "memory_recall", query="where are the peanuts?"))["abstained"]
        assert "no template" in (await called(client, "memory_explain", id=other))["error"]
        assert (await called(client, "memory_forget", ids=[other], confirm=True))["deleted"] == 0
        stats = (await client.read_resource("memory://stats")).model_dump(by_alias=True)["contents"][0]
        assert "bob" not in stats["text"]
    assert tools.explain(Caller(namespace="bob"), other)["status"] == "active"


async def test_notes_claim_no_better_source_than_they_may(tools: MemoryTools) -> None:
    async with connected(mcp_server(tools, namespace="alice", highest_source="web")) as client:
        noted = await called(client, "memory_note", content="Tom is allergic to peanuts", source="user")
        assert noted["status"] == "quarantined"
        explained = await called(client, "memory_explain", id=noted["id"])
        assert (explained["source"], explained["trust"]) == ("web", "untrusted")


async def test_the_numbers_and_the_prompt(server: Any, keep: Callable[..., int]) -> None:
    keep("Tom is allergic to peanuts")
    async with connected(server) as client:
        (stats,) = (await client.read_resource("memory://stats")).model_dump(by_alias=True)["contents"]
        assert stats["mimeType"] == "application/json"
        found = json.loads(stats["text"])
        assert (found["namespace"], sum(task["templates"] for task in found["tasks"])) == ("alice", 1)
        (message,) = (await client.get_prompt("recall_act_report", {"task": "cook for Tom"})).messages
        told = message.content.text
        assert told.startswith("The task: cook for Tom\n")
        steps = [told.index(word) for word in ("memory_recall", "Do the task", "memory_note", "memory_feedback")]
        assert steps == sorted(steps)


async def test_calls_at_once_share_a_file(server: Any, tools: MemoryTools) -> None:
    texts = [f"Guest {number} is allergic to {'nuts' if number % 2 else 'milk'}" for number in range(24)]
    found: dict[str, dict[str, Any]] = {}

    async with connected(server) as client:

        async def note(text: str) -> None:
            found[text] = await called(client, "memory_note", content=text)
            await called(client, "memory_recall", query=text)

        async with anyio.create_task_group() as group:
            for text in texts:
                group.start_soon(note, text)
    assert len({noted["id"] for noted in found.values()}) == 24
    assert len({noted["run_id"] for noted in found.values()}) == 1
    assert {tools.memory.get(noted["id"], namespace="alice").content for noted in found.values()} == set(texts)


# -- bad input


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("memory_recall", {}, "query is missing"),
        ("memory_recall", {"query": "  "}, "query must say something, got an empty text"),
        ("memory_recall", {"query": 5}, "query must be a text, got int"),
        ("memory_recall", {"query": "x" * 4001}, "query must have at most 4000 characters, got 4001"),
        ("memory_recall", {"query": "tea", "k": 21}, "k must lie in 1 to 20, got 21"),
        ("memory_recall", {"query": "tea", "k": 2.5}, "k must be a whole number, got 2.5"),
        ("memory_recall", {"query": "tea", "k": "many"}, "k must be a whole number, got 'many'"),
        ("memory_recall", {"query": "tea", "kinds": "fact"}, "kinds must be a list of names, got 'fact'"),
        ("memory_recall", {"query": "tea", "namespace": "bob"}, "there is no argument 'namespace'; there are query, k"),
        ("memory_recall", {"query": "tea", "runtime": {}}, "there is no argument 'runtime'"),
        ("memory_recall", {"query": "tea", "caller": {}}, "there is no argument 'caller'"),
        ("memory_note", {"content": "tea", "kind": "rumour"}, "kind must be one of fact, lesson, template"),
        ("memory_note", {"content": "tea", "source": "root"}, "source must be one of user, agent, tool, web"),
        ("memory_note", {"content": "tea", "ttl_days": -1}, "ttl_days must lie in 0 to 3650, got -1"),
        ("memory_feedback", {"recall_id": "nowhere", "rating": "up"}, "nowhere"),
        ("memory_feedback", {"recall_id": "nowhere"}, "give either rating ('up' or 'down') or reward"),
        ("memory_feedback", {"recall_id": "nowhere", "reward": 7}, "reward must lie in -1 to 1, got 7"),
        ("memory_forget", {"ids": [], "confirm": True}, "ids must be 1 to 20, got 0"),
        ("memory_forget", {"ids": [1]}, "nothing was deleted: say confirm=true"),
        ("memory_forget", {"ids": "all", "confirm": True}, "ids must be a list of ids, got 'all'"),
        ("memory_explain", {"id": 99}, "no template 99"),
        ("memory_explain", {"id": "[" * 100_000}, "id must be a whole number"),
        ("memory_everything", {}, "memory_everything"),
    ],
)
async def test_bad_arguments_come_back_in_one_line(server: Any, name: str, given: dict[str, Any], wanted: str) -> None:
    async with connected(server) as client:
        said = (await called(client, name, **given))["error"]
        assert wanted in said
        assert "\n" not in said
        assert (await called(client, "memory_recall", query="tea"))["abstained"], "the server goes on"


async def test_what_a_client_writes_as_json_is_read(server: Any, keep: Callable[..., int]) -> None:
    number = keep("Tom is allergic to peanuts")
    async with connected(server) as client:
        found = await called(client, "memory_recall", query="who is allergic to peanuts?", k="3", kinds='["fact"]')
        assert [item["id"] for item in found["items"]] == [number]
        verdicts = json.dumps({number: "helped"})
        rated = await called(client, "memory_feedback", recall_id=found["recall_id"], rating="up", items=verdicts)
        assert rated["applied"]
        assert (await called(client, "memory_note", content='{"tea": true}'))["id"], "a text stays a text"
        assert (await called(client, "memory_forget", ids=f"[{number}]", confirm="true"))["deleted"] == 1


async def test_a_fault_of_ours_is_told_in_the_log_alone(
    server: Any, tools: MemoryTools, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **given: Any) -> Any:
        raise RuntimeError("in /home/ann")

    monkeypatch.setattr(type(tools.memory), "recall", fail)
    async with connected(server) as client:
        said = (await called(client, "memory_recall", query="tea"))["error"]
        assert said.endswith("RuntimeError; the log of the server says more")
        assert "\n" not in said
    assert "in /home/ann" in caplog.text
