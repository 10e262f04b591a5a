"""What is suspicious about a text that is to be remembered: it gives orders, lures, or hides something.

Rules of words are no proof, and who knows them can write around them. They make a note wait for more evidence; what
decides in the end is how the runs went that noted it.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from ..memory.words import terms
from .plain_text import folded, hides_something, plain, without_leet

ORDER = "an order to the model"
EXFILTRATION = "an order to send data out"
CONCEALMENT = "an order to keep something from the user"
SELF_PRAISE = "praise of itself"
STUFFING = "words heaped up to be found"
MARKUP = "the markup of a prompt"
HIDING = "a text with hidden characters"
ENCODED = "an order in an encoding"
PROBING = "a reach into other namespaces"
TOOL_ORDER = "an order to call a tool"
PLANTED = "a planted answer"

FLAGS = (ORDER, EXFILTRATION, CONCEALMENT, SELF_PRAISE, STUFFING, MARKUP, HIDING, ENCODED, PROBING, TOOL_ORDER, PLANTED)


def _patterns() -> dict[str, list[re.Pattern[str]]]:
    """Return the rules of words by flag, as the file beside this module has them."""
    parts: dict[str, str] = {}
    found: dict[str, list[re.Pattern[str]]] = {}
    flag = ""
    for line in (Path(__file__).parent / "suspicion.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]") and line[1:-1] in FLAGS:
            flag = line[1:-1]
            continue
        if not flag:
            name, rule = line.split(" = ", 1)
            parts[name] = rule
            continue
        rule = re.sub(r"\{([A-Z]+)\}", lambda match: parts[match[1]], line)
        found.setdefault(flag, []).append(re.compile(rule))
    return found


_PATTERNS = _patterns()
_ROLE_LINE = re.compile(
    r"^\s*(?:system|assistant|developer|tool)\s*(?:prompt|message)?\s*:", re.IGNORECASE | re.MULTILINE
)
_BLOB = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")

_REPEATED_LEAST, _REPEATED_SHARE, _QUESTIONS = 6, 0.2, 4


@lru_cache(maxsize=4096)
def suspicions(text: str) -> tuple[str, ...]:
    """Return what is suspicious about a text, as it came: each of the flags above at most once.

    Args:
        text: as it came, with whatever characters.
    """
    found = [HIDING] if hides_something(text) else []
    found += _of_words(text)
    if _is_stuffed(text):
        found.append(STUFFING)
    if any(_of_words(decoded) for decoded in _decoded(plain(text))):
        found.append(ENCODED)
    return tuple(dict.fromkeys(found))


def _of_words(text: str) -> list[str]:
    flat = folded(text)
    readings = {flat, *without_leet(flat), re.sub(r"(?<=\b\w)[ .\-_*](?=\w\b)", "", flat)}
    found = [flag for flag, rules in _PATTERNS.items() if any(rule.search(each) for rule in rules for each in readings)]
    if MARKUP not in found and _ROLE_LINE.search(plain(text)):
        found.append(MARKUP)
    return found


def _is_stuffed(text: str) -> bool:
    """Say whether a text repeats words, or asks question after question, to be found by many queries."""
    said = terms(text)
    if text.count("?") >= _QUESTIONS:
        return True
    if not said:
        return False
    (_, most), *_ = Counter(said).most_common(1)
    if most >= _REPEATED_LEAST and most / len(said) >= _REPEATED_SHARE:
        return True
    pairs = Counter(pairwise(said))
    return bool(pairs) and max(pairs.values()) >= 4


def _decoded(text: str) -> list[str]:
    found = []
    for match in _BLOB.finditer(text):
        blob = match[0]
        try:
            decoded = base64.b64decode(blob + "=" * (-len(blob) % 4), validate=True).decode()
        except ValueError:
            continue
        if decoded.isprintable():
            found.append(decoded)
    return found
