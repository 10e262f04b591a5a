"""Where an answer that draws on a fact goes on, and where it ends: the rules alone, on recalls written by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agent.chat.ending import asked_back, next_said, read_to_its_end, says_more
from retention import FactRecall

FACT = [10, 11, 12, 13, 14, 15, 0]
"""The tokens of fact 1."""

TEXTS = (
    {0: ".", 1: ""}
    | {token: f" word{token}" for token in range(10, 100)}
    | {10: " Marek", 30: "M", 31: "The", 40: " I"}
)


def recalls(*steps: tuple[bool, int, int]) -> list[FactRecall]:
    """For each token whether something was read, the fact that drew most, and its slot."""
    return [FactRecall(masses={fact: 0.9}, null=0.1, read=read, slot=slot, token=slot) for read, fact, slot in steps]


@pytest.mark.parametrize(
    ("steps", "ended"),
    [
        ([(True, 1, 4)], False),  # the first token
        ([(False, 1, 2), (True, 1, 4)], False),  # what comes before is the model's own
        ([(True, 1, 4), (True, 1, 5)], False),  # it goes on
        ([(True, 1, 4), (True, 2, 3)], False),  # another fact
        ([(True, 1, 4), (False, 1, 5)], True),  # nothing more is read
        ([(True, 1, 4), (True, 1, 5), (True, 1, 4)], True),  # it begins again
        ([(True, 1, 4), (True, 1, 4)], True),
        ([(False, 1, 4), (False, 1, 5)], False),
    ],
)
def test_an_answer_ends_where_what_is_read_of_a_fact_ends(steps, ended):
    found = recalls(*steps)
    said = [each.token for each in found[:-1]]
    coming = found[-1].token
    assert read_to_its_end(found, said, coming) == ended
    assert read_to_its_end(found, said, coming + 1) == (found[-2].read if said else False)  # not what is read
    assert not read_to_its_end(found, [token + 1 for token in said], coming)  # which said something of its own


@pytest.mark.parametrize(
    ("answer", "more"),
    [("", False), (" The locker", False), ("ANN", False), ("4821", True), ("The locker code is 4821", True)],
)
def test_an_answer_goes_on_where_it_has_the_words_of_its_question_alone(answer, more):
    assert says_more(answer, "What is the locker code of Ann?") == more


def following(
    wanted: Sequence[int], said: Sequence[int], steps: Sequence[tuple[int | None, int]], mass: float = 0.9
) -> int | None:
    """Return what is said next; for each token wanted the fact that drew most, None where nothing was, and its slot."""
    facts = {1: FACT, 2: [10, 11, 12, 20, 21], 3: [40, 41, 42]}
    found = [
        FactRecall(
            masses={} if fact is None else {fact: mass},
            null=1 - mass,
            read=fact is not None,
            slot=slot,
            token=-1 if fact is None else facts[fact][slot],
        )
        for fact, slot in steps
    ]
    return next_said(wanted, said, found, facts.__getitem__, TEXTS.get)


BEGINNING = [(1, 0), (1, 1), (1, 2)]


@pytest.mark.parametrize("coming", [13, 99, 12])
def test_an_answer_that_says_a_fact_again_says_it_to_its_end(coming):
    """Whatever the model would rather say, and however the layer's attention goes astray."""
    for step in [(1, 3), (1, 1), (None, 0)]:
        assert following([*FACT[:3], coming], FACT[:3], [*BEGINNING, step]) == 13


def test_where_the_fact_has_been_said_the_answer_ends():
    steps = [(1, slot) for slot in range(7)]
    assert following([*FACT, 99], FACT, [*steps, (1, 0)]) is None
    assert following([*FACT, 0], FACT, [*steps, (2, 0)]) is None


def test_what_was_not_the_models_own_word_goes_on_over_the_end_of_its_sentence():
    steps = [*BEGINNING, (1, 3), (1, 4)]
    assert following([10, 11, 12, 99, 0], FACT[:4], steps) == 14
    assert following([*FACT[:4], 0], FACT[:4], steps) is None  # its own sentence, which it ends
    assert following([10, 11, 12, 99, 1], FACT[:4], steps) == 14  # the end mark likewise
    assert following([*FACT[:4], 1], FACT[:4], steps) is None


