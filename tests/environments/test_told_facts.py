from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from environments import EntityRewriteEnv, ToldFactsEnv
from environments.told_facts import _KINDS

TASKS = st.integers(0, 2**40)
SEEDS = st.integers(0, 2**31)
LEVELS = st.integers(1, 3)
HOW = {"live": 0, "pet": 1, "job": 2}


class Reader:
    """Reads what people say of themselves, the newest or the first, and answers from it: the oracle."""

    def __init__(self, *, newest: bool = True) -> None:
        self.notes: dict[tuple[str, int], str] = {}
        self.newest = newest

    def play(self, env: ToldFactsEnv, seed: int | None = None, *, wording: str = "{}") -> tuple[float, list[str], dict]:
        _, info = env.reset(seed=seed)
        total, turns, over = 0.0, [], False
        while not over:
            turns.append(info["situation"])
            _, reward, over, truncated, info = env.step(wording.format(self.read(turns[-1], info["candidates"])))
            assert not truncated
            total += reward
        return total, turns, info

    def read(self, turn: str, candidates: list[str]) -> str:
        if turn.startswith("Question: "):
            kind = next(place for word, place in HOW.items() if f"{word} " in turn or f"{word}?" in turn)
            person = next(name for name, place in self.notes if place == kind and name in turn)
            answer = self.notes[person, kind]
            assert answer in candidates and len(candidates) == 5
            return answer
        assert candidates == ["Noted."]
        person, said = turn.split(" says: ")
        own = said[said.index("I have moved") if "I have moved" in said else 0 :].split(". ")[-1]
        for place, kind in enumerate(_KINDS):
            for value in kind.values:
                if value in own and (self.newest or (person, place) not in self.notes):
                    self.notes[person, place] = value
        return "Noted."


@settings(max_examples=20, deadline=None)
@given(task=TASKS, seed=SEEDS, level=LEVELS)
def test_who_remembers_the_newest_telling_earns_the_optimum_in_every_episode(task, seed, level):
    env, reader = ToldFactsEnv(task, level), Reader()
    for episode in range(4):
        total, turns, info = reader.play(env, seed if episode == 0 else None)
        assert total == pytest.approx(env.optimal_return)
        assert info["success"] is True
        told = {1: (4, 1), 2: (8, 2), 3: (12, 4)}[level][episode > 0]
        assert len(turns) == told + 8


@pytest.mark.parametrize("wording", ["I think it is {}.", "{}", "**{}**", "Answer: {}!"])
def test_an_answer_may_be_a_sentence(wording):
    for level in (1, 3):
        assert Reader().play(ToldFactsEnv(2, level), 0, wording=wording)[0] == pytest.approx(1.0)


@pytest.mark.parametrize("answer", ["Athens, Bergen, Cork, Delft or Espoo", "Athensia", "", "nowhere", "cat"])
def test_an_answer_that_names_none_or_several_is_wrong(answer):
    env = ToldFactsEnv(2, level=1)
    env.reset(seed=0)
    over, said = False, []
    while not over:
        observation, reward, over, _, info = env.step(answer)
        said.append(observation.split("\n")[0])
        assert reward == 0.0
    assert said[4:] == ["That is wrong."] * 8 and info["success"] is False


def test_what_was_told_first_goes_out_of_date():
    env, stale = ToldFactsEnv(3), Reader(newest=False)
    returns = [stale.play(env, episode)[0] for episode in range(25)]
    assert returns[0] == pytest.approx(1.0)
    assert sum(returns[-10:]) < 5.5


def test_what_is_said_of_others_is_never_the_fact():
    env = ToldFactsEnv(1, level=3)
    for seed in range(5):
        for turn in Reader().play(ToldFactsEnv(1, level=3), seed)[1]:
            if " says: " in turn:
                values = [value for kind in _KINDS for value in kind.values if value in turn]
                assert len(set(values)) == 2
    assert env.people == ToldFactsEnv(1, level=1).people


def test_the_history_is_that_of_entity_rewrite():
    env, plain = ToldFactsEnv(6), EntityRewriteEnv(6)
    reader = Reader()
    for _ in range(3):
        reader.play(env, 5)
        (entity, value), _ = plain.reset(seed=5)
        over = False
        while not over:
            (entity, value), _, over, _, _ = plain.step(0)
    for entity in range(8):
        value = plain.newest(int(entity))
        kind = entity // 4
        assert reader.notes[env.people[entity % 4], kind] == _KINDS[kind].values[value]


def test_a_process_goes_on_where_another_one_stopped():
    env, reader = ToldFactsEnv(4), Reader()
    for episode in range(3):
        reader.play(env, episode)
    later = ToldFactsEnv(4, first_episode=3)
    assert reader.play(later, 9)[0] == pytest.approx(1.0)


def test_an_episode_that_is_broken_off_is_begun_again():
    env, straight = ToldFactsEnv(5), ToldFactsEnv(5)
    env.reset(seed=1)
    env.step("Noted.")
    assert Reader().play(env, 1)[1] == Reader().play(straight, 1)[1]


def test_people_and_history_depend_on_the_task_alone_and_questions_on_the_seed():
    def turns(task: int, seed: int, what: str) -> list[str]:
        return [turn for turn in Reader().play(ToldFactsEnv(task), seed)[1] if what in turn]

    assert turns(1, 0, " says: ") == turns(1, 7, " says: ") != turns(2, 0, " says: ")
    assert turns(1, 0, "Question") != turns(1, 7, "Question")
    # written down, so that a change of the draw between versions cannot pass unseen
    assert turns(0, 0, " says: ")[::5] == ["Dario says: I live in Cork.", "Elena says: I have a horse."]


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"questions": 0}, "questions must be at least 1, got 0"),
        ({"first_episode": -1}, "first_episode must be at least 0, got -1"),
    ],
)
def test_bad_arguments_are_named(kwargs, words):
    with pytest.raises(ValueError, match=words):
        ToldFactsEnv(**kwargs)
