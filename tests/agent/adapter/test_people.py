"""Facts about people: what training and tests must not share, and what every sentence holds."""

from __future__ import annotations

import random
import re
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.adapter.naming import Split, belongs
from agent.adapter.people import (
    Fact,
    Vocabulary,
    asked,
    held_out_relations,
    make_facts,
    phrasings,
    question,
    statement,
    trained_relations,
)
from retention import HoldfastError

LETTERS = "abcdefghij"
WORDS = [a + b + c + "o" for a in LETTERS for b in LETTERS for c in LETTERS]
RELATIONS = st.sampled_from([*trained_relations(), *held_out_relations()])
SEEDS = st.integers(0, 2**32)


class Words:
    """A tokenizer that knows a thousand words, each capitalised too, and parts of words that are none."""

    def get_vocab(self) -> dict[str, int]:
        whole = [mark + word for mark in "Ġ" for each in WORDS for word in (each, each.capitalize())]
        return {token: number for number, token in enumerate([*whole, "abcdo", "Ġcity", "ĠAnna", "Ġ12", "ĠABCD"])}


TOKENIZER = Words()
SIDES: dict[Split, Vocabulary] = {"train": Vocabulary.of(TOKENIZER, "train"), "test": Vocabulary.of(TOKENIZER, "test")}


def facts(split: Split, seed: int, people: int = 40, **more: object) -> list[Fact]:
    return make_facts(people, split=split, seed=seed, vocabulary=SIDES[split], **more)


def words(sentence: str) -> list[str]:
    return re.findall(r"[a-z'{}-]+", sentence.lower())


def likeness(one: str, other: str) -> float:
    """How alike two sentences are in their words, in 0 to 1, the way round in which they are more so."""
    a, b = words(one), words(other)
    return max(SequenceMatcher(None, a, b).ratio(), SequenceMatcher(None, b, a).ratio())


def test_a_vocabulary_takes_whole_words_and_shares_none() -> None:
    train, test = SIDES["train"], SIDES["test"]
    assert sorted(train.small + test.small) == sorted(WORDS)
    assert sorted(train.capitalised + test.capitalised) == sorted(each.capitalize() for each in WORDS)
    assert len(train.small) == pytest.approx(700, abs=50)


def test_a_tokenizer_without_words_is_refused() -> None:
    class Bytes:
        def get_vocab(self) -> dict[str, int]:
            return {chr(97 + n): n for n in range(26)}

    with pytest.raises(HoldfastError, match="0 capitalised and 0 small words"):
        Vocabulary.of(Bytes(), "train")


@given(SEEDS, SEEDS)
def test_training_and_tests_share_no_word_of_a_name_and_no_value(one: int, other: int) -> None:
    train, test = facts("train", one), facts("test", other)
    named = [{word for fact in side for word in fact.person.split()} for side in (train, test)]
    assert not named[0] & named[1]
    assert not {fact.value for fact in train} & {fact.value for fact in test}


@given(SEEDS)
def test_two_facts_of_a_person_stand_beside_each_other(seed: int) -> None:
    made = facts("train", seed)
    assert made == facts("train", seed)
    assert made[:20] == facts("train", seed, people=10)
    pairs = list(zip(made[::2], made[1::2], strict=True))
    assert all(one.person == other.person and one.relation != other.relation for one, other in pairs)
    assert len({one.person for one, _ in pairs}) == len(pairs) == 40


def test_another_seed_makes_other_facts_and_every_relation_comes() -> None:
    assert not set(facts("train", 0)) & set(facts("train", 1))
    assert {fact.relation for fact in facts("train", 0, people=200)} == set(trained_relations())
    held_out = facts("test", 0, relations=held_out_relations())
    assert {fact.relation for fact in held_out} == set(held_out_relations())


@given(SEEDS, RELATIONS, st.sampled_from(["train", "test"]))
def test_every_statement_holds_name_and_value_once(seed: int, relation: str, split: Split) -> None:
    (fact,) = facts(split, seed, people=1, relations=[relation], per_person=1)
    phrasing = phrasings()[relation]
    sentences = [each.format(n=fact.person, v=fact.value) for each in phrasing["taught"] + phrasing["unseen"]]
    for sentence in [statement(fact, "asked", random.Random(0)), *sentences]:
        for piece in (fact.person, fact.value):
            assert len(re.findall(rf"(?<![^\W_]){re.escape(piece)}(?![^\W_])", sentence)) == 1, sentence
    for unanswered in (asked(fact), question(fact)):
        assert fact.person in unanswered
        assert fact.value.lower() not in words(unanswered)
        assert not set(unanswered) & set("{}")


def test_a_statement_is_of_its_wording_and_chosen_by_the_generator() -> None:
    (fact,) = facts("train", 0, people=1, per_person=1)
    for wording in ("taught", "unseen"):
        known = {each.format(n=fact.person, v=fact.value) for each in phrasings()[fact.relation][wording]}
        rng = random.Random(1)
        assert {statement(fact, wording, rng) for _ in range(300)} == known
    assert statement(fact, "asked", random.Random(0)) == f"{asked(fact)} {fact.value}."


def test_no_unseen_sentence_is_like_a_taught_one_of_its_relation() -> None:
    for relation, each in phrasings().items():
        assert len(set(each["taught"] + each["unseen"])) == len(each["taught"]) + len(each["unseen"])
        for unseen in each["unseen"]:
            known = [*each["taught"], f"{each['asked']} {{v}}."]
            assert max(likeness(unseen, sentence) for sentence in known) < 0.6, (relation, unseen)


def test_every_sentence_has_one_place_for_the_name_and_one_for_the_value() -> None:
    for each in phrasings().values():
        assert all(s.count("{n}") == s.count("{v}") == 1 for s in each["taught"] + each["unseen"])
        assert all(s.count("{n}") == 1 and "{v}" not in s for s in (each["asked"], each["question"]))
        assert each["question"].endswith("?")
    assert len(trained_relations()) == 16
    assert set(held_out_relations()) == {"bike lock", "school"}


def test_seven_of_ten_words_are_of_training() -> None:
    assert sum(belongs(word, "train") for word in WORDS) == pytest.approx(700, abs=50)
    assert all(belongs(word, "train") != belongs(word, "test") for word in WORDS)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="no relation 'shoe size'"):
        facts("train", 0, relations=["shoe size"])
    with pytest.raises(ValueError, match="per_person lie in 1 to 16, got 3 and 17"):
        facts("train", 0, people=3, per_person=17)
    with pytest.raises(ValueError, match="vocabulary is of 'test'"):
        make_facts(1, split="train", seed=0, vocabulary=SIDES["test"])
    held_out = Fact("Anna Berg", "school", "Menduri")
    with pytest.raises(ValueError, match="no wording 'taught' for 'school'"):
        statement(held_out, "taught", random.Random(0))
