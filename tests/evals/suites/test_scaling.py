from __future__ import annotations

from dataclasses import replace

import pytest

from evals.phase import PhaseRun
from evals.results import Result
from evals.suite import Case
from evals.suites import scaling
from evals.suites import scaling_phases as phases

SUITE = scaling.SUITE


def case(arm: str, seed: int = 0, **settings) -> Case:
    (found,) = [each for each in SUITE.cases([seed]) if each.arm == arm]
    return replace(found, settings={**found.settings, **settings})


def finished(arm: str, seed: int, measured: list[dict]) -> Result:
    the_case = case(arm, seed)
    run = PhaseRun(phase=the_case.phases[0], process=1, seconds=1.0, answer={"loss": 0.1, "measured": measured})
    return Result(case=the_case, phases=(run,))


def a_run(at_504: float, at_10000: float, *, arm: str = "blurred") -> list[Result]:
    measured = [
        {"slots": slots, "tier": tier, "accuracy": share, "microseconds": cost}
        for slots, share in ((504, at_504), (10_000, at_10000))
        for tier, cost in (("all", 90.0), ("scan", 40.0))
    ]
    measured.append({"slots": 504, "tier": "trained", "missing": "faiss is not installed"})
    return [finished(arm, seed, measured) for seed in range(5)]


def test_the_score_by_hand():
    report = scaling.score([*a_run(1.0, 0.96), *a_run(0.9, 0.5, arm="not blurred")])
    assert report.find("slots 10000", "scan", "accuracy").value == pytest.approx(0.96)
    assert report.find("slots 10000", "all, not blurred", "accuracy").value == pytest.approx(0.5)
    assert report.find("slots 504", "scan", "microseconds").value == pytest.approx(40.0)
    assert [row.task for row in report.rows if row.metric == "accuracy"] == ["slots 504"] * 3 + ["slots 10000"] * 3
    with pytest.raises(KeyError):
        report.find("slots 10000", "scan, not blurred", "accuracy")
    assert report.verdict == (
        "Trained on 8 slots, 1.00 [1.00, 1.00] of what is asked in 504 slots is recalled (0.99 is reached) and "
        "0.96 [0.96, 0.96] of what is asked in 10000 slots is recalled (0.95 is reached). In 10000 slots the cheapest "
        "read is scan: 40.0 [40.0, 40.0] microseconds a query, with 0.96 [0.96, 0.96] recalled. "
        "Not measured: trained, since faiss is not installed."
    )


def test_a_target_that_is_missed_is_called_missed():
    assert "(0.99 is not reached)" in scaling.score(a_run(0.9, 0.96)).verdict
    mixed = a_run(1.0, 0.9)[:3] + a_run(1.0, 0.99)[3:]
    assert "(0.95 is not clearly reached)" in scaling.score(mixed).verdict


def test_nothing_is_said_without_the_blurred_arm():
    assert scaling.score(a_run(1.0, 1.0, arm="not blurred")).verdict.startswith("Nothing can be said yet")


def test_facts_are_found_among_more_than_in_training_however_they_are_read(tmp_path):
    small = {"keys": 600, "plan": {"steps": 130, "sizes": [8], "batch": 32}, "slots": [8, 320], "asked": 64}
    small |= {"tiers": ["all", "dense", "scan"]}
    measured = phases.measure(case("blurred", **small), tmp_path, [])["measured"]
    assert [(each["slots"], each["tier"]) for each in measured] == [
        (slots, tier) for slots in (8, 320) for tier in small["tiers"]
    ]
    for each in measured:
        assert each["accuracy"] > 0.8
        assert each["microseconds"] > 0
    exact = [each["accuracy"] for each in measured if each["slots"] == 320]
    assert max(exact) - min(exact) < 0.05
