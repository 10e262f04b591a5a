"""The model around a memory mechanism: embedding, block, memory, block, head. Only the memory differs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, final

import torch
from torch import Tensor, nn

from .recaller import RecallerConfig


class Mechanism(nn.Module, ABC):
    """A memory over hidden states, with its state passed in and out."""

    @abstractmethod
    def empty(self, batch: int) -> Any:
        """Make the state that holds nothing."""

    @abstractmethod
    def write(self, hidden: Tensor, state: Any) -> Any:
        """Take in hidden states of ``[batch, time, width]`` and return the state after them."""

    @abstractmethod
    def read(self, hidden: Tensor, state: Any) -> Tensor:
        """Return what the state answers to each hidden state, ``[batch, time, width]``; it is added to them."""

    @abstractmethod
    def state_bytes(self, state: Any) -> int:
        """Return how many bytes one row of the state holds."""


@final
class MemoryStack(nn.Module):
    """A recaller of two transformer blocks with a memory mechanism between them.

    The blocks are causal and pre-norm, with a feed-forward of four times the width; positions are learned and begin
    anew in each segment. The memory takes in, and is asked by, what the first block makes of the tokens.
    """

    def __init__(self, config: RecallerConfig, mechanism: Mechanism) -> None:
        super().__init__()
        self.config = config
        self.mechanism = mechanism
        self.embedding = nn.Embedding(config.tokens, config.width)
        self.positions = nn.Embedding(config.longest, config.width)
        self.before, self.after = (
            nn.TransformerEncoderLayer(
                config.width, config.heads, 4 * config.width, dropout=0.0, batch_first=True, norm_first=True
            )
            for _ in range(2)
        )
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.answers)

    def empty(self, batch: int) -> Any:
        """Make the state in which nothing has been told."""
        return self.mechanism.empty(batch)

    def tell(self, facts: Tensor, state: Any) -> Any:
        """Take in a segment; nothing but the mechanism's state goes on."""
        return self.mechanism.write(self._first(facts), state)

    def ask(self, queries: Tensor, state: Any) -> Tensor:
        """Answer a segment of queries."""
        hidden = self._first(queries)
        hidden = hidden + self.mechanism.read(hidden, state)
        logits: Tensor = self.head(self.norm(self.after(hidden, src_mask=_causal(hidden), is_causal=True)))
        return logits

    def state_bytes(self, state: Any) -> int:
        """Return how many bytes one row of the mechanism's state holds."""
        return self.mechanism.state_bytes(state)

    def _first(self, tokens: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        hidden = self.embedding(tokens) + self.positions(places)
        seen: Tensor = self.before(hidden, src_mask=_causal(hidden), is_causal=True)
        return seen


def _causal(hidden: Tensor) -> Tensor:
    time = hidden.shape[1]
    return torch.ones(time, time, dtype=torch.bool, device=hidden.device).triu(1)
