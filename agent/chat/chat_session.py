"""A chat, line by line: what is said is answered, commands are done, and what goes wrong ends a turn, not the chat."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from retention import HoldfastError, MemoryFileError, Template

from .chat_output import ChatOutput
from .fact_chat import FactChat
from .interrupt import noted_interrupts
from .lines import Line, fact_numbers, parsed_line


@final
class ChatSession:
    """What lines that are typed do to a conversation."""

    def __init__(self, chat: FactChat, output: ChatOutput) -> None:
        """Begin.

        Args:
            chat: the conversation.
            output: shows what happens.
        """
        self._chat, self._output = chat, output

    def run(self, lines: Iterator[str]) -> None:
        """Take lines until there are no more, or one says to leave.

        Raises:
            MemoryFileError: the memory cannot be used any more.
        """
        for typed in lines:
            try:
                line = parsed_line(typed)
                if line is None:
                    continue
                if line.command == "quit":
                    return
                self._take(line)
            except MemoryFileError:
                raise
            except (HoldfastError, ValueError) as error:
                self._output.failed(" ".join(str(error).split()))

    def _take(self, line: Line) -> None:
        if line.command is None:
            self._say(line.text)
        elif line.command == "remember":
            self._output.remembered(self._chat.facts.remember(line.text), self._facts())
        elif line.command == "forget":
            self._forget(fact_numbers(line.text))
        elif line.command == "facts":
            self._output.listed(self._chat.facts.facts())
        elif line.command == "why":
            if self._chat.last is None:
                raise ValueError("there is no answer yet: say something first")
            self._output.why(self._chat.last, self._facts())
        elif line.command in ("good", "bad"):
            self._rate(1.0 if line.command == "good" else -1.0)
        else:
            self._output.helped()

    def _say(self, text: str) -> None:
        with noted_interrupts() as interrupted:
            for piece in self._chat.say(text, interrupted):
                self._output.piece(piece)
            answer = self._chat.last
            assert answer is not None, "an answer was just given"
            self._output.answered(answer, self._facts())

    def _forget(self, ids: list[int]) -> None:
        known = self._facts()
        unknown = next((number for number in ids if number not in known), None)
        if unknown is not None:
            raise ValueError(f"there is no fact #{unknown}: /facts lists them")
        self._chat.facts.forget(ids)
        self._chat.begin_anew()  # what was said of them before is told no more
        self._output.forgotten(ids)

    def _rate(self, rating: float) -> None:
        done = self._chat.rate(rating)
        if done is None:
            raise ValueError("there is no answer to rate yet: say something first")
        self._output.rated(rating, done, self._facts())

    def _facts(self) -> dict[int, Template]:
        return {fact.id: fact for fact in self._chat.facts.facts()}
