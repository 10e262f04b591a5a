"""Questions about what was said, and about what was not."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import groupby

from .conversation import UNANSWERABLE, Question
from .fact_kinds import FactKind
from .facts import RELATIVES, Fact
from .phrases import filled

_UNANSWERABLE_SHARE = 0.25  # of the answerable ones


def questions(
    draw: random.Random, speakers: tuple[str, str], facts: list[Fact], silent: list[FactKind]
) -> list[Question]:
    """Return questions in a random order.

    Args:
        draw: where chance comes from.
        speakers: the two who talked.
        facts: what was told.
        silent: the kinds that nobody told anything of.
    """
    found = []
    own = sorted((fact for fact in facts if fact.about != "kin"), key=_whose)
    for _, group in groupby(own, key=_whose):
        found += list(_about(draw, list(group)))
    found += [
        _question(draw, fact.kind.askkin, "relative", fact, tuple(sorted(set(fact.told.values()))))
        for fact in facts
        if fact.about == "kin"
    ]
    found += _two_hops(draw, facts)
    asked = {question.text for question in found}
    nothing = [each for each in _never_said(draw, speakers, facts, silent) if each.text not in asked]
    found += draw.sample(nothing, min(len(nothing), round(_UNANSWERABLE_SHARE * len(found))))
    draw.shuffle(found)
    return found


def _whose(fact: Fact) -> tuple[str, str]:
    return fact.kind.name, fact.owner


def _about(draw: random.Random, group: list[Fact]) -> Iterator[Question]:
    """Yield questions about the facts of one kind that one person has."""
    alone = len(group) == 1
    for fact in group:
        if fact.about == "change":
            assert fact.old is not None
            yield _question(draw, fact.kind.newest, "update", fact, (fact.told["x"],))
            yield _question(draw, fact.kind.before, "before", fact, (fact.old.told["x"], fact.told["x"]))
            continue
        usable = [ask for ask in fact.kind.ask if alone or "{x}" in ask or "{y}" in ask]
        for ask in draw.sample(usable, min(len(usable), draw.randint(1, 2))):
            target = "y" if "{x}" in ask else "x"
            if target in fact.told:
                yield _question(draw, (ask,), "talk" if fact.talked else "single", fact, (fact.told[target],))
        when = [ask for ask in fact.kind.when if alone or "{x}" in ask or "{y}" in ask]
        if when and draw.random() < 0.5:
            yield _question(draw, tuple(when), "temporal", fact, (min(fact.told.values(), key=_number),))
    told = tuple(fact.told["x"] for fact in group if "x" in fact.told)
    if group[0].kind.every and len(told) > 1:
        yield _question(draw, group[0].kind.every, "several", group[0], told)
    elif group[0].kind.infer and told and draw.random() < 0.5:
        yield _question(draw, group[0].kind.infer, "inference", group[0], told)


def _two_hops(draw: random.Random, facts: list[Fact]) -> Iterator[Question]:
    """Yield questions that name a person by one fact and ask for another."""
    for owner in sorted({fact.owner for fact in facts}):
        mine = [fact for fact in facts if fact.owner == owner and fact.about == "self"]
        names = [fact for fact in mine if fact.kind.who and {"x", "y"} <= set(fact.told)]
        kinds = [_whose(fact) for fact in facts if fact.about != "kin"]
        asked = [fact for fact in mine if kinds.count(_whose(fact)) == 1]
        for name in draw.sample(names, min(len(names), 4)):
            others = [fact for fact in asked if fact.kind is not name.kind]
            if not others:
                continue
            fact = draw.choice(others)
            ask = draw.choice([each for each in fact.kind.ask if "{x}" not in each and "{y}" not in each])
            who = filled(name.kind.who[0], x=name.x, y=name.y)
            by = name.told["y" if "{y}" in name.kind.who[0] else "x"]
            text = ask.replace("{n}", who[0].lower() + who[1:])
            yield _question(draw, (text,), "two-hop", fact, (by, fact.told["x"]))


def _never_said(
    draw: random.Random, speakers: tuple[str, str], facts: list[Fact], silent: list[FactKind]
) -> Iterator[Question]:
    """Yield questions without an answer: a fact of the other's, another detail, a kind that nobody spoke of."""
    kinds = {fact.kind.name: fact.kind for fact in facts}
    for name, kind in sorted(kinds.items()):
        there = [fact for fact in facts if fact.kind.name == name]
        for owner in speakers:
            mine = [fact for fact in there if fact.owner == owner and fact.about != "kin"]
            theirs = [fact for fact in there if fact.owner != owner and fact.about == "self"]
            if theirs and not mine:
                yield _question(draw, kind.ask, UNANSWERABLE, _as(theirs[0], owner), ())
            unsaid = sorted(set(kind.x) - {fact.x for fact in there})
            specific = [ask for ask in kind.ask if "{x}" in ask]
            if mine and unsaid and specific:
                yield _question(draw, tuple(specific), UNANSWERABLE, _as(mine[0], owner, x=draw.choice(unsaid)), ())
    for kind in silent:
        for owner in speakers:
            fact = Fact(kind=kind, owner=owner, about="self", relative="", x=draw.choice(kind.x), y=draw.choice(kind.y))
            yield _question(draw, kind.ask, UNANSWERABLE, _as(fact, owner), ())


def _as(fact: Fact, owner: str, x: str | None = None) -> Fact:
    relative = fact.relative or RELATIVES[0]
    return Fact(kind=fact.kind, owner=owner, about="self", relative=relative, x=x or fact.x, y=fact.y)


def _question(
    draw: random.Random, asks: tuple[str, ...], category: str, fact: Fact, evidence: tuple[str, ...]
) -> Question:
    old = "" if fact.old is None else fact.old.x
    text = filled(draw.choice(asks), n=fact.owner, x=fact.x, y=fact.y, o=old, k=fact.relative)
    specific = category == "two-hop" or fact.x in text or fact.y in text
    return Question(text=text, category=category, evidence=tuple(dict.fromkeys(evidence)), specific=specific)


def _number(turn: str) -> int:
    return int(turn[1:])
