from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from evals import run_cases
from evals.learners import PEERS
from evals.phase import PhaseRun
from evals.results import Result
from evals.suite import Case
from evals.suites import learning, learning_phases, learning_score
from evals.suites.learning_phases import absent

SUITE = learning.SUITE
FREE = {"env_steps": 0, "cpu_seconds": 0.0}


def case(task: str, arm: str, seed: int = 0, **settings) -> Case:
    (found,) = [each for each in SUITE.cases([seed]) if (each.task, each.arm) == (task, arm)]
    return replace(found, settings={**found.settings, **settings})


def answer(returns: list[float], length: int = 10, **more) -> dict:
    episodes = len(returns)
    base = {"returns": returns, "lengths": [length] * episodes, "env_steps": length * episodes + 3}
    base |= {"clock": [0.5 * (n + 1) for n in range(episodes)], "cpu_seconds": 99.0, "optimum": None, "training": FREE}
    return base | more


def finished(task: str, arm: str, seed: int, found: dict) -> Result:
    the_case = case(task, arm, seed)
    return Result(case=the_case, phases=(PhaseRun(phase=the_case.phases[0], process=1, seconds=1.0, answer=found),))


def soon(episode: int, episodes: int) -> dict:
    """Return a run that earns nothing before an episode, and everything from there on."""
    return answer([0.0] * (episode - 1) + [1.0] * (episodes - episode + 1))


def test_one_run_by_hand():
    run = answer([0.0] * 4 + [1.0] * 30)
    found = learning_score.measure(run, 0.9, 20, never=(500, 9000))
    assert found["episodes_to_threshold"] == 3  # 18 of the 20 from episode 3 on
    assert found["env_steps_to_threshold"] == 30
    assert found["cpu_seconds_to_threshold"] == 0.5 * 22  # at the end of the window
    assert (found["reached"], found["held"], found["final_return"]) == (1.0, 1.0, 1.0)
    fell = learning_score.measure(answer([1.0] * 30 + [0.0] * 30), 0.9, 20, never=(500, 9000))
    assert (fell["reached"], fell["held"], fell["final_return"]) == (1.0, 0.0, 0.0)
    lost = learning_score.measure(answer([0.0] * 30), 0.9, 20, never=(500, 9000))
    assert (lost["episodes_to_threshold"], lost["env_steps_to_threshold"], lost["reached"]) == (500, 9000, 0)
    assert math.isnan(lost["cpu_seconds_to_threshold"])
    assert learning_score.measure(answer([]), 0.9, 20, never=(500, 9000))["reached"] == 0.0


def test_who_never_gets_there_is_not_better_for_having_been_given_less():
    results = [
        each
        for seed in range(5)
        for each in (
            finished("CliffWalking", "recall", seed, answer([-200.0] * 30)),  # far fewer steps
            finished("CliffWalking", "ppo", seed, answer([-200.0] * 500)),
            finished("CliffWalking", "dqn", seed, answer([-200.0] * 100 + [-13.0] * 100)),
        )
    ]
    report = learning.score(results)
    assert report.find("CliffWalking", "recall over ppo", "probability_of_improvement").value == 0.5
    assert report.find("CliffWalking", "recall over dqn", "probability_of_improvement").value == 0.0
    for arm in ("recall", "ppo"):
        assert report.find("CliffWalking", arm, "episodes_to_threshold").value == 501
        assert report.find("CliffWalking", arm, "env_steps_to_threshold").value == 5004
    assert report.verdict == (
        "recall is there in fewer environment steps than every other learner on no task, "
        "later than one of them on CliffWalking."
    )


def test_the_report_by_hand():
    results = []
    for seed, (ours, theirs) in enumerate(zip((8, 9, 8, 8, 40), (100, 110, 120, 130, 140), strict=True)):
        results.append(finished("FrozenLake 4x4", "recall", seed, soon(ours, 200)))
        results.append(finished("FrozenLake 4x4", "ppo", seed, soon(theirs, 400)))
        trained = {"env_steps": 1000, "cpu_seconds": 60.0}
        results.append(finished("HiddenRule", "retention", seed, answer([10.0] * 50, training=trained)))
        results.append(finished("HiddenRule", "dqn", seed, answer([2.0] * 30 + [10.0] * 30)))
    report = learning.score(list(reversed(results)))
    median = report.find("FrozenLake 4x4", "recall", "median_episodes")
    assert (median.value, median.seeds) == (6, 5)  # 18 of 20 are enough: two before the first success
    assert report.find("FrozenLake 4x4", "ppo", "episodes_to_threshold").value == pytest.approx(118)
    assert report.find("FrozenLake 4x4", "recall over ppo", "probability_of_improvement").value == 1.0
    assert report.find("all", "retention over dqn", "probability_of_improvement").value == 1.0
    assert report.find("HiddenRule", "retention", "training_env_steps").value == 1000
    assert report.verdict == (
        "recall is there in fewer environment steps than every other learner on FrozenLake 4x4. "
        "retention is there in fewer environment steps than every other learner on HiddenRule, "
        "after meta-training, in steps: 1,000 on HiddenRule."
    )
    drawn = {(curve.task, curve.arm) for curve in report.curves}
    assert ("FrozenLake 4x4", "recall") in drawn
    assert ("FrozenLake 4x4", "threshold 0.9") in drawn
    assert report.as_json()


