from __future__ import annotations

from dataclasses import replace

from evals.phase import PhaseRun
from evals.results import Result
from evals.suite import Case
from evals.suites import capacity
from evals.suites import capacity_phases as phases

SUITE = capacity.SUITE


def case(task: str, arm: str, seed: int = 0, **settings) -> Case:
    (found,) = [each for each in SUITE.cases([seed]) if (each.task, each.arm) == (task, arm)]
    return replace(found, settings={**found.settings, **settings})


def finished(task: str, arm: str, seed: int, found: dict) -> Result:
    the_case = case(task, arm, seed)
    whole = {"cpu_seconds": 1.0, **found}
    return Result(case=the_case, phases=(PhaseRun(phase=the_case.phases[0], process=1, seconds=1.0, answer=whole),))


def test_the_report_by_hand():
    results = []
    for seed in range(5):
        for arm, kept in (("2 slots", 0.76), ("unlimited", 0.8)):
            results.append(finished("HiddenRule", arm, seed, {"share": [0.2] * 9 + [kept] * 3}))
            stream = {"share": [0.5] * 100, "table": [[0.0] * 10, [kept + 0.19] * 10]}
            results.append(finished("ten cued by recall", arm, seed, stream))
    report = capacity.score(results)
    assert abs(report.find("HiddenRule", "2 slots", "kept").value - 0.76) < 1e-9
    assert abs(report.find("HiddenRule", "2 slots", "kept_of_unlimited").value - 0.95) < 1e-9
    assert abs(report.find("ten cued by recall", "2 slots", "kept").value - 0.95) < 1e-9
    assert "HiddenRule keeps 0.76 [0.76, 0.76] with 2 slots, 0.80 [0.80, 0.80] with unlimited" in report.verdict
    assert "(0.95 with 2 slots is " in report.verdict
    assert {curve.arm for curve in report.curves} == {"2 slots", "unlimited"}
    assert capacity.score([]).verdict.startswith("Nothing can be said yet")


def test_an_arm_has_its_slots_for_each_key(tmp_path, monkeypatch):
    asked = []

    def stages(learner, settings, folder, seed):
        asked.append((learner, settings["capacity"]))
        return {}

    monkeypatch.setattr(phases, "stages", stages)
    for arm in SUITE.arms:
        phases.play(case("ten cued by recall", arm), tmp_path, [])
    assert asked == [("recall", slots) for slots in (100, 200, 300, 500, None)]


def test_every_world_is_played_with_the_slots_of_the_arm(tmp_path, monkeypatch):
    asked, make = [], phases.make_learner

    def made(name, settings, folder):
        asked.append((name, settings["capacity"], folder.name))
        return make(name, settings, folder)

    monkeypatch.setattr(phases, "make_learner", made)
    for arm in ("2 slots", "unlimited"):
        folder = tmp_path / arm
        folder.mkdir()
        found = phases.play(case("HiddenRule by recall", arm, worlds=2, episodes=10), folder, [])
        assert len(found["share"]) == 10
    assert asked == [("recall", slots, f"world-{number}") for slots in (20, None) for number in range(2)]
    assert sum(found["share"][-3:]) > 1.5  # unlimited; guessing has 0.6
