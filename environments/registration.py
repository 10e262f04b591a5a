"""Registers holdfast's environments in gymnasium."""

from __future__ import annotations

import gymnasium

ENTRY_POINTS = {
    "holdfast/DarkKeyDoor-v0": "environments.dark_key_door:DarkKeyDoorEnv",
    "holdfast/DarkRoom-v0": "environments.dark_room:DarkRoomEnv",
    "holdfast/EntityRewrite-v0": "environments.entity_rewrite:EntityRewriteEnv",
    "holdfast/HiddenApi-v0": "environments.hidden_api:HiddenApiEnv",
    "holdfast/HiddenRule-v0": "environments.hidden_rule:HiddenRuleEnv",
    "holdfast/HiddenSchema-v0": "environments.hidden_schema:HiddenSchemaEnv",
    "holdfast/SilentSwitch-v0": "environments.silent_switch:SilentSwitchEnv",
    "holdfast/TaskStream-v0": "environments.task_stream:TaskStream",
    "holdfast/ToldFacts-v0": "environments.told_facts:ToldFactsEnv",
}


def register() -> None:
    """Make the environments known to ``gymnasium.make``; calling it again changes nothing.

    This is also the entry point ``holdfast`` of the group ``gymnasium.envs``.
    """
    for env_id, entry_point in ENTRY_POINTS.items():
        if env_id not in gymnasium.registry:
            gymnasium.register(id=env_id, entry_point=entry_point)
