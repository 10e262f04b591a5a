"""``holdfast serve mcp`` in processes of its own, and how they end."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mcp_clients import called, command, connected, piped

from agent.command import holdfast
from retention import Caller, EpisodicMemory, MemoryTools


def of_alice(path: Path, *more: object) -> list[str]:
    return command("serve", "mcp", path, "--namespace", "alice", *more)


def told(path: Path, run_id: str, rating: str) -> None:
    """Say how a run went, as a user does."""
    done = CliRunner().invoke(holdfast, ["feedback", str(path), run_id, rating])
    assert done.exit_code == 0, done.output


async def test_a_client_does_all_there_is(path: Path, clean_environment: dict[str, str]) -> None:
    async with connected(of_alice(path, "--user", "ann"), env=clean_environment) as client:
        noted = await called(client, "memory_note", content="Tom is allergic to peanuts")
        assert noted["status"] == "pending"
        told(path, noted["run_id"], "up")
        found = await called(client, "memory_recall", query="who is allergic to peanuts?")
        assert [item["id"] for item in found["items"]] == [noted["id"]]
        rated = await called(client, "memory_feedback", recall_id=found["recall_id"], rating="up")
        assert rated["applied"]
        explained = await called(client, "memory_explain", id=noted["id"])
        assert (explained["status"], len(explained["outcomes"])) == ("active", 2)
        assert "k must lie in" in (await called(client, "memory_recall", query="tea", k=0))["error"]
        gone = await called(client, "memory_forget", ids=[noted["id"]], confirm=True)
        assert (gone["deleted"], gone["verified"]) == (1, True)
    with EpisodicMemory.open(path, mode="ro") as memory:
        assert memory.run(noted["run_id"], namespace="alice").user == "ann"
        assert memory.verify() == []


def test_two_clients_share_a_file_and_end_as_they_are_told(path: Path, clean_environment: dict[str, str]) -> None:
    with piped(of_alice(path), clean_environment) as one, piped(of_alice(path), clean_environment) as two:
        asked = [
            (each.call("memory_note", content=f"Guest {n} takes room {n}"), each)
            for n in range(6)
            for each in (one, two)
        ]
        answers = [each.answer(number)["structuredContent"] for number, each in asked]
        runs = {each: answer["run_id"] for (_, each), answer in zip(asked, answers, strict=True)}
        assert len(set(runs.values())) == 2, "a run of each client's own"
        assert len({answer["id"] for answer in answers}) == 6, "what both noted is one note"
        told(path, runs[one], "up")
        found = two.found("memory_recall", query="who takes room 3?")
        assert "Guest 3 takes room 3" in {item["content"] for item in found["items"]}

        one.process.send_signal(signal.SIGINT)
        two.process.send_signal(signal.SIGTERM)
        for each in (one, two):
            code, out, log = each.ended()
            assert (code, out) == (0, "")
            assert "Traceback" not in log
            assert "not the protocol" in log
    assert not path.with_name(path.name + "-wal").exists(), "the file was closed"


def test_a_closed_pipe_ends_the_server(path: Path, clean_environment: dict[str, str]) -> None:
    with piped(of_alice(path), clean_environment) as client:
        noted = client.found("memory_note", content="Tom is allergic to peanuts")
        code, out, log = client.ended()
    assert (code, out) == (0, "")
    assert "Traceback" not in log
    with EpisodicMemory.open(path, mode="ro") as memory:
        assert memory.get(noted["id"], namespace="alice").content == "Tom is allergic to peanuts"


def test_what_was_answered_outlives_a_killed_server(path: Path, clean_environment: dict[str, str]) -> None:
    with piped(of_alice(path), clean_environment) as client:
        asked = {
            client.call("memory_note", content=f"Guest {n} takes room {n}"): f"Guest {n} takes room {n}"
            for n in range(30)
        }
        kept: dict[int, str] = {}
        for _ in range(12):
            number, result = client.next_answer()
            kept[result["structuredContent"]["id"]] = asked[number]
            run_id = result["structuredContent"]["run_id"]
        client.process.kill()
        out = client.ended()[1]
    assert out.count("\n") < 18, "it was killed at work"
    with MemoryTools.open(path) as tools:
        assert tools.memory.verify() == []
        assert {number: tools.memory.get(number, namespace="alice").content for number in kept} == kept
        tools.outcome(run_id, namespace="alice", rating="up")
        assert {tools.explain(Caller(namespace="alice"), number)["status"] for number in kept} == {"active"}


def test_reading_alone(path: Path, clean_environment: dict[str, str]) -> None:
    with MemoryTools.open(path):
        pass
    before = path.read_bytes()
    with piped(of_alice(path, "--read-only"), clean_environment) as client:
        tools = client.answer(client.ask("tools/list", {}))["tools"]
        assert [tool["name"] for tool in tools] == ["memory_recall", "memory_explain"]
        assert client.found("memory_recall", query="tea")["abstained"]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("given", "code", "line"),
    [
        (["--namespace", "alice", "--http", "--host", "0.0.0.0"], 1, "holdfast: 0.0.0.0: is not served on"),
        (["--namespace", "alice", "--http", "--host", "example.com"], 1, "holdfast: example.com: is not served on"),
        (["--namespace", "alice", "--read-only"], 1, "no such file"),
        (["--namespace", ""], 1, "holdfast: namespace must have 1 to 200 characters"),
        (["--namespace", "alice", "--task", "a" * 10_000], 1, "holdfast: task must have 1 to 4000 characters"),
        (["--namespace", "alice", "--host", "127.0.0.1"], 2, "are for --http"),
        ([], 2, "Missing option '--namespace'"),
        (["--namespace", "alice", "--source", "root"], 2, "'root' is not one of"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(path: Path, given: list[str], code: int, line: str) -> None:
    done = CliRunner().invoke(holdfast, ["serve", "mcp", str(path), *given])
    assert done.exit_code == code, done.output
    assert line in done.output.splitlines()[-1]
    assert not path.exists(), "nothing was made"


def in_a_process(script: str, environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[Any]:
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, env=environment, cwd=folder, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def test_a_missing_sdk_is_told_in_one_line(clean_environment: dict[str, str], tmp_path: Path) -> None:
    script = """
import sys
sys.modules["mcp"] = None
sys.argv = ["holdfast", "serve", "mcp", "memory.db", "--namespace", "alice"]
from agent.command import main
main()
"""
    done = in_a_process(script, clean_environment, tmp_path)
    wanted = "holdfast: the MCP server needs an optional part that is not installed: pip install 'holdfast[tools]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", wanted)
    assert list(tmp_path.iterdir()) == []


def test_help_loads_no_sdk_and_serving_no_torch_and_no_telemetry(
    clean_environment: dict[str, str], tmp_path: Path
) -> None:
    script = """
import sys
from click.testing import CliRunner
from agent.command import holdfast
for arguments in (["--help"], ["serve", "--help"], ["serve", "mcp", "--help"]):
    assert CliRunner().invoke(holdfast, arguments).exit_code == 0
heavy = ("mcp", "pydantic", "sqlite_utils", "langchain_core", "numpy", "torch")
print([name for name in heavy if name in sys.modules], flush=True)
sys.argv = ["holdfast", "serve", "mcp", "memory.db", "--namespace", "alice"]
from agent.command import main
try:
    main()
except SystemExit as end:
    print(end.code, "mcp" in sys.modules)
print([name for name in ("torch", "langchain", "opentelemetry.sdk") if name in sys.modules])
"""
    done = in_a_process(script, clean_environment, tmp_path)
    assert (done.stdout, done.returncode) == ("[]\n0 True\n[]\n", 0), done.stderr
