"""Plain text: what a text says without characters that a reader does not see."""

from __future__ import annotations

import re
import unicodedata

_KEPT_CONTROLS = "\n\t"
_JOINERS = "\u200c\u200d"
_VARIATION = "\ufe0e\ufe0f"  # text and emoji style
_SOFT = "\u00ad\ufeff"  # what copied web pages have anywhere

# Letters of other scripts that look like Latin ones, for comparison alone.
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһАВЕКМНОРСТУХІЈЅαορνικτυΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijsdhABEKMHOPCTYXIJSaopviktuABEZHIKMNOPTYX",
)
_LEET = [str.maketrans("013457@$", f"o{letter}eastas") for letter in "li"]
_WORD = re.compile(r"[^\W\d_]+")


def plain(text: str) -> str:
    """Return a text without control, invisible and direction-changing characters; line ends and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter for at, letter in enumerate(text) if _is_seen(text, at, letter))


def hides_something(text: str) -> bool:
    """Say whether a text has characters that a reader does not see, or letters of two scripts within a word."""
    if text.isascii():
        return any(unicodedata.category(letter) == "Cc" and letter not in "\r" + _KEPT_CONTROLS for letter in text)
    unseen = any(
        not _is_seen(text, at, letter) and letter not in _SOFT and letter != "\r" for at, letter in enumerate(text)
    )
    return unseen or any(_mixes_scripts(word) for word in _WORD.findall(text))


def folded(text: str) -> str:
    """Return a text for comparison: plain, in lower case, in one script, on one line."""
    found = plain(unicodedata.normalize("NFKC", text)).translate(_LOOKALIKES).casefold()
    found = "".join(letter for letter in unicodedata.normalize("NFKD", found) if not unicodedata.combining(letter))
    return " ".join(found.split())


def without_leet(text: str) -> set[str]:
    """Return a folded text with digits and signs read as the letters they look like: a one as an l, and as an i."""
    return {text.translate(letters) for letters in _LEET}


def _is_seen(text: str, at: int, letter: str) -> bool:
    if letter in _KEPT_CONTROLS or " " <= letter <= "~":
        return True
    category = unicodedata.category(letter)
    if letter in _VARIATION:
        return at > 0 and unicodedata.category(text[at - 1]) in ("So", "Sk", "Po", "Nd", "Sm")
    if letter in _JOINERS:
        return 0 < at < len(text) - 1 and _joins(text[at - 1]) and _joins(text[at + 1])
    if 0xE0000 <= ord(letter) <= 0xE0FFF or letter in "\u115f\u1160\u3164\uffa0\u034f\u2028\u2029":
        return False
    return category not in ("Cc", "Cf", "Cs", "Co", "Cn")


def _joins(letter: str) -> bool:
    """Say whether joiners have a meaning beside a character: in emoji, and in the scripts that need them."""
    return unicodedata.category(letter) in ("So", "Sk", "Mn", "Mc") or letter in _VARIATION or (
        letter.isalpha() and ord(letter) >= 0x0600
    )  # fmt: skip


def _mixes_scripts(word: str) -> bool:
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in word}
    return "LATIN" in scripts and bool(scripts & {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"})
