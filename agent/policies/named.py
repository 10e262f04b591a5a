"""Policies by name, as the command line and the suites call them."""

from __future__ import annotations

from dataclasses import replace

from ..recall.config import RecallConfig
from .protocol import Policy
from .retention import RetentionPolicy

DEFAULT = "recall"


def make_policy(
    name: str = DEFAULT, *, discount: float | None = None, capacity: int | None = None, enabled: bool = True
) -> Policy:
    """Make a policy by its name.

    Args:
        name: ``recall``: acts on its memory from the first step and learns by sweeps, without any gradient.
        discount: what the next decision's future is worth now, in (0, 1); None for the policy's own.
        capacity: the most slots of one task; None for the policy's own.
        enabled: False takes the memory away from acting, to see what it is worth.

    Raises:
        ValueError: there is no such policy, or a setting is out of its range.
    """
    if name != DEFAULT:
        raise ValueError(f"no policy named {name!r}; known: {DEFAULT}")
    config = RecallConfig(enabled=enabled)
    if discount is not None:
        config = replace(config, discount=discount)
    if capacity is not None:
        config = replace(config, capacity=capacity)
    return RetentionPolicy(config)
