"""The five tools for LangChain. Imported on use."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal, final

from langchain_core.tools import BaseTool, InjectedToolArg, ToolException
from pydantic import PrivateAttr, ValidationError, create_model

from ..errors import HoldfastError
from .caller import Caller
from .descriptions import DESCRIPTIONS
from .memory_tools import MemoryTools
from .quoting import marked, quoted
from .schemas import SCHEMAS

RUN_ID = "memory_run_id"
"""The key of an agent's state under which the middleware keeps the run."""

# The graph that runs a tool puts its runtime in here; a model neither sees nor sets it.
Runtime = Annotated[Any, InjectedToolArg]

_SCHEMAS = {
    name: create_model(schema.__name__, __base__=schema, __doc__=schema.__doc__, runtime=(Runtime, None))
    for name, schema in SCHEMAS.items()
}


@final
class MemoryTool(BaseTool):
    """One of the five tools; :func:`langchain_tools` makes them.

    A tool message has the text for the model as its content, and what the call returned as its artifact.
    """

    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"

    _call: Callable[..., dict[str, Any]] = PrivateAttr()
    _caller: Caller | None = PrivateAttr()

    def __init__(self, tools: MemoryTools, name: str, caller: Caller | None = None) -> None:
        """Make a tool.

        Args:
            tools: the memory as a tool.
            name: one of the five, e.g. ``"memory_recall"``.
            caller: who calls; ``None`` to take it from the runtime's context.
        """
        super().__init__(
            name=name,
            description=DESCRIPTIONS[name],
            args_schema=_SCHEMAS[name],
            handle_tool_error=True,
            handle_validation_error=_in_one_line,
        )
        self._call = getattr(tools, name.removeprefix("memory_"))
        self._caller = caller

    def _run(self, *, runtime: Runtime = None, **given: Any) -> tuple[str, dict[str, Any]]:
        try:
            result = self._call(who_calls(self._caller, runtime), **given)
        except (HoldfastError, TypeError, ValueError) as error:
            raise ToolException(str(error)) from error
        if self.name == "memory_recall":
            return quoted(result), result
        text = json.dumps(result, ensure_ascii=False)
        return marked(text) if self.name == "memory_explain" else text, result


def langchain_tools(tools: MemoryTools, *, caller: Caller | None = None) -> list[BaseTool]:
    """Return ``memory_recall, memory_note, memory_feedback, memory_forget`` and ``memory_explain`` for LangChain.

    Who calls is not among what a model can say. Within an agent that has :class:`MemoryMiddleware` the run is the
    middleware's.

    Args:
        tools: the memory as a tool.
        caller: who calls, for all calls; ``None`` to take it from the context that the agent is invoked with, which is
            a :class:`Caller` or has one as ``caller``.
    """
    return [MemoryTool(tools, name, caller) for name in _SCHEMAS]


def who_calls(fixed: Caller | None, runtime: Any) -> Caller:
    """Return who calls: as the tool was made with, else as the context says; in the run that the state names.

    Raises:
        ValueError: if neither says it.
    """
    caller = fixed or caller_in(getattr(runtime, "context", None))
    if caller is None:
        raise ValueError(
            "the application has not said whose memory this is: give the tools a caller, or the context one"
        )
    state = getattr(runtime, "state", None)
    run_id = state.get(RUN_ID) if isinstance(state, Mapping) else None
    return replace(caller, run_id=run_id) if isinstance(run_id, str) else caller


def caller_in(context: Any) -> Caller | None:
    """Return the caller that a context is or has; what JSON can hold is none, so that nothing read can pose as one."""
    found = context
    if not isinstance(found, Caller):
        found = context.get("caller") if isinstance(context, Mapping) else getattr(context, "caller", None)
    return found if isinstance(found, Caller) else None


def _in_one_line(error: Any) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_url=False)]
    return "; ".join(faults)
