"""What can be meta-trained, for listings: nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from retention import NotFoundError


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is said of a family of tasks.

    Attributes:
        summary: one line: what is hidden.
        env_id: the environment whose tasks these are.
        iterations: how many training takes by default.
    """

    summary: str
    env_id: str
    iterations: int


CATALOGUE = {
    "dark-room": Entry(summary="a goal in a dark room of 9 x 9", env_id="holdfast/DarkRoom-v0", iterations=8_000),
    "entity-rewrite": Entry(
        summary="facts that are told, told anew, and asked for", env_id="holdfast/EntityRewrite-v0", iterations=4_000
    ),
    "hidden-rule": Entry(summary="the right action of each context", env_id="holdfast/HiddenRule-v0", iterations=6_000),
    "key-door": Entry(
        summary="a key and a door in a dark room of 9 x 9", env_id="holdfast/DarkKeyDoor-v0", iterations=8_000
    ),
    "silent-switch": Entry(
        summary="the right action of each context, which changes without a sign and changes back",
        env_id="holdfast/SilentSwitch-v0",
        iterations=8_000,
    ),
}


def find_entry(name: str) -> Entry:
    """Return a family's entry by its name.

    Raises:
        NotFoundError: there is none; the message gives the nearest names.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    near = " or ".join(repr(each) for each in get_close_matches(name, CATALOGUE))
    hint = f"Did you mean {near}?" if near else f"Known: {', '.join(CATALOGUE)}."
    raise NotFoundError(f"no family named {name!r}. {hint}")
