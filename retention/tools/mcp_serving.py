"""Serving a memory over MCP: on the pipe of whoever started the process, or over HTTP on this machine alone.

Both end well when they are told to (SIGINT, SIGTERM) and the first when its client closes the pipe: calls at work are
finished, and what was answered is in the file.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import anyio
import click

from ..errors import HoldfastError
from . import mcp_sdk

LOOPBACK = {"127.0.0.1": socket.AF_INET, "localhost": socket.AF_INET, "::1": socket.AF_INET6}
"""The hosts that can be served on: this machine's own."""

_GRACE_S = 3
"""For how many seconds open connections are waited for at the end."""


def serve_stdio(server: Any) -> None:
    """Serve on standard input and output until the input ends or the process is told to."""
    from mcp.server.stdio import stdio_server

    async def serve(read: TextIO, write: TextIO, stop: Callable[[], None]) -> None:
        speaker = mcp_sdk.lowlevel(server)
        async with stdio_server(anyio.wrap_file(read), anyio.wrap_file(write)) as streams:
            try:
                await speaker.run(*streams, speaker.create_initialization_options())
            finally:
                stop()  # wakes who reads, if it was not the end of the input that brought us here

    with _pipe() as (read, write, stop), _when_told(stop):
        anyio.run(serve, read, write, stop)


def serve_http(server: Any, *, host: str, port: int, about: str) -> None:
    """Serve over streamable HTTP at ``/mcp`` until the process is told to end; other hosts' pages are refused.

    Args:
        server: the server.
        host: one of :data:`LOOPBACK`.
        port: the port; 0 for any that is free.
        about: what is served, for the line that says where.

    Raises:
        HoldfastError: if the host is another, or the port is taken.
    """
    import uvicorn

    with _listening(check_host(host), port) as listener:
        # Either major checks the headers Host and Origin of itself where it serves this machine alone, its default.
        app = server.streamable_http_app()
        at = listener.getsockname()[1]
        click.echo(
            f"serving {about} at http://{f'[{host}]' if ':' in host else host}:{at}/mcp; Ctrl-C ends it", err=True
        )
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=_GRACE_S)
        with _when_told(lambda: None):  # uvicorn ends first, and then passes on what it was told
            anyio.run(lambda: uvicorn.Server(config).serve(sockets=[listener]))


def check_host(host: str) -> str:
    """Return a host that can be served on.

    Raises:
        HoldfastError: if it is not this machine's own.
    """
    if host not in LOOPBACK:
        raise HoldfastError(
            f"{host}: is not served on, since there is no login; this machine's own are {', '.join(LOOPBACK)}"
        )
    return host


def _listening(host: str, port: int) -> socket.socket:
    try:
        where = "127.0.0.1" if host == "localhost" else host
        return socket.create_server((where, port), family=LOOPBACK[host])
    except OSError as error:
        raise HoldfastError(
            f"{host}:{port} cannot be served on ({error.strerror}); take another port: --port"
        ) from error


@contextmanager
def _when_told(stop: Callable[[], None]) -> Iterator[None]:
    """Call something at SIGINT and SIGTERM, in place of what they do."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stop()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _pipe() -> Iterator[tuple[TextIO, TextIO, Callable[[], None]]]:
    """Take the process's input and output for the protocol, and return them and what ends the input.

    Meanwhile what is printed goes to standard error. The input is read by a thread of its own: one that waits for it
    cannot be woken, and is left behind.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    read_end, write_end = os.pipe()
    answers = os.dup(1)

    def stop() -> None:
        os.dup2(nothing, write_end)  # the pipe has no writer then; its number stays taken

    def pump() -> None:
        try:
            while data := os.read(0, 1 << 16):
                while data:
                    data = data[os.write(write_end, data) :]
        except OSError:  # the reader has gone
            pass
        stop()

    os.dup2(2, 1)
    threading.Thread(target=pump, daemon=True, name="holdfast-mcp-input").start()
    try:
        with (
            os.fdopen(read_end, encoding="utf-8", errors="replace") as read,
            os.fdopen(answers, "w", encoding="utf-8", newline="\n", closefd=False) as write,
        ):
            yield read, write, stop
    finally:
        sys.stdout.flush()  # what was printed and not yet written, which is no answer
        os.dup2(answers, 1)
        os.close(answers)
