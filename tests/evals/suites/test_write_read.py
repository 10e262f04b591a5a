from __future__ import annotations

from dataclasses import replace

import pytest

from evals import run_cases
from evals.phase import PhaseRun
from evals.results import Result
from evals.suite import Case
from evals.suites import write_read
from evals.suites import write_read_phases as phases

SUITE = write_read.SUITE


def case(arm: str, seed: int = 0, **settings) -> Case:
    (found,) = [each for each in SUITE.cases([seed]) if each.arm == arm]
    return replace(found, settings={**found.settings, **settings})


def finished(arm: str, seed: int, **answer) -> Result:
    the_case = case(arm, seed)
    runs = [PhaseRun(phase=phase, process=1, seconds=1.0, answer=answer) for phase in the_case.phases]
    return Result(case=the_case, phases=tuple(runs))


def one_seed(seed: int, kept: float) -> list[Result]:
    drifted = [
        {"rate": rate, "noticed": True, "recalled": {"stale": 0.5, "refreshed": refreshed, "written anew": 1.0}}
        for rate, refreshed in ((0.002, 0.99), (0.005, 0.8))
    ]
    return [
        finished("kept", seed, recalled={"kept": kept, "wiped": 0.01, "foreign": 0.02}),
        finished("vanilla", seed, recalled={"wiped": 0.03}),
        finished("drifted", seed, drifted=drifted),
    ]


def test_the_score_by_hand():
    results = [each for seed in range(5) for each in one_seed(seed, kept=1.0 if seed else 0.9)]
    report = write_read.score(list(reversed(results)))
    for arm, value in (("kept", 1.0), ("wiped", 0.01), ("foreign", 0.02), ("vanilla", 0.03)):
        assert report.find("64 facts", arm, "accuracy").value == pytest.approx(value)
        assert report.find("64 facts", arm, "accuracy").seeds == 5
    assert report.find("64 facts, fine-tuned at 0.005", "refreshed", "accuracy").value == pytest.approx(0.8)
    assert [row.arm for row in report.rows[:4]] == ["kept", "wiped", "foreign", "vanilla"]
    assert "all of 64 facts are recalled in 4 of 5 seeds: 1.00 [0.93, 1.00]" in report.verdict
    assert "64 facts, fine-tuned at 0.002: 0.50 [0.50, 0.50] as they were written" in report.verdict
    assert "0.99 [0.99, 0.99] refreshed, which is 99.0% of 1.00 [1.00, 1.00]" in report.verdict
    assert "which is 80.0% of" in report.verdict


def test_nothing_is_said_of_what_has_not_finished():
    report = write_read.score(one_seed(0, 1.0)[:1])
    assert report.verdict.startswith("Nothing can be said yet about 64 facts: kept and vanilla must have finished.")
    assert "fine-tuned" not in report.verdict


def test_the_keys_of_the_facts_are_shown_by_no_training():
    tasks = phases._tasks(case("kept"))
    ranges = [(task.first, task.last or task.keys) for task in (tasks[n] for n in ("learned", "drifted", "facts"))]
    assert ranges == [(0, 384), (384, 448), (448, 512)]
    facts, other = phases._facts(case("kept")), phases._facts(case("kept"), other=True)
    assert sorted(key for segment in facts.asked for key in segment[0].tolist()) == list(range(448, 512))
    assert all((a == b).all() for a, b in zip(facts.asked, other.asked, strict=True))
    assert any((a != b).any() for a, b in zip(facts.answers, other.answers, strict=True))


def test_slots_that_one_process_wrote_are_read_by_another(tmp_path):
    small = {"keys": [48, 24, 16], "drift_segment": 8, "drift_rates": [0.02]}
    small |= {"learn": {"steps": 100, "sizes": [8], "batch": 16}, "drift": {"steps": 30, "sizes": [8], "batch": 8}}
    small |= {"memory": {"chunk": 2, "capacity": 16, "tau": 0.8, "blur": 0.0, "positions": 0.02}}
    (kept,) = run_cases([case("kept", **small)], tmp_path)
    learned, recalled = kept.phases
    assert learned.process != recalled.process
    shares = recalled.answer["recalled"]
    assert shares["kept"] == learned.answer["accuracy"] >= 0.5
    assert max(shares["wiped"], shares["foreign"]) < 0.4
    (folder,) = (tmp_path / "cases").iterdir()
    phases.drift(case("drifted", **small), folder, [])
    (after,) = phases.recall_drifted(case("drifted", **small), folder, [])["drifted"]
    assert after["noticed"]
    assert set(after["recalled"]) == {"stale", "refreshed", "written anew"}
    assert after["recalled"]["stale"] < shares["kept"] or after["recalled"]["written anew"] < 1.0
