"""What one step of a training looks at: facts in memory, questions, and places where all is to stay as it is."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import final

from .corpus import Corpus, FactRows
from .plan import AdapterPlan
from .rows import Row

_ABSENT, _NEUTRAL, _STATEMENTS = 14, 16, 4  # texts of a step in which no fact of the memory is asked for
_WRITTEN, _GONE_ON = 10, 4  # texts that people and the model have written, in which the hardest positions are sought
_OWN = 4  # of those first ones that are asked of who speaks
_SPOTS = 2  # positions of each that are looked at
_OWN_SHARES = (0.0, 0.25, 0.5)  # of a memory, that are of who speaks
_EVERY = 2  # one of so many questions is asked with its fact withheld too


@dataclass(frozen=True)
class Spot:
    """A position of a text.

    Attributes:
        text: the number of the text within the lesson.
        place: of the position among the states that are kept of the text.
        withheld: the number of the fact in memory that is not to be seen there; None where all are.
    """

    text: int
    place: int
    withheld: int | None = None


@final
@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One step, as places in a corpus.

    Attributes:
        written: rows that the memory is written from.
        texts: rows that are read with it.
        wanted: where a token of a value is to come next.
        targets: those tokens.
        away: where nothing of the memory is asked for.
        hard: where the fact that is asked for is withheld and another of the same person is there, or was just told.
        tried: rows that have nothing to do with the memory, read with many more facts.
        spots: all their positions: what is learned from are those at which facts draw most.
        people: how many of the written facts are about people; they come first. What who speaks has told of themselves
            may well belong into any text.
    """

    written: list[int]
    texts: list[int]
    wanted: list[Spot]
    targets: list[int]
    away: list[Spot]
    hard: list[Spot]
    tried: list[int]
    spots: list[Spot]
    people: int


def draw_lesson(plan: AdapterPlan, corpus: Corpus, iteration: int) -> Lesson:
    """Draw the lesson of a step; the same step of a plan has the same one."""
    rng = Random(f"{plan.seed} {iteration}")
    pairs = len(corpus.facts) // 2
    sizes = [facts for facts in (8, 16, 32, 64, 128, 256, 512) if facts <= min(plan.most_facts, pairs)]
    size = rng.choice(sizes) if sizes else 2 * pairs
    own, absent = _own(corpus, size, rng)
    people, others = _people(plan, pairs, (size - len(own)) // 2, rng)
    inside = [*(corpus.facts[2 * person + each] for person in people for each in (0, 1)), *own]
    absent = [*absent, *(corpus.facts[2 * person + rng.randrange(2)] for person in others)][:_ABSENT]
    written = [_statement(plan, fact, rng) for fact in inside]
    questions = rng.sample(range(len(inside)), min(plan.questions, len(inside)))
    texts = [_question(plan, inside[number], rng) for number in questions]
    wanted, targets, hard = [], list[int](), []
    for text, (row, fact) in enumerate(zip((corpus.rows[each] for each in texts), questions, strict=True)):
        length = len(row.tokens) - row.since
        first = length - row.answer - 1
        wanted += [Spot(text, first + token) for token in range(row.answer)]
        targets += row.tokens[-row.answer :]
        if text % _EVERY == 0:
            hard += [Spot(text, first, withheld=fact), Spot(text, length - 1)]
    texts += [_question(plan, fact, rng) for fact in absent]
    texts += rng.sample(corpus.neutral, min(_NEUTRAL, len(corpus.neutral)))
    texts += rng.sample(corpus.told, min(_STATEMENTS, len(corpus.told)))
    away = []
    for text in range(len(questions), len(texts)):
        places = _places(corpus.rows[texts[text]])
        away += [Spot(text, rng.choice(places)) for _ in range(_SPOTS)]
    tried = rng.sample(corpus.plain, min(_WRITTEN, len(corpus.plain)))
    tried += rng.sample(corpus.neutral, min(_GONE_ON, len(corpus.neutral)))
    return Lesson(
        written=written,
        texts=texts,
        wanted=wanted,
        targets=targets,
        away=away,
        hard=hard,
        tried=tried,
        spots=[Spot(text, place) for text, row in enumerate(tried) for place in _places(corpus.rows[row])],
        people=len(inside) - len(own),
    )


def _places(row: Row) -> range:
    """Return the positions of a text at which something may be read, but the token that begins a statement."""
    return range(1 if row.since == 0 else 0, len(row.tokens) - row.since)


def _own(corpus: Corpus, size: int, rng: Random) -> tuple[list[FactRows], list[FactRows]]:
    """Draw what a speaker has told of such a memory, if anything, and what they ask in vain."""
    if not corpus.own:
        return [], []
    speaker = rng.choice(corpus.own)
    drawn = rng.sample(speaker, len(speaker))
    count = min(2 * int(rng.choice(_OWN_SHARES) * size / 2), len(speaker) // 2 * 2)
    return drawn[:count], drawn[count : count + _OWN]


def _people(plan: AdapterPlan, people: int, count: int, rng: Random) -> tuple[list[int], list[int]]:
    """Draw whose facts are in memory, and who is asked about in vain: at most half of these are like one in memory."""
    inside, left_out = list[int](), list[int]()
    for first in rng.sample(range(0, people, plan.alike), -(-people // plan.alike)):
        group = rng.sample(range(first, min(first + plan.alike, people)), min(plan.alike, people - first))
        left_out += group[:1] if len(group) > 1 and len(inside) < count else []
        inside += group[1:] or group
    like = rng.sample(left_out, min((_ABSENT - _OWN) // 2, len(left_out)))
    return inside[:count], [*like, *inside[count:]][:_ABSENT]


def _statement(plan: AdapterPlan, fact: FactRows, rng: Random) -> int:
    return rng.choice(fact.written["asked" if rng.random() < plan.asked else "taught"])


def _question(plan: AdapterPlan, fact: FactRows, rng: Random) -> int:
    spoken = [row for form, row in fact.asked.items() if form != "cloze"]
    return rng.choice(spoken) if spoken and rng.random() < plan.spoken else fact.asked["cloze"]
