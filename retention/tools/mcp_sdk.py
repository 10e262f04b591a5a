"""The MCP SDK, in either of its majors: 2.x (``MCPServer``) and 1.x (``FastMCP``). Imported on use.

All that differs between the two is here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Any

from pydantic import BaseModel, ConfigDict

from ..errors import MissingExtraError


def _import(place: str) -> Any:
    """Import a module of the SDK's server, from where its major has it."""
    try:
        return import_module(f"mcp.server.mcpserver{place}")
    except ModuleNotFoundError:
        pass
    try:
        return import_module(f"mcp.server.fastmcp{place}")
    except ModuleNotFoundError as error:
        raise MissingExtraError("the MCP server", "tools") from error


_home = _import("")
_Server: Any = getattr(_home, "MCPServer", None) or _home.FastMCP
_Tool: Any = _import(".tools").Tool
_metadata: Any = _import(".utilities.func_metadata")
_Arguments: Any = _metadata.ArgModelBase
_types: Any = import_module("mcp.types")

ToolError: Any = _import(".exceptions").ToolError
"""What a tool raises for its message to reach the client."""

RUN_ID = "holdfast/run_id"
"""The key of a request's ``_meta`` under which an application names the run."""


class _Given(_Arguments):  # type: ignore[misc]  # its base is Any: it is in one module or another
    """Arguments as they came: the tool itself says in one line what is wrong with them."""

    model_config = ConfigDict(extra="allow")

    def model_dump_one_level(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


def new_server(name: str, *, version: str, instructions: str, tools: list[Any]) -> Any:
    """Return a server of the SDK with these tools."""
    told: dict[str, Any] = {"instructions": instructions, "tools": tools, "log_level": "WARNING"}
    if _Server.__name__ == "MCPServer":
        return _Server(name, version=version, **told)
    server = _Server(name, **told)
    lowlevel(server).version = version  # 1.x cannot be told and says its own
    return server


def lowlevel(server: Any) -> Any:
    """Return the server that speaks the protocol, which takes its streams from whoever runs it."""
    return server._lowlevel_server if hasattr(server, "_lowlevel_server") else server._mcp_server


def new_tool(
    call: Callable[..., Awaitable[Any]],
    *,
    name: str,
    title: str,
    description: str,
    parameters: Mapping[str, Any],
    result: type[BaseModel],
    hints: Mapping[str, bool],
) -> Any:
    """Return a tool of the SDK.

    Args:
        call: awaited with the context as ``asked`` and all that the client gave, whatever it is.
        name: its name.
        title: its name for people.
        description: what it is for.
        parameters: the JSON schema of what a client may give.
        result: what it returns.
        hints: the annotations.
    """
    metadata = _metadata.FuncMetadata(
        arg_model=_Given, output_schema=result.model_json_schema(), output_model=result, wrap_output=False
    )
    return _Tool(
        fn=call,
        name=name,
        description=description,
        parameters=dict(parameters),
        fn_metadata=metadata,
        is_async=True,
        context_kwarg="asked",
        annotations=_types.ToolAnnotations(title=title, **hints),
        title=title,
    )


def result(text: str, found: Mapping[str, Any]) -> Any:
    """Return a tool's result: a text for the model, and the same as data."""
    return _types.CallToolResult(content=[_types.TextContent(type="text", text=text)], structuredContent=found)


def session_of(asked: Any) -> str | None:
    """Return the id of the session of a request; ``None`` for the only one of a pipe, and for HTTP without sessions."""
    request = asked.request_context.request
    return None if request is None else request.headers.get("mcp-session-id")


def run_of(asked: Any) -> str | None:
    """Return the run that the application names in a request, which is out of a model's reach; ``None`` for none."""
    meta = asked.request_context.meta
    found = meta if isinstance(meta, Mapping) else getattr(meta, "model_extra", None) or {}
    return found.get(RUN_ID)
