from __future__ import annotations

import pytest

from evals.told_world import ToldFact, is_right, told_facts

FACT = ToldFact(statement="Ada's badge is blue.", question="What colour?", value="blue", values=("blue", "red"))


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("Blue.", True),
        ("The badge of Ada is blue", True),
        ("red", False),
        ("blue or red", False),
        ("bluebell", False),
        ("", False),
    ],
)
def test_an_answer_is_right_that_names_the_value_and_no_other(said, right):
    assert is_right(said, FACT) is right


def test_worlds_are_drawn_by_their_seed_and_each_thing_is_told_once():
    facts = told_facts(3, count=40)
    assert facts == told_facts(3, count=40) != told_facts(4, count=40)
    assert len({fact.question for fact in facts}) == 40
    for fact in facts:
        assert fact.value in fact.values and fact.value in fact.statement and fact.value not in fact.question
    other = {fact.question: fact.value for fact in told_facts(103, count=40)}
    both = [fact for fact in facts if fact.question in other]
    assert sum(fact.value != other[fact.question] for fact in both) > len(both) / 2
