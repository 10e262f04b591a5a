"""How people talk: what makes one conversation easier to search than another."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, kw_only=True)
class Style:
    """Settings of a conversation.

    Attributes:
        sessions: the fewest and the most sessions.
        turns: the fewest and the most turns of a session, about.
        kinds: how many kinds of facts are talked about.
        talk: the share of facts that come out in an exchange.
        lead: how often a statement answers a question, where it is the other one's turn before it.
        echo: how often the other one repeats a detail.
        callback: how often a detail is mentioned again in a later session, without what belongs to it.
        opener: how often a turn begins with a reaction to the last one.
        tail: how often a turn ends with a remark.
        topical: the share of small talk, and of answers, with a remark in the words of some kind of fact.
        relatives: the share of facts that have one like it about a relative, where they can.
        changes: the share of facts that change, where they can.
    """

    sessions: tuple[int, int] = (15, 25)
    turns: tuple[int, int] = (15, 30)
    kinds: int = 24
    talk: float = 0.55
    lead: float = 0.6
    echo: float = 0.35
    callback: float = 0.35
    opener: float = 0.45
    tail: float = 0.3
    topical: float = 0.5
    relatives: float = 0.4
    changes: float = 0.5

    def __post_init__(self) -> None:
        for name in ("sessions", "turns"):
            low, high = getattr(self, name)
            if not 2 <= low <= high:
                raise ValueError(f"{name} must be at least 2, the fewest first, got {(low, high)}")
        if self.kinds < 2:
            raise ValueError(f"kinds must be at least 2, got {self.kinds}")
        for name in ("talk", "lead", "echo", "callback", "opener", "tail", "topical", "relatives", "changes"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)!r}")

    @classmethod
    def drawn(cls, seed: int) -> Style:
        """Return a style drawn at random: people differ."""
        draw = random.Random(f"style/{seed}")
        low = draw.randint(8, 20)
        return cls(
            turns=(low, low + draw.randint(5, 20)),
            kinds=draw.randint(16, 32),
            talk=draw.uniform(0.2, 0.9),
            lead=draw.uniform(0, 1),
            echo=draw.uniform(0, 0.7),
            callback=draw.uniform(0, 0.6),
            opener=draw.uniform(0.1, 0.8),
            tail=draw.uniform(0, 0.6),
            topical=draw.uniform(0.2, 0.8),
            relatives=draw.uniform(0.1, 0.7),
            changes=draw.uniform(0.2, 0.7),
        )
