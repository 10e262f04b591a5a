from __future__ import annotations

from dataclasses import replace

import pytest

from evals.phase import PhaseRun
from evals.results import Result
from evals.suite import Case
from evals.suites import transfer
from evals.suites import transfer_phases as phases

SUITE = transfer.SUITE


def case(task: str, arm: str, seed: int = 0, **settings) -> Case:
    (found,) = [each for each in SUITE.cases([seed]) if (each.task, each.arm) == (task, arm)]
    return replace(found, settings={**found.settings, **settings})


def finished(task: str, arm: str, seed: int, last: float) -> Result:
    the_case = case(task, arm, seed)
    found = {"share": [0.1] * 8 + [last - 0.1, last + 0.1], "cpu_seconds": 1.0}
    found["training"] = {"env_steps": 2000, "cpu_seconds": 100.0}
    return Result(case=the_case, phases=(PhaseRun(phase=the_case.phases[0], process=1, seconds=1.0, answer=found),))


def test_the_report_and_the_verdict_by_hand():
    results = [
        finished(task, arm, seed, last)
        for seed in range(5)
        for task, arm, last in (
            ("DarkRoom", "kept", 0.8),
            ("DarkRoom", "wiped", 0.2),
            ("DarkRoom trained", "kept", 0.9),
            ("HiddenRule", "kept", 0.7),
        )
    ]
    report = transfer.score(results)
    assert report.find("DarkRoom", "kept", "share_of_optimum").value == pytest.approx(0.8)
    assert report.find("DarkRoom", "kept", "first_episode").value == pytest.approx(0.1)
    assert report.find("DarkRoom", "kept", "training_env_steps").value == 2000
    assert "DarkRoom after 2,000 steps of training: kept 0.80 [0.80, 0.80], wiped 0.20 [0.20, 0.20]" in report.verdict
    assert "; clearly less than the 0.90 [0.90, 0.90] in trained worlds" in report.verdict
    assert "HiddenRule after 2,000 steps of training: kept 0.70 [0.70, 0.70]." in report.verdict
    assert [curve.task for curve in report.curves if curve.arm == "optimum"] == [
        "HiddenRule",
        "DarkRoom",
        "DarkRoom trained",
    ]
    assert transfer.score([]).verdict.startswith("Nothing can be said yet")


def test_each_arm_plays_its_worlds_with_its_memory(tmp_path, monkeypatch):
    """With recall in the place of a trained policy: the arms are the same."""
    monkeypatch.setattr("evals.learners.policy_name", lambda policy, settings: "recall")
    shares = {}
    for arm in SUITE.arms:
        folder = tmp_path / arm
        folder.mkdir()
        found = phases.play(case("HiddenRule", arm, worlds=3, discount=0.5), folder, [])
        assert len(found["share"]) == 10
        shares[arm] = found["share"][-1]
    assert shares["kept"] > 0.7
    assert max(shares["wiped"], shares["foreign"]) < 0.5
    assert len(list((tmp_path / "kept").glob("*/memory.db"))) == 3


def test_a_policy_that_is_not_there_is_left_out():
    said = phases.absent(case("DarkRoom", "wiped", policy="retention:no-such-policy"))
    assert said is not None and said.startswith("retention:no-such-policy is left out: ")
