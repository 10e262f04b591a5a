from __future__ import annotations

from dataclasses import replace

import pytest

from evals.phase import PhaseRun
from evals.results import Result
from evals.suite import Case
from evals.suites import forgetting
from evals.suites import forgetting_phases as phases

SUITE = forgetting.SUITE


def case(task: str, arm: str, seed: int = 0, **settings) -> Case:
    (found,) = [each for each in SUITE.cases([seed]) if (each.task, each.arm) == (task, arm)]
    return replace(found, settings={**found.settings, **settings})


def finished(task: str, arm: str, seed: int, found: dict) -> Result:
    the_case = case(task, arm, seed)
    whole = {"cpu_seconds": 1.0, "training": {"env_steps": 0, "cpu_seconds": 0.0}, **found}
    return Result(case=the_case, phases=(PhaseRun(phase=the_case.phases[0], process=1, seconds=1.0, answer=whole),))


def a_switch(to_b: int, back: int) -> dict:
    """Return a run of three stages of 20 episodes that is right from an episode of a stage on."""
    share = [1.0] * 20
    for first in (to_b, back):
        share += [0.0] * (first - 1) + [1.0] * (21 - first)
    return {"share": share, "table": [[1.0, 0.0], [0.5, 1.0], [1.0, 0.9]]}


def test_the_metrics_of_a_run_by_hand():
    found = forgetting.measure(
        {"cpu_seconds": 1.0, "training": {"env_steps": 5}, **a_switch(7, 2)}, SUITE.tasks["silent A-B-A"]["order"]
    )
    assert (found["episodes_to_B"], found["episodes_back_to_A"]) == (7, 2)
    assert found["average_performance"] == 0.75  # after A and B, before A again
    assert found["forgetting"] == 0.5
    assert found["backward_transfer"] == -0.5
    assert found["forward_transfer"] == pytest.approx(-0.2)
    never = forgetting.measure({"cpu_seconds": 1.0, "training": {"env_steps": 5}, **a_switch(21, 20)}, [0, 1, 0])
    assert (never["episodes_to_B"], never["episodes_back_to_A"]) == (21, 21)  # 20 would need three in a row


def test_the_verdict_says_within_only_what_the_intervals_bear():
    results = [finished("silent A-B-A", "retention", seed, a_switch(5, 2)) for seed in range(5)]
    results += [finished("silent A-B-A", "recall", seed, a_switch(5 + seed, 2)) for seed in range(5)]
    flat = {"share": [1.0] * 100, "table": [[1.0] * 10] * 10}
    results += [finished("ten cued", "recall", seed, flat) for seed in range(5)]
    report = forgetting.score(results)
    assert "After a silent switch recall is at 0.9 in episode 7.00" in report.verdict
    assert (
        "retention is at 0.9 in episode 5.00 [5.00, 5.00] and, back again, 2.00 [2.00, 2.00] (within 6)"
        in report.verdict
    )
    assert "(not within 6)" in report.verdict
    assert "of ten cued rules recall forgets 0.00 [0.00, 0.00]" in report.verdict
    assert report.find("ten cued", "recall", "average_performance").value == 1.0
    assert {curve.task for curve in report.curves} == {"silent A-B-A", "ten cued"}
    assert forgetting.score([]).verdict.startswith("Nothing can be said yet")


def test_the_verdict_tells_of_peers_only_where_some_played_and_of_no_episode_that_nobody_reached():
    ours = [finished("silent A-B-A", "recall", seed, a_switch(21, 8)) for seed in range(2)]
    verdict = forgetting.score(ours).verdict
    assert "recall is at 0.9 in no episode and, back again, 8.00 [8.00, 8.00] (not within 6)" in verdict
    assert "peers" not in verdict
    long = {"share": [1.0] * 600, "table": [[1.0, 0.0], [0.5, 1.0], [1.0, 0.9]]}
    assert "The peers had 10 times" in forgetting.score([*ours, finished("silent A-B-A", "dqn", 0, long)]).verdict


def test_one_rule_is_the_rule_of_its_stage():
    silent = SUITE.tasks["silent A-B-A"]
    whole = phases.whole(silent, seed=3).unwrapped
    for rule in (0, 1):
        world = phases.one_rule(silent, rule, seed=3).unwrapped
        for _ in range(3):  # and stays
            assert world.rule == whole.rules[rule]
            world.reset(seed=0)
            while not world.step(0)[2]:
                pass
    cued = SUITE.tasks["ten cued"]
    observation, _ = phases.one_rule(cued, 4, seed=3).reset(seed=0)
    assert observation["task"] == 4
    assert phases.one_rule(cued, 4, seed=3).unwrapped.tasks[4].unwrapped.task == 34


def test_a_memory_keeps_what_it_is_told_apart(tmp_path):
    settings = {**SUITE.tasks["cued A-B-A"], "order": [0, 1, 0], "stage": 12}
    found = phases.stages("recall", settings, tmp_path, seed=1)
    assert len(found["share"]) == 36
    assert [len(row) for row in found["table"]] == [2, 2, 2]
    first, second, _ = found["table"]
    assert first[0] > 0.8 > 0.6 > first[1]
    assert min(second) > 0.8
    assert found["share"][24] > 0.8  # at once, back in A


def test_peers_have_more_episodes(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        phases, "stages", lambda arm, settings, folder, seed: asked.append((arm, settings["stage"])) or {}
    )
    for arm in ("recall", "dqn"):
        phases.play(case("ten cued", arm), tmp_path, [])
    assert asked == [("recall", 10), ("dqn", 100)]
