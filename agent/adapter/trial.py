"""What an adapter recalls of people that training never saw, and how far it moves texts that ask for nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import TypeAlias

import torch
import torch.nn.functional as F

from retention import FactSlots

from .corpus import FactRows
from .lesson import Spot
from .loss import Reader
from .people import Wording
from .rows import Form

Scores: TypeAlias = dict[str, float]

_TEXTS = 24  # that are read at the same time


@torch.no_grad()
def trial(reader: Reader) -> Scores:
    """Try an adapter as it is used: the facts of all people of the tests are in one memory.

    Returns:
        asked, taught, unseen: the share of facts that are recalled where they were told in that wording, asked in the
            words of the first: every token of the value right.
        untrained: of facts of relations that training does not see, told in their own memory.
        own: of facts of who speaks and of things around, of such relations, beside all those facts in unseen wording.
        question, chat: the same of those told in a wording that was not taught, asked in that form, where it can be.
        drift: by how many percent the perplexity of neutral texts moves with that memory.
    """
    tests = reader.corpus.tests
    wordings: tuple[Wording, ...] = ("asked", "taught", "unseen")
    memories = {each: reader.write([fact.written[each][0] for fact in tests]).rounded() for each in wordings}
    scores: Scores = {each: recalled(reader, tests, memory, "cloze") for each, memory in memories.items()}
    untrained = reader.corpus.untrained
    memory = reader.write([fact.written["unseen"][0] for fact in untrained]).rounded()
    scores["untrained"] = recalled(reader, untrained, memory, "cloze")
    beside = [fact.written["unseen"][0] for fact in tests]
    found = list[float]()
    for facts in reader.corpus.own_tests:
        memory = reader.write([*(fact.written["unseen"][0] for fact in facts), *beside]).rounded()
        found.append(recalled(reader, facts, memory, "cloze"))
    scores["own"] = fmean(found)
    for form in tests[0].asked:
        if form != "cloze":
            scores[form] = recalled(reader, tests, memories["unseen"], form)
    return scores | {"drift": drift(reader, memories["taught"])}


@torch.no_grad()
def recalled(reader: Reader, facts: Sequence[FactRows], memory: FactSlots, form: Form) -> float:
    """Return the share of facts of which the most likely tokens are those of the value, in 0 to 1."""
    found = 0
    for start in range(0, len(facts), _TEXTS):
        texts = [fact.asked[form] for fact in facts[start : start + _TEXTS]]
        spots, targets = [], list[int]()
        for text, row in enumerate(reader.corpus.rows[each] for each in texts):
            first = len(row.tokens) - row.since - row.answer - 1
            spots += [Spot(text, first + token) for token in range(row.answer)]
            targets += row.tokens[-row.answer :]
        logits, _, _ = reader.read(texts, spots, memory, training=False)
        right = (logits.argmax(dim=-1).cpu() == torch.tensor(targets)).tolist()
        wrong = {spot.text for spot, hit in zip(spots, right, strict=True) if not hit}
        found += len(texts) - len(wrong)
    return found / len(facts)


@torch.no_grad()
def drift(reader: Reader, memory: FactSlots) -> float:
    """Return by how many percent a memory moves the perplexity of the neutral texts of the tests."""
    moved, tokens = 0.0, 0
    neutral = reader.corpus.neutral_tests
    for start in range(0, len(neutral), _TEXTS):
        texts = neutral[start : start + _TEXTS]
        spots, targets = [], list[int]()
        for text, row in enumerate(reader.corpus.rows[each] for each in texts):
            told = row.tokens[row.since + 1 :]
            spots += [Spot(text, place) for place in range(len(told))]
            targets += told
        tokens += len(targets)
        read, _, states = reader.recall(texts, spots, memory, training=False)
        at = read.abs().sum(dim=-1) > 0  # elsewhere the model is left to itself
        if not at.any():
            continue
        read, states, wanted = read[at], states[at], torch.tensor(targets, device=read.device)[at]
        moved += float(F.cross_entropy(reader.head(states + read.to(states.dtype)), wanted, reduction="sum"))
        moved -= float(F.cross_entropy(reader.head(states), wanted, reduction="sum"))
    return 100.0 * math.expm1(moved / tokens)
