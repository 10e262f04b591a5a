"""What an environment answers when it is used wrongly; all families say it in the same words."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium import spaces


def refuse_foreign_action(space: spaces.Space[Any], action: object) -> None:
    """Refuse an action that is none.

    Raises:
        gymnasium.error.InvalidAction: the action is not in the action space.
    """
    if not space.contains(action):
        raise gymnasium.error.InvalidAction(f"action must be in {space}, got {action!r}")


def warn_of_no_render_mode() -> None:
    """Warn that ``render`` was called on an environment that was made without a ``render_mode``."""
    gymnasium.logger.warn("render() without a render_mode: use gymnasium.make(..., render_mode='ansi')")
