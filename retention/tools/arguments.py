"""Arguments of the tools, as language models give them: checked, with one line that says what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from ..memory.scope import check_name
from ..memory.templates import TRANSITION

QUERY_LIMIT = 4000
CONTENT_LIMIT = 8000
REASON_LIMIT = 1000
K_LIMIT = 20
TOKENS_LIMIT = 8000
IDS_LIMIT = 20
TTL_DAYS_LIMIT = 3650.0

KINDS = ("fact", "lesson", "template")
VERDICTS = ("helped", "harmed", "unused")


def text_of(value: object, what: str, limit: int) -> str:
    """Return a text that has something in it and is not too long."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be a text, got {type(value).__name__}")
    if len(value) > limit:
        raise ValueError(f"{what} must have at most {limit} characters, got {len(value)}")
    if not value.strip():
        raise ValueError(f"{what} must say something, got an empty text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} must be text that UTF-8 can hold") from None
    return value


def whole_number(value: object, what: str, least: int, most: int) -> int:
    """Return a whole number within bounds."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} must be a whole number, got {value!r}")
    if not least <= value <= most:
        raise ValueError(f"{what} must lie in {least} to {most}, got {value}")
    return value


def number(value: object, what: str, least: float, most: float) -> float:
    """Return a number within bounds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{what} must be a number, got {value!r}")
    if not least <= value <= most:  # which neither NaN does, nor an int that is too large for a float
        raise ValueError(f"{what} must lie in {least:g} to {most:g}, got {value!r}")
    return float(value)


def kinds_of(value: object) -> frozenset[str] | None:
    """Return the kinds to recall; ``None`` for all."""
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(f"kinds must be a list of names, got {value!r}")
    found = frozenset(check_name(kind, "kind") for kind in value)
    if TRANSITION in found:
        raise ValueError("kinds must name texts; 'transition' is what an environment's episodes leave")
    return found or None


def kind_of(value: object) -> str:
    """Return the kind of a note."""
    if value not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {value!r}")
    return str(value)


def ttl_of(value: object) -> float | None:
    """Return for how many seconds a note is kept, from days."""
    if value is None:
        return None
    days = number(value, "ttl_days", 0, TTL_DAYS_LIMIT)
    if days == 0:
        raise ValueError("ttl_days must be above 0, got 0; leave it out to keep the note")
    return days * 86400.0


def rating_of(rating: object, reward: object) -> float:
    """Return what a model says of an answer, in [-1, 1]."""
    if (rating is None) == (reward is None):
        raise ValueError("give either rating ('up' or 'down') or reward (from -1 to 1)")
    if reward is not None:
        return number(reward, "reward", -1, 1)
    if rating not in ("up", "down"):
        raise ValueError(f"rating must be 'up' or 'down', got {rating!r}")
    return 1.0 if rating == "up" else -1.0


def verdicts_of(value: object) -> dict[int, Literal["helped", "harmed", "unused"]]:
    """Return what is said of single items, by their ids; JSON has ids of objects as texts."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"items must map ids to helped, harmed or unused, got {type(value).__name__}")
    if len(value) > K_LIMIT:
        raise ValueError(f"items must be at most {K_LIMIT}, got {len(value)}")
    found: dict[int, Literal["helped", "harmed", "unused"]] = {}
    for key, verdict in value.items():
        if verdict not in VERDICTS:
            raise ValueError(f"items must be {', '.join(VERDICTS)}, got {verdict!r} for {key!r}")
        found[template_id(key)] = verdict
    return found


def template_id(value: object) -> int:
    """Return the id of a template, also from a text of digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return whole_number(value, "id", 1, 2**63 - 1)


def ids_of(value: object) -> list[int]:
    """Return the ids of a list."""
    if isinstance(value, (str, Mapping)) or not isinstance(value, Iterable):
        raise TypeError(f"ids must be a list of ids, got {value!r}")
    found = list(dict.fromkeys(template_id(each) for each in value))
    if not 1 <= len(found) <= IDS_LIMIT:
        raise ValueError(f"ids must be 1 to {IDS_LIMIT}, got {len(found)}")
    return found
