"""Task families for agents with a memory, registered in gymnasium under the namespace ``holdfast``.

Each family hides something that the argument ``task`` decides: it outlives episodes and processes, so an agent that
remembers it does better than one that does not, and the best possible return is known. ``TaskStream`` plays any
environments one after another.

gymnasium 1.x loads no plugin by itself: importing this package registers the environments, and so does
``gymnasium.make("environments:holdfast/HiddenRule-v0")``.
"""

from __future__ import annotations

from .dark_key_door import DarkKeyDoorEnv
from .dark_room import DarkRoomEnv
from .entity_rewrite import EntityRewriteEnv
from .hidden_api import HiddenApiEnv
from .hidden_rule import HiddenRuleEnv
from .hidden_schema import HiddenSchemaEnv
from .registration import register
from .silent_switch import SilentSwitchEnv
from .task_stream import TaskStream
from .told_facts import ToldFactsEnv

__all__ = [
    "DarkKeyDoorEnv",
    "DarkRoomEnv",
    "EntityRewriteEnv",
    "HiddenApiEnv",
    "HiddenRuleEnv",
    "HiddenSchemaEnv",
    "SilentSwitchEnv",
    "TaskStream",
    "ToldFactsEnv",
    "register",
]

register()
