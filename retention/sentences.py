"""Sentences: a text is cut into them, and told by their form which of them state something."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_LINES = re.compile(r"\s*[\r\n]+\s*")
_BULLET = re.compile(r"^(?:[-*•]|\d+[.)])\s+")
# An end, what closes with it, and a space.
_END = re.compile(r"(?:[.!?…]+[\"'\u201d\u2019)\]]*)(?=\s)|[\u3002\uff01\uff1f]+")
_LAST_WORD = re.compile(r"(\S+?)\.$")
_ABBREVIATED = """
mr mrs ms dr prof st sr jr vs etc e.g i.e cf no nr fig vol approx dept inc ltd co jan feb mar apr jun jul aug sep
sept oct nov dec a.m p.m ext tel apt
"""

_ASKING = """
what who whom whose which when where why how is are am was were do does did can could will would shall should may
might must has have had isn't aren't wasn't weren't don't doesn't didn't can't couldn't won't wouldn't
"""
# What is to be done, not what is the case.
_BIDDING = """
tell show say give write explain list describe repeat answer name guess help let please summarize summarise
translate compute calculate imagine continue
"""
_POLITE = """
hi hello hey thanks thank ok okay yes no sure bye goodbye good morning evening night you very much so please
sorry great nice cool well right there
"""
_KNOWN_SHORT, _GREETING = frozenset(_ABBREVIATED.split()), frozenset(_POLITE.split())
_AT_QUESTIONS, _AT_BIDS = frozenset(_ASKING.split()), frozenset(_BIDDING.split())
# Asks in the form of a statement.
_WONDERING = re.compile(r"i (?:wonder|(?:want|need|would like) to know)\b|i'd like to know\b")
_LEAST = 3  # words of a statement


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, in order, each without spaces around it.

    A line is cut at full stops, question and exclamation marks that a space follows, not after abbreviations, initials
    and inside numbers. A line's end always ends a sentence; the mark of a list's item is left out.
    """
    found: list[str] = []
    for line in _LINES.split(text):
        line, start = _BULLET.sub("", line.strip()), 0
        for end in _END.finditer(line):
            if not _goes_on(line[start : end.end()], line[end.end() :]):
                found.append(line[start : end.end()].strip())
                start = end.end()
        found.append(line[start:].strip())
    return [sentence for sentence in found if _WORD.search(sentence)]


def is_statement(sentence: str) -> bool:
    """Say whether a sentence states something, by its form: it does not ask, bid or greet, and has three words.

    It asks if it ends with a question mark, says that one would like to know, or begins as questions do and no full
    stop ends it: "Will Smith is here." does not. English; a sentence of another language that has no question mark
    counts as a statement.
    """
    words = _words(sentence)
    end = sentence.rstrip("\"'\u201d\u2019)] ")[-1:]
    if len(words) < _LEAST or end in ("?", "\uff1f") or _WONDERING.match(" ".join(words)):
        return False
    asks = words[0] in _AT_QUESTIONS and end not in (".", "!", "\u3002", "\uff01")
    return not asks and words[0] not in _AT_BIDS and not _greets(words)


def only_states(text: str) -> bool:
    """Say whether a text states something and wants no answer: each sentence is a statement or a greeting."""
    found = sentences(text)
    stating = [is_statement(sentence) for sentence in found]
    return any(stating) and all(
        states or _greets(_words(sentence)) for states, sentence in zip(stating, found, strict=True)
    )


def _words(sentence: str) -> list[str]:
    return [word.replace("\u2019", "'") for word in _WORD.findall(sentence.casefold())]


def _greets(words: list[str]) -> bool:
    return all(word in _GREETING for word in words)


def _goes_on(so_far: str, rest: str) -> bool:
    """Say whether a full stop is one of an abbreviation or of an initial, not of a sentence."""
    last = _LAST_WORD.search(so_far)
    if last is None:
        return False
    word = last[1].lstrip("\"'\u201c\u2018([").casefold()
    if word in _KNOWN_SHORT:
        return True
    initial = len(word) == 1 and word.isalpha() and so_far[-2].isupper() and word != "i"
    return initial and rest.lstrip()[:1].isupper()
