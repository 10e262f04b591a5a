"""Task families for agents with a memory, registered in gymnasium under the namespace ``holdfast``.

Each family hides one fixed thing, chosen by the argument ``task``: it outlives episodes and processes, so an agent
that remembers it does better than one that does not, and the best possible return is known.

gymnasium 1.x loads no plugin by itself: importing this package registers the environments, and so does
``gymnasium.make("environments:holdfast/HiddenRule-v0")``.
"""

from __future__ import annotations

from .dark_room import DarkRoomEnv
from .hidden_rule import HiddenRuleEnv
from .registration import register

__all__ = ["DarkRoomEnv", "HiddenRuleEnv", "register"]

register()
