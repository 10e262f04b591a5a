"""The words of a text: folded, stemmed, and told apart by whether they say anything."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from .stemmer import stem

# Chinese and Japanese write words without spaces: each of their letters is taken for a word.
_WORD = re.compile(r"[぀-ヿ㐀-䶿一-鿿豈-﫿]|(?:(?![぀-ヿ㐀-䶿一-鿿豈-﫿])[^\W_])+")
_APOSTROPHES = str.maketrans({"\N{RIGHT SINGLE QUOTATION MARK}": "'", "\N{MODIFIER LETTER APOSTROPHE}": "'"})
_NEGATED = re.compile(r"n't\b")
_POSSESSIVE = re.compile(r"'s\b")

_NOTHING_SAID = """
a about above after again all am an and any are as at be because been before being below between both but by
can could did do does doing down during each few for from further had has have having he her here hers him his
how i if in into is it its itself just me more most my of off on once only or other our ours out over own same
she should so some such than that the their theirs them then there these they this those through to too under
until up very was we were what when where which while who whom why will with would you your yours ll re ve d m
s t
"""

STOP_WORDS = frozenset(_NOTHING_SAID.split())
"""Words that say nothing of what a text is about. ``no`` and ``not`` are none of them."""

# What two texts may differ in and say the same. Pronouns, prepositions, tenses, numbers and negations tell texts apart.
_ARTICLES = frozenset({"a", "an", "the", "please", "is", "are", "am"})


def fold(text: str) -> str:
    """Return a text in lower case, without accents, its contractions undone as far as their meaning needs it."""
    if not text.isascii():
        plain = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES))
        text = "".join(letter for letter in plain if not unicodedata.combining(letter))
    text = text.casefold()
    return _POSSESSIVE.sub("", _NEGATED.sub(" not", text)) if "'" in text else text


def words(text: str) -> list[str]:
    """Return the folded words of a text, in order."""
    found: list[str] = _WORD.findall(fold(text))
    return found


def terms(text: str) -> list[str]:
    """Return what a text can be found by: the stems of its words, in order, without stop words."""
    return terms_of(words(text))


def terms_of(found: list[str]) -> list[str]:
    """Return what a text can be found by whose words are known."""
    return list(filter(None, map(_term, found)))


def canonical(found: list[str]) -> str:
    """Return what near-duplicates have in common: the stems in their order, without articles; "" if there are none."""
    return " ".join(filter(None, map(_said, found)))


@lru_cache(maxsize=100_000)
def _said(word: str) -> str:
    return "" if word in _ARTICLES else stem(word)


@lru_cache(maxsize=100_000)
def _term(word: str) -> str:
    return "" if word in STOP_WORDS else stem(word)
