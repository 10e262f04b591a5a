from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage

from agent.chat.choosing import RETRIES, choose_answer, parsed_number
from agent.chat.local_chat import LocalChat
from retention import HoldfastError

ASKED = [HumanMessage("Which?")]


def saying(*texts: str) -> GenericFakeChatModel:
    return GenericFakeChatModel(messages=iter(AIMessage(text) for text in texts))


@pytest.mark.parametrize(
    ("said", "number"),
    [("2", 2), (" 3.\n", 3), ("(1)", 1), ("[2]", 2), ("0", None), ("4", None), ("two", None), ("2 or 3", None),
     ("I choose 2", None), ("-1", None), ("", None), ("2" * 30, None)],
)  # fmt: skip
def test_a_number_is_a_number_and_nothing_else(said, number):
    assert parsed_number(said, 3) == number


@given(st.text(max_size=12), st.integers(1, 20))
def test_whatever_is_said_gives_a_choice_or_nothing(said, highest):
    number = parsed_number(said, highest)
    assert number is None or 1 <= number <= highest


def test_a_model_that_says_numbers_is_asked_again_a_bounded_number_of_times():
    assert choose_answer(saying("2"), ASKED, ["a", "b"]) == 1
    assert choose_answer(saying("the second", "no. 9", "2."), ASKED, ["a", "b"]) == 1
    model = saying(*["hm"] * (1 + RETRIES), "1")
    assert choose_answer(model, ASKED, ["a", "b"]) is None
    assert next(model.messages).text == "1"  # it was not asked once more


def test_one_answer_needs_no_model():
    assert choose_answer(saying(), ASKED, ["a"]) == 0
    with pytest.raises(ValueError, match="at least one answer"):
        choose_answer(saying(), ASKED, [])


def test_a_model_that_fails_says_so_in_one_line():
    with pytest.raises(HoldfastError, match="the chat model GenericFakeChatModel failed: "):
        choose_answer(saying(), ASKED, ["a", "b"])


def test_a_model_that_scores_chooses_what_it_finds_likely_per_token(tiny):
    chat = LocalChat(local=tiny)
    answers = ["he", "something much longer", "x"]
    means = [sum(each) / len(each) for each in chat.log_likelihoods(ASKED, answers)]
    assert choose_answer(chat, ASKED, answers) == means.index(max(means))
    turned = answers[::-1]
    assert turned[choose_answer(chat, ASKED, turned)] == answers[means.index(max(means))]
