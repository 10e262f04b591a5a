"""Secrets in texts: known forms of keys and passwords, and words that are too random to be words."""

from __future__ import annotations

import math
import re
from collections import Counter

REMOVED = "[secret removed]"

_FORMS = [
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*)",
    r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{20,}\b",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}\b",
    r"\bglpat-[\w-]{16,}",
    r"\bxox[abeprs]-[\w-]{10,}",
    r"\bsk-(?:[a-z]+-)*[A-Za-z0-9_-]{16,}",
    r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{10,}",
    r"\bAIza[\w-]{30,}",
    r"\bya29\.[\w-]{20,}",
    r"\b(?:hf|npm|pypi|dop_v1|shpat)[_-][A-Za-z0-9_-]{20,}",
    r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
    r"(?<=://)[^\s/:@]+:[^\s/@]+(?=@)",
    r"\b[Bb]earer\s+[\w.~+/-]{16,}=*",
]
_KNOWN = re.compile("|".join(_FORMS), re.DOTALL)

# A name of a secret, and beside it a value: "password = ..." anywhere, "the password is ..." with a digit in the value.
_NAME = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret(?:[_ -]?key)?|api[_ -]?key|access[_ -]?(?:key|token)|"
    r"auth[_ -]?token|token|pin)"
)
_ASSIGNED = re.compile(
    rf"\b(?:\w+[_-])?{_NAME}\b[\"']?\s*(?:[:=]{{1,2}})\s*[\"']?(?P<value>[^\s\"',;]{{4,}})", re.IGNORECASE
)
_OF = r"(?:\s+(?:for|of|to)(?:\s+[\w.@-]+){1,3}?)?"
_SAID = re.compile(rf"\b{_NAME}{_OF}\s+(?:is|was)\s+[\"'`]?(?P<value>(?=\S*\d)[^\s\"'`,;]{{4,}})", re.IGNORECASE)
# Stands for a value, or says what one is like.
_PLACEHOLDER = re.compile(
    r"^(?:[<\[{].*|\$\{?\w+.*|%\w.*|\*+|x{3,}|\.{3,}|\w+\(.*|os\.\w+.*|env\b.*|"
    r"(?:none|null|true|false|required|missing|str(?:ing)?|int(?:eger)?|bool(?:ean)?|number)\W*)$",
    re.IGNORECASE,
)

_TOKEN = re.compile(r"[A-Za-z0-9+_=-]{20,}")
_LONGEST_WORD = 5


def find_secrets(text: str) -> list[tuple[int, int]]:
    """Return where a text has secrets: from and to, in order, not overlapping."""
    found = [match.span() for match in _KNOWN.finditer(text)]
    for form in (_ASSIGNED, _SAID):
        for match in form.finditer(text):
            if not _PLACEHOLDER.match(match["value"]):
                found.append(match.span("value"))
    found += [match.span() for match in _TOKEN.finditer(text) if _is_random(match[0])]
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def without_secrets(text: str) -> str:
    """Return a text with its secrets replaced by :data:`REMOVED`."""
    parts, last = [], 0
    for start, end in find_secrets(text):
        parts += [text[last:start], REMOVED]
        last = end
    return "".join([*parts, text[last:]])


def _is_random(word: str) -> bool:
    """Say whether a long word has the entropy of a random one, and nothing in it that reads as a word or a name."""
    kinds = [r"[a-z]", r"[A-Z]", r"\d"]
    if not all(len(re.findall(kind, word)) >= 2 for kind in kinds):
        return False
    if max((len(run) for run in re.findall(r"[a-z]+|[A-Z]+", word)), default=0) > _LONGEST_WORD:
        return False
    shares = [count / len(word) for count in Counter(word).values()]
    entropy = -math.fsum(share * math.log2(share) for share in shares)
    return entropy >= 0.8 * math.log2(min(len(word), 64))
