from __future__ import annotations

import json
from dataclasses import replace

import pytest

from evals.phase import PhaseRun
from evals.results import Result
from evals.suite import Case
from evals.suites import drift
from evals.suites import drift_phases as phases
from retention import EpisodicMemory

SUITE = drift.SUITE
SMALL = {
    "topics": 2,
    "actions": 3,
    "width": 16,
    "likeness": 0.9,
    "easy": [1.0, 0.0],
    "hard": [1.0, 0.0],
    "episodes": 80,
    "explore": 0.1,
}


def case(task: str, arm: str, seed: int = 0, **world) -> Case:
    (found,) = [each for each in SUITE.cases([seed]) if (each.task, each.arm) == (task, arm)]
    return replace(found, settings={**found.settings, "world": {**SMALL, **world}}) if world is not None else found


def answer(success: float, **more: float) -> dict:
    base = {"success": success, "optimum": 0.8, "curve": [success], "junk_share": 0.25, "offered": 100}
    base |= {"active": 80, "quarantined": 20}
    base |= {f"stranger_{what}_{end}": 0.0 for what in ("recalled", "acted_on") for end in ("first", "last")}
    return base | more


def finished(task: str, arm: str, seed: int, found: dict) -> Result:
    the_case = case(task, arm, seed)
    run = PhaseRun(phase=the_case.phases[0], process=1, seconds=1.0, answer=found)
    return Result(case=the_case, phases=(run,))


def a_run(kept: float) -> list[Result]:
    return [
        result
        for seed in range(5)
        for result in (
            finished("clean", "full", seed, answer(0.8)),
            finished("flipped 30 %", "full", seed, answer(0.8 * kept)),
            finished("flipped 30 %", "ungated", seed, answer(0.4)),
            finished(
                "adversarial-writes 50 %",
                "full",
                seed,
                answer(0.6, stranger_acted_on_first=0.5, stranger_acted_on_last=0.2),
            ),
        )
    ]


def test_the_score_by_hand():
    report = drift.score(a_run(0.97))
    assert report.find("flipped 30 %", "full", "share_of_clean").value == pytest.approx(0.97)
    assert report.find("flipped 30 %", "full", "share_of_optimum").value == pytest.approx(0.97)
    assert report.find("flipped 30 %", "ungated", "share_of_optimum").value == pytest.approx(0.5)
    assert report.find("flipped 30 %", "ungated", "junk_share").seeds == 5
    assert report.find("adversarial-writes 50 %", "full", "stranger_acted_on_last").value == pytest.approx(0.2)
    for task, arm, metric in (
        ("flipped 30 %", "ungated", "share_of_clean"),  # its clean case has not finished
        ("flipped 30 %", "full", "stranger_acted_on_last"),  # there is no stranger
    ):
        with pytest.raises(KeyError):
            report.find(task, arm, metric)
    assert report.verdict == (
        "With 30 % of the feedback flipped, full keeps 0.97 [0.97, 0.97] of its clean success (0.95 is reached). "
        "Of the optimum, at these 30 %: full 0.97 [0.97, 0.97], ungated 0.50 [0.50, 0.50]. "
        "Where half of all notes are a stranger's, his share of the votes that full acts on falls: "
        "0.50 [0.50, 0.50] in the first tenth of the episodes, 0.20 [0.20, 0.20] in the last."
    )


def test_a_target_that_is_missed_is_called_missed():
    assert "(0.95 is not reached)" in drift.score(a_run(0.9)).verdict
    mixed = a_run(0.9)[:8] + a_run(0.99)[8:]
    assert "(0.95 is not clearly reached)" in drift.score(mixed).verdict


def test_the_share_of_clean_success_is_of_the_same_seed():
    results = [finished("clean", "full", seed, answer(success)) for seed, success in ((0, 0.8), (1, 0.2))]
    results += [finished("flipped 30 %", "full", seed, answer(0.2)) for seed in (0, 1)]
    row = drift.score(results).find("flipped 30 %", "full", "share_of_clean")
    assert row.value == pytest.approx((0.25 + 1.0) / 2)


def test_nothing_is_said_without_a_case_that_decides():
    only = [finished("flipped 10 %", "ungated", 0, answer(0.5))]
    assert drift.score(only).verdict.startswith("Nothing can be said yet")


def test_every_kind_has_its_rates_and_clean_is_there_once():
    assert next(iter(SUITE.tasks)) == "clean"
    assert len(SUITE.tasks) == 9
    assert SUITE.tasks["adversarial-writes 30 %"]["rate"] == 0.3
    assert SUITE.tasks["adversarial-writes 30 %"]["kind"] == "adversarial-writes"


@pytest.fixture
def memories(monkeypatch):
    """Let the notes of every simulation be seen after it."""
    seen = []
    measure = phases._kept

    def spy(memory, world):
        seen.append((world, memory.templates(namespace="drift", task="topics"), memory.episodes(namespace="drift")))
        return measure(memory, world)

    monkeypatch.setattr(phases, "_kept", spy)
    return seen


def test_the_gate_keeps_what_failed_from_use(tmp_path, memories):
    gated = phases.simulate(case("clean", "full"), tmp_path, [])
    world, notes, episodes = memories[0]
    succeeded = {episode.episode_id: episode.success for episode in episodes}
    assert len(notes) == gated["offered"] == len(episodes) == 80
    for note in notes:
        right = bool(note.metadata["action"] == world.right[note.metadata["topic"]])
        assert note.source == "agent-run"
        assert (note.status == "active") is right is succeeded[note.first_episode_id]
    assert gated["active"] == sum(succeeded.values())
    assert gated["quarantined"] == 80 - gated["active"] > 0
    assert gated["junk_share"] == 0.0
    assert gated["success"] > 0.8 * gated["optimum"]
    assert len(gated["curve"]) == 20
    json.dumps(gated, allow_nan=False)


