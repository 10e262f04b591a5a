"""Numbers of NumPy and torch are numbers to the memory, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from retention import EpisodeDraft, EpisodicMemory, TemplateDraft

KINDS = [np.float32, np.float64, np.float16, np.array, torch.tensor]


@pytest.mark.parametrize("kind", KINDS)
def test_feedback_counts_whatever_kind_of_number_it_is(draft: Callable[..., EpisodeDraft], kind: Any) -> None:
    def told(number: Callable[[float], Any]) -> list[Any]:
        with EpisodicMemory.open(None) as memory:
            ids = memory.write([TemplateDraft(key=np.ones(2), content="a", task="t")], namespace="alice")
            done = memory.commit_episode(draft(number(1.0)), recalled={ids[0]: number(0.5)})
            gate = memory.feedback(done.episode_id, namespace="alice", rating=number(-1.0), reward=number(0.5)).gate
            receipt = memory.recall([1, 1], namespace="alice").receipt_id
            assert receipt is not None
            memory.update_outcome(receipt, namespace="alice", rating=number(-0.5))
            memory.judge(receipt, {ids[0]: number(0.25)}, namespace="alice")
            assert memory.verify() == []
            return [gate, memory.get(ids[0], namespace="alice").utility, memory.episodes(namespace="alice")[0].rating]

    assert told(kind) == told(float)


def test_ids_and_counts_may_be_of_numpy() -> None:
    with EpisodicMemory.open(None) as memory:
        (number,) = memory.write([TemplateDraft(key=np.ones(2), content="a", ttl=np.float32(9))], namespace="alice")
        assert memory.get(np.int64(number), namespace="alice").expires is not None
        assert memory.notes(np.int64(number), namespace="alice") == []
        memory.commit_episode(
            EpisodeDraft(
                namespace="alice",
                task="t",
                number=np.int64(1),
                seed=np.uint32(3),
                return_=np.float32(1),
                length=np.int32(4),
                success=np.bool_(True),
                seconds=np.float32(0.5),
            )
        )
        (episode,) = memory.episodes(namespace="alice")
        assert (episode.number, episode.seed, episode.return_, episode.length) == (1, 3, 1.0, 4)
        assert (episode.success, episode.seconds) == (True, 0.5)
        assert memory.verify() == []


@pytest.mark.parametrize("rating", ["up", b"1", [1.0], np.array([1.0]), 1j])
def test_what_is_no_number_is_refused(draft: Callable[..., EpisodeDraft], rating: Any) -> None:
    half: Any = 1.5
    with EpisodicMemory.open(None) as memory:
        done = memory.commit_episode(draft())
        with pytest.raises(TypeError, match="rating must be a number"):
            memory.feedback(done.episode_id, namespace="alice", rating=rating)
        with pytest.raises(TypeError, match=r"must be a whole number, got 1\.5"):
            memory.get(half, namespace="alice")
