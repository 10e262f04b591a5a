"""What a line that is typed into a chat means: something said, or a command."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import NamedTuple

COMMANDS = {
    "remember": ("/remember TEXT", "remember each sentence of TEXT, whatever its form"),
    "forget": ("/forget ID ...", "forget facts for good, by their numbers"),
    "facts": ("/facts", "list what is remembered"),
    "why": ("/why", "show the facts behind the last answer, token by token"),
    "good": ("/good, + or \N{THUMBS UP SIGN}", "the last answer was good"),
    "bad": ("/bad, - or \N{THUMBS DOWN SIGN}", "it was bad: the facts that carried it are kept from use"),
    "help": ("/help", "show this"),
    "quit": ("/quit", "leave, as Ctrl-D does; Ctrl-C while it answers stops the answer"),
}
"""The commands: how each is typed, and what it does."""

_THUMBS = {"+": "good", "-": "bad", "\N{THUMBS UP SIGN}": "good", "\N{THUMBS DOWN SIGN}": "bad"}
_SKIN = {each: None for each in (*range(0x1F3FB, 0x1F400), 0xFE0F)}  # how a thumb is coloured, and shown


class Line(NamedTuple):
    """What a line means.

    Attributes:
        command: one of :data:`COMMANDS`; None for something said.
        text: what is said, or the command's argument.
    """

    command: str | None
    text: str


def parsed_line(typed: str) -> Line | None:
    """Return what a line means; None for an empty one.

    Raises:
        ValueError: it begins with a slash and is no command, or the command lacks its argument or takes none.
    """
    text = typed.strip()
    if not text:
        return None
    thumb = _THUMBS.get(text.translate(_SKIN))
    if thumb is not None:
        return Line(thumb, "")
    if not text.startswith("/"):
        return Line(None, text)
    name, *rest = re.split(r"\s+", text[1:], maxsplit=1)
    name, argument = name.lower(), "".join(rest)
    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean /{near[0]}?" if near else "/help shows the commands"
        raise ValueError(f"there is no command /{name}: {hint}")
    wanted = name in ("remember", "forget")
    if wanted != bool(argument):
        raise ValueError(
            f"type {COMMANDS[name][0]}" if wanted else f"/{name} takes nothing behind it, got {argument!r}"
        )
    return Line(name, argument)


def fact_numbers(argument: str) -> list[int]:
    """Return the numbers of facts that an argument names, ``3`` or ``#3``, each once.

    Raises:
        ValueError: a word is no number, or there is none.
    """
    words = argument.replace(",", " ").split() or [argument]
    wrong = next((word for word in words if not word.removeprefix("#").isdecimal()), None)
    if wrong is not None:
        raise ValueError(f"a fact has a number, got {wrong!r}: /facts lists them")
    return list(dict.fromkeys(int(word.removeprefix("#")) for word in words))
