"""Texts that an episode leaves: committed with it, at once, and judged with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retention import (
    EncoderMismatchError,
    EpisodeDraft,
    EpisodicMemory,
    FeedbackGate,
    GateConfig,
    MissingExtraError,
    TemplateDraft,
)


def letters(texts: list[str]) -> np.ndarray:
    return np.array([[text.count(letter) for letter in "abcdefgh"] for text in texts], np.float32)


def note(content: str, key: np.ndarray | None = None, encoder: str = "letters", **changes: Any) -> TemplateDraft:
    key = letters([content])[0] if key is None else key
    return TemplateDraft(content=content, key=key, encoder=encoder, task="t", **changes)


def draft(return_: float = 1.0, **changes: Any) -> EpisodeDraft:
    given: dict[str, Any] = {"namespace": "alice", "task": "t", "number": 1, "seed": 0, "return_": return_}
    return EpisodeDraft(**{**given, "length": 1, "success": None, "seconds": 0.0, **changes})


def test_notes_are_the_episodes_own_and_counted() -> None:
    with EpisodicMemory.open(None, encoder=letters) as memory:
        stranger = memory.commit_episode(draft()).episode_id
        notes = [note(text, episode_id=stranger) for text in ("a bad cab", "a bad cab", "egg")]
        done = memory.commit_episode(draft(number=2), notes=notes)
        found = memory.templates(namespace="alice")
        assert (done.noted, [each.count for each in found]) == (2, [2, 1])
        assert {each.first_episode_id for each in found} == {done.episode_id}
        assert [each.key.tolist() for each in found] == letters(["a bad cab", "egg"]).tolist()
        assert memory.template_count(namespace="alice", task="t") == 2
        assert memory.transitions(namespace="alice", task="t", after=done.revision)[1] == done.revision
        assert memory.commit_episode(draft(number=3)).noted == 0


def test_an_episode_and_its_notes_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    with EpisodicMemory.open(tmp_path / "m.db", encoder=letters) as memory:
        memory.commit_episode(draft(), notes=[note("abc")])
        wrong = TemplateDraft(content="abc", key=np.ones(3, np.float32), task="t", encoder="of another")
        with pytest.raises(EncoderMismatchError):
            memory.commit_episode(draft(number=2), notes=[wrong])
        wide = TemplateDraft(content="abc", key=np.ones(3, np.float32), task="t")
        memory.commit_episode(draft(number=2), notes=[wide])
        with pytest.raises(ValueError, match="keys must have width 3"):
            memory.commit_episode(
                draft(number=3), notes=[TemplateDraft(content="x", key=np.ones(4, np.float32), task="t")]
            )
        assert memory.episode_count(namespace="alice", task="t") == 2
        assert len(memory.templates(namespace="alice")) == 2


def test_notes_of_an_episode_that_the_gate_refuses_wait() -> None:
    gate = FeedbackGate(GateConfig(admit="success"))
    with EpisodicMemory.open(None, encoder=letters, gate=gate) as memory:
        failed = memory.commit_episode(draft(-1.0), notes=[note("abc")])
        assert [each.status for each in memory.templates(namespace="alice")] == ["quarantined"]
        memory.feedback(failed.episode_id, namespace="alice", rating=1.0)
        assert [each.status for each in memory.templates(namespace="alice")] == ["active"]


def test_a_recall_may_leave_its_receipt_to_the_episode() -> None:
    with EpisodicMemory.open(None, encoder=letters) as memory:
        memory.write([TemplateDraft(content="abc")], namespace="alice")
        found = memory.recall(letters(["abc"])[0], namespace="alice", receipt=False)
        assert len(found.hits) == 1 and found.receipt_id is None
        assert memory.recall(letters(["abc"])[0], namespace="alice").receipt_id is not None
        memory.commit_episode(draft(0.0), recalled={found.hits[0].template.id: 1.0})
        memory.commit_episode(draft(9.0, number=2), recalled={found.hits[0].template.id: 1.0})
        assert memory.get(found.hits[0].template.id, namespace="alice").utility > 0


def test_the_encoder_can_be_asked_for_before_a_text_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    with EpisodicMemory.open(None, encoder=letters) as memory:
        assert memory.encoder.encode(["aab"]).tolist() == letters(["aab"]).tolist()
    monkeypatch.setattr("retention.memory.encoder.find_spec", lambda name: None)
    with EpisodicMemory.open(None) as memory, pytest.raises(MissingExtraError, match="the default encoder of texts"):
        _ = memory.encoder


def test_a_note_without_a_vector_is_refused() -> None:
    with EpisodicMemory.open(None, encoder=letters) as memory:
        with pytest.raises(ValueError, match="a note of an episode needs its key"):
            memory.commit_episode(draft(), notes=[TemplateDraft(content="abc", task="t")])
        assert memory.episode_count(namespace="alice", task="t") == 0
