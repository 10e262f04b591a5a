"""Stems of English words, as M. F. Porter finds them: "An algorithm for suffix stripping", Program 14(3), 1980."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache


def _longest_first(suffixes: dict[str, str]) -> list[tuple[str, str]]:
    return sorted(suffixes.items(), key=lambda pair: -len(pair[0]))


_STEP_2 = _longest_first({
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "logi": "log", "bli": "ble",
    "alli": "al", "entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate",
    "alism": "al", "iveness": "ive", "fulness": "ful", "ousness": "ous", "aliti": "al", "iviti": "ive",
    "biliti": "ble",
})  # fmt: skip
_STEP_3 = _longest_first({
    "icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": "",
})  # fmt: skip
_STEP_4 = (
    "ement",
    "ance",
    "ence",
    "able",
    "ible",
    "ment",
    "ant",
    "ent",
    "ism",
    "ate",
    "iti",
    "ous",
    "ive",
    "ize",
    "ion",
    "al",
    "er",
    "ic",
    "ou",
)  # fmt: skip; the longest first


_PLAIN = re.compile(r"[a-z]+\Z")


def _forms(word: str) -> str:
    """Return the word's letters as consonants and vowels, ``c`` and ``v``; a y after a consonant is a vowel."""
    forms = ""
    for letter in word:
        vowel = letter in "aeiou" or (letter == "y" and forms[-1:] == "c")
        forms += "v" if vowel else "c"
    return forms


def _measure(stem: str) -> int:
    """Return Porter's m: how often a vowel is followed by a consonant."""
    return _forms(stem).count("vc")


def _ends_short(stem: str) -> bool:
    """Return Porter's condition ``*o``: it ends consonant, vowel, consonant, and the last is not w, x or y."""
    return _forms(stem)[-3:] == "cvc" and stem[-1] not in "wxy"


def _doubled(stem: str) -> bool:
    return len(stem) > 1 and stem[-1] == stem[-2] and _forms(stem)[-1] == "c"


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Return the stem of a word in lower case; words of two letters, and those with other letters, stay as they are."""
    if len(word) <= 2 or not _PLAIN.match(word):
        return word
    word = _plurals_and_participles(word)
    if word.endswith("y") and "v" in _forms(word[:-1]):
        word = word[:-1] + "i"
    word = _replaced(word, _STEP_2)
    word = _replaced(word, _STEP_3)
    word = _without_suffix(word)
    if word.endswith("e"):
        measure = _measure(word[:-1])
        if measure > 1 or (measure == 1 and not _ends_short(word[:-1])):
            word = word[:-1]
    if word.endswith("ll") and _measure(word) > 1:
        word = word[:-1]
    return word


def _plurals_and_participles(word: str) -> str:
    if word.endswith(("sses", "ies")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for suffix in ("ed", "ing"):
        if word.endswith(suffix) and "v" in _forms(word[: -len(suffix)]):
            word = word[: -len(suffix)]
            if word.endswith(("at", "bl", "iz")) or (_measure(word) == 1 and _ends_short(word)):
                return word + "e"
            return word[:-1] if _doubled(word) and word[-1] not in "lsz" else word
    return word


def _replaced(word: str, suffixes: Sequence[tuple[str, str]]) -> str:
    for suffix, instead in suffixes:
        if word.endswith(suffix):
            kept = word[: -len(suffix)]
            return kept + instead if _measure(kept) > 0 else word
    return word


def _without_suffix(word: str) -> str:
    for suffix in _STEP_4:
        if word.endswith(suffix):
            kept = word[: -len(suffix)]
            if _measure(kept) > 1 and (suffix != "ion" or kept.endswith(("s", "t"))):
                return kept
            return word
    return word
