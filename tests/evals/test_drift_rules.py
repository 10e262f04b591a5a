from __future__ import annotations

import numpy as np
import pytest

from evals.drift_rules import Counters, MovingAverage
from retention import EpisodicMemory, TemplateDraft


@pytest.fixture
def hits():
    """Three notes of ids 1, 2, 3 with cosines of 1.0, 0.9 and 0.8 to what is asked."""
    with EpisodicMemory.open(None) as memory:
        keys = [[cosine, np.sqrt(1 - cosine**2)] for cosine in (1.0, 0.9, 0.8)]
        drafts = [
            TemplateDraft(content=name, key=np.array(key, np.float32)) for name, key in zip("abc", keys, strict=True)
        ]
        memory.write(drafts, namespace="n")
        yield memory.recall([1.0, 0.0], namespace="n", k=3).hits


def chosen(rule, hits, k=3):
    return [hit.template.id for hit in rule.choose(hits, k)]


@pytest.mark.parametrize("rule", [Counters, MovingAverage])
def test_without_a_word_said_similarity_decides(rule, hits):
    assert chosen(rule(), hits) == [1, 2, 3]
    assert chosen(rule(), hits, 2) == [1, 2]
    assert rule().choose([], 5) == []


def test_counters_are_shares_of_successes():
    rule = Counters()
    assert rule.worth(7) == 0.5
    for success in (True, True, False):
        rule.learn([7, 8], success)
    rule.learn([8], True)
    assert rule.worth(7) == pytest.approx(3 / 5)
    assert rule.worth(8) == pytest.approx(4 / 6)


def test_the_moving_average_goes_a_tenth_of_the_way():
    rule = MovingAverage()
    rule.learn([7], True)
    assert rule.worth(7) == pytest.approx(0.1)
    rule.learn([7, 8], False)
    assert rule.worth(7) == pytest.approx(0.1 - 0.1 * 1.1)
    assert rule.worth(8) == pytest.approx(-0.1)


@pytest.mark.parametrize("rule", [Counters, MovingAverage])
def test_worth_counts_as_much_as_similarity(rule, hits):
    rule = rule()
    rule.learn([3], True)  # z-scores of worth: -0.71, -0.71, 1.41; of similarity: 1.22, 0, -1.22
    assert chosen(rule, hits) == [1, 3, 2]
    for _ in range(2):  # then about -1.3, 0.2, 1.1
        rule.learn([1], False)
    assert chosen(rule, hits) == [2, 1, 3]
