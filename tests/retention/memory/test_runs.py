"""Runs of agents: what they recall and note is tied to their outcome, whenever it comes and wherever it is said."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention import (
    EpisodeDraft,
    EpisodicMemory,
    MemoryWriteError,
    Note,
    NoteRule,
    NotFoundError,
    TemplateDraft,
)
from retention.memory.credit import FOUND_WEIGHT
from retention.memory.runs import has_earned_use, standing
from retention.memory.schema import SCHEMA_VERSION

KEY = np.array([1.0, 0.0])


def note(memory: EpisodicMemory, content: str, run_id: str, key: Any = KEY, **rule: Any) -> Any:
    draft = TemplateDraft(content=content, key=key, source="agent")
    return memory.note(draft, run_id=run_id, namespace="alice", rule=NoteRule(**rule))


def begin(memory: EpisodicMemory, **more: Any) -> str:
    return memory.begin_run(namespace="alice", task="chat", **more).run_id


def test_the_first_outcome_makes_an_episode_and_later_ones_are_feedback(path: Path) -> None:
    with EpisodicMemory.open(path) as memory:
        memory.write([TemplateDraft(content="known", key=KEY)], namespace="alice")
        run = begin(memory, user="ann")
        receipt = memory.recall(KEY, namespace="alice", run_id=run).receipt_id
        done = note(memory, "new", run)
        assert (done.status, memory.episodes(namespace="alice")) == ("pending", [])
        first = memory.run_outcome(run, namespace="alice", reward=2.0, feedback_id="a")
        assert memory.run_outcome(run, namespace="alice", reward=2.0, feedback_id="a").applied is False
        (episode,) = memory.episodes(namespace="alice")
        assert (episode.episode_id, episode.return_, episode.task, episode.number, episode.length) == (
            first.episode_id, 2.0, "chat", 1, 2,
        )  # fmt: skip
        assert memory.run(run, namespace="alice").episode_id == first.episode_id
        assert receipt is not None
        assert memory.receipt(receipt, namespace="alice").episode_id == first.episode_id
        assert memory.get(2, namespace="alice").status == "active"
        second = begin(memory)
        assert memory.recall(KEY, namespace="alice", run_id=second).receipt_id is not None
        memory.run_outcome(second, namespace="alice", reward=0.0)
        assert memory.get(1, namespace="alice").utility < 0
        # A receipt passes what is said of it on to its run.
        memory.update_outcome(receipt, namespace="alice", rating=-1.0)
        assert memory.get(2, namespace="alice").status == "quarantined"
        assert memory.episode(str(first.episode_id), namespace="alice").rating == -1
        assert memory.verify() == []


def test_an_outcome_on_a_receipt_before_any_other_makes_the_episode() -> None:
    with EpisodicMemory.open(None) as memory:
        memory.write([TemplateDraft(content="known", key=KEY)], namespace="alice")
        run = begin(memory)
        receipt = str(memory.recall(KEY, namespace="alice", run_id=run).receipt_id)
        mine = memory.update_outcome(receipt, namespace="alice", rating=1.0, source="agent")
        assert (mine.episode_id, memory.get(1, namespace="alice").uses) == (None, 1)
        theirs = memory.update_outcome(receipt, namespace="alice", rating=-1.0)
        assert theirs.episode_id is not None
        episode = memory.episode(theirs.episode_id, namespace="alice")
        assert (episode.rating, episode.self_rating) == (-1, 1)
        assert memory.get(1, namespace="alice").uses == 1
        assert memory.get(1, namespace="alice").utility < 0
        assert memory.verify() == []


def test_what_is_there_already_is_credited_and_stays_as_it_is() -> None:
    with EpisodicMemory.open(None) as memory:
        memory.write([TemplateDraft(content="known", key=KEY, ttl=1e6)], namespace="alice")
        before = memory.get(1, namespace="alice")
        run = begin(memory)
        assert note(memory, "Known", run).status == "merged"
        now = memory.get(1, namespace="alice")
        assert (now.count, now.expires, now.revision) == (before.count, before.expires, before.revision)
        memory.run_outcome(run, namespace="alice", rating=-1.0)
        now = memory.get(1, namespace="alice")
        assert (now.status, now.uses) == ("active", FOUND_WEIGHT)
        assert now.utility < 0
        assert memory.credit_of(1, namespace="alice")[0].credit == -1


def test_a_note_after_the_outcome_is_decided_at_once() -> None:
    with EpisodicMemory.open(None) as memory:
        good, bad = begin(memory), begin(memory)
        memory.run_outcome(bad, namespace="alice", success=False)
        memory.run_outcome(good, namespace="alice", success=True)
        assert note(memory, "from the good one", good).status == "stored"
        assert note(memory, "from the bad one", bad, key=np.array([0.0, 1.0])).status == "quarantined"
        assert memory.get(1, namespace="alice").uses == FOUND_WEIGHT


def test_verdicts_on_single_templates() -> None:
    with EpisodicMemory.open(None) as memory:
        texts = [TemplateDraft(content=text, key=KEY) for text in ("helped", "harmed", "unused")]
        memory.write(texts, namespace="alice")
        for reward in (0.0, 1.0):
            memory.run_outcome(begin(memory), namespace="alice", reward=reward)
        run = begin(memory)
        receipt = str(memory.recall(KEY, namespace="alice", run_id=run).receipt_id)
        memory.run_outcome(run, namespace="alice", reward=0.5)
        memory.judge(receipt, {1: 0.2, 2: -0.2, 3: None}, namespace="alice")
        memory.judge(receipt, {1: 0.2, 2: -0.2, 3: None}, namespace="alice")  # in place of what was said before
        helped, harmed, unused = (memory.get(i, namespace="alice") for i in (1, 2, 3))
        assert helped.utility == pytest.approx(0.2 / 11)
        assert harmed.utility < 0 < helped.utility
        assert (unused.utility, unused.uses) == (0, 0)
        memory.run_outcome(run, namespace="alice", rating=1.0)  # and stays when the outcome changes
        assert memory.get(1, namespace="alice").utility > memory.get(2, namespace="alice").utility > 0
        assert memory.get(3, namespace="alice").uses == 0
        for items, fault in (({9: 0.1}, "template 9 was not recalled there"), ({1: 5.0}, "must lie in")):
            with pytest.raises(ValueError, match=fault):
                memory.judge(receipt, items, namespace="alice")
        assert memory.verify() == []


def test_wrong_calls_are_refused_in_one_line_and_leave_nothing(path: Path) -> None:
    with EpisodicMemory.open(path) as memory:
        run = begin(memory, run_id="mine")
        assert begin(memory, run_id="mine") == run == "mine"
        with pytest.raises(ValueError, match="is of task 'chat' and user None; begin another one"):
            memory.begin_run(namespace="alice", task="other", run_id="mine")
        with pytest.raises(ValueError, match="is of task 'chat' and user None"):
            begin(memory, run_id="mine", user="ann")
        with pytest.raises(NotFoundError, match="namespace 'bob' has no run 'mine'"):
            memory.begin_run(namespace="bob", task="chat", run_id="mine")
        with pytest.raises(NotFoundError, match="has no run 'x'; beginning one returns its id"):
            note(memory, "new", "x")
        with pytest.raises(ValueError, match="names no episode"):
            memory.note(TemplateDraft(content="x", key=KEY, episode_id="e"), run_id=run, namespace="alice")
        with pytest.raises(ValueError, match="feedback needs a rating, a reward, or both"):
            memory.run_outcome(run, namespace="alice")
        memory.run_outcome(run, namespace="alice", success=True)
        with pytest.raises(ValueError, match="success is for a run's first outcome"):
            memory.run_outcome(run, namespace="alice", success=False)
        with pytest.raises(ValueError, match="needs must be at least 1, got 0"):
            NoteRule(needs=0)
        memory.write([TemplateDraft(content="known", key=KEY)], namespace="alice")
        with pytest.raises(NotFoundError, match="has no run 'x'"):
            memory.recall(KEY, namespace="alice", run_id="x")
        assert memory.recall(KEY, namespace="alice", receipt=False).receipt_id is None
        assert len(memory.templates(namespace="alice")) == 1
    with EpisodicMemory.open(path, mode="ro") as memory, pytest.raises(MemoryWriteError, match="open read-only"):
        begin(memory)


def test_forgetting_leaves_nothing_of_runs(path: Path) -> None:
    with EpisodicMemory.open(path) as memory:
        runs = [begin(memory), memory.begin_run(namespace="bob", task="chat").run_id]
        note(memory, "new", runs[0])
        memory.note(TemplateDraft(content="theirs", key=KEY), run_id=runs[1], namespace="bob")
        memory.recall(KEY, namespace="alice", run_id=runs[0])
        memory.run_outcome(runs[0], namespace="alice", reward=1.0)
        assert memory.forget([1, 2], namespace="alice").templates == 1
        assert memory.notes(1, namespace="alice") == []
        assert memory.verify() == []
        memory.forget_namespace("alice")
        with pytest.raises(NotFoundError):
            memory.run(runs[0], namespace="alice")
        assert memory.namespaces() == ["bob"]
        assert len(memory.notes(2, namespace="bob")) == 1
        assert memory.verify() == []


def test_runs_and_notes_survive_export_and_import(path: Path) -> None:
    out, copy = path.with_suffix(".jsonl"), path.with_name("copy.db")
    with EpisodicMemory.open(path) as memory:
        done, waits = begin(memory, user="ann"), begin(memory)
        note(memory, "decided", done)
        note(memory, "waits", waits, key=np.array([0.0, 1.0]), needs=2, flags=("a", "b"))
        memory.run_saw(waits, "web", namespace="alice")
        memory.run_outcome(done, namespace="alice", reward=1.0, reason="it worked")
        memory.export(out)
    with EpisodicMemory.open(copy) as memory:
        # A template that is there before has another number than in the export.
        memory.write([TemplateDraft(content="other", key=KEY)], namespace="carol")
        memory.import_file(out)
        assert memory.import_file(out).rows == 0
        assert memory.verify() == []
        assert (memory.run(waits, namespace="alice").saw, memory.run(done, namespace="alice").user) == ("web", "ann")
        decided, waiting = memory.templates(namespace="alice")
        assert (decided.id, decided.status, waiting.status) == (2, "active", "quarantined")
        (held,) = memory.notes(waiting.id, namespace="alice")
        assert (held.run_id, held.needs, held.flags) == (waits, 2, ("a", "b"))
        memory.run_outcome(done, namespace="alice", rating=-1.0)
        assert memory.get(decided.id, namespace="alice").status == "quarantined"


def test_an_export_of_version_3_is_taken_in(path: Path) -> None:
    """It has no tables of runs and notes."""
    out = path.with_suffix(".jsonl")
    with EpisodicMemory.open(path) as memory:
        memory.write([TemplateDraft(content="known", key=KEY)], namespace="alice")
        memory.export(out)
    lines = out.read_text().replace(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 3')
    lines = lines.replace('"runs": 0, "notes": 0, ', "").replace(', "rollbacks": 0', "")
    assert "runs" not in lines
    assert "rollbacks" not in lines
    lines = lines.replace('"verdict": 0.0, ', "")
    out.write_text(lines)
    with EpisodicMemory.open(path.with_name("copy.db")) as memory:
        assert memory.import_file(out).templates == 1


def _note_and_rate(path: Path, number: int) -> None:
    with EpisodicMemory.open(path) as memory:
        for i in range(5):
            run = begin(memory)
            note(memory, "all say this", run)
            note(memory, f"process {number} says {i}", run, key=np.array([float(number), float(i)]))
            memory.run_outcome(run, namespace="alice", reward=float(i % 2))


def test_processes_note_and_rate_at_once(path: Path) -> None:
    with EpisodicMemory.open(path):
        pass
    workers = [multiprocessing.get_context("spawn").Process(target=_note_and_rate, args=(path, n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    with EpisodicMemory.open(path) as memory:
        assert memory.verify() == []
        assert len(memory.episodes(namespace="alice")) == 15
        (common,) = [each for each in memory.templates(namespace="alice") if each.content == "all say this"]
        assert len(memory.notes(common.id, namespace="alice")) == 15


def a_note(
    went_well: bool | None, rated_well: bool | None, user: str | None, needs: int, rated: bool, apart: bool
) -> Note:
    return Note(
        run_id="r", user=user, template_id=1, source="web", born=True, needs=needs, rated=rated, apart=apart, flags=(),
        went_well=went_well, rated_well=rated_well, created=0.0,
    )  # fmt: skip


NOTES = st.builds(
    a_note,
    st.sampled_from([True, False, None]), st.booleans(), st.sampled_from([None, "ann", "bob"]),
    st.integers(1, 3), st.booleans(), st.booleans(),
)  # fmt: skip


@settings(max_examples=200)
@given(st.lists(NOTES, min_size=1, max_size=6), NOTES)
def test_more_good_runs_never_take_use_away_and_bad_ones_never_give_it(notes: list[Note], one: Note) -> None:
    earned = has_earned_use(notes)
    if earned:
        assert has_earned_use([*notes, one])
    if not one.counts:
        assert has_earned_use([*notes, one]) == earned
    assert not has_earned_use([note for note in notes if not note.counts])
    if not earned:
        stands, reason = standing(notes)
        assert reason
        assert stands == "quarantined" or any(note.went_well is None for note in notes)


def test_other_episodes_of_a_task_count_as_before(draft: Callable[..., EpisodeDraft]) -> None:
    """Runs and episodes of an environment share a task's baseline and numbers."""
    with EpisodicMemory.open(None) as memory:
        memory.commit_episode(draft(1.0, task="chat"))
        run = begin(memory)
        note(memory, "worse than before", run)
        memory.run_outcome(run, namespace="alice", reward=0.5)
        assert memory.get(1, namespace="alice").status == "quarantined"
        assert [episode.number for episode in memory.episodes(namespace="alice")] == [1, 2]
