"""Phrases filled in: values in the place of ``{...}``, and the article that fits."""

from __future__ import annotations

import re

_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiou])")


def filled(phrase: str, **values: str) -> str:
    """Return a phrase with its values in it, its sentences beginning with a capital."""
    text = _ARTICLE.sub(r"\1n ", phrase.format_map(values))
    return re.sub(r"(^|[.!?] )([a-z])", lambda found: found[1] + found[2].upper(), text)
