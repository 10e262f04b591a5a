"""Sessions of talk: facts among reactions, echoes, remarks and small talk. Two people take turns."""

from __future__ import annotations

import random
from datetime import date
from typing import final

from .conversation import Turn
from .fact_kinds import FactKind
from .facts import Fact
from .phrases import filled
from .sections import sections
from .style import Style


@final
class Talk:
    """A conversation in the making.

    Args:
        draw: where chance comes from.
        speakers: the two.
        style: how they talk.
    """

    def __init__(self, draw: random.Random, speakers: tuple[str, str], style: Style) -> None:
        self._draw, self._speakers, self._style = draw, speakers, style
        self._phrases = sections("small_talk.txt")
        self._turns: list[Turn] = []
        self._said: set[str] = set()
        self._day = date.min

    @property
    def turns(self) -> tuple[Turn, ...]:
        """What was said so far."""
        return tuple(self._turns)

    def session(self, day: date, facts: list[Fact], earlier: list[Fact], kinds: tuple[FactKind, ...]) -> None:
        """Talk once.

        Args:
            day: when.
            facts: what is told.
            earlier: what was told in earlier sessions.
            kinds: what small talk may be about.
        """
        self._day = day
        first, second = self._draw.sample(self._speakers, 2)
        self._say(first, self._phrase("hello", first))
        self._say(second, self._phrase("hello back", second))
        length = self._draw.randint(*self._style.turns)
        start, waiting = len(self._turns) - 2, list(facts)
        while waiting or len(self._turns) - start < length - 2:
            due = len(waiting) / max(1, (length - len(self._turns) + start) / 5)
            if waiting and self._draw.random() < due:
                self._tell(waiting.pop(0))
            elif earlier and self._draw.random() < self._style.callback / 5:
                self._call_back(self._draw.choice(earlier))
            else:
                self._chat(kinds)
        first = self._next
        self._say(first, self._phrase("bye", first))
        self._say(self._next, self._phrase("bye back", self._next))

    def _tell(self, fact: Fact) -> None:
        owner, other = fact.owner, self._other(fact.owner)
        talk = fact.about == "self" and self._draw.random() < self._style.talk
        if talk:
            fact.talked = True
            lines = self._draw.choice(fact.kind.talk)
            # the last line is the owner's, and the others go back from there by turns
            voices = [owner if (len(lines) - number) % 2 else other for number in range(len(lines))]
            if voices[0] != self._next:
                self._filler()
            for voice, line in zip(voices, lines, strict=True):
                number = self._say(voice, self._of(fact, line, voice))
                if voice == owner:
                    self._note(fact, line, number)
        else:
            if owner != self._next:
                lead = self._draw.choice(fact.kind.lead)
                if self._draw.random() < self._style.lead and fact.about != "kin":
                    self._say(other, self._dressed(other, lead))
                else:
                    self._filler()
            phrases = {"self": fact.kind.say, "kin": fact.kind.kin, "change": fact.kind.change}[fact.about]
            line = self._draw.choice(phrases)
            self._note(fact, line, self._say(owner, self._dressed(owner, self._of(fact, line, owner), opener=False)))
        self._answer(fact, other)

    def _answer(self, fact: Fact, other: str) -> None:
        """The other one reacts, perhaps by repeating a detail, and asks on."""
        reaction = self._phrase("reaction", other)
        if self._draw.random() < self._style.echo:
            reaction = self._of(fact, self._draw.choice(self._phrases["echo"]), other)
        if self._draw.random() < 0.6:
            self._say(other, f"{reaction} {self._phrase('follow up', other)}")
            answer = self._on(fact.kind, self._phrase("answer", fact.owner))
            self._say(fact.owner, self._dressed(fact.owner, answer, opener=False))
        else:
            self._say(other, self._dressed(other, self._on(fact.kind, reaction), opener=False))

    def _call_back(self, fact: Fact) -> None:
        other = self._other(fact.owner)
        if other != self._next:
            self._filler()
        self._say(other, self._of(fact, self._draw.choice(self._phrases["callback"]), other))
        self._say(fact.owner, self._dressed(fact.owner, self._phrase("answer", fact.owner), opener=False))

    def _chat(self, kinds: tuple[FactKind, ...]) -> None:
        voice = self._next
        topical = self._draw.random() < self._style.topical
        text = self._remark(self._draw.choice(kinds)) if topical else ""
        if not text:
            text = f"{self._phrase('when', voice)} {self._phrase('did', voice)}, {self._phrase('and', voice)}."
        self._say(voice, self._dressed(voice, text))

    def _on(self, kind: FactKind, text: str) -> str:
        """Add a remark in the words of what is talked about, perhaps."""
        return f"{text} {self._remark(kind)}".strip() if self._draw.random() < self._style.topical else text

    def _remark(self, kind: FactKind) -> str:
        """Return what was not said before in this conversation; nothing where all was."""
        left = [remark for remark in kind.chat if remark not in self._said]
        if not left:
            return ""
        self._said.add(remark := self._draw.choice(left))
        return remark

    def _filler(self) -> None:
        self._say(self._next, self._dressed(self._next, self._phrase("filler", self._next), opener=False))

    def _dressed(self, voice: str, text: str, *, opener: bool = True) -> str:
        if opener and self._draw.random() < self._style.opener:
            text = f"{self._phrase('reaction', voice)} {text}"
        if self._draw.random() < self._style.tail:
            text = f"{text} {self._phrase('tail', voice)}"
        return text

    def _note(self, fact: Fact, line: str, number: str) -> None:
        for detail in ("x", "y"):
            if f"{{{detail}}}" in line:
                fact.told[detail] = number

    def _of(self, fact: Fact, line: str, voice: str) -> str:
        old = "" if fact.old is None else fact.old.x
        return filled(line, x=fact.x, y=fact.y, o=old, k=fact.relative, m=self._other(voice), n=fact.owner)

    def _phrase(self, section: str, voice: str) -> str:
        return self._draw.choice(self._phrases[section]).replace("{m}", self._other(voice))

    def _say(self, voice: str, said: str) -> str:
        turn = Turn(id=f"t{len(self._turns)}", speaker=voice, said=said, day=self._day)
        self._turns.append(turn)
        return turn.id

    @property
    def _next(self) -> str:
        return self._other(self._turns[-1].speaker)

    def _other(self, speaker: str) -> str:
        first, second = self._speakers
        return second if speaker == first else first
