"""How an answer that draws on a fact begins, where it goes on, and where it ends: a small model does not know."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from retention import FactRecall

_SURE = 0.8  # of the attention: where facts draw so much at the beginning of an answer, it begins with what is read
_SPEAKER = ("i", "my", "we", "our")  # a fact that begins so is not said again: it is another one who speaks
_RESTATES = 3  # so many first tokens of a fact show that it is said again


def next_said(
    wanted: Sequence[int],
    said: Sequence[int],
    recalls: Sequence[FactRecall],
    tokens_of: Callable[[int], Sequence[int]],
    text_of: Callable[[int], str],
    whole: Sequence[int] | None = None,
) -> int | None:
    """Return the next token of an answer, and None where it has come to its end.

    An answer that is known as a whole is that, word for word. Where facts draw nearly all of the attention, an answer
    begins as the fact does, if that is how the model would begin too, and else with what is read: the model would
    rather begin with "I" or "The". An answer that says a fact again, word for word from its beginning, says it to its
    end, whatever other word the model would rather say; the model may end its sentence, as long as all words were its
    own. Any other answer ends where what was read of a fact has been said.

    Args:
        wanted: the tokens that the model would say, the one that comes next included.
        said: the tokens that were said.
        recalls: for each token of ``wanted``.
        tokens_of: the tokens of a fact, by its template.
        text_of: the text of a token; of the end mark, none.
        whole: the tokens of the whole answer, where :func:`asked_back` has it.
    """
    if whole is not None:
        return whole[len(said)] if len(said) < len(whole) else None
    if not said:
        return _first_said(wanted[0], recalls[0], tokens_of, text_of)
    coming, own = wanted[len(said)], list(said[1:]) == list(wanted[1 : len(said)])
    if len(said) >= _RESTATES and (_is_word(text_of(coming)) or not own):
        facts = [top for recall in recalls[: len(said) + 1] if (top := recall.top) is not None]
        for fact in dict.fromkeys(reversed(facts)):  # what was read last comes first
            tokens = tokens_of(fact)
            if list(said[1:]) == list(tokens[1 : len(said)]):  # the first may stand behind a space, or not
                return tokens[len(said)] if len(said) < len(tokens) else None
    return None if read_to_its_end(recalls, said, coming) else coming


def read_to_its_end(recalls: Sequence[FactRecall], said: Sequence[int], coming: int) -> bool:
    """Return whether what was being read of a fact has been said.

    That is so where nothing more is read, where it begins again, and where the model is about to say something else
    than what it reads.

    Args:
        recalls: for each token until now, the one that comes next included.
        said: the tokens until now.
        coming: the token that comes next.
    """
    if not said:
        return False
    before, now = recalls[len(said) - 1], recalls[len(said)]
    if not before.read or before.token != said[-1]:
        return False
    return not now.read or now.token != coming or (now.top == before.top and now.slot <= before.slot)


def asked_back(
    first: FactRecall,
    question: str,
    tokens_of: Callable[[int], Sequence[int]],
    text_of: Callable[[int], str],
    you_said: Sequence[int],
) -> list[int] | None:
    """Return the answer where a fact is asked for by what it says: a word of it is read that stands in the question.

    "Who was born in Ostrava?" asks for what the layer has not learned to read. It finds the fact and reads "Ostrava" of
    it; the fact as a whole is the answer: its tokens. None where that is not so.

    Args:
        first: what was recalled for the first token of the answer.
        question: what was asked.
        tokens_of: the tokens of a fact, by its template.
        text_of: the text of a token.
        you_said: tokens that come before what a speaker says of themselves.
    """
    if first.top is None:
        return None
    tokens = tokens_of(first.top)
    texts = [text_of(token) for token in tokens]
    read = re.match(r"\s*\w+", "".join(texts[first.slot :]))
    if read is None or not _words(read[0]) & _words(question):
        return None
    return [*(you_said if texts[0].strip().lower() in _SPEAKER else ()), *tokens]


def says_more(answer: str, question: str) -> bool:
    """Return whether an answer has a word that its question has not: one that begins with the question's goes on."""
    return bool(_words(answer) - _words(question))


def _first_said(
    wanted: int, recall: FactRecall, tokens_of: Callable[[int], Sequence[int]], text_of: Callable[[int], str]
) -> int:
    if recall.top is None or 1 - recall.null <= _SURE:
        return wanted
    first = tokens_of(recall.top)[0]
    begins, beginning = text_of(first).strip(), text_of(wanted).strip()
    alike = beginning and begins.startswith(beginning) and begins.lower() not in _SPEAKER
    return first if alike else recall.token


def _is_word(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower())) - {"a", "an", "the"}
