"""Words and stems; SQLite's own porter tokenizer is the oracle."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.memory.merge_key import of_words
from retention.memory.stemmer import stem
from retention.memory.words import canonical, terms, words


def sqlite_stems(given_words: list[str]) -> list[str]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE VIRTUAL TABLE texts USING fts5(word, tokenize = 'porter unicode61')")
        connection.execute("CREATE VIRTUAL TABLE vocabulary USING fts5vocab(texts, 'instance')")
        connection.executemany("INSERT INTO texts (word) VALUES (?)", [(word,) for word in given_words])
        return [row[0] for row in connection.execute("SELECT term FROM vocabulary ORDER BY doc")]


def test_stems_are_those_of_sqlite(root: Path) -> None:
    pages = " ".join(page.read_text() for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))])
    known = (
        "relational conditional hopefulness electriciti adoption controlling falling hissing fizzed happy sky agreed"
    )
    met = sorted({word for word in words(f"{pages} {known}") if word.isascii() and word.isalpha()})
    assert len(met) > 500
    assert [stem(word) for word in met] == sqlite_stems(met)


def test_terms() -> None:
    assert terms("The Café's doors weren't LOCKED, were they?") == ["cafe", "door", "not", "lock"]
    assert terms("snake_case v1.2") == ["snake", "case", "v1", "2"]
    assert terms("我喝茶") == ["我", "喝", "茶"]
    assert terms("Straße 42") == ["strass", "42"]
    assert terms("of the") == []
    assert terms("!?") == []


@given(st.text())
def test_any_text_has_terms(text: str) -> None:
    assert all(found and found == found.casefold() for found in terms(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("User likes tea.", "the user likes tea"),
        ("She doesn't eat meat", "she does not eat meats!"),
        ("The sky is blue", "the sky: blue"),
        ("naïve café", "NAIVE CAFE"),
    ],
)
def test_the_same_said_otherwise_is_one(one: str, other: str) -> None:
    assert of_words(words(one)) == of_words(words(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("User likes tea", "User likes coffee"),
        ("User likes tea", "User does not like tea"),
        ("Alice owes Bob", "Bob owes Alice"),
        ("from Paris to Rome", "from Rome to Paris"),
        ("room 12", "room 21"),
        ("he is in Rome", "he was in Rome"),
        ("my sister", "your sister"),
        ("in the box", "on the box"),
    ],
)
def test_what_contradicts_is_two(one: str, other: str) -> None:
    assert of_words(words(one)) != of_words(words(other))


def test_no_words_no_key() -> None:
    assert of_words(words("...")) is None
    assert canonical(["the"]) == ""
