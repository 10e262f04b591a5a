"""Credit against utilities that are known: the running rule, and ridge regression on the whole history."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from retention import EpisodeDraft, EpisodicMemory, TemplateDraft
from retention.memory.ridge import MEMORY, PENALTY, Refitted, fitted


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks; equal values have the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.corrcoef(ranks(one), ranks(other))[0, 1])


def episode(task: str, return_: float) -> EpisodeDraft:
    return EpisodeDraft(
        namespace="alice", task=task, number=1, seed=None, return_=return_, length=1, success=None, seconds=0
    )


def simulate(memory: EpisodicMemory, seed: int, episodes: int) -> NDArray[np.float64]:
    """Recall 5 of a topic's 10 memories, 15 % withheld; success depends on the topic and on what the five bring.

    Returns:
        The true effects, by the order of the templates' ids.
    """
    random = np.random.default_rng(seed)
    difficulty = random.normal(0, 1.5, 10)
    effects = random.choice([-1.2, -0.6, 0, 0, 0, 0, 0.6, 1.2], 100)
    fit = random.normal(0, 1, 100)
    drafts = [TemplateDraft(content=f"memory {i}", key=np.ones(1), task=f"topic {i // 10}") for i in range(100)]
    ids = memory.write(drafts, namespace="alice")
    for _ in range(episodes):
        topic = int(random.integers(10))
        near = 10 * topic + np.argsort(-(fit[10 * topic : 10 * topic + 10] + random.gumbel(size=10)))[:5]
        shown = near[random.random(5) >= 0.15]
        chance = 1 / (1 + np.exp(-difficulty[topic] - effects[shown].sum()))
        done = episode(f"topic {topic}", float(random.random() < chance))
        memory.commit_episode(done, recalled={ids[i]: 1.0 for i in shown})
    return effects


def utilities(memory: EpisodicMemory) -> NDArray[np.float64]:
    return np.array([template.utility for template in memory.templates(namespace="alice")])


def test_credit_finds_the_true_effects() -> None:
    with EpisodicMemory.open(None) as memory:
        effects = simulate(memory, seed=11, episodes=1500)
        running = spearman(utilities(memory), effects)
        assert running > 0.55
        done = memory.refit_utilities(namespace="alice")
        assert (done.receipts > 1400, done.templates) == (True, 100)
        assert spearman(utilities(memory), effects) > running
        errors = [template.utility_error for template in memory.templates(namespace="alice")]
        assert all(error is not None and 0 < error < 1 for error in errors)
        assert memory.verify() == []


def test_fitting_solves_the_normal_equations() -> None:
    random = np.random.default_rng(0)
    receipt, template = np.repeat(np.arange(40), 3), random.integers(0, 6, 120)
    receipt, template = np.unique(np.stack([receipt, template], 1), axis=0).T
    exposure, gained = random.uniform(0.1, 1, len(receipt)), random.normal(size=40)
    task, fade = np.arange(40) % 2, random.uniform(0.5, 1, 40)
    rows = np.zeros((40, 8))
    rows[receipt, template] = exposure
    rows[np.arange(40), 6 + task] = 1
    normal = rows.T @ (fade[:, None] * rows) + np.diag([PENALTY] * 6 + [0.1] * 2)
    wanted = np.linalg.solve(normal, rows.T @ (fade * gained))
    np.testing.assert_allclose(fitted(receipt, template, exposure, gained, task, fade), wanted[:6], atol=1e-7)


def test_what_comes_after_a_fit_is_credited_on_top(path: Path) -> None:
    with EpisodicMemory.open(path) as memory:
        simulate(memory, seed=3, episodes=60)
        done = memory.refit_utilities(namespace="alice")
        before = utilities(memory)
        latest = memory.episodes(namespace="alice", limit=1)[0]
        memory.feedback(latest.episode_id, namespace="alice", rating=1)
        assert not np.array_equal(utilities(memory), before)
        assert memory.verify() == []
    with EpisodicMemory.open(path) as memory:
        assert memory.refit_utilities(namespace="alice") == done
        assert memory.refit_utilities(namespace="bob") == Refitted(receipts=0, templates=0)


def test_a_fit_is_taken_back_with_its_outcome() -> None:
    with EpisodicMemory.open(None) as memory:
        memory.write([TemplateDraft(content="one", key=np.ones(1))], namespace="alice")
        for return_ in (0.0, 1.0, 0.0, 1.0):
            done = memory.commit_episode(episode("t", return_), recalled={1: 1.0})
        memory.refit_utilities(namespace="alice")
        fitted_ = memory.get(1, namespace="alice")
        assert fitted_.uses == 3
        nothing, ones = np.zeros(3, np.int64), np.ones(3)
        fade = np.exp(np.array([-2, -1, 0]) / MEMORY)
        gained = np.array([1, -1, np.sqrt(2)])  # each in spreads of those before it
        wanted = fitted(np.arange(3), nothing, ones, gained, nothing, fade)
        assert fitted_.utility == pytest.approx(wanted[0])
        memory.feedback(done.episode_id, namespace="alice", rating=-1)
        assert memory.get(1, namespace="alice").uses == 3
        assert memory.get(1, namespace="alice").utility < fitted_.utility


@pytest.mark.parametrize("flipped", [0.0, 0.3])
def test_feedback_that_is_partly_wrong(flipped: float) -> None:
    """The good one of two stays ahead where three in ten ratings are turned round."""
    random = np.random.default_rng(5)
    with EpisodicMemory.open(None) as memory:
        memory.write([TemplateDraft(content=name, key=np.ones(1)) for name in ("good", "bad")], namespace="alice")
        for number in range(200):
            good = number % 2
            rating = (1.0 if good else -1.0) * (-1 if random.random() < flipped else 1)
            done = memory.commit_episode(episode("t", 0.0), recalled={1 if good else 2: 1.0})
            memory.feedback(done.episode_id, namespace="alice", rating=rating)
        assert memory.get(1, namespace="alice").utility > 0.2
        assert memory.get(2, namespace="alice").utility < -0.2
