"""Facts about people, who speaks and things: what training and tests must not share, and what every sentence holds."""

from __future__ import annotations

import random
import re
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.adapter.naming import OWNERS, Split, belongs
from agent.adapter.people import (
    SENTENCES,
    Fact,
    Vocabulary,
    asked,
    make_facts,
    make_own_facts,
    phrasings,
    question,
    relations,
    statement,
)
from retention import HoldfastError

LETTERS = "abcdefghij"
WORDS = [a + b + c + "o" for a in LETTERS for b in LETTERS for c in LETTERS]
OWN = [name for name, each in phrasings().items() if "{n}" not in each["asked"]]
RELATIONS = st.sampled_from([name for name in phrasings() if name not in OWN])
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
    named = [{word for fact in side for word in fact.person.split()} - set(OWNERS) for side in (train, test)]
    assert not named[0] & named[1]
    own = [make_own_facts(40, split=side, seed=one, vocabulary=SIDES[side]) for side in SIDES]
    values = [{fact.value for fact in [*people, *mine]} for people, mine in zip((train, test), own, strict=True)]
    assert not values[0] & values[1]


@given(SEEDS, st.integers(0, 400))
def test_own_facts_name_nobody_and_have_each_relation_before_one_comes_again(seed: int, count: int) -> None:
    made = make_own_facts(count, split="train", seed=seed, vocabulary=SIDES["train"])
    kinds = set(relations("taught", own=True))
    assert len(made) == count
    assert made[:30] == make_own_facts(min(count, 30), split="train", seed=seed, vocabulary=SIDES["train"])
    for first in range(0, count, len(kinds)):
        speaker = [fact.relation for fact in made[first : first + len(kinds)]]
        assert len(set(speaker)) == len(speaker)
    assert {fact.relation for fact in made} <= kinds
    assert not {fact.person for fact in made} - {""}


def test_a_person_has_two_names_or_one_or_is_somebodys(seed: int = 0) -> None:
    people = [fact.person for fact in facts("train", seed, people=400)[::2]]
    mine = [each for each in people if each.split()[0] in OWNERS]
    first = [each for each in people if " " not in each]
    assert len(first) == pytest.approx(50, abs=20) and len(mine) == pytest.approx(50, abs=20)
    told = statement(Fact("my sister", "room number", "217"), "taught", random.Random(0))
    assert {statement(Fact("my sister", "room number", "217"), "taught", random.Random(n)) for n in range(99)} >= {
        "My sister can be found in room 217.", "The front desk has put my sister into room 217 for the whole stay.",
    }  # fmt: skip
    assert told[0].isupper()


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
    assert {fact.relation for fact in facts("train", 0, people=800)} == set(relations("taught"))
    held_out = facts("test", 0, people=200, among=relations("tested", taught=False))
    assert {fact.relation for fact in held_out} == set(relations("tested", taught=False))


@given(SEEDS, st.integers(1, 5))
def test_people_in_a_row_are_alike_in_their_relations(seed: int, alike: int) -> None:
    made = facts("train", seed, people=12, alike=alike)
    drawn = [tuple(fact.relation for fact in made[first : first + 2]) for first in range(0, len(made), 2)]
    for first in range(0, 12, alike):
        assert len(set(drawn[first : first + alike])) == 1
    assert len(set(drawn)) > 1


@given(SEEDS, RELATIONS, st.sampled_from(["train", "test"]))
def test_every_statement_holds_name_and_value_once(seed: int, relation: str, split: Split) -> None:
    (fact,) = facts(split, seed, people=1, among=[relation], per_person=1)
    phrasing = phrasings()[relation]
    sentences = [each.format(n=fact.person, v=fact.value) for wording in SENTENCES for each in phrasing[wording]]
    for sentence in [statement(fact, "asked", random.Random(0)), *sentences]:
        begun = fact.person[0].upper() + fact.person[1:]
        for piece in (f"(?:{re.escape(fact.person)}|{re.escape(begun)})", re.escape(fact.value)):
            assert len(re.findall(rf"(?<![^\W_]){piece}(?![^\W_])", sentence)) == 1, sentence
    for unanswered in (asked(fact), question(fact)):
        assert fact.person in unanswered
        assert fact.value.lower() not in words(unanswered)
        assert not set(unanswered) & set("{}")


