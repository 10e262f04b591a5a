from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

import environments

IDS = [
    "holdfast/DarkKeyDoor-v0",
    "holdfast/DarkRoom-v0",
    "holdfast/EntityRewrite-v0",
    "holdfast/HiddenApi-v0",
    "holdfast/HiddenRule-v0",
    "holdfast/HiddenSchema-v0",
    "holdfast/SilentSwitch-v0",
    "holdfast/ToldFacts-v0",
]
STREAM = "holdfast/TaskStream-v0"  # made of other environments


def in_a_new_process(code: str, hash_seed: str = "random") -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("task", [0, 11])
@pytest.mark.parametrize("env_id", IDS)
def test_gymnasium_accepts_the_environment(env_id, task):
    check_env(gymnasium.make(env_id, task=task).unwrapped)


def test_registering_twice_changes_nothing(recwarn):
    before = dict(gymnasium.registry)
    environments.register()
    environments.register()
    assert dict(gymnasium.registry) == before
    assert set(IDS) <= set(before)


def test_the_same_task_is_the_same_in_every_process():
    code = (
        "import gymnasium, json\n"
        "rule = gymnasium.make('environments:holdfast/HiddenRule-v0', task=5).unwrapped\n"
        "room = gymnasium.make('environments:holdfast/DarkRoom-v0', task=5).unwrapped\n"
        "print(json.dumps([rule.rule, room.goal]))"
    )
    answers = [json.loads(in_a_new_process(code, hash_seed)) for hash_seed in ("0", "1")]
    here = [list(environments.HiddenRuleEnv(5).rule), environments.DarkRoomEnv(5).goal]
    assert answers == [here, here]


def test_the_entry_point_registers_in_a_process_that_never_imported_the_package():
    code = (
        "import sys, gymnasium\n"
        "from importlib import metadata\n"
        "assert 'environments' not in sys.modules\n"
        "for plugin in metadata.entry_points(group='gymnasium.envs'):\n"
        "    if plugin.name == 'holdfast': plugin.load()()\n"
        "print(gymnasium.make('holdfast/HiddenRule-v0', task=1).spec.id)"
    )
    assert in_a_new_process(code).strip() == "holdfast/HiddenRule-v0"


def test_old_gymnasium_calls_the_entry_point_inside_its_namespace():
    (plugin,) = metadata.entry_points(group="gymnasium.envs", name="holdfast")
    for env_id in [*IDS, STREAM]:
        gymnasium.registry.pop(env_id)
    with gymnasium.envs.registration.namespace(plugin.name):
        plugin.load()()
    assert {i for i in gymnasium.registry if i.startswith("holdfast")} == {*IDS, STREAM}


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vector_environments_work(mode):
    envs = gymnasium.make_vec("holdfast/DarkRoom-v0", num_envs=2, vectorization_mode=mode, task=1)
    observations, _ = envs.reset(seed=0)
    assert observations.tolist() == [40, 40]
    observations, *_ = envs.step([1, 3])
    assert observations.tolist() == [31, 49]
    envs.close()
