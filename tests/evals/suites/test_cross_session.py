from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from evals import find_suite, run_cases
from evals.phase import PhaseRun
from evals.results import Result
from evals.suite import Case
from evals.suites import cross_session
from evals.suites import cross_session_phases as phases
from retention import EpisodicMemory, NotFoundError

SUITE = cross_session.SUITE
LEARN, KILLED, USE, UNTRAINED = "learn", "learn_killed", "use", "untrained"
FREE = {"training": {"env_steps": 0, "cpu_seconds": 0.0}}


def case(task: str, arm: str, seed: int = 0, **settings) -> Case:
    (found,) = [each for each in SUITE.cases([seed]) if (each.task, each.arm) == (task, arm)]
    return replace(found, settings={**found.settings, **settings})


def finished(task: str, arm: str, seed: int, first: list[float], last: list[float] | None = None) -> Result:
    answers = {
        LEARN: {"returns": last or first, **FREE},
        KILLED: {"returns": last or first, "lost": 1, **FREE},
        USE: {"returns": first},
        UNTRAINED: {"untrained": 0.0, "optimum": 10.0},
    }
    the_case = case(task, arm, seed)
    return Result(
        case=the_case,
        phases=tuple(
            PhaseRun(phase=phase, process=1, seconds=1.0, answer=answers[phase.rpartition(":")[2]])
            for phase in the_case.phases
        ),
    )


def all_arms(task: str, seed: int, kept: float, wiped: float, foreign: float) -> list[Result]:
    # only the last episodes of the first process count
    last = SUITE.tasks[task]["last_episodes"]
    learned = [-99.0] * 20 + [10.0] * last
    return [
        finished(task, "kept", seed, [kept] * 10, learned),
        finished(task, "killed", seed, [kept - 1.0] * 10, learned),
        finished(task, "wiped", seed, [wiped] * 10),
        finished(task, "foreign", seed, [foreign] * 10, learned),
    ]


def test_the_score_by_hand():
    results = [
        each
        for task in ("HiddenRule", "DarkRoom")
        for seed in range(5)
        for each in all_arms(task, seed, kept=9.0, wiped=2.0, foreign=1.0)
    ]
    report = cross_session.score(list(reversed(results)))
    for task in ("HiddenRule", "DarkRoom", "all"):
        for arm, value in (("kept", 0.9), ("killed", 0.8), ("wiped", 0.2), ("foreign", 0.1)):
            row = report.find(task, arm, "normalised_return")
            assert (row.value, row.low, row.high) == pytest.approx((value,) * 3)
            assert row.seeds == 5
        assert report.find(task, "kept", "memory_gain").value == pytest.approx(0.7)
        assert report.find(task, "foreign", "memory_gain").value == pytest.approx(-0.1)
        assert report.find(task, "kept", "cross_session_retention").value == pytest.approx(7 / 8)
        assert report.find(task, "killed", "cross_session_retention").value == pytest.approx(6 / 8)
        assert report.find(task, "killed", "episodes_lost").value == 1.0
    assert report.find("HiddenRule", "kept", "return").value == 9.0
    with pytest.raises(KeyError):
        report.find("all", "kept", "return")
    assert report.verdict.startswith("Memory outlives the process on 2 of 2 tasks: ")
    assert "0.90 [0.90, 0.90]" in report.verdict
    assert "0.75 [0.75, 0.75] where the processes that learned were killed, with 1.00 [1.00, 1.00]" in report.verdict
    assert "over 10 runs of each arm" in report.verdict
    assert report.as_json()


def test_the_verdict_claims_nothing_that_the_intervals_do_not_bear():
    results = [each for seed in range(5) for each in all_arms("DarkRoom", seed, 3.0 + seed, 5.0, 4.0)]
    results += [each for seed in range(5) for each in all_arms("HiddenRule", seed, 9.0, 2.0, 8.9)]
    results += [each for seed in range(5) for each in all_arms("FrozenLake", seed, 9.0, 2.0, 9.0)]
    verdict = cross_session.score(results).verdict
    assert verdict.startswith("Memory outlives the process on 1 of 3 tasks (not clearly on DarkRoom, FrozenLake): ")


def test_only_seeds_with_all_arms_count():
    results = [each for seed in range(3) for each in all_arms("DarkRoom", seed, 9.0, 1.0, 1.0)]
    results += all_arms("DarkRoom", 3, -100.0, 1.0, 1.0)[:3]
    report = cross_session.score(results)
    assert report.find("DarkRoom", "kept", "return").seeds == 3
    assert report.find("DarkRoom", "kept", "return").value == 9.0
    nothing = cross_session.score(all_arms("DarkRoom", 0, 9.0, 1.0, 1.0)[:3])
    assert nothing.rows == ()
    assert nothing.verdict.startswith("Nothing can be said yet")


def test_retention_is_not_defined_where_nothing_was_gained():
    results = all_arms("DarkRoom", 0, kept=10.0, wiped=10.0, foreign=1.0)
    report = cross_session.score(results)
    assert math.isnan(report.find("DarkRoom", "kept", "cross_session_retention").value)
    assert json.loads(report.as_json())["verdict"] == report.verdict


