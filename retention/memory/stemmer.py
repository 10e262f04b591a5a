"""Stems of English words, as M. F. Porter finds them: "An algorithm for suffix stripping", Program 14(3), 1980."""

from __future__ import annotations

import threading
from functools import lru_cache

import Stemmer


class _Stemmers(threading.local):
    """One stemmer a thread: a stemmer holds the word that it works on."""

    def __init__(self) -> None:
        self.porter = Stemmer.Stemmer("porter", 0)


_STEMMERS = _Stemmers()


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """Return the stem of a word in lower case; words of other alphabets, or of one or two letters, stay as they are."""
    if len(word) < 3:
        return word
    found: str = _STEMMERS.porter.stemWord(word)
    return found
