"""All texts of a training: what facts are written from, how they are asked, and what has nothing to do with them."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, final

from .neutral import plain_rows
from .people import Fact, Vocabulary, Wording, make_facts, make_own_facts, relations, statement
from .plan import AdapterPlan
from .rows import Form, Row, asked_row, forms, statement_row, written_row

NEUTRAL_TESTS = 48
"""Neutral texts of the trials."""

_SPEAKERS = 3  # of the trials
_TOLD = 4  # one of so many facts is also told as somebody tells it


@dataclass(frozen=True, kw_only=True)
class FactRows:
    """The rows of one fact, as places in the corpus.

    Attributes:
        asked: how it is asked, with the value at the end, by form; every other person of training is asked in one
            form alone.
        written: statements of it, by wording.
    """

    asked: dict[Form, int]
    written: dict[Wording, tuple[int, ...]]


@final
@dataclass(frozen=True, kw_only=True)
class Corpus:
    """The texts of a training and of its trials.

    Attributes:
        rows: all texts.
        facts: of training about people; those of one person stand beside each other, two by two.
        own: of training about who speaks and what is around; those of each part can be of one speaker.
        told: places of statements of training as somebody tells them, when all is to stay as it is.
        neutral: places of texts of training that have nothing to do with facts, as the model goes on with beginnings.
        plain: places of such texts as people write them.
        tests: facts of people that training does not see, two by two as well.
        untrained: facts of such people, of relations that training does not see either.
        own_tests: facts of speakers that training does not see, a list each, of relations that it does not see either.
        neutral_tests: places of such texts that are kept for trials.
    """

    rows: list[Row] = field(default_factory=list)
    facts: list[FactRows] = field(default_factory=list)
    own: list[list[FactRows]] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    neutral: list[int] = field(default_factory=list)
    plain: list[int] = field(default_factory=list)
    tests: list[FactRows] = field(default_factory=list)
    untrained: list[FactRows] = field(default_factory=list)
    own_tests: list[list[FactRows]] = field(default_factory=list)
    neutral_tests: list[int] = field(default_factory=list)

    @cached_property
    def digest(self) -> str:
        """What tells these texts from others."""
        said = "\n".join(f"{row.since} {row.answer} {row.tokens}" for row in self.rows)
        return hashlib.sha256(said.encode()).hexdigest()


def make_corpus(plan: AdapterPlan, tokenizer: Any, neutral: Sequence[Row], neutral_tests: Sequence[Row]) -> Corpus:
    """Draw the facts of a plan, and the sentences that state them.

    Args:
        plan: how many, and from which seed.
        tokenizer: of the model.
        neutral: texts of training that have nothing to do with facts.
        neutral_tests: such texts for trials.

    Raises:
        HoldfastError: the tokenizer has too few words that can be values.
    """
    corpus = Corpus()
    every = forms(tokenizer)
    rng = random.Random(plan.seed)
    known = Vocabulary.of(tokenizer, "train")
    drawn = make_facts(plan.people, split="train", seed=plan.seed, vocabulary=known, alike=plan.alike)
    own = make_own_facts(plan.own, split="train", seed=plan.seed, vocabulary=known)
    learned = list[FactRows]()
    for number, fact in enumerate([*drawn, *own]):
        asked = _asked(corpus, tokenizer, fact, every if number % 4 < 2 else ("cloze",))
        written = _written(corpus, tokenizer, fact, {"asked": 1, "taught": plan.paraphrases}, rng)
        learned.append(FactRows(asked=asked, written=written))
        if number % _TOLD == 0:
            corpus.told.append(_added(corpus, statement_row(tokenizer, statement(fact, "taught", rng))))
    corpus.facts.extend(learned[: len(drawn)])
    corpus.own.extend(_speakers(learned[len(drawn) :], len(relations("taught", own=True))))
    corpus.neutral.extend(_added(corpus, row) for row in neutral)
    corpus.plain.extend(_added(corpus, row) for row in plain_rows(tokenizer, test=False))
    rng = random.Random(0)
    for fact in _tests(plan, tokenizer, relations("unseen")):
        asked = _asked(corpus, tokenizer, fact, every)
        written = _written(corpus, tokenizer, fact, {"asked": 1, "taught": 1, "unseen": 1}, rng)
        corpus.tests.append(FactRows(asked=asked, written=written))
    for fact in _tests(plan, tokenizer, relations("unseen", taught=False)):
        asked = _asked(corpus, tokenizer, fact, ("cloze",))
        written = _written(corpus, tokenizer, fact, {"unseen": 1}, rng)
        corpus.untrained.append(FactRows(asked=asked, written=written))
    among = relations("unseen", taught=False, own=True)
    vocabulary, tests = Vocabulary.of(tokenizer, "test"), list[FactRows]()
    for fact in make_own_facts(_SPEAKERS * len(among), split="test", seed=0, vocabulary=vocabulary, among=among):
        asked = _asked(corpus, tokenizer, fact, ("cloze",))
        tests.append(FactRows(asked=asked, written=_written(corpus, tokenizer, fact, {"unseen": 1}, rng)))
    corpus.own_tests.extend(_speakers(tests, len(among)))
    corpus.neutral_tests.extend(_added(corpus, row) for row in [*neutral_tests, *plain_rows(tokenizer, test=True)])
    return corpus


def _tests(plan: AdapterPlan, tokenizer: Any, among: Sequence[str]) -> list[Fact]:
    vocabulary = Vocabulary.of(tokenizer, "test")
    return make_facts(plan.test_people, split="test", seed=0, vocabulary=vocabulary, among=among)


def _speakers(facts: Sequence[FactRows], kinds: int) -> list[list[FactRows]]:
    return [list(facts[first : first + kinds]) for first in range(0, len(facts), kinds)]


def _asked(corpus: Corpus, tokenizer: Any, fact: Fact, every: Sequence[Form]) -> dict[Form, int]:
    return {form: _added(corpus, asked_row(tokenizer, fact, form)) for form in every}


def _written(
    corpus: Corpus, tokenizer: Any, fact: Fact, wordings: dict[Wording, int], rng: random.Random
) -> dict[Wording, tuple[int, ...]]:
    def row(wording: Wording) -> Row:
        return written_row(tokenizer, statement(fact, wording, rng))

    return {
        wording: tuple(_added(corpus, row(wording)) for _ in range(how_many)) for wording, how_many in wordings.items()
    }


def _added(corpus: Corpus, row: Row) -> int:
    corpus.rows.append(row)
    return len(corpus.rows) - 1
