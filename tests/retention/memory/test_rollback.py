"""Taking back what came since a time: what is left is what would be there had nothing come since."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from retention import (
    EpisodeDraft,
    EpisodicMemory,
    FeedbackGate,
    GateConfig,
    NoteRule,
    NotFoundError,
    RolledBack,
    TemplateDraft,
    Transitions,
)
from retention.memory.items import ItemDraft
from retention.memory.templates import ROLLED_BACK

Draft = Callable[..., EpisodeDraft]
Steps = Callable[..., Transitions]

NOTHING = RolledBack(quarantined=0, freed=0, episodes=0, outcomes=0, verdicts=0, notes=0, utilities=0)
KEYS = np.eye(4)
WORDS = ("the ward opens at nine", "press the red knob", "tom hates peanuts", "the ward opens at ten")


class Story:
    """A memory, and short ways to have things happen in it; numbers choose among what is there, wrapping around."""

    def __init__(self, memory: EpisodicMemory, draft: Draft, steps: Steps) -> None:
        self.memory, self.draft, self.steps = memory, draft, steps
        self.episodes: list[str] = []
        self.receipts: list[str] = []
        self.judged: set[str] = set()
        self.runs: list[str] = []

    def text(self, which: int, source: str) -> TemplateDraft:
        at = which % len(WORDS)
        return TemplateDraft(content=WORDS[at], key=KEYS[at], source=source, task="t")

    def _ids(self) -> list[int]:
        texts = self.memory.templates(namespace="alice", kind="text")
        return [template.id for template in texts if template.held is None]

    def told_by(self, memory: EpisodicMemory) -> Story:
        """Return the story as far as it came, to go on in another memory."""
        other = Story(memory, self.draft, self.steps)
        other.episodes, other.receipts = list(self.episodes), list(self.receipts)
        other.judged, other.runs = set(self.judged), list(self.runs)
        return other

    def write(self, which: int, source: str, number: float) -> None:
        text = self.text(which, source)
        known = {each.content: each for each in self.memory.templates(namespace="alice", kind="text")}
        # When a text of an episode was said again without one is not kept: see the test of that.
        if text.content not in known or known[text.content].first_episode_id is None:
            self.memory.write([text], namespace="alice")

    def write_of_episode(self, which: int, source: str, number: float) -> None:
        if self.episodes:
            text = self.text(which, source)
            of = self.episodes[int(number) % len(self.episodes)]
            of_it = TemplateDraft(content=text.content, key=text.key, source=source, task="t", episode_id=of)
            self.memory.write([of_it], namespace="alice")

    def commit(self, which: int, source: str, number: float) -> None:
        ids = self._ids()
        masses = {ids[(which + i) % len(ids)]: 1.0 / (i + 1) for i in range(which % 3)} if ids else {}
        success = (None, True, False)[which % 3] if number > 0 else None
        drafted = self.draft(number, task="t", success=success)
        self.episodes.append(self.memory.commit_episode(drafted, self.steps(which % 3), masses).episode_id)

    def recall(self, which: int, source: str, number: float) -> None:
        of = self.episodes[which % len(self.episodes)] if self.episodes and number > 1 else None
        key = KEYS[which % 4] + KEYS[(which + 1) % 4]
        found = self.memory.recall(key, namespace="alice", task="t", kind="text", k=2, episode_id=of).receipt_id
        if found is not None:
            self.receipts.append(found)

    def answer(self, which: int, source: str, number: float) -> None:
        if self.receipts:
            at = self.receipts[which % len(self.receipts)]
            said = {"reward": number} if which % 2 else {"rating": max(-1.0, min(1.0, number))}
            self.memory.update_outcome(at, namespace="alice", source=source, **said)

    def feedback(self, which: int, source: str, number: float) -> None:
        if self.episodes:
            at = self.episodes[which % len(self.episodes)]
            said = {"reward": number} if which % 2 else {"rating": max(-1.0, min(1.0, number))}
            self.memory.feedback(at, namespace="alice", source=source, **said)

    def judge(self, which: int, source: str, number: float) -> None:
        for receipt in self.receipts:
            shown = sorted(self.memory.receipt(receipt, namespace="alice").exposures)
            if shown and receipt not in self.judged:  # of two verdicts on one template the file knows the last alone
                said = {shown[which % len(shown)]: None if number == 0 else number}
                self.memory.judge(receipt, said, namespace="alice", source=source)
                self.judged.add(receipt)
                return

    def begin(self, which: int, source: str, number: float) -> None:
        run = self.memory.begin_run(namespace="alice", task="t", user=("ann", "bob")[which % 2]).run_id
        self.runs.append(run)
        key = KEYS[which % 4]
        found = self.memory.recall(key, namespace="alice", task="t", kind="text", k=1, run_id=run).receipt_id
        if found is not None:
            self.receipts.append(found)

    def note(self, which: int, source: str, number: float) -> None:
        if self.runs:
            run, rule = self.runs[int(number) % len(self.runs)], NoteRule(needs=1 + which % 2, apart=which % 3 == 0)
            self.memory.note(self.text(which, source), run_id=run, namespace="alice", rule=rule)

    def outcome(self, which: int, source: str, number: float) -> None:
        if self.runs:
            run = self.runs[which % len(self.runs)]
            told = self.memory.run(run, namespace="alice").episode_id
            if told is None and source == "agent":
                return
            said = {"reward": number} if which % 2 else {"rating": max(-1.0, min(1.0, number))}
            self.memory.run_outcome(run, namespace="alice", source=source, **said)

    def happen(self, events: list[tuple[str, int, str, float]]) -> None:
        for what, which, source, number in events:
            getattr(self, what)(which, source, number)


def rows(memory: EpisodicMemory, query: str, until: float) -> list[Any]:
    found = memory._connections.read(lambda db: db.conn.execute(query, {"until": until}).fetchall())
    return [[pytest.approx(cell, abs=1e-7) if isinstance(cell, float) else cell for cell in row] for row in found]


STATE = {
    "templates": "SELECT id, utility_sum, utility_square, utility_weight, rating_sum, rating_count, pinned, held, "
    "CASE kind WHEN 'text' THEN status END FROM templates WHERE created <= :until",
    "episodes": "SELECT episode_id, polarity, weight FROM episodes WHERE created <= :until AND void IS NULL",
    "runs": "SELECT run_id, episode_id FROM runs WHERE created <= :until",
    "notes": "SELECT id, went_well, rated_well FROM notes WHERE created <= :until AND void IS NULL",
    "receipts": "SELECT id, outcome, advantage FROM receipts WHERE created <= :until AND void IS NULL",
    "places": "SELECT receipt_id, template_id, exposure, credit, verdict FROM receipt_templates "
    "WHERE receipt_id IN (SELECT id FROM receipts WHERE created <= :until AND void IS NULL)",
    "sources": "SELECT source, total, square, weight FROM sources WHERE abs(total) + square + weight > 1e-7",
}


def state(memory: EpisodicMemory, until: float) -> dict[str, list[Any]]:
    return {name: rows(memory, f"{query} ORDER BY 1, 2", until) for name, query in STATE.items()}


def recalled(memory: EpisodicMemory, query: Any) -> list[Any]:
    hits = memory.recall(query, namespace="alice", kind="text", receipt=False).hits
    return [(hit.template.id, pytest.approx(hit.score, abs=1e-7)) for hit in hits]


ACTS = (
    "write", "write_of_episode", "commit", "recall", "answer", "feedback", "judge", "begin", "note", "outcome",
)  # fmt: skip
event = st.tuples(
    st.sampled_from(ACTS),
    st.integers(0, 11),
    st.sampled_from(["user", "nurse", "agent"]),
    st.integers(-3, 3).map(float),
)
some = st.lists(event, min_size=1, max_size=14)
gates = st.sampled_from(["both", "success"])


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(some, some, gates)
def test_what_is_left_is_what_would_be_there_had_nothing_come_since(
    draft: Draft, steps: Steps, before: Any, since: Any, admit: Any
) -> None:
    with EpisodicMemory.open(None, gate=FeedbackGate(GateConfig(admit=admit))) as memory:
        story = Story(memory, draft, steps)
        story.write(0, "user", 0.0)
        story.happen(before)
        then = time.time()
        was, found = state(memory, then), [recalled(memory, key) for key in KEYS]
        story.happen(since)
        memory.roll_back(then, namespace="alice")
        assert state(memory, then) == was
        assert [recalled(memory, key) for key in KEYS] == found
        assert memory.verify() == []
        assert memory.roll_back(then, namespace="alice") == NOTHING
        assert state(memory, then) == was


def by_content(memory: EpisodicMemory) -> list[Any]:
    """What can be recalled and how well it is thought of, whatever its number is."""
    told = {each.id: each.content for each in memory.templates(namespace="alice", kind="text")}
    found = [[(told[number], score) for number, score in recalled(memory, key)] for key in KEYS]
    episodes = [(each.return_, pytest.approx(each.gate.signed)) for each in memory.episodes(namespace="alice")]
    return [[sorted(hits, key=lambda hit: str(hit[0])) for hits in found], episodes]


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(some, some, some)
@example([("commit", 0, "user", 0.0)], [("recall", 0, "user", 2.0)], [("feedback", 0, "user", 1.0)])
def test_what_comes_after_it_counts_as_in_a_memory_in_which_nothing_had_come(
    draft: Draft, steps: Steps, tmp_path_factory: pytest.TempPathFactory, before: Any, since: Any, after: Any
) -> None:
    path = tmp_path_factory.mktemp("twins") / "memory.db"
    with EpisodicMemory.open(path) as memory:
        story = Story(memory, draft, steps)
        story.write(0, "user", 0.0)
        story.happen(before)
    path.with_name("twin.db").write_bytes(path.read_bytes())
    then = time.time()
    with EpisodicMemory.open(path) as memory, EpisodicMemory.open(path.with_name("twin.db")) as twin:
        story.told_by(memory).happen(since)
        memory.roll_back(then, namespace="alice")
        story.told_by(memory).happen(after)
        story.told_by(twin).happen(after)
        assert by_content(memory) == by_content(twin)
        assert memory.verify() == []


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(some, gates)
def test_back_to_now_is_nothing(draft: Draft, steps: Steps, before: Any, admit: Any) -> None:
    with EpisodicMemory.open(None, gate=FeedbackGate(GateConfig(admit=admit))) as memory:
        story = Story(memory, draft, steps)
        story.happen(before)
        now = time.time()
        was, changes = state(memory, now), memory._connections.read(lambda db: db.conn.total_changes)
        assert memory.roll_back(now, namespace="alice") == NOTHING
        assert memory._connections.read(lambda db: db.conn.total_changes) == changes
        assert state(memory, now) == was
        assert memory.audit(now, namespace="alice").entries == ()


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(some, some, gates)
def test_the_audit_foretells_the_rollback(draft: Draft, steps: Steps, before: Any, since: Any, admit: Any) -> None:
    with EpisodicMemory.open(None, gate=FeedbackGate(GateConfig(admit=admit))) as memory:
        story = Story(memory, draft, steps)
        story.happen(before)
        then = time.time()
        story.happen(since)

        def active() -> set[int]:
            return {each.id for each in memory.templates(namespace="alice") if each.status == "active"}

        audit, was = memory.audit(then, namespace="alice"), active()
        memory.roll_back(then, namespace="alice")
        assert (was - active(), active() - was) == (set(audit.active_since), set(audit.quarantined_since))


KEY = KEYS[0]


def told(memory: EpisodicMemory, content: str, namespace: str = "alice", **more: Any) -> int:
    return memory.write([TemplateDraft(content=content, **({"key": KEY} | more))], namespace=namespace)[0]


def run_of(memory: EpisodicMemory, note: str | None = None, user: str = "ann", **outcome: Any) -> str:
    run = memory.begin_run(namespace="alice", task="chat", user=user).run_id
    memory.recall(KEY, namespace="alice", run_id=run)
    if note is not None:
        memory.note(TemplateDraft(content=note, key=KEY, source="web"), run_id=run, namespace="alice")
    if outcome:
        memory.run_outcome(run, namespace="alice", **outcome)
    return run


def held(memory: EpisodicMemory) -> dict[str | None, str | None]:
    return {each.content: each.held for each in memory.templates(namespace="alice") if each.held is not None}


def test_pinned_texts_items_and_transitions_are_taken_out_of_use(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None) as memory:
        memory.commit_episode(draft(), steps(1))
        then = time.time()
        told(memory, "pinned poison", pinned=True)
        told(memory, "bob's own", namespace="bob")
        memory.put_items([ItemDraft(path=("a",), key="k", value={"text": "poison"}, texts=())], namespace="alice")
        memory.commit_episode(draft(), steps(1, 2, 2))
        done = memory.roll_back(then, namespace="alice")
        assert (done.quarantined, done.episodes, done.outcomes) == (3, 1, 1)
        assert set(held(memory)) == {"pinned poison", None}
        assert memory.get_items([(("a",), "k")], namespace="alice") == [None]
        assert memory.items(namespace="alice") == memory.item_paths(namespace="alice") == []
        rows, _ = memory.transitions(namespace="alice", task="corridor")
        assert rows.key[:, 0].tolist() == [1]
        assert memory.episode_count(namespace="alice", task="corridor") == 1
        assert memory.stats(namespace="alice")["tasks"][-1]["episodes"] == 1
        assert [each.content for each in memory.templates(namespace="bob") if each.status == "active"] == ["bob's own"]
        # Visited, put and said anew, each begins anew.
        memory.commit_episode(draft(), steps(2, reward=5.0))
        rows, _ = memory.transitions(namespace="alice", task="corridor")
        assert (rows.key[:, 0].tolist(), rows.count.tolist(), rows.reward.tolist()) == ([1, 2], [2, 1], [1, 5])
        memory.put_items([ItemDraft(path=("a",), key="k", value={"text": "poison"}, texts=())], namespace="alice")
        assert memory.get_items([(("a",), "k")], namespace="alice") != [None]
        fresh = told(memory, "pinned poison", source="nurse")
        assert memory.get(fresh, namespace="alice").source == "nurse"
        assert held(memory) == {}
        assert memory.verify() == []


def test_what_one_source_said_goes_and_the_rest_stays() -> None:
    with EpisodicMemory.open(None) as memory:
        mine = told(memory, "the ward opens at nine")
        then = time.time()
        told(memory, "the ward opens at ten", source="mallory", key=KEYS[1])
        told(memory, "tom hates peanuts", source="nurse", key=KEYS[2])
        receipts = []
        for rating, source in ((-1.0, "mallory"), (1.0, "nurse")):
            receipts.append(str(memory.recall(KEY, namespace="alice", k=1).receipt_id))
            memory.update_outcome(receipts[-1], namespace="alice", rating=rating, source=source, feedback_id="tap")
        memory.judge(receipts[1], {mine: -1.0}, namespace="alice", source="mallory")
        done = memory.roll_back(then, namespace="alice", source="mallory")
        assert (done.quarantined, done.outcomes, done.verdicts) == (1, 1, 1)
        assert held(memory) == {"the ward opens at ten": ROLLED_BACK}
        template = memory.get(mine, namespace="alice")
        assert (template.utility, template.uses) == (pytest.approx(1 / 11), 1)
        # It may be said anew, and a retry of what was taken back is none.
        again = memory.update_outcome(receipts[0], namespace="alice", rating=-1.0, source="mallory", feedback_id="tap")
        assert again.applied is False
        assert memory.update_outcome(receipts[0], namespace="alice", rating=1.0, source="nurse").applied
        assert memory.verify() == []


def test_one_run_goes_and_may_have_another_outcome() -> None:
    with EpisodicMemory.open(None) as memory:
        mine = told(memory, "the ward opens at nine")
        for reward in (0.0, 1.0):
            run_of(memory, reward=reward)
        before = memory.get(mine, namespace="alice")
        then = time.time()
        bad, good = run_of(memory, "press the red knob", reward=-9.0), run_of(memory, "tom hates peanuts", reward=1.0)
        bad_episode = str(memory.run(bad, namespace="alice").episode_id)
        assert memory.get(mine, namespace="alice").utility < before.utility
        audit = memory.audit(then, namespace="alice", run_id=bad)
        assert [(entry.what, entry.user, entry.says) for entry in audit.entries] == [
            ("template", "ann", "press the red knob"),
            ("outcome", "ann", "reward -9"),
        ]
        done = memory.roll_back(then, namespace="alice", run_id=bad)
        assert (done.quarantined, done.episodes, done.outcomes, done.notes) == (1, 1, 1, 1)
        assert held(memory) == {"press the red knob": ROLLED_BACK}
        assert memory.run(bad, namespace="alice").episode_id is None
        assert memory.run(good, namespace="alice").episode_id is not None
        assert memory.get(mine, namespace="alice").utility > before.utility
        for call in (memory.episode, lambda name, namespace: memory.feedback(name, namespace=namespace, rating=1)):
            with pytest.raises(NotFoundError, match="was rolled back, and counts no more"):
                call(bad_episode, namespace="alice")
        memory.run_outcome(bad, namespace="alice", reward=1.0)
        assert held(memory) == {"press the red knob": ROLLED_BACK}
        assert memory.verify() == []
        with pytest.raises(NotFoundError, match="has no run 'x'"):
            memory.roll_back(then, namespace="alice", run_id="x")
        with pytest.raises(NotFoundError, match="has no run"):
            memory.audit(then, namespace="bob", run_id=bad)


def test_a_note_waits_again_where_the_outcome_of_its_run_is_taken_back() -> None:
    with EpisodicMemory.open(None) as memory:
        run = run_of(memory, "tom hates peanuts")
        then = time.time()
        memory.run_outcome(run, namespace="alice", rating=1.0)
        (number,) = memory.audit(then, namespace="alice").active_since
        memory.roll_back(then, namespace="alice")
        template = memory.get(number, namespace="alice")
        assert (template.status, template.held, template.uses) == ("quarantined", None, 0)
        (note,) = memory.notes(number, namespace="alice")
        assert (note.went_well, note.rated_well) == (None, None)
        memory.run_outcome(run, namespace="alice", rating=1.0)
        assert memory.get(number, namespace="alice").status == "active"


@pytest.mark.parametrize(("was", "said"), [(-1.0, 1.0), (1.0, -1.0)])
def test_a_text_that_was_said_again_is_not_freed_by_a_rollback(draft: Draft, was: float, said: float) -> None:
    """It is not kept when that was, before the time or since: where that matters, it stays out of use."""
    with EpisodicMemory.open(None) as memory:
        done = memory.commit_episode(draft(1.0)).episode_id
        memory.feedback(done, namespace="alice", rating=was)
        number = told(memory, "tom hates peanuts", episode_id=done)
        then = time.time()
        memory.feedback(done, namespace="alice", rating=said, source="mallory")
        memory.feedback(done, namespace="alice", rating=said, source="mallet")
        told(memory, "tom hates peanuts")
        assert memory.get(number, namespace="alice").status == ("active" if said > 0 else "quarantined")
        memory.roll_back(then, namespace="alice")
        assert memory.get(number, namespace="alice").status == "quarantined"


def test_late_ratings_and_rewards_leave_the_step_they_went_to(draft: Draft, steps: Steps) -> None:
    with EpisodicMemory.open(None, gate=FeedbackGate(GateConfig(admit="success"))) as memory:
        done = memory.commit_episode(draft(1.0), steps(1))
        memory.feedback(done.episode_id, namespace="alice", rating=0.5, reward=1.0)
        was, then = memory.get(1, namespace="alice"), time.time()
        memory.feedback(done.episode_id, namespace="alice", rating=-1.0, reward=7.0, source="mallory")
        assert memory.get(1, namespace="alice").status == "quarantined"
        assert memory.audit(then, namespace="alice").quarantined_since == (1,)
        back = memory.roll_back(then, namespace="alice")
        now = memory.get(1, namespace="alice")
        assert (back.freed, now.status, now.reward, now.rating, now.rating_count) == (
            1, "active", was.reward, was.rating, was.rating_count,
        )  # fmt: skip
        episode = memory.episode(done.episode_id, namespace="alice")
        assert (episode.rating, episode.late_reward, episode.gate.signed) == (0.5, 1.0, 0.5)


def test_it_is_kept_on_record_moved_and_forgotten(path: Path) -> None:
    with EpisodicMemory.open(path, seal=True) as memory:
        then = time.time()
        run_of(memory, "press the red knob", reward=1.0)
        memory.roll_back(then, namespace="alice", source="web")
        (entry,) = (each for each in memory.audit(then, namespace="alice").entries if each.what == "rollback")
        assert (entry.source, entry.run_id) == ("web", None)
        assert entry.says.startswith("as of ")
        assert entry.says.endswith("; quarantined 1; notes 1")
        memory.seal()
        assert memory.verify() == []
        memory.export(path.with_suffix(".jsonl"))
    with EpisodicMemory.open(path.with_name("copy.db")) as copy:
        copy.import_file(path.with_suffix(".jsonl"))
        assert held(copy) == {"press the red knob": ROLLED_BACK}
        assert copy.import_file(path.with_suffix(".jsonl")).rows == 0
        assert [each.status for each in copy.audit(then, namespace="alice").entries] == [
            "rolled back", None, None,
        ]  # fmt: skip
        copy.forget_namespace("alice")
        assert copy.audit(then, namespace="alice").entries == ()


def test_several_namespaces_go_together_or_not_at_all(path: Path) -> None:
    with EpisodicMemory.open(path) as memory:
        then = time.time()
        run_of(memory, "press the red knob", reward=1.0)
        told(memory, "bob's", namespace="bob")
        with pytest.raises(NotFoundError):  # the run is not bob's
            run = memory.begin_run(namespace="alice", task="chat").run_id
            memory.roll_back(then, namespace=["alice", "bob"], run_id=run)
        assert held(memory) == {}
        assert memory.roll_back(then, namespace=["alice", "bob", "bob"]).quarantined == 2
        assert memory.get(told(memory, "more", namespace="bob"), namespace="bob").status == "active"


@pytest.mark.parametrize("call", ["audit", "roll_back"])
def test_a_time_that_makes_no_sense_is_refused(call: str) -> None:
    with EpisodicMemory.open(None) as memory:
        for as_of, fault in ((time.time() + 60, "must lie in the past"), (float("nan"), "must be a finite number")):
            with pytest.raises(ValueError, match=fault):
                getattr(memory, call)(as_of, namespace="alice")
        with pytest.raises(ValueError, match="source must have 1 to 200 characters"):
            getattr(memory, call)(0.0, namespace="alice", source="")


def test_an_answer_from_before_the_rollback_can_still_be_rated() -> None:
    """A recall is no evidence: what is said of it after the rollback is new."""
    with EpisodicMemory.open(None) as memory:
        mine, then = told(memory, "the ward opens at nine"), time.time()
        receipt = str(memory.recall(KEY, namespace="alice").receipt_id)
        memory.update_outcome(receipt, namespace="alice", rating=-1.0)
        memory.roll_back(then, namespace="alice")
        found = memory.receipt(receipt, namespace="alice")
        assert (found.outcome, found.advantage, found.credits) == (None, None, {})
        memory.update_outcome(receipt, namespace="alice", rating=1.0)
        assert memory.get(mine, namespace="alice").utility == pytest.approx(1 / 11)


def test_an_episode_of_an_older_export_keeps_its_credit(draft: Draft, path: Path) -> None:
    """There the receipt that an episode was committed with is a moment younger than the episode."""
    out = path.with_suffix(".jsonl")
    with EpisodicMemory.open(path) as memory:
        mine = told(memory, "the ward opens at nine")
        for return_ in (0.0, 1.0):
            memory.commit_episode(draft(return_), recalled={mine: 1.0})
        memory.export(out)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    lines[0]["schema_version"] = 4
    for line in lines:
        if line.get("table") == "receipts":
            line["created"] += 0.01
    out.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with EpisodicMemory.open(None) as memory:
        memory.import_file(out)
        was, then = memory.get(mine, namespace="alice").utility, time.time()
        memory.commit_episode(draft(-9.0), recalled={mine: 1.0})
        memory.roll_back(then, namespace="alice")
        assert memory.get(mine, namespace="alice").utility == pytest.approx(was)
        assert was > 0


def test_a_note_that_was_taken_back_can_be_noted_anew_by_its_run() -> None:
    with EpisodicMemory.open(None) as memory:
        told(memory, "tom hates peanuts")
        run, then = run_of(memory), time.time()
        again = TemplateDraft(content="tom hates peanuts", key=KEY, source="agent")
        memory.note(again, run_id=run, namespace="alice")
        memory.run_outcome(run, namespace="alice", reward=1.0)
        memory.roll_back(then, namespace="alice")
        assert memory.notes(1, namespace="alice") == []
        memory.note(again, run_id=run, namespace="alice")
        (note,) = memory.notes(1, namespace="alice")
        assert (note.run_id, note.went_well) == (run, None)
        memory.run_outcome(run, namespace="alice", rating=1.0)
        assert memory.notes(1, namespace="alice")[0].went_well is True
        assert memory.get(1, namespace="alice").uses == 4  # recalled once, and noted, which counts as three
