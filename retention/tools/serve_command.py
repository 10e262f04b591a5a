"""The command ``holdfast serve``."""

from __future__ import annotations

import click

from ..memory.command_arguments import in_file, with_encoder

_DEFAULT_PORT = 8765


@click.group()
def serve() -> None:
    """Serve a memory to other programs.

    \b
    Example:
      holdfast serve mcp memory.db --namespace alice
    """


@serve.command()
@in_file
@click.option("--namespace", required=True, help="Whose memory it is: nothing else can be seen or changed.")
@click.option("--user", help="For whom the runs are done.")
@click.option("--task", default="chat", show_default=True, help="What the runs are for: outcomes are compared in it.")
@click.option(
    "--source",
    type=click.Choice(["user", "agent", "tool", "web"]),
    default="user",
    show_default=True,
    help="The most trusted source that notes may claim.",
)
@click.option("--read-only", is_flag=True, help="Offer recall and explain alone, and write nothing.")
@click.option("--http", is_flag=True, help="Serve over HTTP on this machine, in place of standard input and output.")
@click.option("--host", help="With --http: one of this machine's own.  [default: 127.0.0.1]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help=f"With --http: the port; 0 for any that is free.  [default: {_DEFAULT_PORT}]",
)
@with_encoder
def mcp(
    file: str,
    namespace: str,
    user: str | None,
    task: str,
    source: str,
    read_only: bool,
    http: bool,
    host: str | None,
    port: int | None,
    encoder: str | None,
) -> None:
    """Serve a memory to language models over MCP, the Model Context Protocol.

    The client's calls are a run; say how it went with holdfast feedback, by the run_id that the results have. Only then
    is what was noted used.

    \b
    Example:
      holdfast serve mcp memory.db --namespace alice
    """
    import logging

    if not http and (host is not None or port is not None):
        raise click.UsageError("--host and --port are for --http")

    from ..errors import HoldfastError
    from .caller import Caller, check_source
    from .mcp_server import mcp_server
    from .mcp_serving import check_host, serve_http, serve_stdio
    from .memory_tools import MemoryTools

    # Before a file is made.
    host = check_host(host or "127.0.0.1")
    try:
        Caller(namespace=namespace, task=task, user=user)
    except ValueError as error:
        raise HoldfastError(str(error)) from None
    logging.basicConfig(format="%(name)s: %(message)s")  # to standard error
    with MemoryTools.open(file, mode="ro" if read_only else "rw", encoder=encoder) as tools:
        server = mcp_server(
            tools,
            namespace=namespace,
            task=task,
            user=user,
            highest_source=check_source(source, "--source"),
            read_only=read_only,
        )
        if http:
            serve_http(server, host=host, port=_DEFAULT_PORT if port is None else port, about=f"{file} ({namespace})")
        else:
            serve_stdio(server)
