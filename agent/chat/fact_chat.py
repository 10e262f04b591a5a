"""A conversation with a model that remembers: what the user states becomes facts, which it reads as it answers."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, final

from retention import FactMemory, FactRecall, HoldfastError, Rated, only_states

from .asking import TURNS, Turn, asked
from .decoding import UNFINISHED, Decoder
from .ending import asked_back, next_said, says_more
from .local_chat import LocalChat

if TYPE_CHECKING:
    from .smollm import LocalModel


_YOU_SAID = "You said:"  # before what is said again of what a user said of themselves


@final
@dataclass(kw_only=True)
class Answer:
    """An answer, and what it came from.

    Attributes:
        said: by the user.
        text: the answer, so far; none to what was remembered and asks nothing.
        pieces: the text of each token.
        recalls: what was recalled for each token.
        remembered: the facts that the user stated, by template.
        not_remembered: why what the user stated is not remembered, where it is not.
        receipt_id: of the facts that were read; None where none were.
        finish_reason: ``"stop"`` where the model ended it, ``"length"`` where the limit did, ``"interrupted"`` where
            the user did.
        seconds: that it took.
    """

    said: str
    text: str = ""
    pieces: list[str] = field(default_factory=list)
    recalls: list[FactRecall] = field(default_factory=list)
    remembered: list[int] = field(default_factory=list)
    not_remembered: str | None = None
    receipt_id: str | None = None
    finish_reason: Literal["stop", "length", "interrupted"] = "length"
    seconds: float = 0.0

    @property
    def masses(self) -> dict[int, float]:
        """The attention that each fact drew over all tokens for which facts were read, the greatest first."""
        total: dict[int, float] = {}
        for recall in self.recalls:
            for number, mass in recall.masses.items() if recall.read else ():
                total[number] = total.get(number, 0.0) + mass
        return dict(sorted(total.items(), key=lambda each: -each[1]))


@final
class FactChat:
    """A conversation.

    Attributes:
        facts: what is remembered.
        last: the last answer; None before the first.
    """

    def __init__(
        self,
        local: LocalModel,
        facts: FactMemory,
        *,
        max_tokens: int = 128,
        temperature: float = 0.0,
        seed: int = 0,
        turns: int = TURNS,
        go_on: bool = False,
    ) -> None:
        """Begin a conversation.

        Args:
            local: the model and its tokenizer; an adapter is attached to it.
            facts: what it reads, and where it remembers.
            max_tokens: how many tokens an answer has at most.
            temperature: 0 for the most likely token; above, tokens are drawn.
            seed: of the drawing.
            turns: how many turns before the question the model is told.
            go_on: let the model speak on after what it has read of a fact, and speak of what is stated; a small one
                does not know how.

        Raises:
            HoldfastError: the model was not made to chat.
        """
        if not local.tokenizer.chat_template:
            raise HoldfastError(f"{local.name} has no chat template: give a model that was made to chat")
        self.facts, self._go_on = facts, go_on
        self.last: Answer | None = None
        self._local, self._max_tokens, self._temperature, self._seed = local, max_tokens, temperature, seed
        self._chat = LocalChat(local=local)
        self._you_said: list[int] = local.tokenizer(_YOU_SAID, add_special_tokens=False)["input_ids"]
        self._turns: deque[Turn] = deque(maxlen=turns)

    def say(self, text: str, interrupted: Callable[[], bool] = lambda: False) -> Iterator[str]:
        """Remember what a user states, and answer piece by piece.

        Everything is remembered before the first piece comes. What asks nothing is remembered and has no answer, but
        where the model may go on. An answer that is interrupted, or not waited for, is the last answer all the same,
        with what was said of it.

        Args:
            text: what the user says.
            interrupted: asked after each token whether to stop.

        Raises:
            HoldfastError: the text is too long for the model, or the memory cannot be written.
        """
        begun = time.perf_counter()
        prompt, since = asked(self._chat, list(self._turns), text, room=self._max_tokens)
        answer = self.last = Answer(said=text)
        try:
            answer.remembered = self.facts.remember([("user", text)])
        except ValueError as error:
            answer.not_remembered = str(error)
        if answer.remembered and not self._go_on and only_states(text):
            answer.finish_reason, answer.seconds = "stop", time.perf_counter() - begun
            return
        wanted: list[int] = []
        whole: list[int] | None = None
        with self.facts.reading(since=since) as reading:

            def choose(token: int) -> int | None:
                nonlocal whole
                wanted.append(token)
                recalls = reading.recalls()
                if len(wanted) == 1:
                    whole = asked_back(recalls[0], text, reading.tokens, self._text_of, self._you_said)
                following = next_said(wanted, decoder.tokens, recalls, reading.tokens, self._text_of, whole)
                said_all = whole is not None or bool(answer.remembered) or says_more(answer.text, text)
                ends = not self._go_on and said_all  # what is stated, and what is asked back, in their very words
                return token if following is None and not ends else following

            decoder = Decoder(
                self._local,
                max_tokens=self._max_tokens,
                temperature=self._temperature,
                seed=self._seed,
                stop=[],
                interrupted=interrupted,
                chosen=choose,
            )
            try:
                answer.finish_reason = "interrupted"  # unless it comes to its end
                for piece in decoder.texts(prompt):
                    told = piece if answer.text else piece.lstrip(" ")  # what is read has a space before it
                    answer.text += told
                    if told:
                        yield told
                answer.finish_reason = decoder.finish_reason
            finally:
                answer.pieces = self._pieces(decoder.tokens)
                answer.recalls = reading.recalls()[: len(answer.pieces)]
                answer.receipt_id = self.facts.receipt(answer.recalls)
                answer.seconds = time.perf_counter() - begun
                self._turns.append(Turn(text, answer.text))

    def rate(self, rating: float) -> Rated | None:
        """Rate the last answer, and with it what was stated beside it; None where there is no answer yet.

        After a bad rating the answer is told to the model no more.
        """
        if self.last is None:
            return None
        if rating < 0:
            self.begin_anew()
        return self.facts.rate(self.last.receipt_id, rating, told=self.last.remembered)

    def begin_anew(self) -> None:
        """Tell the model no earlier turn from now on: it has what is remembered alone."""
        self._turns.clear()

    def _text_of(self, token: int) -> str:
        return str(self._local.tokenizer.decode([token], skip_special_tokens=True))  # an end mark has none

    def _pieces(self, tokens: list[int]) -> list[str]:
        """Return what each token adds to a text; the last of those that make one character has it."""
        pieces, shown = [], 0
        for end in range(1, len(tokens) + 1):
            text = str(self._local.tokenizer.decode(tokens[:end]))
            sure = len(text if end == len(tokens) else text.rstrip(UNFINISHED))
            pieces.append(text[shown:sure])
            shown = max(shown, sure)
        return pieces
