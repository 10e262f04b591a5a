"""Kinds of facts about a life, each with ways to tell it and to ask for it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import final

from .sections import sections


@final
@dataclass(frozen=True, kw_only=True)
class FactKind:
    """A kind of fact, of two details ``{x}`` and ``{y}``; phrases hold them, ``{n}`` for whose it is, and the like.

    Attributes:
        name: what it is called here.
        x: values of the first detail.
        y: values of the second.
        lead: what the other one asks before it is told, without a detail.
        say: statements of both, in the first person.
        talk: exchanges whose turns alternate and end with the one whose fact it is.
        ask: questions; one that names a detail asks for the other.
        change: statements that the fact is another now; ``{o}`` is the first detail as it was.
        newest: questions for what it is now.
        before: questions for what it was.
        kin: statements of the fact about a relative ``{k}``.
        askkin: questions for that.
        every: questions for all facts of the kind.
        when: questions for when it was told.
        infer: questions that it answers without saying so.
        chat: remarks in its words that say nothing.
        who: the person, by the fact.
    """

    name: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    lead: tuple[str, ...]
    say: tuple[str, ...]
    talk: tuple[tuple[str, ...], ...]
    ask: tuple[str, ...]
    change: tuple[str, ...] = ()
    newest: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    kin: tuple[str, ...] = ()
    askkin: tuple[str, ...] = ()
    every: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    infer: tuple[str, ...] = ()
    chat: tuple[str, ...] = ()
    who: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for wanted in ("x", "y", "lead", "say", "talk", "ask", "chat"):
            if not getattr(self, wanted):
                raise ValueError(f"a kind of fact needs {wanted}, and {self.name} has none")


@cache
def fact_kinds() -> tuple[FactKind, ...]:
    """Return all kinds of facts."""
    return tuple(_kind(name, lines) for name, lines in sections("facts.txt").items())


def _kind(name: str, lines: list[str]) -> FactKind:
    fields: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        label, _, text = line.partition(": ")
        fields[label] += text.split(" | ") if label in ("x", "y") else [text]
    talk = tuple(tuple(text.split(" // ")) for text in fields.pop("talk", []))
    x, y, lead, say, ask = (tuple(fields.pop(label, [])) for label in ("x", "y", "lead", "say", "ask"))
    others = {label: tuple(texts) for label, texts in fields.items()}
    return FactKind(name=name, x=x, y=y, lead=lead, say=say, talk=talk, ask=ask, **others)
