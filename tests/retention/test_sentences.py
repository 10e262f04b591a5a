from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.sentences import is_statement, only_states, sentences


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        (" \n ", []),
        ("...", []),
        ("One fact", ["One fact"]),
        ("Ann is in. Bob is out!  Is Eve?", ["Ann is in.", "Bob is out!", "Is Eve?"]),
        ("The bill is 3.50 euros. Pay it.", ["The bill is 3.50 euros.", "Pay it."]),
        ("Dr. Ames lives at St. John's Rd. 4.", ["Dr. Ames lives at St. John's Rd.", "4."]),
        ("J. R. Miller came at 4 p.m. on foot.", ["J. R. Miller came at 4 p.m. on foot."]),
        ("Ann Ames, desk phone, ext. 4821.", ["Ann Ames, desk phone, ext. 4821."]),
        ("It was I. Then he came.", ["It was I.", "Then he came."]),
        ('He said "stop." Then he left.', ['He said "stop."', "Then he left."]),
        ("- one thing\n- another thing\n\n3) last. thing", ["one thing", "another thing", "last.", "thing"]),
        ("The code is 4821\r\nThe door is red", ["The code is 4821", "The door is red"]),
        ("今日は雨。明日は晴れ。", ["今日は雨。", "明日は晴れ。"]),
    ],
)
def test_where_sentences_end(text: str, wanted: list[str]) -> None:
    assert sentences(text) == wanted


@given(st.text())
def test_no_letter_is_lost_or_made_up(text: str) -> None:
    kept = [letter for sentence in sentences(text) for letter in sentence if letter.isalpha()]
    assert kept == [letter for letter in text if letter.isalpha()]
    assert all(sentence == sentence.strip() and sentence for sentence in sentences(text))


@pytest.mark.parametrize(
    "sentence",
    [
        "The locker code of Ann is 4821.",
        "Ann\u2019s cat is called Momo!",
        "my dog likes fish",
        "Der Code ist 4821.",
        "No dogs are allowed in here.",
        "Yes, Ann moved to Oslo.",
        "Will Smith lives here.",
        "What Ann likes is tea!",
        "I want to learn Dutch.",
    ],
)
def test_what_states_something(sentence: str) -> None:
    assert is_statement(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "What is the locker code of Ann?",
        "What is the locker code of Ann",
        "Is it 4821",
        "Ann has moved to Oslo?",
        'Did he say "yes?"',
        "Tell me the locker code of Ann.",
        "Please repeat that once more.",
        "Hello there!",
        "Thank you very much!",
        "Ok, thanks.",
        "I wonder where Ann lives.",
        "I\u2019d like to know the locker code of Ann.",
        "4821",
        "",
    ],
)
def test_what_does_not(sentence: str) -> None:
    assert not is_statement(sentence)


@pytest.mark.parametrize("text", ["Ann lives in Oslo.", "Hello! Ann lives in Oslo. Her cat is Momo.\nThank you!"])
def test_what_only_states_something(text: str) -> None:
    assert only_states(text)


@pytest.mark.parametrize(
    "text", ["", "Hello!", "Ann lives in Oslo. Where is that?", "Ann lives in Oslo. Say it again."]
)
def test_what_asks_or_bids_or_states_nothing(text: str) -> None:
    assert not only_states(text)
