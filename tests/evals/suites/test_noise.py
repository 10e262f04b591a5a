from __future__ import annotations

from dataclasses import replace

import pytest

from evals.phase import PhaseRun
from evals.results import Result
from evals.suite import Case
from evals.suites import noise
from evals.suites import noise_phases as phases

SUITE = noise.SUITE


def case(task: str, arm: str, seed: int = 0, **settings) -> Case:
    (found,) = [each for each in SUITE.cases([seed]) if (each.task, each.arm) == (task, arm)]
    return replace(found, settings={**found.settings, **settings})


def finished(task: str, arm: str, seed: int, last: float) -> Result:
    the_case = case(task, arm, seed)
    found = {"accuracy": [0.2] * 11 + [last], "cpu_seconds": 1.0, "training": {"env_steps": 7, "cpu_seconds": 1.0}}
    return Result(case=the_case, phases=(PhaseRun(phase=the_case.phases[0], process=1, seconds=1.0, answer=found),))


def test_the_report_and_the_verdict_by_hand():
    results = [
        each
        for seed in range(5)
        for each in (
            finished("flipped 20 %", "retention", seed, 0.9),
            finished("flipped 20 %", "recall", seed, 0.7),
            finished("flipped 20 %", "ppo", seed, 0.25),
            finished("clean", "recall", seed, 1.0),
        )
    ]
    report = noise.score(results)
    assert report.find("flipped 20 %", "retention", "accuracy").value == 0.9
    assert report.find("clean", "recall", "mean_accuracy").value == pytest.approx((0.2 * 11 + 1) / 12)
    assert report.find("flipped 20 %", "recall over ppo", "probability_of_improvement").value == 1.0
    first, second = report.verdict.split(". With")
    assert first.startswith(
        "With 20 % of the feedback flipped, retention answers 0.90 [0.90, 0.90] rightly in episode 12"
    )
    assert "(0.85 is reached; beside it ppo 0.25 [0.25, 0.25])" in first
    assert "(0.85 is not reached;" in second
    assert noise.score([]).verdict.startswith("Nothing can be said yet")


def test_truth_is_counted_and_noise_is_heard(tmp_path):
    def accuracy(task: str, arm: str) -> list[float]:
        folder = tmp_path / f"{task}-{arm}"
        folder.mkdir()
        return phases.play(case(task, arm, worlds=4), folder, [])["accuracy"]

    clean = accuracy("clean", "oracle")
    assert len(clean) == 12
    assert clean[5:] == [1.0] * 7
    assert accuracy("flipped 50 %", "oracle")[-1] < 0.6  # what is heard tells nothing
    assert 0.7 <= accuracy("adversarial 20 %", "oracle")[-1] <= 1.0
    learned, lied_to = accuracy("clean", "recall"), accuracy("flipped 30 %", "recall")
    assert learned[-1] > 0.8
    assert sum(lied_to) < sum(learned)