def test_without_the_gate_everything_is_kept(tmp_path, memories):
    for arm in ("no-gate", "counters"):
        found = phases.simulate(case("clean", arm), tmp_path, [])
        world, notes, _ = memories[-1]
        wrong = sum(note.metadata["action"] != world.right[note.metadata["topic"]] for note in notes)
        assert found["active"] == 80
        assert found["quarantined"] == 0
        assert found["junk_share"] == pytest.approx(wrong / 80)
        assert wrong > 0


def test_what_is_heard_is_what_is_kept(tmp_path, memories):
    phases.simulate(case("adversarial-feedback 50 %", "full"), tmp_path, [])
    world, notes, _ = memories[0]
    kept = {
        (note.metadata["topic"], bool(note.metadata["action"] == world.right[note.metadata["topic"]]))
        for note in notes
        if note.status == "active"
    }
    assert {topic for topic, _ in kept} == {0, 1}
    assert len(kept) == 2  # of one topic what is right, of the other what is wrong
    assert {right for _, right in kept} == {True, False}


def test_what_was_advised_is_credited_in_the_arms_with_credit(tmp_path, memories):
    phases.simulate(case("clean", "full", easy=[0.8, 0.2], hard=[0.8, 0.2]), tmp_path, [])
    world, notes, _ = memories[0]
    used = [note for note in notes if note.uses > 0]
    assert used
    right = [bool(note.metadata["action"] == world.right[note.metadata["topic"]]) for note in used]
    good = [note.utility for note, is_right in zip(used, right, strict=True) if is_right]
    bad = [note.utility for note, is_right in zip(used, right, strict=True) if not is_right]
    assert sum(good) / len(good) > 0 > sum(bad) / len(bad)


@pytest.mark.parametrize(("arm", "asked"), [("full", 5), ("ungated", 5), ("counters", 64), ("ema", 64)])
def test_what_is_credited_advised_the_action_taken_and_peers_choose_among_more(tmp_path, monkeypatch, arm, asked):
    actions, asked_for, credited, split = {}, set(), [], []

    def recall(self, *arguments, real=EpisodicMemory.recall, **names):
        asked_for.add(names["k"])
        found = real(self, *arguments, **names)
        actions.update({hit.template.id: hit.template.metadata["action"] for hit in found.hits})
        split.append(len({hit.template.metadata["action"] for hit in found.hits if hit.relevance >= 0.3}) > 1)
        return found

    def commit(self, draft, real=EpisodicMemory.commit_episode, **names):
        credited.append(names["recalled"])
        return real(self, draft, **names)

    monkeypatch.setattr(EpisodicMemory, "recall", recall)
    monkeypatch.setattr(EpisodicMemory, "commit_episode", commit)
    phases.simulate(case("adversarial-writes 50 %", arm), tmp_path, [])
    assert asked_for == {asked}
    assert any(split)
    assert all(len({actions[number] for number in masses}) <= 1 for masses in credited)
    assert all(set(masses.values()) <= {1.0} and len(masses) <= 5 for masses in credited)
    assert any(len(masses) == 5 for masses in credited)


def test_a_stranger_is_recalled_and_heeded(tmp_path):
    found = phases.simulate(case("adversarial-writes 50 %", "ungated", topics=1), tmp_path, [])
    assert found["offered"] == found["active"] == 160
    assert 0.2 < found["stranger_recalled_last"] < 0.8
    assert 0 < found["stranger_acted_on_last"] <= 1
    alone = phases.simulate(case("flipped 50 %", "ungated", topics=1), tmp_path, [])
    assert alone["stranger_recalled_last"] == alone["stranger_acted_on_last"] == 0.0


def test_arms_meet_the_same_world_and_a_seed_repeats(tmp_path, memories):
    first = phases.simulate(case("flipped 20 %", "full"), tmp_path, [])
    assert phases.simulate(case("flipped 20 %", "full"), tmp_path, []) == first
    phases.simulate(case("flipped 20 %", "ema"), tmp_path, [])
    assert (memories[0][0].topic == memories[2][0].topic).all()
    assert [note.key.tolist() for note in memories[0][1]] == [note.key.tolist() for note in memories[2][1]]


def test_a_table_learns_what_is_right(tmp_path):
    clean = phases.tabulate(case("clean", "table"), tmp_path, [])
    assert clean["success"] > 0.8 * clean["optimum"]
    misled = phases.tabulate(case("adversarial-feedback 50 %", "table"), tmp_path, [])
    assert misled["success"] < 0.75 * clean["success"]
    assert set(clean) == {"success", "curve", "optimum"}


def test_the_agent_takes_what_most_notes_advise(tmp_path):
    class Note:
        def __init__(self, action):
            self.template = type("T", (), {"metadata": {"action": action}})

    world = phases.World(phases.WorldConfig.from_json({**SMALL, "explore": 0.0}), 0)
    assert phases._decide([Note(2), Note(1), Note(2)], world, 0) == 2
    tied = {phases._decide([Note(2), Note(1)], world, episode) for episode in range(30)}
    assert tied == {1, 2}
    assert {phases._decide([], world, episode) for episode in range(30)} == {0, 1, 2}
    bold = phases.World(phases.WorldConfig.from_json({**SMALL, "explore": 1.0}), 0)
    assert {phases._decide([Note(2)] * 5, bold, episode) for episode in range(30)} == {0, 1, 2}