def test_two_thresholds_of_one_run_are_two_rows():
    results = [finished("CartPole", "recall", seed, answer([200.0] * 40)) for seed in range(2)]
    report = learning.score(results)
    assert report.find("CartPole to 195", "recall", "reached").value == 1.0
    assert report.find("CartPole to 475", "recall", "reached").value == 0.0
    assert "Nothing can be said yet" in report.verdict


def test_a_threshold_may_be_a_share_of_the_optimum():
    found = [finished("DarkRoom", "retention", seed, answer([15.0] * 20, optimum=16.0)) for seed in range(2)]
    assert learning.score(found).find("DarkRoom", "retention", "reached").value == 1.0  # 0.9 of 16 is 14.4
    found = [finished("DarkRoom", "retention", seed, answer([15.0] * 20, optimum=17.0)) for seed in range(2)]
    assert learning.score(found).find("DarkRoom", "retention", "reached").value == 0.0


def test_a_point_of_a_curve_is_the_mean_of_the_episodes_that_had_ended():
    run = {"returns": [1.0, 2.0, 6.0, 3.0], "lengths": [10, 10, 5, 5]}
    at = np.array([10.0, 19.0, 20.0, 26.0, 100.0])
    assert learning_score.trailing(run, at, 2).tolist() == [1.0, 1.0, 1.5, 4.0, 4.5]


def test_peers_are_given_at_least_twice_the_steps_of_ours():
    for task, settings in SUITE.tasks.items():
        ours = settings["ours"].get("env_steps")
        if ours is None:  # episodes of a known length at most
            ours = settings["ours"]["episodes"] * {"HiddenRule": 10, "DarkRoom": 20, "DarkKeyDoor": 50}[task]
        assert settings["peers"]["env_steps"] >= 2 * ours


def test_arms_play_what_they_can():
    assert "tabular-q" not in {each.arm for each in SUITE.cases([0]) if each.task == "CartPole"}
    assert "retention" not in {each.arm for each in SUITE.cases([0]) if each.task == "Taxi"}


def test_a_missing_peer_is_left_out(monkeypatch):
    monkeypatch.setattr("evals.learners.find_spec", lambda module: None)
    for arm in PEERS:
        assert absent(case("CartPole", arm)) is not None
    assert absent(case("CartPole", "recall")) is None
    missing = case("LunarLander", "recall", packages={"no_such_module": "box2d", "no_such_either": "pygame"})
    assert absent(missing) == "LunarLander is left out: it needs box2d and pygame (pip install 'holdfast[bench]')"


def test_two_learners_really_play(tmp_path):
    short = {"ours": {"episodes": 35}, "peers": {"env_steps": 1500}}
    results = run_cases([case("FrozenLake 4x4", arm, **short) for arm in ("recall", "tabular-q")], tmp_path)
    assert [each.error for each in results] == [None, None]
    report = learning.score(results)
    assert report.find("FrozenLake 4x4", "recall", "episodes_to_threshold").value <= 12
    assert len(results[0].phases[0].answer["returns"]) == 35
    assert results[1].phases[0].answer["env_steps"] >= 1500


@pytest.mark.parametrize(("arm", "episodes"), [("recall", 3), ("gradient", 5), ("tabular-q", 4)])
def test_a_budget_in_the_name_of_an_arm_is_that_arms(tmp_path, arm, episodes):
    settings = {"gradient": {"episodes": 5}, "ours": {"episodes": 3}, "peers": {"episodes": 4}}
    the_case = replace(case("CliffWalking", "recall", **settings), arm=arm)
    assert len(learning_phases.play(the_case, tmp_path, [])["returns"]) == episodes
