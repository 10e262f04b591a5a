"""What a chat shows: lines for a person, or one JSON object a turn for a program."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from typing import Any, Protocol, final

import click

from retention import Rated, Template

from .fact_chat import Answer
from .lines import COMMANDS

_SHOWN = 60  # characters of a fact in a list
_LEAST = 0.05  # the mass from which on a fact is shown for a token


class ChatOutput(Protocol):
    """Shows what happens in a chat. ``facts`` are those that are known, by template."""

    def piece(self, text: str) -> None:
        """Show the next piece of an answer."""
        ...

    def answered(self, answer: Answer, facts: dict[int, Template]) -> None:
        """Show that an answer is over."""
        ...

    def why(self, answer: Answer, facts: dict[int, Template]) -> None:
        """Show what an answer came from."""
        ...

    def remembered(self, ids: Sequence[int], facts: dict[int, Template]) -> None:
        """Show what was remembered."""
        ...

    def forgotten(self, ids: Sequence[int]) -> None:
        """Show what was forgotten."""
        ...

    def listed(self, facts: Sequence[Template]) -> None:
        """Show all facts."""
        ...

    def rated(self, rating: float, done: Rated, facts: dict[int, Template]) -> None:
        """Show what a rating did."""
        ...

    def helped(self) -> None:
        """Show the commands."""
        ...

    def failed(self, message: str) -> None:
        """Show what went wrong."""
        ...


@final
class LineOutput:
    """Lines for a person."""

    def piece(self, text: str) -> None:
        """Show the next piece of an answer at once."""
        click.echo(_obeyed_by_no_terminal(text, but="\n\t"), nl=False)

    def answered(self, answer: Answer, facts: dict[int, Template]) -> None:
        """End the line, and say what was remembered, or cut off."""
        if answer.text or not answer.remembered:
            click.echo(" ..." if answer.finish_reason != "stop" else "")
        if answer.not_remembered is not None:
            click.echo(f"  not remembered: {answer.not_remembered}")
        if answer.remembered:
            self.remembered(answer.remembered, facts)

    def why(self, answer: Answer, facts: dict[int, Template]) -> None:
        """Show each token with the fact that drew most, and then the facts with what they drew in all."""
        for piece, recall in zip(answer.pieces, answer.recalls, strict=True):
            drew = [f"#{number} {mass:.2f}" for number, mass in recall.masses.items() if recall.read and mass >= _LEAST]
            shown = _obeyed_by_no_terminal(json.dumps(piece, ensure_ascii=False))
            click.echo(f"  {shown:<16}{'  '.join(drew) or '-'}")
        masses = {number: mass for number, mass in answer.masses.items() if mass >= _LEAST}
        for number, mass in masses.items():
            click.echo(f"{_told(number, facts)}  ({mass:.2f} of {len(answer.pieces)} tokens)")
        if not masses:
            click.echo("No fact was read for it.")

    def remembered(self, ids: Sequence[int], facts: dict[int, Template]) -> None:
        """Show each fact with its number, and whether it is kept from use all the same: others decide on some."""
        for number in dict.fromkeys(ids):
            click.echo(f"  remembered {_told(number, facts)}{_kept(facts[number]) if number in facts else ''}")

    def forgotten(self, ids: Sequence[int]) -> None:
        """Say which are gone."""
        click.echo(f"forgotten: {', '.join(f'#{number}' for number in ids)}")

    def listed(self, facts: Sequence[Template]) -> None:
        """Show a line for each fact."""
        for fact in facts:
            click.echo(f"#{fact.id} {_obeyed_by_no_terminal(fact.content or '')}{_kept(fact)}")
        if not facts:
            click.echo("Nothing is remembered.")

    def rated(self, rating: float, done: Rated, facts: dict[int, Template]) -> None:
        """Say what is kept from use, or in use again."""
        click.echo("rated good" if rating > 0 else "rated bad")
        for number in done.kept_back:
            click.echo(f"  kept from use: {_told(number, facts)}")
        for number in done.freed:
            click.echo(f"  in use again: {_told(number, facts)}")

    def helped(self) -> None:
        """Show a line for each command."""
        click.echo("What you state is remembered; what you ask is answered from it.")
        for typed, does in COMMANDS.values():
            click.echo(f"  {typed:<18} {does}")

    def failed(self, message: str) -> None:
        """Show one line on stderr."""
        click.echo(f"holdfast: {message}", err=True)


@final
class JsonOutput:
    """One JSON object a turn, on a line."""

    def piece(self, text: str) -> None:
        """Wait for the whole answer."""

    def answered(self, answer: Answer, facts: dict[int, Template]) -> None:
        """Write the answer and what it came from."""
        _write(
            said=answer.said,
            answer=answer.text,
            remembered=_rows(answer.remembered, facts),
            not_remembered=answer.not_remembered,
            recalled=_weighed(answer.masses, facts),
            receipt_id=answer.receipt_id,
            finish_reason=answer.finish_reason,
            tokens=len(answer.pieces),
            seconds=round(answer.seconds, 3),
        )

    def why(self, answer: Answer, facts: dict[int, Template]) -> None:
        """Write what was recalled for each token."""
        tokens = [
            {
                "token": piece,
                "read": recall.read,
                "null": round(recall.null, 6),
                "facts": [{"id": number, "mass": round(mass, 6)} for number, mass in recall.masses.items()],
            }
            for piece, recall in zip(answer.pieces, answer.recalls, strict=True)
        ]
        _write(command="why", said=answer.said, tokens=tokens, facts=_weighed(answer.masses, facts))

    def remembered(self, ids: Sequence[int], facts: dict[int, Template]) -> None:
        """Write what was remembered."""
        _write(command="remember", remembered=_rows(ids, facts))

    def forgotten(self, ids: Sequence[int]) -> None:
        """Write which are gone."""
        _write(command="forget", forgotten=list(ids))

    def listed(self, facts: Sequence[Template]) -> None:
        """Write all facts."""
        rows = [
            {
                "id": each.id,
                "content": each.content,
                "source": each.source,
                "status": each.status,
                "held": each.held,
                "utility": round(each.utility, 6),
            }
            for each in facts
        ]
        _write(command="facts", facts=rows)

    def rated(self, rating: float, done: Rated, facts: dict[int, Template]) -> None:
        """Write what a rating did."""
        _write(
            command="good" if rating > 0 else "bad",
            rating=rating,
            receipt_id=done.feedback and done.feedback.receipt_id,
            kept_back=list(done.kept_back),
            freed=list(done.freed),
        )

    def helped(self) -> None:
        """Write the commands."""
        _write(command="help", commands=dict(COMMANDS.values()))

    def failed(self, message: str) -> None:
        """Write what went wrong."""
        _write(error=message)


def _write(**row: Any) -> None:
    click.echo(json.dumps(row, ensure_ascii=False))


def _content(number: int, facts: dict[int, Template]) -> str | None:
    return facts[number].content if number in facts else None


def _obeyed_by_no_terminal(text: str, but: str = "") -> str:
    """Return a text without control characters: what was stored, and what is read of it, may hold escape sequences."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(each) == "Cc" and each not in but else each for each in text
    )


def _told(number: int, facts: dict[int, Template]) -> str:
    content = _obeyed_by_no_terminal(_content(number, facts) or "(forgotten)")
    return f"#{number} {content if len(content) <= _SHOWN else f'{content[:_SHOWN]}...'}"


def _kept(fact: Template) -> str:
    return "" if fact.status == "active" else f"  (kept from use{f', {fact.held}' if fact.held else ''})"


def _rows(ids: Sequence[int], facts: dict[int, Template]) -> list[dict[str, Any]]:
    return [{"id": number, "content": _content(number, facts)} for number in dict.fromkeys(ids)]


def _weighed(masses: dict[int, float], facts: dict[int, Template]) -> list[dict[str, Any]]:
    return [
        {"id": number, "content": _content(number, facts), "mass": round(mass, 6)} for number, mass in masses.items()
    ]
