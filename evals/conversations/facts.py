"""What is said in one conversation: who has which facts, and which of them change."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import final

from .fact_kinds import FactKind, fact_kinds
from .style import Style

RELATIVES = (
    "sister", "brother", "cousin", "aunt", "uncle", "mother", "father", "niece", "grandmother", "stepbrother",
    "flatmate", "godson",
)  # fmt: skip


@final
@dataclass(eq=False, kw_only=True)
class Fact:
    """Something that is told once.

    Attributes:
        kind: what sort of fact.
        owner: who tells it.
        about: ``"self"``, ``"kin"`` for one about a relative, ``"change"`` for one in place of another.
        relative: which relative.
        x: the first detail.
        y: the second.
        old: the fact that it replaces.
        told: the ids of the turns that say the first and the second detail; filled in when it is told.
        talked: whether it came out in an exchange.
    """

    kind: FactKind
    owner: str
    about: str
    relative: str
    x: str
    y: str
    old: Fact | None = None
    told: dict[str, str] = field(default_factory=dict)
    talked: bool = False


def draw_facts(draw: random.Random, speakers: tuple[str, str], style: Style) -> tuple[list[Fact], list[FactKind]]:
    """Return the facts of a conversation, a changed one after what it changes, and the kinds that nobody speaks of."""
    kinds = list(fact_kinds())
    draw.shuffle(kinds)
    chosen, silent = kinds[: style.kinds], kinds[style.kinds :]
    facts: list[Fact] = []
    for kind in chosen:
        xs, ys = _shuffled(draw, kind.x), _shuffled(draw, kind.y)
        relatives = _shuffled(draw, RELATIVES)
        have = draw.choice((speakers, speakers, speakers[:1], speakers[1:]))
        for owner in have:
            first = Fact(kind=kind, owner=owner, about="self", relative=next(relatives), x=next(xs), y=next(ys))
            facts.append(first)
            if kind.change and draw.random() < style.changes:
                facts.append(
                    Fact(kind=kind, owner=owner, about="change", relative="", x=next(xs), y=next(ys), old=first)
                )
            elif kind.every and draw.random() < 0.5:
                for _ in range(draw.randint(1, 2)):
                    facts.append(
                        Fact(kind=kind, owner=owner, about="self", relative=next(relatives), x=next(xs), y=next(ys))
                    )
            if kind.kin and draw.random() < style.relatives:
                facts.append(
                    Fact(kind=kind, owner=owner, about="kin", relative=next(relatives), x=next(xs), y=next(ys))
                )
    return facts, silent


def _shuffled(draw: random.Random, values: tuple[str, ...]) -> Iterator[str]:
    """Yield values in a random order, and again when all are used up."""
    return cycle(draw.sample(values, len(values)))
