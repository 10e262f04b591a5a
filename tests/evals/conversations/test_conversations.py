"""Conversations: the same for a seed, with evidence that answers, and hard in the ways that they promise."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest

from evals.conversations import CATEGORIES, NAMES, UNANSWERABLE, Conversation, Style, generate
from evals.conversations.fact_kinds import FactKind, fact_kinds
from evals.conversations.phrases import filled
from evals.conversations.sections import sections
from retention.memory.words import terms


@pytest.fixture(scope="module")
def several() -> list[Conversation]:
    return generate(7, conversations=3)


def digest(conversations: list[Conversation]) -> str:
    return hashlib.sha256(repr(conversations).encode()).hexdigest()


def test_a_seed_gives_the_same_in_every_process(several: list[Conversation]) -> None:
    code = (
        "import hashlib\nfrom evals.conversations import generate\n"
        "print(hashlib.sha256(repr(generate(7, conversations=3)).encode()).hexdigest())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert told == digest(several)
    assert digest(generate(8, conversations=3)) != told
    assert digest(generate(7, conversations=3, style=Style(talk=0.2))) != told


def test_two_people_take_turns_over_a_year(several: list[Conversation]) -> None:
    for one in several:
        assert {turn.speaker for turn in one.turns} == set(one.speakers)
        days = [turn.day for turn in one.turns]
        assert days == sorted(days)
        assert (days[-1] - days[0]).days < 365
        lengths = Counter(days)
        assert 15 <= len(lengths) <= 25
        assert 15 <= sorted(lengths.values())[len(lengths) // 2] <= 32
        assert all(a.speaker != b.speaker for a, b in pairwise(one.turns) if a.day == b.day)
        assert [turn.id for turn in one.turns] == [f"t{number}" for number in range(len(one.turns))]
    assert len({name for one in several for name in one.speakers}) == 6


def test_nothing_is_left_to_fill_in(several: list[Conversation]) -> None:
    texts = [turn.text for one in several for turn in one.turns] + [q.text for one in several for q in one.questions]
    assert not [text for text in texts if "{" in text or "}" in text or " | " in text or "//" in text or "  " in text]


def test_questions_have_their_evidence(several: list[Conversation]) -> None:
    met = Counter(question.category for one in several for question in one.questions)
    assert set(met) == {*CATEGORIES, UNANSWERABLE}
    assert 0.15 < met[UNANSWERABLE] / met.total() < 0.25
    for one in several:
        turns = {turn.id: turn for turn in one.turns}
        for question in one.questions:
            assert bool(question.evidence) == (question.category != UNANSWERABLE)
            assert len(set(question.evidence)) == len(question.evidence)
            assert set(question.evidence) <= set(turns)
            if question.category in ("before", "two-hop"):
                assert len(question.evidence) == 2
            if question.category == "several":
                assert len(question.evidence) > 1
            said = [name for name in one.speakers if name in question.text]
            for name in said:  # what somebody is asked about they said themselves
                assert {turns[number].speaker for number in question.evidence} <= {name}
            assert said or question.category == "two-hop"
            assert not [name for name in one.speakers if name in one.masked(question)]


def test_the_evidence_says_what_is_asked_for(several: list[Conversation]) -> None:
    checked = 0
    for one in several:
        turns = {turn.id: turn for turn in one.turns}
        for question in one.questions:
            if question.category not in ("single", "talk"):
                continue
            wanted = {
                value.lower()
                for kind in fact_kinds()
                for ask in kind.ask
                if re.fullmatch(re.sub(r"\\{[nxyk]\\}", ".+", re.escape(ask)), question.text)
                for value in (kind.y if "{x}" in ask else kind.x)
            }
            (number,) = question.evidence
            assert any(value in turns[number].said.lower() for value in wanted), question
            assert question.specific == any(
                "{x}" in ask or "{y}" in ask
                for kind in fact_kinds()
                for ask in kind.ask
                if re.fullmatch(re.sub(r"\\{[nxyk]\\}", ".+", re.escape(ask)), question.text)
            )
            checked += 1
    assert checked > 60


def test_what_a_fact_is_now_was_told_after_what_it_was(several: list[Conversation]) -> None:
    asked = [(one, question) for one in several for question in one.questions if question.category == "before"]
    assert len(asked) > 5
    for one, question in asked:
        turns = {turn.id: turn for turn in one.turns}
        old, new = (turns[number] for number in question.evidence)
        assert old.day < new.day or one.turns.index(old) < one.turns.index(new)


def test_a_good_part_is_asked_in_other_words(several: list[Conversation]) -> None:
    shared = []
    for one in several:
        turns = {turn.id: turn for turn in one.turns}
        names = {term for name in one.speakers for term in terms(name)}
        for question in one.questions:
            said = {term for number in question.evidence for term in terms(turns[number].said)}
            asked = set(terms(question.text)) - names
            if question.evidence:
                shared.append(len(asked & said) / len(asked))
    assert 0.25 < sum(share == 0 for share in shared) / len(shared) < 0.6
    assert sum(share > 0.5 for share in shared) / len(shared) < 0.4


def test_there_is_enough_to_talk_about() -> None:
    kinds = fact_kinds()
    assert len(kinds) >= 40
    for kind in kinds:
        assert len(kind.say) + len(kind.talk) >= 3
        assert len(kind.ask) >= 3
        assert len(kind.x) * len(kind.y) >= 30
        for lines in (*kind.talk, *((text,) for text in kind.say)):
            assert "{x}" in "".join(lines)
            assert "{y}" in "".join(lines)
            assert "{x}" in lines[-1] or "{y}" in lines[-1]
        assert any("{x}" not in ask and "{y}" not in ask for ask in kind.ask)  # two-hop asks so
        assert all("{x}" not in lead and "{y}" not in lead for lead in kind.lead)
        assert all("{x}" in text and "{o}" in text for text in kind.change)
        assert bool(kind.change) == bool(kind.newest) == bool(kind.before)
        assert all("{k}" in text for text in (*kind.kin, *kind.askkin[:1]))
        assert bool(kind.kin) == bool(kind.askkin)
    assert len(NAMES) == len(set(NAMES)) >= 40


def test_styles_tell() -> None:
    by_talk = [
        Counter(q.category for q in generate(3, conversations=2, style=Style(talk=talk))[0].questions)["talk"]
        for talk in (0.0, 1.0)
    ]
    assert by_talk[0] == 0
    assert by_talk[1] > 20
    short = generate(3, conversations=1, style=Style(sessions=(2, 3), turns=(4, 6), kinds=3))[0]
    assert len(short.turns) < 200
    drawn = [Style.drawn(seed) for seed in range(20)]
    assert len(set(drawn)) == 20
    assert Style.drawn(1) == drawn[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sessions": (5, 4)}, r"sessions must be at least 2, the fewest first, got \(5, 4\)"),
        ({"turns": (1, 4)}, "turns must be at least 2"),
        ({"kinds": 1}, "kinds must be at least 2, got 1"),
        ({"echo": 1.5}, r"echo must lie in \[0, 1\], got 1.5"),
    ],
)
def test_wrong_styles_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Style(**change)


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="conversations must lie in"):
        generate(0, conversations=0)
    with pytest.raises(ValueError, match="conversations must lie in"):
        generate(0, conversations=len(NAMES))


def test_phrases_are_filled_in() -> None:
    assert filled("so {n} is a {x}. {y} said it", n="Ada", x="actor", y="she") == "So Ada is an actor. She said it"
    assert filled("A {x} and a {y}!", x="ox", y="cat") == "An ox and a cat!"
    with pytest.raises(KeyError):
        filled("{z}", x="ox")


def test_a_kind_without_a_phrase_is_refused() -> None:
    with pytest.raises(ValueError, match="needs talk, and pet has none"):
        FactKind(name="pet", x=("a",), y=("b",), lead=("c",), say=("d",), talk=(), ask=("e",), chat=("f",))
    assert "hello" in sections("small_talk.txt")
