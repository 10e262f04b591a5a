from __future__ import annotations

from dataclasses import replace

import pytest

from evals.phase import PhaseRun
from evals.results import Result
from evals.suite import Case
from evals.suites import tool_use
from evals.suites import tool_use_phases as phases

SUITE = tool_use.SUITE
FLAT = [0.2] * tool_use.EPISODES


def case(task: str, arm: str, seed: int = 0, **settings) -> Case:
    (found,) = [each for each in SUITE.cases([seed]) if (each.task, each.arm) == (task, arm)]
    return replace(found, settings={**found.settings, **settings})


def finished(task: str, arm: str, seed: int, share: list[float]) -> Result:
    the_case = case(task, arm, seed)
    run = PhaseRun(phase=the_case.phases[0], process=1, seconds=1.0, answer={"share": share})
    return Result(case=the_case, phases=(run,))


def all_arms(task: str, seed: int, kept: list[float]) -> list[Result]:
    return [finished(task, arm, seed, kept if arm == "kept" else FLAT) for arm in SUITE.arms]


def test_the_report_and_the_verdict_by_hand():
    soon = [0.2, 0.5, *[0.9] * (tool_use.EPISODES - 2)]
    late = [0.2, 0.2, 0.2, *[0.8] * (tool_use.EPISODES - 3)]
    results = [
        result
        for seed in range(5)
        for task, kept in (("HiddenApi 1", soon), ("HiddenApi 2", late), ("ToldFacts 1", FLAT))
        for result in all_arms(task, seed, kept)
    ]
    report = tool_use.score(results)
    assert report.find("HiddenApi 1", "kept", "second_episode").value == pytest.approx(0.5)
    assert report.find("HiddenApi 1", "kept", "last_episodes").value == pytest.approx(0.9)
    assert report.find("HiddenApi 1", "kept over wiped", "gain_in_second").value == pytest.approx(0.3)
    assert report.find("HiddenApi 1", "kept over wiped", "gains_from").value == 2
    assert report.find("HiddenApi 2", "kept over foreign", "gains_from").value == 4
    assert report.find("ToldFacts 1", "kept over wiped", "gains_from").value == tool_use.EPISODES + 1
    assert "on 1 of 3 tasks (HiddenApi 2 from episode 4 on, ToldFacts 1 not clearly in the last episode)" in (
        report.verdict
    )
    assert [curve.task for curve in report.curves if curve.arm == "optimum"] == [
        "HiddenApi 1",
        "HiddenApi 2",
        "ToldFacts 1",
    ]
    assert tool_use.score([]).verdict.startswith("Nothing can be said yet")
    assert tool_use.score(results[:1]).verdict.startswith("Nothing can be said yet")


def test_a_gain_of_the_mean_alone_is_not_called_clear():
    kept = [[0.2] + [share] * (tool_use.EPISODES - 1) for share in (0.1, 0.1, 0.3, 0.9, 0.9)]
    results = [result for seed, share in enumerate(kept) for result in all_arms("HiddenSchema 2", seed, share)]
    report = tool_use.score(results)
    assert report.find("HiddenSchema 2", "kept over wiped", "gain_in_second").value > 0.1
    assert report.find("HiddenSchema 2", "kept over wiped", "gains_from").value == tool_use.EPISODES + 1


def test_each_arm_plays_its_worlds_with_its_memory(tmp_path):
    shares = {}
    for arm in SUITE.arms:
        folder = tmp_path / arm
        folder.mkdir()
        found = phases.play(case("HiddenApi 1", arm, worlds=3, episodes=10), folder, [])
        assert len(found["share"]) == 10
        shares[arm] = sum(found["share"][-3:]) / 3
    assert shares["kept"] > 0.7
    assert max(shares["wiped"], shares["foreign"]) < 0.6
    assert len(list((tmp_path / "kept").glob("*/memory.db"))) == 3
    assert not list((tmp_path / "wiped").glob("*/memory.db"))
