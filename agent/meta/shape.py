"""What a meta-trained policy is made of: how it sees an observation, what it notes, and how large its network is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of an observation, as the network sees it.

    A number ``n`` of the observation's key becomes the symbol ``n // divide % size``, which has a learned vector; so a
    cell of a room can be seen as its row and its column. A part of size 0 has no learned vectors: its symbols are told
    apart by fixed random codes, so that a policy does not know how many there are, and serves any number of them.

    Attributes:
        index: which number of the key; None for the key as a whole, which only a code can be of.
        divide: see above.
        size: how many symbols; 0 for a code.
    """

    index: int | None = None
    divide: int = 1
    size: int = 0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: one is out of its range.
        """
        if self.divide < 1 or self.size < 0 or (self.index is not None and self.index < 0):
            raise ValueError(f"index and size must be 0 or more and divide 1 or more, got {self}")
        if self.index is None and self.size:
            raise ValueError(f"only a code can be of the whole key, got {self}")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Everything that decides what the weights mean.

    Attributes:
        observation: the observation space as gymnasium writes it; None where any symbolic one will do.
        actions: how many; a policy that sees by codes alone also serves fewer.
        parts: how an observation is seen.
        noted: what a step notes: ``answer``, the observation with the action and the reward; ``arrival``, the
            observation that the step led to with the reward; ``sight``, the observation alone.
        width: of the hidden states and of the slots.
        heads: heads of each read.
        layers: how many retention layers.
        hidden: width of each feed-forward.
    """

    observation: str | None
    actions: int
    parts: tuple[Part, ...]
    noted: Literal["answer", "arrival", "sight"]
    width: int = 64
    heads: int = 8
    layers: int = 3
    hidden: int = 128

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: one is out of its range.
        """
        for name in ("actions", "width", "heads", "layers", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.width % self.heads:
            raise ValueError(f"a width of {self.width} does not split into {self.heads} heads")
        if not self.parts:
            raise ValueError("an observation must have at least one part, got none")
        if self.noted not in ("answer", "arrival", "sight"):
            raise ValueError(f"noted must be 'answer', 'arrival' or 'sight', got {self.noted!r}")
