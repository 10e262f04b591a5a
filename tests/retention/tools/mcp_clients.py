"""Clients of an MCP server for tests, on either major of the SDK, and one that needs no SDK."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

MAJOR = int(version("mcp").split(".")[0])

# The command itself, with an encoder that needs no model, and that prints what must not get among the answers.
COMMAND = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from word_encoder import by_words
from retention.memory import encoding
from retention.memory.encoder import FunctionEncoder

def noisy(texts):
    print("not the protocol")
    return by_words(texts)

encoding.default_encoder = lambda: FunctionEncoder(noisy, "words")
from agent.command import main
main()
"""


def command(*arguments: object) -> list[str]:
    """The command line of ``holdfast`` in a process of its own."""
    return [sys.executable, "-c", COMMAND, *map(str, arguments)]


@asynccontextmanager
async def connected(server: Any, **how: Any) -> AsyncIterator[Any]:
    """A client of a server in this process, of a command line (a list), or of an address."""
    from mcp import StdioServerParameters

    if isinstance(server, list):
        server = StdioServerParameters(command=server[0], args=server[1:], env=how.pop("env", None))
    if MAJOR >= 2:
        from mcp import Client

        async with Client(server, **how) as client:
            yield client
        return
    from mcp import ClientSession, stdio_client
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared.memory import create_connected_server_and_client_session

    if isinstance(server, (str, StdioServerParameters)):
        opened = streamable_http_client(server) if isinstance(server, str) else stdio_client(server)
        async with opened as (read, write, *_), ClientSession(read, write) as client:
            await client.initialize()
            yield client
    else:
        async with create_connected_server_and_client_session(server) as client:
            yield client


async def called(client: Any, name: str, meta: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
    """What a tool returns as data; where it is an error, its text is ``error``."""
    done = (await client.call_tool(name, given, meta=meta)).model_dump(by_alias=True)
    (content,) = done["content"]
    if done["isError"]:
        return {"error": content["text"]}
    return done["structuredContent"] | {"text": content["text"]}


class Piped:
    """A client over pipes that speaks the protocol by itself, for what an SDK would clean up after."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
        self._asked = 0
        self._early: dict[int, dict[str, Any]] = {}

    def greet(self) -> None:
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}
        assert self.answer(self.ask("initialize", hello))["serverInfo"]["name"] == "holdfast"
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def _write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method: str, params: dict[str, Any]) -> int:
        self._asked += 1
        self._write({"jsonrpc": "2.0", "id": self._asked, "method": method, "params": params})
        return self._asked

    def call(self, name: str, **given: Any) -> int:
        return self.ask("tools/call", {"name": name, "arguments": given})

    def next_answer(self) -> tuple[int, dict[str, Any]]:
        """The next line of the output, which is an answer and nothing else, with the number of its question."""
        assert self.process.stdout is not None
        line = json.loads(self.process.stdout.readline())
        assert line["jsonrpc"] == "2.0"
        return line["id"], line["result"]

    def answer(self, number: int) -> dict[str, Any]:
        """The answer to a question; they come in any order."""
        while number not in self._early:
            found, result = self.next_answer()
            self._early[found] = result
        return self._early.pop(number)

    def found(self, name: str, **given: Any) -> dict[str, Any]:
        """What a tool returns as data."""
        result = self.answer(self.call(name, **given))
        assert not result.get("isError"), result
        return result["structuredContent"]

    def ended(self) -> tuple[int, str, str]:
        """The exit status of the process, what it still put out, and its log."""
        out, log = self.process.communicate(timeout=120)
        return self.process.returncode, out.decode(), log.decode()


@contextmanager
def piped(arguments: list[str], environment: dict[str, str]) -> Iterator[Piped]:
    """A client over pipes, whose server does not outlive the test."""
    client = Piped(arguments, environment)
    try:
        client.greet()
        yield client
    finally:
        client.process.kill()
        client.process.communicate()