def test_a_statement_is_of_its_wording_and_chosen_by_the_generator() -> None:
    fact = Fact("Anna Berg", "dog", "Abco")
    for wording in SENTENCES:
        known = {each.format(n=fact.person, v=fact.value) for each in phrasings()[fact.relation][wording]}
        rng = random.Random(1)
        assert {statement(fact, wording, rng) for _ in range(300)} == known
    assert statement(fact, "asked", random.Random(0)) == f"{asked(fact)} {fact.value}."


@pytest.mark.parametrize(("wording", "earlier"), [("unseen", ["taught"]), ("tested", ["taught", "unseen"])])
def test_no_sentence_of_a_trial_or_test_is_like_an_earlier_one(wording: str, earlier: list[str]) -> None:
    for relation, each in phrasings().items():
        known = [f"{each['asked']} {{v}}.", *(sentence for before in earlier for sentence in each[before])]
        for held_out in each[wording]:
            assert max(likeness(held_out, sentence) for sentence in known) < 0.6, (relation, held_out)


def test_every_sentence_has_one_place_for_the_value_and_one_for_the_name_if_it_is_of_a_person() -> None:
    for relation, each in phrasings().items():
        sentences = [sentence for wording in SENTENCES for sentence in each[wording]]
        assert len(set(sentences)) == len(sentences)
        named = 0 if relation in OWN else 1
        assert all(s.count("{n}") == named and s.count("{v}") == 1 for s in sentences)
        assert all(s.count("{n}") == named and "{v}" not in s for s in (each["asked"], each["question"]))
        assert each["question"].endswith("?")


def test_every_relation_of_training_is_tested_and_others_are_for_trials_or_for_tests_alone() -> None:
    assert len(relations("taught")) == len(relations("tested")) == 136
    tried, tested = (relations(wording, taught=False) for wording in ("unseen", "tested"))
    assert (len(tried), len(tested)) == (8, 16)
    assert not set(tried) & set(tested)
    assert set(relations("asked")) == set(relations("taught"))
    own = [relations("taught", own=True), *(relations(each, taught=False, own=True) for each in ("unseen", "tested"))]
    assert [len(each) for each in own] == [160, 20, 40]
    assert sorted(name for each in own for name in each) == sorted(OWN)


def test_seven_of_ten_words_are_of_training() -> None:
    assert sum(belongs(word, "train") for word in WORDS) == pytest.approx(700, abs=50)
    assert all(belongs(word, "train") != belongs(word, "test") for word in WORDS)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="no relation 'hat size'"):
        facts("train", 0, among=["hat size"])
    with pytest.raises(ValueError, match="per_person lie in 1 to 136, got 3 and 137"):
        facts("train", 0, people=3, per_person=137)
    with pytest.raises(ValueError, match="no relation 'hat size'"):
        make_own_facts(1, split="train", seed=0, vocabulary=SIDES["train"], among=["hat size"])
    with pytest.raises(ValueError, match="among must name at least one relation"):
        make_own_facts(1, split="train", seed=0, vocabulary=SIDES["train"], among=[])
    with pytest.raises(ValueError, match="count must not be negative, got -1"):
        make_own_facts(-1, split="train", seed=0, vocabulary=SIDES["train"])
    with pytest.raises(ValueError, match="alike must be at least 1, got 0"):
        facts("train", 0, alike=0)
    with pytest.raises(ValueError, match="vocabulary is of 'test'"):
        make_facts(1, split="train", seed=0, vocabulary=SIDES["test"])
    held_out = Fact("Anna Berg", "school", "Menduri")
    with pytest.raises(ValueError, match="no wording 'taught' for 'school'"):
        statement(held_out, "taught", random.Random(0))
