"""The memory in an agent of LangChain: recalled once per run, and told how the run went. Imported on use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, final

from ..errors import MissingExtraError
from .arguments import QUERY_LIMIT
from .caller import Caller, Source, check_source
from .langchain_tools import RUN_ID, caller_in, langchain_tools
from .memory_tools import MemoryTools
from .quoting import quoted

try:
    from langchain.agents.middleware.types import AgentMiddleware, AgentState, OmitFromInput, PrivateStateAttr
    from langchain_core.messages import AnyMessage, HumanMessage
    from typing_extensions import NotRequired
except ModuleNotFoundError as error:
    raise MissingExtraError("MemoryMiddleware", "tools") from error

logger = logging.getLogger(__name__)


class MemoryState(AgentState[Any]):
    """What the middleware keeps in an agent's state.

    Attributes:
        memory_run_id: the run: by it the outcome may come later.
        memory_recall_id: the receipt of what was recalled; ``None`` where nothing was.
        memory_block: what is shown of it, for this run alone.
    """

    memory_run_id: NotRequired[Annotated[str, OmitFromInput]]
    memory_recall_id: NotRequired[Annotated[str | None, OmitFromInput]]
    memory_block: NotRequired[Annotated[str | None, PrivateStateAttr]]


@final
class MemoryMiddleware(AgentMiddleware[MemoryState, Any, Any]):
    """Gives an agent a memory: a run is begun, what is relevant recalled once and shown, and the outcome bound to it.

    What is recalled is shown before the latest message of the user, in a message of its own with the role of the user,
    never of the system, as a block of data. It is not among the messages that the agent keeps.

    Args:
        tools: the memory as a tool.
        caller: whose memory it is; ``None`` to take it from the context that the agent is invoked with. Each time the
            agent is invoked is a run of its own.
        outcome: says how a run went from the agent's state at its end, in the units of the caller's task; ``None``
            where it is not known yet: ``tools.outcome(result["memory_run_id"], ...)`` says it later.
        k: how many notes are recalled at most.
        max_tokens: how long they may be together.
        untrusted_tools: tools of the agent whose results are not to be trusted, and what source they are: once one was
            called, what the run notes has no better source.
        with_tools: whether the agent gets the five tools, too.
    """

    state_schema = MemoryState

    def __init__(
        self,
        tools: MemoryTools,
        *,
        caller: Caller | None = None,
        outcome: Callable[[Mapping[str, Any]], float | None] | None = None,
        k: int = 5,
        max_tokens: int = 800,
        untrusted_tools: Mapping[str, Source] | None = None,
        with_tools: bool = True,
    ) -> None:
        super().__init__()
        self.tools = langchain_tools(tools, caller=caller) if with_tools else []
        self._memory = tools
        self._caller = caller
        self._outcome = outcome
        self._k, self._max_tokens = k, max_tokens
        self._untrusted = {
            name: check_source(said, "untrusted_tools") for name, said in (untrusted_tools or {}).items()
        }

    def before_agent(self, state: MemoryState, runtime: Any) -> dict[str, Any]:
        """Begin a run, and recall what is relevant to the latest message of the user."""
        given = self._who(runtime)
        caller = self._memory.begin(
            namespace=given.namespace, task=given.task, user=given.user, highest_source=given.highest_source
        )
        query = _latest_of_user(state["messages"])
        found = self._memory.recall(caller, query, self._k, self._max_tokens) if query else None
        recall_id = found and found["recall_id"]
        logger.info("run %s recalled %s", caller.run_id, recall_id or "nothing")
        block = None if found is None or found["abstained"] else quoted(found)
        return {RUN_ID: caller.run_id, "memory_recall_id": recall_id, "memory_block": block}

    async def abefore_agent(self, state: MemoryState, runtime: Any) -> dict[str, Any]:
        """Do as :meth:`before_agent`, in a thread."""
        return await asyncio.to_thread(self.before_agent, state, runtime)

    def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Show the model what was recalled."""
        return handler(_with_block(request))

    async def awrap_model_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """Show the model what was recalled."""
        return await handler(_with_block(request))

    def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """Note that the run has read what a tool returned that is not to be trusted."""
        self._note_reading(request)
        return handler(request)

    async def awrap_tool_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """Do as :meth:`wrap_tool_call`, in a thread."""
        if request.tool_call["name"] in self._untrusted:
            await asyncio.to_thread(self._note_reading, request)
        return await handler(request)

    def after_agent(self, state: MemoryState, runtime: Any) -> dict[str, Any] | None:
        """Ask how the run went, and bind it to what was recalled and noted in it."""
        earned = self._outcome(state) if self._outcome is not None else None
        if earned is not None:
            run_id = state["memory_run_id"]
            self._memory.outcome(run_id, namespace=self._who(runtime).namespace, reward=earned, source="application")
        return None

    async def aafter_agent(self, state: MemoryState, runtime: Any) -> dict[str, Any] | None:
        """Do as :meth:`after_agent`, in a thread."""
        return await asyncio.to_thread(self.after_agent, state, runtime)

    def _who(self, runtime: Any) -> Caller:
        caller = self._caller or caller_in(getattr(runtime, "context", None))
        if caller is None:
            raise ValueError(
                "whose memory is it? give MemoryMiddleware a caller, or invoke the agent with context=Caller(...)"
            )
        return caller

    def _note_reading(self, request: Any) -> None:
        source = self._untrusted.get(request.tool_call["name"])
        if source is not None:
            self._memory.saw(replace(self._who(request.runtime), run_id=request.state[RUN_ID]), source)


def _with_block(request: Any) -> Any:
    block = request.state.get("memory_block")
    if not block:
        return request
    messages = list(request.messages)
    at = max((i for i, message in enumerate(messages) if message.type == "human"), default=0)
    return request.override(messages=[*messages[:at], HumanMessage(block), *messages[at:]])


def _latest_of_user(messages: Sequence[AnyMessage]) -> str:
    for message in reversed(messages):
        if message.type == "human":
            sayable = str(message.text).encode(errors="replace").decode()  # half of a pair cannot be looked for
            return sayable.strip()[:QUERY_LIMIT]
    return ""
