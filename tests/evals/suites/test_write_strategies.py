from __future__ import annotations

from dataclasses import replace

import pytest

from evals import peers, run_cases
from evals.phase import PhaseRun
from evals.results import Result
from evals.suite import Case
from evals.suites import write_strategies
from evals.suites import write_strategies_phases as phases

SUITE = write_strategies.SUITE


def case(task: str, arm: str, seed: int = 0, **settings) -> Case:
    (found,) = [each for each in SUITE.cases([seed]) if (each.task, each.arm) == (task, arm)]
    return replace(found, settings={**found.settings, **settings})


def finished(task: str, arm: str, seed: int, answer: dict) -> Result:
    the_case = case(task, arm, seed)
    run = PhaseRun(phase=the_case.phases[0], process=1, seconds=1.0, answer=answer)
    return Result(case=the_case, phases=(run,))


def answer(accuracy: float, slots: float | None, *exercises: str) -> dict:
    return {
        "loss": 0.1,
        "measured": [
            {"exercise": name, "accuracy": accuracy, "state_bytes": 1000, "slots": slots, "microseconds": 50.0}
            for name in exercises
        ],
    }


def a_run(*, append: float, blend: float, merge: float, published: float, merge_slots: float = 8.0) -> list[Result]:
    exercises = {"copy": ["copy 8"], "recall": ["recall 8"], "rewritten": ["rewritten 1", "rewritten at once 10"]}
    results = []
    for seed in range(5):
        for task, names in exercises.items():
            for arm, share, slots in (
                ("append", append, 16.0),
                ("blend", blend, 16.0),
                ("merge", merge, merge_slots),
                ("published", published, 1.0),
            ):
                results.append(finished(task, arm, seed, answer(share, slots, *names)))
            results.append(finished(task, "vanilla", seed, answer(0.02, None, *names)))
            results.append(finished(task, "rmt", seed, {"missing": "pip install it."}))
    return results


def test_the_score_by_hand():
    report = write_strategies.score(a_run(append=0.9, blend=0.5, merge=0.9, published=0.3))
    assert report.find("rewritten at once 10", "merge", "accuracy").value == pytest.approx(0.9)
    assert report.find("copy 8", "append", "slots").value == 16.0
    assert report.find("copy 8", "vanilla", "state_bytes").value == 1000
    assert report.find("recall 8", "vanilla", "accuracy").seeds == 5
    with pytest.raises(KeyError):
        report.find("copy 8", "vanilla", "slots")
    with pytest.raises(KeyError):
        report.find("copy 8", "rmt", "accuracy")
    assert report.verdict.startswith("Write by merge: it is clearly worse on 0 of 4 tasks.")
    assert "append recalls 0.90 [0.90, 0.90] of rewritten at once 10 in 16.0 slots on average" in report.verdict
    assert report.verdict.endswith("Not measured: rmt, since pip install it.")


def test_the_recommendation_follows_the_table():
    worse = write_strategies.score(a_run(append=0.9, blend=0.5, merge=0.8, published=0.3)).verdict
    assert worse.startswith("Write by append: it is clearly worse on 0 of 4 tasks.")
    more_slots = write_strategies.score(a_run(append=0.9, blend=0.5, merge=0.9, published=0.3, merge_slots=17.0))
    assert more_slots.verdict.startswith("Write by append")
    nothing = write_strategies.score([finished("copy", "rmt", 0, {"missing": "no package"})])
    assert nothing.verdict == (
        "Nothing can be said yet: no way of writing has finished on every task. Not measured: rmt, since no package."
    )
    alone = write_strategies.score([finished("copy", "blend", 0, answer(0.2, 16.0, "copy 8"))])
    assert alone.verdict == (
        "Nothing can be said yet: blend has finished on every task, and no other way to compare it with."
    )
    assert alone.rows


@pytest.mark.parametrize("task", list(SUITE.tasks))
def test_every_task_runs_on_its_smallest_settings(task, tmp_path):
    sizes = {"copy": [8], "recall": [8], "rewritten": [0, 1]}[task]
    plan = {"steps": 2, "sizes": sizes, "batch": 4}
    result = phases.measure(case(task, "merge", plan=plan, measured=[2, 4], rows=4), tmp_path, [])
    names = {
        "copy": ["copy 2", "copy 4"],
        "recall": ["recall 2", "recall 4"],
        "rewritten": [f"{kind} {size}" for kind in ("rewritten", "rewritten at once", "told once") for size in (2, 4)],
    }
    assert [each["exercise"] for each in result["measured"]] == names[task]
    for each in result["measured"]:
        assert 0 <= each["accuracy"] <= 1
        assert 0 < each["slots"] <= 32
        assert each["state_bytes"] > 32 * 64 * 4
        assert each["microseconds"] > 0


def test_a_model_learns_to_recall_and_one_without_memory_does_not(tmp_path):
    plan = {"steps": 90, "sizes": [4], "batch": 16}
    settings = {"plan": plan, "measured": [4], "rows": 32, "arguments": {"keys": 16, "values": 16, "most": 8}}
    settings["arguments"]["segment"] = 4
    cases = [case("recall", arm, **settings) for arm in ("merge", "vanilla")]
    shares = [result.phases[0].answer["measured"][0]["accuracy"] for result in run_cases(cases, tmp_path, jobs=2)]
    assert shares[0] > 0.6
    assert shares[1] < 0.3


def test_a_peer_that_is_not_installed_is_said_to_be_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(peers.RECALLERS, "rmt", "evals.peers.rmt:make_recaller")
    from evals.peers import rmt
    from evals.peers.peer_package import PeerPackage

    monkeypatch.setattr(rmt, "PACKAGE", PeerPackage(module="no_such_package", requirement="no-such-package==1"))
    answer = phases.measure(case("recall", "rmt"), tmp_path, [])
    assert "no-such-package==1" in answer["missing"]
