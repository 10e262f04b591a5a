"""Settings of the policy that learns by gradient; one default serves every task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, kw_only=True)
class GradientConfig:
    """What the policy is made of and how it learns.

    Attributes:
        slots: decisions that the memory in the loop holds, e.g. 64; 0 for plain PPO, which is faster and was no worse
            wherever both were measured.
        hidden: width of each of the two hidden layers.
        read_width: width of the memory's keys and values over all heads.
        heads: heads of the read.
        rollout: steps, over all lanes, between two updates.
        minibatch: steps of one gradient step.
        epochs: times that an update goes through its steps.
        rate: learning rate of Adam.
        halve_after: steps after which the learning rate has fallen to half, as ``1 / (1 + steps / halve_after)``; None
            keeps it.
        discount: what the next step's future is worth now.
        trace: lambda of the generalised advantage estimate.
        clip: how far the probability of an action may move, as a ratio, before it earns nothing more.
        value_weight: of the value's loss beside the policy's.
        entropy_weight: of the entropy beside the policy's loss.
        largest_gradient: norm to which a gradient is cut.
        stop_kl: an update ends early at an epoch whose mean divergence from the old policy is above; None: never.
        fade: what the utility of a slot keeps of itself from one update to the next.
        share: of the slots, the part that one update may write.
        apart: distance in the keys' spreads, per square root of their number, within which a decision is no news.
    """

    slots: int = 0
    hidden: int = 64
    read_width: int = 32
    heads: int = 2
    rollout: int = 1024
    minibatch: int = 128
    epochs: int = 10
    rate: float = 1e-3
    halve_after: int | None = 100_000
    discount: float = 0.99
    trace: float = 0.95
    clip: float = 0.2
    value_weight: float = 0.5
    entropy_weight: float = 0.0
    largest_gradient: float = 0.5
    stop_kl: float | None = 0.03
    fade: float = 0.9
    share: float = 0.25
    apart: float = 0.25

    def __post_init__(self) -> None:
        """Check sizes and ranges."""
        for name in ("hidden", "read_width", "heads", "rollout", "minibatch", "epochs", "halve_after"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise ValueError(f"{name} must be 1 or more, got {size}")
        if self.slots < 0:
            raise ValueError(f"slots must not be negative, got {self.slots}")
        if self.read_width % self.heads:
            raise ValueError(f"a read width of {self.read_width} does not split into {self.heads} heads")
        for name in ("discount", "trace", "fade", "share"):
            part = getattr(self, name)
            if not 0.0 <= part <= 1.0:
                raise ValueError(f"{name} must be in [0, 1], got {part}")
        for name in ("rate", "clip", "largest_gradient", "stop_kl"):
            size = getattr(self, name)
            if size is not None and not size > 0.0:
                raise ValueError(f"{name} must be positive, got {size}")
        for name in ("value_weight", "entropy_weight", "apart"):
            size = getattr(self, name)
            if not size >= 0.0:
                raise ValueError(f"{name} must not be negative, got {size}")
