"""``holdfast serve mcp --http``: on this machine alone."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mcp_clients import MAJOR, called, command, connected

from agent.command import holdfast

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}},
}


@pytest.fixture(autouse=True)
def no_network() -> None:
    """Let this module's tests open sockets, which are what it is about; they reach this machine alone."""


@pytest.fixture(scope="module")
def memory_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("http") / "memory.db"


@pytest.fixture(scope="module")
def served(memory_file: Path) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """A server, its address and its port."""
    arguments = command("serve", "mcp", memory_file, "--namespace", "alice", "--http", "--port", 0)
    process = subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.fullmatch(r"serving .+ \(alice\) at (http://127\.0\.0\.1:(\d+)/mcp); Ctrl-C ends it\n", line)
        assert found, line
        yield process, found[1], int(found[2])
    finally:
        process.kill()
        process.communicate()


async def test_a_client_does_all_there_is(served: tuple[Any, str, int], memory_file: Path) -> None:
    async with connected(served[1]) as client:
        noted = await called(client, "memory_note", content="Tom is allergic to peanuts")
        done = CliRunner().invoke(holdfast, ["feedback", str(memory_file), noted["run_id"], "up"])
        assert done.exit_code == 0, done.output
        found = await called(client, "memory_recall", query="who is allergic to peanuts?")
        assert [item["id"] for item in found["items"]] == [noted["id"]]
        assert (await called(client, "memory_feedback", recall_id=found["recall_id"], rating="up"))["applied"]
        assert (await called(client, "memory_explain", id=noted["id"]))["status"] == "active"
        assert "error" in await called(client, "memory_recall", query="tea", k=0)
        assert (await called(client, "memory_forget", ids=[noted["id"]], confirm=True))["deleted"] == 1


async def test_each_session_is_a_run_and_a_named_one_is_the_applications(served: tuple[Any, str, int]) -> None:
    how = {"mode": "legacy"} if MAJOR >= 2 else {}  # clients of the protocol of 2026-07-28 have no sessions
    async with connected(served[1], **how) as one, connected(served[1], **how) as two:
        runs = [(await called(each, "memory_recall", query="tea"))["run_id"] for each in (one, two, one, two)]
        assert runs[:2] == runs[2:]
        assert len(set(runs)) == 2
    async with connected(served[1]) as client:
        found = await called(client, "memory_recall", meta={"holdfast/run_id": "ticket 7"}, query="tea")
        assert found["run_id"] == "ticket 7"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "memory.example.com"}, 421),
        ({"Origin": "https://example.com"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
    ],
)
def test_pages_of_other_hosts_are_refused(served: tuple[Any, str, int], headers: dict[str, str], status: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served[2], timeout=60)
    try:
        kinds = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        connection.request("POST", "/mcp", body=json.dumps(HELLO), headers=kinds | headers)
        assert connection.getresponse().status == status
    finally:
        connection.close()


def test_it_listens_on_this_machine_alone(served: tuple[Any, str, int]) -> None:
    with socket.socket() as other:
        other.settimeout(60)
        # Another address of this machine's loopback network: one that is served on all addresses answers there, too.
        assert other.connect_ex(("127.0.0.2", served[2])) != 0


def test_a_taken_port_is_told_in_one_line(served: tuple[Any, str, int], tmp_path: Path) -> None:
    given = ["serve", "mcp", str(tmp_path / "other.db"), "--namespace", "alice", "--http", "--port", str(served[2])]
    done = CliRunner().invoke(holdfast, given)
    assert done.exit_code == 1
    (line,) = done.output.splitlines()
    assert line.startswith(f"holdfast: 127.0.0.1:{served[2]} cannot be served on (Address already in use")


async def test_it_ends_when_it_is_told_also_with_a_client(served: tuple[Any, str, int], memory_file: Path) -> None:
    process, _, port = served
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    kinds = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    connection.request("POST", "/mcp", body=json.dumps(HELLO), headers=kinds)
    answer = connection.getresponse()
    session = answer.headers["mcp-session-id"]
    answer.read()
    connection.request("GET", "/mcp", headers={"Accept": "text/event-stream", "mcp-session-id": session})
    assert connection.getresponse().status == 200  # a stream that stays open
    process.send_signal(signal.SIGTERM)
    out, log = process.communicate(timeout=120)
    connection.close()
    assert (process.returncode, out.replace("not the protocol\n", "")) == (0, "")
    assert "retention/tools" not in log, log  # 1.x of the SDK logs the streams that it ends as errors of its own
    assert not memory_file.with_name(memory_file.name + "-wal").exists(), "the file was closed"
