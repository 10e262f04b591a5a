from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest

from agent.adapter.people import phrasings
from evals.frozen.neutral import LONGER, NEUTRAL
from evals.frozen.prompts import noted
from evals.frozen.told import encoded, memories, mixed, others, own_kinds, tell
from evals.frozen.wordings import AS_ASKED, NEW_RELATION, OF_PEOPLE, OWN, TAUGHT, UNSEEN, WORDINGS

CLOZES = {
    relation: re.escape(each["asked"]).replace(r"\{n\}", r"(\w+(?: \w+)?)") for relation, each in phrasings().items()
}


def taken_apart(cloze: str) -> tuple[str, str]:
    """Return the relation and the person."""
    return next((each, found[1]) for each, pattern in CLOZES.items() if (found := re.fullmatch(pattern, cloze)))


def person(cloze: str) -> str:
    return taken_apart(cloze)[1]


@pytest.mark.parametrize("wording", OF_PEOPLE)
def test_the_questions_are_the_same_whatever_the_size_and_each_memory_holds_what_is_asked(letters, wording):
    asked = {}
    for size in (1, 4, 10, 30):
        worlds = memories(wording, size, questions=10, seed=3, tokenizer=letters)
        assert len(worlds) == -(-10 // size)
        for facts, wanted in worlds:
            assert len({fact.statement for fact in facts}) == size
            assert all(fact in facts for fact in wanted)
            people = [person(fact.cloze) for fact in facts]
            assert size == 1 or all(people.count(person(fact.cloze)) == 2 for fact in wanted)
        asked[size] = [fact for _, wanted in worlds for fact in wanted]
    assert asked[1] == asked[4] == asked[10] == asked[30] and len(asked[1]) == 10


@pytest.mark.parametrize("size", [1, 8, 32, 60, 100])
def test_a_speaker_tells_each_kind_once_and_what_is_beside_is_about_people(letters, size):
    worlds = memories(OWN, size, questions=100, seed=3, tokenizer=letters)
    assert [fact for _, asked in worlds for fact in asked] == tell(OWN, count=100, seed=3, tokenizer=letters)
    named = [pattern for each, pattern in CLOZES.items() if "{n}" in phrasings()[each]["asked"]]
    for facts, asked in worlds:
        assert len({fact.statement for fact in facts}) == len(facts) == size
        assert all(fact in facts for fact in asked)
        assert len({fact.cloze for fact in asked}) == len(asked) <= own_kinds() == 40
        for fact in facts:
            assert any(re.fullmatch(pattern, fact.cloze) for pattern in named) == (fact not in asked)
    assert max(len(asked) for _, asked in worlds) == min(size, 40)


@pytest.mark.parametrize("wording", WORDINGS)
def test_others_are_others_and_the_first_are_the_same(letters, wording):
    theirs = others(wording, 100, seed=4, tokenizer=letters)
    assert len({fact.statement for fact in theirs}) == 100
    assert others(wording, 30, seed=4, tokenizer=letters) == theirs[:30]
    mine = {fact.statement for fact in tell(wording, count=100, seed=3, tokenizer=letters)}
    assert not mine & {fact.statement for fact in theirs}


def test_a_fact_about_a_person_is_asked_in_one_way_and_told_in_four(letters):
    told = {wording: tell(wording, count=20, seed=3, tokenizer=letters) for wording in OF_PEOPLE}
    for fact in told[AS_ASKED]:
        prompt, answer = (letters.decode(tokens) for tokens in fact.asked)
        assert prompt == fact.cloze and fact.statement == f"{prompt}{answer}."
    for wording in (TAUGHT, UNSEEN):
        assert [fact.cloze for fact in told[wording]] == [fact.cloze for fact in told[AS_ASKED]]
        assert not {fact.statement for fact in told[wording]} & {fact.statement for fact in told[AS_ASKED]}
    relations = {wording: {taken_apart(fact.cloze)[0] for fact in told[wording]} for wording in told}
    assert not relations[NEW_RELATION] & relations[UNSEEN]
    assert tell(UNSEEN, count=20, seed=4, tokenizer=letters) != told[UNSEEN]


@pytest.mark.parametrize("size", [4, 8, 20])
def test_a_memory_of_all_wordings_tells_a_quarter_in_each_and_nothing_twice(letters, size):
    worlds = mixed(size, count=3, seed=3, tokenizer=letters)
    assert [[len(world[wording]) for wording in OF_PEOPLE] for world in worlds] == [[size // 4] * 4] * 3
    people = [
        {person(fact.cloze) for fact in world[wording]} for world in worlds for wording in (AS_ASKED, TAUGHT, UNSEEN)
    ]
    assert sum(map(len, people)) == len(set.union(*people))
    first = {fact.cloze for fact in tell(AS_ASKED, count=200, seed=3, tokenizer=letters)}
    assert {fact.cloze for world in worlds for fact in world[UNSEEN]} <= first


def test_a_prompt_shows_what_is_wanted_and_then_its_facts(letters):
    prompt = letters.decode(noted(letters, ["Ann has a dog.", "Bob has none."]))
    lines = prompt.splitlines()
    assert lines[4:6] == ["- Ann has a dog.", "- Bob has none."]
    assert prompt.endswith("The gate word of Ines Wolf is marble.\n")
    assert encoded(letters, "ab") == tuple(letters("ab", add_special_tokens=False)["input_ids"])


def test_neutral_texts_are_sixty_and_181_longer_ones_none_twice_and_none_of_training():
    assert (len(NEUTRAL), len(LONGER)) == (60, 181)
    learned = json.loads(files("agent.adapter").joinpath("neutral.json").read_text(encoding="utf-8"))
    assert len({*NEUTRAL, *LONGER, *learned}) == 60 + 181 + len(learned)
    words = {text: set(re.findall(r"[a-z]{4,}", text.lower())) for text in (*LONGER, *learned)}
    alike = [(one, two) for one in LONGER for two in learned if len(words[one] & words[two]) > 0.6 * len(words[one])]
    assert alike == []