@pytest.mark.parametrize("task", list(SUITE.tasks))
def test_the_worlds_of_a_task_are_of_one_family_and_another_is_another(task):
    own, again = phases._world(case(task, "kept")), phases._world(case(task, "wiped"))
    other = phases._world(case(task, "foreign"), foreign=True)
    assert own.observation_space == other.observation_space
    assert own.action_space == other.action_space

    def walk(world) -> list[tuple[str, float]]:
        seen = [(str(world.reset(seed=0)[0]), 0.0)]
        world.action_space.seed(1)
        for _ in range(3000):
            observation, reward, terminated, truncated, _ = world.step(world.action_space.sample())
            seen.append((str(observation), float(reward)))
            if terminated or truncated:
                seen.append((str(world.reset()[0]), 0.0))
        return seen

    assert walk(own) == walk(again)
    assert walk(own) != walk(other)


def test_the_mirrored_cliff_is_the_cliff_seen_in_a_mirror():
    cliff = phases._world(case("CliffWalking", "foreign"), foreign=True)
    observation, _ = cliff.reset(seed=0)
    assert int(observation) == 47
    total, terminated = 0.0, False
    for action in [0] + [3] * 11 + [2]:  # up, left along the cliff, down
        observation, reward, terminated, _, _ = cliff.step(action)
        total += float(reward)
    assert (int(observation), total, terminated) == (36, -13.0, True)
    cliff.reset()
    assert cliff.step(3)[:2] == (47, -100)


@pytest.mark.parametrize(("task", "untrained", "optimum"), [("HiddenRule", 2.0, 10.0), ("FrozenLake", 0.015, 1.0)])
def test_the_ends_of_the_scale(task, untrained, optimum, tmp_path):
    answer = phases.untrained(case(task, "wiped", untrained_episodes=300), tmp_path, [])
    assert answer["optimum"] == optimum
    assert answer["untrained"] == pytest.approx(untrained, abs=0.35 if task == "HiddenRule" else 0.03)


def test_a_memory_learned_in_one_process_acts_in_another(tmp_path):
    cases = [case("FrozenLake", "kept", episodes=25)]
    (result,) = run_cases(cases, tmp_path)
    learned, used = result.phases
    assert learned.process != used.process
    assert used.answer["returns"] == [1.0] * 10
    (memory_file,) = (tmp_path / "cases").glob("*/memory.db")
    with EpisodicMemory.open(memory_file, mode="ro") as memory:
        assert memory.episode_count(namespace="cross-session", task="FrozenLake") == 25  # the frozen process wrote none


def test_wiped_and_foreign_memories_do_not_know_the_lake(tmp_path):
    wiped = case("FrozenLake", "wiped", episodes=25)
    assert sum(phases.use(wiped, tmp_path, [])["returns"]) <= 2
    assert list(tmp_path.iterdir()) == []
    foreign = case("FrozenLake", "foreign", episodes=25)
    assert phases.learn(foreign, tmp_path, [])["returns"][-1] == 1.0
    before = (tmp_path / "memory.db").read_bytes()
    assert phases.use(foreign, tmp_path, [])["returns"] == [0.0] * 10
    assert (tmp_path / "memory.db").read_bytes() == before


def test_a_killed_process_loses_no_finished_episode_and_another_goes_on(tmp_path):
    (result,) = run_cases([case("HiddenRule by recall", "killed", episodes=25, kills=2)], tmp_path)
    assert result.error is None
    learned, used = result.phases
    assert learned.answer["processes"] == 3
    assert learned.answer["lost"] == 0
    assert len(learned.answer["returns"]) == 25
    assert sum(used.answer["returns"]) >= 97
    logs = sorted((tmp_path / "cases").glob("*/process-*/phase-0.json"))
    assert len(logs) == 1  # only the last process gave an answer


def test_a_process_that_fails_by_itself_is_no_kill(tmp_path):
    broken = case("FrozenLake", "killed", episodes=5, kills=1, env="NoSuchLake-v1")
    (result,) = run_cases([broken], tmp_path)
    assert result.error is not None
    assert "NoSuchLake" in result.error


def test_a_world_that_goes_on_starts_where_the_other_process_left_it():
    silent = case("SilentSwitch", "kept")
    assert phases._world(silent).unwrapped.rule == phases._world(silent).unwrapped.rules[0]
    later = phases._world(silent, first_episode=silent.settings["episodes"]).unwrapped
    assert later.rule == later.rules[1]
    assert phases._world(case("DarkRoom", "kept"), first_episode=9)  # of no concern to a room


def test_only_a_policy_that_was_trained_can_be_missing():
    said = phases.absent(case("DarkRoom", "kept", policy="retention:no-such-policy"))
    assert said is not None and said.startswith("retention:no-such-policy is left out: ")
    assert phases.absent(case("FrozenLake", "kept")) is None


def test_the_suite_is_found_by_its_name_and_a_wrong_one_is_named():
    assert find_suite("cross-session") is SUITE
    with pytest.raises(NotFoundError, match=r"no suite named 'cros-session'\. Did you mean 'cross-session'"):
        find_suite("cros-session")
