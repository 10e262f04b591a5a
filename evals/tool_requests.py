"""Requests that a tool of a memory answers: does a model write the call?"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

TOOLS: Sequence[Mapping[str, Any]] = (
    {"name": "memory_recall", "description": "Look up notes.", "parameters": {"query": "string", "k": "integer"}},
    {"name": "memory_note", "description": "Keep a new note.", "parameters": {"content": "string"}},
    {"name": "memory_forget", "description": "Delete notes.", "parameters": {"ids": "array of integers"}},
    {"name": "memory_explain", "description": "Say where a note comes from.", "parameters": {"id": "integer"}},
)

_OF_TYPE: Mapping[str, Any] = {"string": str, "integer": int, "array of integers": list}
_CALL = re.compile(r"\{.*\}", re.DOTALL)
_CALLING = (
    "You call functions. These are the functions:\n{tools}\n"
    'Answer with one call and nothing else, as JSON: {{"name": "...", "arguments": {{...}}}}'
)


@final
@dataclass(frozen=True, kw_only=True)
class ToolRequest:
    """A request of a user.

    Attributes:
        said: what the user says.
        tool: the tool that answers it.
    """

    said: str
    tool: str


REQUESTS = (
    ToolRequest(said="Please remember that the gate code is 4417.", tool="memory_note"),
    ToolRequest(said="What did I tell you about the gate code?", tool="memory_recall"),
    ToolRequest(said="Delete notes 12 and 15.", tool="memory_forget"),
    ToolRequest(said="Where does note 9 come from?", tool="memory_explain"),
    ToolRequest(said="Write down: Ada works in the attic.", tool="memory_note"),
    ToolRequest(said="Look up which room Ada works in.", tool="memory_recall"),
    ToolRequest(said="Forget note 3.", tool="memory_forget"),
    ToolRequest(said="Who told you what note 21 says?", tool="memory_explain"),
)


def instruction() -> str:
    """Return what tells a model of the tools and of how they are called."""
    return _CALLING.format(tools="\n".join(json.dumps(tool) for tool in TOOLS))


def graded(said: str, request: ToolRequest) -> dict[str, bool]:
    """Return what of a call is right.

    Args:
        said: by the model; what stands before and after the outermost braces does not count.
        request: what was asked.

    Returns:
        ``"json"``: it is a JSON object with a name and arguments. ``"callable"``: and these are a tool's, of the right
        types, the required first one among them. ``"right"``: and it is the tool that answers the request.
    """
    found = _CALL.search(said)
    try:
        call = json.loads(found[0]) if found else None
    except ValueError:
        call = None
    if not isinstance(call, dict) or not isinstance(call.get("arguments"), dict) or "name" not in call:
        return {"json": False, "callable": False, "right": False}
    tools = {tool["name"]: tool["parameters"] for tool in TOOLS}
    takes, given = tools.get(str(call["name"]), {}), call["arguments"]
    fits = bool(takes) and next(iter(takes)) in given
    fits = fits and all(name in takes and isinstance(value, _OF_TYPE[takes[name]]) for name, value in given.items())
    return {"json": True, "callable": fits, "right": fits and call["name"] == request.tool}