def test_the_first_token_may_stand_behind_a_space_or_not():
    assert following([77, 11, 12, 99], [77, 11, 12], [*BEGINNING, (1, 3)]) == 13


def test_of_two_facts_that_begin_alike_the_one_read_last_is_said():
    assert following([10, 11, 12, 99], [10, 11, 12], [*BEGINNING, (2, 3)]) == 20
    assert following([10, 11, 12, 99], [10, 11, 12], [(2, 0), (2, 1), (2, 2), (1, 3)]) == 13
    # once they part, the one that was said goes on, whichever is read
    assert following([10, 11, 12, 13, 99], FACT[:4], [*BEGINNING, (1, 3), (2, 3)]) == 14


@pytest.mark.parametrize(
    "said",
    [
        FACT[:2],  # two tokens may be chance
        [50, *FACT[:3]],  # not from its beginning
        FACT[3:6],  # its value alone
        [10, 11, 99],  # other words
    ],
)
def test_any_other_answer_is_what_the_model_says(said):
    steps = [(1, 0)] * len(said)
    assert following([*said, 98], [*said], [*steps, (1, 5)]) in (98, None)
    assert following([*said, 15], [*said], [(None, 0)] * len(said) + [(1, 5)]) == 15


def test_a_fact_that_nothing_was_read_of_is_not_said():
    assert following([*FACT[:3], 99], FACT[:3], [(None, 0)] * 4) == 99


def test_an_answer_begins_with_what_is_read_where_facts_draw_nearly_all_attention():
    assert following([31], [], [(1, 4)]) == 14
    assert following([31], [], [(1, 4)], mass=0.7) == 31
    assert following([31], [], [(None, 0)]) == 31


def test_or_as_the_fact_begins_where_the_model_would_begin_so_unless_another_one_speaks():
    assert following([30], [], [(1, 4)]) == 10  # "M" is how "Marek" begins
    assert following([10], [], [(1, 4)]) == 10
    assert following([40], [], [(3, 2)]) == 42


SAID = {1: ["M", "ina", " T", "oral", " was", " born", " in", " O", "stra", "va", "."], 2: [" My", " dog", " Rex", "."]}
"""The texts of the tokens of two facts."""


def back(question: str, fact: int, slot: int, *, read: bool = True) -> list[int] | None:
    """Return the answer where a slot of a fact is what is read first."""
    texts = dict(enumerate(text for texts in SAID.values() for text in texts))
    tokens = {1: list(range(11)), 2: list(range(11, 15))}
    first = FactRecall(masses={fact: 0.6}, null=0.4, read=read, slot=slot, token=tokens[fact][slot])
    return asked_back(first, question, tokens.__getitem__, texts.__getitem__, [98, 99])


@pytest.mark.parametrize(
    ("question", "slot", "whole"),
    [
        ("Who was born in Ostrava?", 7, True),
        ("who comes from OSTRAVA", 7, True),
        ("Where was Mina Toral born?", 7, False),  # what is read is what is asked for
        ("Who was born in O?", 7, False),  # another word
        ("Who was born in Ostrava?", 2, False),  # the answer itself
        ("Is Toral a surname?", 2, True),
        ("Who?", 10, False),  # no word
    ],
)
def test_a_fact_of_which_a_word_of_the_question_is_read_is_asked_back(question, slot, whole):
    assert back(question, 1, slot) == (list(range(11)) if whole else None)
    assert back(question, 1, slot, read=False) is None


def test_what_a_speaker_says_of_themselves_is_said_back_as_theirs():
    assert back("Who is called Rex?", 2, 2) == [98, 99, 11, 12, 13, 14]


def test_an_answer_that_is_known_as_a_whole_is_that_whatever_the_model_would_say():
    facts = {1: FACT}
    for length in range(len(FACT) + 1):
        recalls = [FactRecall(masses={1: 0.9}, null=0.1, read=True, slot=4, token=14)] * (length + 1)
        coming = next_said([99] * (length + 1), FACT[:length], recalls, facts.__getitem__, TEXTS.get, FACT)
        assert coming == (FACT[length] if length < len(FACT) else None)
