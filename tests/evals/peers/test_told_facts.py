from __future__ import annotations

import pytest
import torch

from evals.peers.told_facts import ToldFacts


def test_each_key_is_told_with_its_value_and_asked_for_once():
    task = ToldFacts(keys=9, values=5, facts=4)
    drawn = task.draw(50, torch.Generator().manual_seed(0))
    orders = set()
    for told, asked, answers in zip(drawn.told.tolist(), drawn.asked.tolist(), drawn.answers.tolist(), strict=True):
        facts = dict(zip(told[::2], told[1::2], strict=True))
        assert len(facts) == 4
        assert set(facts) <= set(range(9))
        assert set(facts.values()) <= set(range(9, 14))
        assert sorted(asked) == sorted(facts)
        assert [facts[key] - 9 for key in asked] == answers
        orders.add(tuple(told[::2].index(key) for key in asked))
    assert len(orders) > 10


def test_the_same_generator_draws_the_same_rows():
    task = ToldFacts()
    first, again = (task.draw(3, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first.told, again.told)
    assert torch.equal(first.asked, again.asked)
    assert not torch.equal(first.told, task.draw(3, torch.Generator().manual_seed(8)).told)


def test_a_recaller_gets_room_for_every_token_that_is_told():
    config = ToldFacts(keys=9, values=5, facts=4).config(width=8)
    assert (config.tokens, config.answers, config.longest, config.told, config.width) == (14, 5, 8, 8, 8)


@pytest.mark.parametrize("wrong", [{"facts": 0}, {"values": 0}, {"keys": 3, "facts": 4}])
def test_wrong_numbers_are_named(wrong):
    with pytest.raises(ValueError, match="wanted 1 <= facts <= keys and 1 or more values, got"):
        ToldFacts(**wrong)
