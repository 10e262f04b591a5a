"""What sources and episodes a text comes from: a refused episode's texts wait, a harmful source is believed less."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retention import EpisodeDraft, EpisodicMemory, FeedbackGate, GateConfig, TemplateDraft
from retention.memory.credit import distrust

Draft = Callable[..., EpisodeDraft]

KEY = np.array([1.0, 0.0])


def told(memory: EpisodicMemory, content: str, source: str = "user", **more: Any) -> int:
    return memory.write([TemplateDraft(content=content, key=KEY, source=source, **more)], namespace="alice")[0]


def status(memory: EpisodicMemory) -> list[str]:
    return [template.status for template in memory.templates(namespace="alice", kind="text")]


def test_texts_of_a_refused_episode_are_kept_from_use(draft: Draft, path: Path) -> None:
    with EpisodicMemory.open(path, gate=FeedbackGate(GateConfig(admit="success"))) as memory:
        bad = memory.commit_episode(draft(0.0, success=False)).episode_id
        good = memory.commit_episode(draft(1.0, success=True)).episode_id
        drafts = [
            TemplateDraft(content=f"a note {i}", key=KEY, episode_id=at) for i, at in enumerate([bad, good, None])
        ]
        report = memory.write_many(drafts, namespace="alice")
        assert (report.kept, report.quarantined) == (3, 1)
        assert status(memory) == ["quarantined", "active", "active"]
        assert [hit.template.id for hit in memory.recall(KEY, namespace="alice").hits] == [2, 3]
        # Said again without an outcome it stays away; by an episode that went well it is freed.
        assert told(memory, "a note 0") == 1
        assert status(memory)[0] == "quarantined"
        assert told(memory, "a note 0", episode_id=good) == 1
        assert status(memory)[0] == "active"
        # What went well found it too: later feedback on the one episode does not take it back.
        memory.feedback(bad, namespace="alice", rating=-1)
        assert status(memory) == ["active"] * 3
        memory.feedback(good, namespace="alice", rating=-1)
        assert status(memory) == ["active", "quarantined", "active"]
        assert memory.verify() == []


def test_a_rating_before_the_text_counts_as_one_after_it(draft: Draft) -> None:
    with EpisodicMemory.open(None) as memory:
        done = memory.commit_episode(draft(1.0)).episode_id
        memory.feedback(done, namespace="alice", rating=-1)
        told(memory, "a note", episode_id=done)
        assert status(memory) == ["quarantined"]
        memory.feedback(done, namespace="alice", rating=1, feedback_id="better")
        memory.feedback(done, namespace="alice", rating=1, feedback_id="best")
        assert status(memory) == ["active"]


def harmed(memory: EpisodicMemory, draft: Draft, template: int, times: int) -> None:
    """Let episodes go well without a template, and badly with it."""
    for _ in range(times):
        memory.commit_episode(draft(1.0))
        memory.commit_episode(draft(0.0), recalled={template: 1.0})


def test_what_a_harmful_source_says_next_is_believed_less(draft: Draft, path: Path) -> None:
    with EpisodicMemory.open(path) as memory:
        bad, fine = told(memory, "press the red knob", "stranger"), told(memory, "press the blue knob")
        harmed(memory, draft, bad, 30)
        fresh = told(memory, "press the green knob", "stranger")
        mine = told(memory, "press the white knob")
        found = {template.id: template for template in memory.templates(namespace="alice")}
        assert found[bad].utility < found[fresh].utility < 0
        assert found[fresh].utility_error is None
        assert found[fine].utility == found[mine].utility == 0
        hits = {hit.template.id: hit for hit in memory.recall("knob", vector=KEY, namespace="alice").hits}
        assert hits[fresh].relevance == pytest.approx(hits[mine].relevance)
        assert hits[fresh].score < hits[mine].score == pytest.approx(hits[mine].relevance)
        # Bob's strangers are other people.
        memory.write([TemplateDraft(content="press it", key=KEY, source="stranger")], namespace="bob")
        assert [template.utility for template in memory.templates(namespace="bob")] == [0]
        with EpisodicMemory.open(None) as other:
            memory.export(path.with_suffix(".jsonl"))
            other.import_file(path.with_suffix(".jsonl"))
            assert [t.utility for t in other.templates(namespace="alice")] == [
                t.utility for t in memory.templates(namespace="alice")
            ]
        memory.forget([bad], namespace="alice")
        assert memory.get(fresh, namespace="alice").utility == pytest.approx(0)
        memory.forget_namespace("alice")
        left = memory._connections.read(lambda db: db.conn.execute("SELECT namespace FROM sources").fetchall())
        assert left == []


def test_the_record_of_a_source_is_the_sum_over_its_templates(draft: Draft) -> None:
    with EpisodicMemory.open(None) as memory:
        ids = [told(memory, f"note {i}", "stranger" if i % 2 else "user") for i in range(6)]
        for number in range(40):
            memory.commit_episode(draft(float(number % 3)), recalled={ids[number % 6]: 1.0, ids[number % 5]: 0.5})
        memory.refit_utilities(namespace="alice")
        memory.forget(ids[:1], namespace="alice")
        memory.commit_episode(draft(9.0), recalled={ids[1]: 1.0})
        sums = "sum(utility_sum), sum(utility_square), sum(utility_weight)"
        kept, counted = memory._connections.read(
            lambda db: (
                db.conn.execute("SELECT total, square, weight FROM sources ORDER BY source").fetchall(),
                db.conn.execute(f"SELECT {sums} FROM templates GROUP BY source ORDER BY source").fetchall(),
            )
        )
        assert len(kept) == 2
        np.testing.assert_allclose(kept, counted, atol=1e-9)


def test_distrust_is_never_trust() -> None:
    assert distrust(0, 0, 0) == 0
    assert distrust(50, 60, 50) == 0
    assert distrust(-5, 60, 50) == 0  # within chance
    # mean -50 / 60, error sqrt(60 / 50 / 60)
    assert distrust(-50, 60, 50) == pytest.approx(-50 / 60 + 2 * math.sqrt(1.2 / 60))


def test_the_outcome_of_an_episode_is_evidence_of_what_it_noted(draft: Draft, path: Path) -> None:
    with EpisodicMemory.open(path) as memory:
        for number in range(10):
            memory.commit_episode(draft(float(number % 2)))
        bad = memory.commit_episode(draft(0.0)).episode_id
        good = memory.commit_episode(draft(1.0)).episode_id
        failed, worked = told(memory, "note one", episode_id=bad), told(memory, "note two", episode_id=good)
        assert told(memory, "note two", episode_id=good) == worked, "said twice it is credited once"
        notes = {template.id: template for template in memory.templates(namespace="alice", kind="text")}
        # One spread from the mean, as three recalls: 3 / (3 + 10).
        assert notes[worked].utility == pytest.approx(3 / 13, rel=0.2)
        assert notes[failed].utility == pytest.approx(-3 / 13, rel=0.2)
        assert notes[worked].uses == 3
        memory.feedback(good, namespace="alice", rating=-1)  # late: the credit is given anew
        assert memory.get(worked, namespace="alice").utility < -0.2
        assert memory.get(worked, namespace="alice").uses == 3
        memory.export(path.with_suffix(".jsonl"))
        memory.refit_utilities(namespace="alice")
        assert memory.get(worked, namespace="alice").utility < 0
        assert memory.verify() == []
    with EpisodicMemory.open(None) as other:
        other.import_file(path.with_suffix(".jsonl"))
        assert other.get(worked, namespace="alice").utility < -0.2
        other.feedback(good, namespace="alice", rating=1, source="nurse")
        other.feedback(good, namespace="alice", rating=1, source="doctor")
        assert other.get(worked, namespace="alice").utility > 0.2
