"""What holds for every environment of the package, whatever its family."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

import environments
from environments.registration import ENTRY_POINTS

FAMILIES = [
    "holdfast/DarkKeyDoor-v0",
    "holdfast/DarkRoom-v0",
    "holdfast/EntityRewrite-v0",
    "holdfast/HiddenApi-v0",
    "holdfast/HiddenRule-v0",
    "holdfast/HiddenSchema-v0",
    "holdfast/SilentSwitch-v0",
    "holdfast/ToldFacts-v0",
]
TEXTS = ["holdfast/HiddenApi-v0", "holdfast/HiddenSchema-v0", "holdfast/ToldFacts-v0"]
SECTIONS = [
    "Description",
    "Action Space",
    "Observation Space",
    "Starting State",
    "Rewards",
    "Episode End",
    "Information",
    "Arguments",
    "Optimum",
    "Version History",
]

WALK = """
import json, sys
import gymnasium

def walk(env_id, episodes=4):
    env = gymnasium.make("environments:" + env_id)
    env.action_space.seed(0)
    seen = []
    for seed in range(episodes):
        observation, info = env.reset(seed=seed)
        over = False
        while not over:
            observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
            seen.append([getattr(observation, "tolist", lambda: observation)(), reward, terminated, truncated, info])
            over = terminated or truncated
    return seen
"""


def test_the_list_of_this_file_is_all_there_is():
    assert sorted([*FAMILIES, "holdfast/TaskStream-v0"]) == sorted(ENTRY_POINTS)
    assert set(ENTRY_POINTS) <= set(gymnasium.registry)
    classes = {path.partition(":")[2] for path in ENTRY_POINTS.values()}
    assert set(environments.__all__) == classes | {"register"}


@pytest.mark.parametrize("env_id", sorted(ENTRY_POINTS))
def test_gymnasium_accepts_the_environment_without_a_warning(env_id):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make(env_id).unwrapped)
        check_env(gymnasium.make(env_id, render_mode="ansi").unwrapped)


@pytest.mark.parametrize("env_id", sorted(ENTRY_POINTS))
def test_the_documentation_has_the_sections_of_gymnasium(env_id):
    text = gymnasium.make(env_id).unwrapped.__doc__
    assert [line.strip()[3:] for line in text.splitlines() if line.strip().startswith("## ")] == SECTIONS
    assert f'gymnasium.make("{env_id}"' in text


@pytest.mark.parametrize("env_id", FAMILIES)
def test_the_optimum_is_known_and_random_actions_stay_below(env_id):
    env = gymnasium.make(env_id)
    env.action_space.seed(1)
    returns = []
    for seed in range(20):
        env.reset(seed=seed)
        total, over = 0.0, False
        while not over:
            _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            total, over = total + reward, terminated or truncated
        returns.append(total)
        assert total <= env.get_wrapper_attr("optimal_return")
    assert sum(returns) / len(returns) < env.get_wrapper_attr("optimal_return") / 2


def test_the_same_seeds_are_the_same_run_in_another_process(tmp_path, clean_environment):
    script = tmp_path / "walk.py"
    script.write_text(WALK + f"print(json.dumps([walk(each) for each in {sorted(ENTRY_POINTS)}]))\n")
    answers = [
        subprocess.run(
            [sys.executable, "-W", "error", script],
            cwd=tmp_path,
            env=clean_environment | {"PYTHONPATH": ":".join(p for p in sys.path if p), "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1")
    ]
    assert answers[0] == answers[1]
    assert min(len(run) for run in json.loads(answers[0])) >= 32


@pytest.mark.parametrize("env_id", TEXTS)
def test_vectors_of_texts_step_alike(env_id):
    envs = gymnasium.make_vec(env_id, num_envs=2, vectorization_mode="sync")
    _, infos = envs.reset(seed=[3, 3])
    for _ in range(60):  # beyond the end of several episodes
        first, second = infos["candidates"]
        assert first == second
        observations, rewards, _, _, infos = envs.step((first or [""])[:1] * 2)
        assert observations[0] == observations[1]
        assert rewards[0] == rewards[1]
    envs.close()


@pytest.mark.parametrize("env_id", sorted(set(ENTRY_POINTS) - set(TEXTS)))
def test_vectors_step_alike(env_id):
    envs = gymnasium.make_vec(env_id, num_envs=2, vectorization_mode="sync")
    envs.reset(seed=[3, 3])
    for step in range(60):  # beyond the end of several episodes
        observations, rewards, *_ = envs.step([step % 5] * 2)
        assert observations[0].tolist() == observations[1].tolist()
        assert rewards[0] == rewards[1]
    envs.close()
