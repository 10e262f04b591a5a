"""The five calls of the memory as a tool, without any framework: recall, note, feedback, forget, explain.

Each takes who calls from the application (:class:`Caller`) and the rest from a language model, checks it, and returns
what JSON can hold. The outcome of a run comes from the application alone (:meth:`MemoryTools.outcome`).
"""

from __future__ import annotations

import os
from typing import Literal, final

from ..memory.encoding import EncoderLike
from ..memory.ranking import RankingConfig
from ..memory.store import EpisodicMemory
from .application_calls import ApplicationCalls
from .config import Guard, ToolConfig
from .model_calls import ModelCalls


@final
class MemoryTools(ApplicationCalls, ModelCalls):
    """The memory as a language model uses it.

    Args:
        memory: the memory.
        config: settings.
        guard: an outside check of what is noted and recalled.

    Example:
        >>> with MemoryTools.open(None) as tools:
        ...     caller = tools.begin(namespace="alice", task="support")
        ...     tools.forget(caller, [1], confirm=True)
        {'deleted': 0, 'verified': True}
    """

    def __init__(self, memory: EpisodicMemory, *, config: ToolConfig | None = None, guard: Guard | None = None) -> None:
        self.memory = memory
        self.config = config or ToolConfig()
        self._guard = guard

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | None,
        *,
        mode: Literal["rw", "ro"] = "rw",
        encoder: EncoderLike | None = None,
        recall: RankingConfig | None = None,
        seal: bytes | bool | None = True,
        config: ToolConfig | None = None,
        guard: Guard | None = None,
    ) -> MemoryTools:
        """Open a memory for use as a tool: sealed, and ranked by what outcomes say.

        Args:
            path: the file; ``None`` for a memory without one.
            mode: ``"ro"`` to recall and explain alone.
            encoder: as :meth:`EpisodicMemory.open` takes it.
            recall: the settings of recall; by default utility counts for much, since outcomes decide between notes.
            seal: the key that texts are sealed with; ``True`` for the key file beside the memory, which is made.
            config: settings.
            guard: an outside check of what is noted and recalled.
        """
        memory = EpisodicMemory.open(
            path,
            mode=mode,
            encoder=encoder,
            recall=recall or RankingConfig(utility=0.9),
            seal=None if mode == "ro" and seal is True else seal,
        )
        return cls(memory, config=config, guard=guard)

    def close(self) -> None:
        """Close the memory."""
        self.memory.close()

    def __enter__(self) -> MemoryTools:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
