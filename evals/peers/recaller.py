"""The interface of everything that is told facts in one segment and asked for them in a later one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, final

from torch import Tensor, nn


@final
@dataclass(frozen=True, kw_only=True)
class RecallerConfig:
    """The sizes that all recallers share.

    Attributes:
        tokens: how many token ids there are; the answers are the last of them.
        answers: how many ids can be an answer.
        width: width of the hidden states.
        heads: heads of every attention and of every memory that has heads.
        longest: the longest segment, in tokens.
        told: how many tokens a memory must be able to hold.
    """

    tokens: int = 128
    answers: int = 64
    width: int = 64
    heads: int = 2
    longest: int = 64
    told: int = 64

    def __post_init__(self) -> None:
        """Check sizes."""
        for name in ("tokens", "answers", "width", "heads", "longest", "told"):
            size = getattr(self, name)
            if size < 1:
                raise ValueError(f"{name} must be 1 or more, got {size}")
        if self.answers > self.tokens:
            raise ValueError(f"{self.answers} answers are more than the {self.tokens} tokens")
        if self.width % self.heads:
            raise ValueError(f"a width of {self.width} does not split into {self.heads} heads")


class Recaller(Protocol):
    """A model that keeps what it was told in a state, and nowhere else. Every recaller is a ``torch.nn.Module``.

    A state is whatever the peer passes on; it is never written to in place, unless the recaller says so.
    """

    def empty(self, batch: int) -> Any:
        """Make the state in which nothing has been told, for ``batch`` rows."""
        ...

    def tell(self, facts: Tensor, state: Any) -> Any:
        """Take in a segment.

        Args:
            facts: token ids, ``Int64[batch, time]``.
            state: from ``empty`` or an earlier ``tell``.

        Returns:
            The state after it.
        """
        ...

    def ask(self, queries: Tensor, state: Any) -> Tensor:
        """Answer a segment of queries from the state; nothing is stored.

        Args:
            queries: token ids, ``Int64[batch, time]``.
            state: from ``empty`` or ``tell``.

        Returns:
            For each query the logits of the answers, ``Float[batch, time, answers]``.
        """
        ...

    def state_bytes(self, state: Any) -> int:
        """Return how many bytes one row of the state holds."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """Yield what is trained."""
        ...

    def train(self, mode: bool = True) -> Any:
        """Go into training mode, or out of it."""
        ...


MakeRecaller = Callable[[RecallerConfig], Recaller]
"""Builds a recaller of the given sizes."""
