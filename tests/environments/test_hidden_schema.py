from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from environments import HiddenSchemaEnv
from environments.shop import CITIES, KINDS, STATES, TABLES, code

TASKS = st.integers(0, 2**40)
SEEDS = st.integers(0, 2**31)
LEVELS = st.integers(1, 3)


def question(info) -> str:
    return info["situation"].split("Question: ")[1].split("\n")[0]


def play(env: HiddenSchemaEnv, seed: int, act) -> tuple[float, list[str], dict]:
    """Play an episode; ``act`` gives the action for a question."""
    _, info = env.reset(seed=seed)
    total, questions, over = 0.0, [], False
    while not over:
        questions.append(question(info))
        _, reward, over, truncated, info = env.step(act(questions[-1]))
        assert not truncated
        total += reward
    return total, questions, info


def answer_by_hand(env: HiddenSchemaEnv, asked: str) -> float:
    """Compute the answer in Python from the rows, not knowing any SQL: the oracle."""
    table, column = {
        "How many c": (0, 0),
        "What does ": (1, 1),
        "How many o": (2, 2),
        "How much d": (2, 3),
    }[asked[:10]]
    rows = env.tables[table].rows
    place = env.tables[table].columns.index(KINDS[column].columns[env._columns[column]])
    values = [row[place] for row in rows]
    if column == 1:
        return max(values) / (100 if env._coded[1] else 1)
    if column == 3:
        who = asked.split()[3]
        return sum(row[place] for row in rows if row[0] == who) / (100 if env._coded[3] else 1)
    word = asked.rstrip("?").split()[-1]
    return sum(value == (code(word) if env._coded[column] else word) for value in values)


@settings(max_examples=12, deadline=None)
@given(task=TASKS, seed=SEEDS, level=LEVELS)
def test_who_knows_the_schema_earns_the_optimum_with_candidates_alone(task, seed, level):
    env = HiddenSchemaEnv(task, level)
    right = {each.words: each.right for each in env.questions}
    assert all(each.right in each.candidates for each in env.questions)
    assert {len(each.candidates) for each in env.questions} == {env.candidate_count} == {(6, 9, 12)[level - 1]}
    total, asked, info = play(env, seed, right.__getitem__)
    assert (total, info["success"]) == (env.optimal_return, True)
    assert sorted(asked) == sorted(right)


@settings(max_examples=12, deadline=None)
@given(task=TASKS, seed=SEEDS, level=LEVELS)
def test_the_answer_is_what_python_finds_in_the_rows(task, seed, level):
    env = HiddenSchemaEnv(task, level)
    total, _, info = play(env, seed, lambda asked: f"ANSWER {answer_by_hand(env, asked):.2f}")
    assert (total, info["success"]) == (1.0, True)


@settings(max_examples=8, deadline=None)
@given(task=TASKS, seed=SEEDS, level=LEVELS)
def test_no_other_candidate_is_right(task, seed, level):
    env = HiddenSchemaEnv(task, level, queries=20)
    env.reset(seed=seed)
    for _ in env.questions:
        now = env.questions[env._order[0]]
        for query in now.candidates:
            if query != now.right:
                assert env.step(query)[1] == 0.0
        assert env.step(now.right)[1] == 0.25


def test_rows_are_new_in_each_episode_and_the_query_stays_right():
    env = HiddenSchemaEnv(5)
    right = {each.words: each.right for each in env.questions}
    answers = set()
    for seed in range(6):
        total, _, _ = play(env, seed, right.__getitem__)
        assert total == 1.0
        answers.add(env._answers)
    assert len(answers) == 6
    play(env, 3, right.__getitem__)
    again = HiddenSchemaEnv(5)
    again.reset(seed=3)
    assert again.tables == env.tables


def test_looking_shows_the_columns_and_errors_are_those_of_sqlite():
    env = HiddenSchemaEnv(0, level=2, queries=50)
    env.reset(seed=0)
    people = env.tables[0]
    observation, *_ = env.step(f"SELECT * FROM {people.name}")
    lines = observation.split("\n")
    assert lines[0] == " | ".join(people.columns)
    assert lines[1] == " | ".join(map(str, people.rows[0]))
    assert lines[11:13] == ["...", "That is not the answer."]
    wrong = next(name for name in TABLES[0] if name != people.name)
    assert env.step(f"SELECT 1 FROM {wrong}")[0].startswith(f"Error: no such table: {wrong}\n")
    absent = next(name for name in KINDS[0].columns if name not in people.columns)
    assert env.step(f"SELECT {absent} FROM {people.name}")[0].startswith(f"Error: no such column: {absent}\n")
    assert env.step("SELECT * FROM sqlite_master")[0].startswith("Error: access to sqlite_master")
    assert env.step("DROP TABLE people")[0].startswith("Error: only a SELECT is answered\n")
    assert env.step("ANSWER")[0].startswith("You answered nothing.\nThat is not the answer.")
    assert env.step("answer ninety")[0].startswith("You answered ninety.\n")
    assert env.step("ANSWER nan")[1] == env.step("ANSWER inf")[1] == env.step("SELECT 1e999")[1] == 0.0


def test_the_schema_depends_on_the_task_alone():
    def hidden(env: HiddenSchemaEnv):
        return env._names, env._columns, env._coded, env.questions

    schemas = [hidden(HiddenSchemaEnv(task, level=3)) for task in range(60)]
    assert len(set(schemas)) == 60
    env = HiddenSchemaEnv(8, level=3)
    env.reset(seed=3)
    assert hidden(env) == schemas[8]
    # written down, so that a change of the draw between versions cannot pass unseen
    assert [each.right for each in HiddenSchemaEnv(0, level=3).questions] == [
        "SELECT count(*) FROM customers WHERE city = 'Delft'",
        "SELECT max(cost) / 100.0 FROM stock",
        "SELECT count(*) FROM purchases WHERE state = 'open'",
        "SELECT sum(total) FROM purchases WHERE name = 'Farid'",
    ]


def test_what_is_right_is_spread_over_the_candidates():
    envs = [HiddenSchemaEnv(task, level=3) for task in range(150)]
    names = [env._names[0] for env in envs]
    assert all(9 < names.count(name) < 43 for name in TABLES[0])
    columns = [env._columns[2] for env in envs]
    assert all(30 < columns.count(place) < 72 for place in range(3))
    assert 50 < sum(env._coded[1] for env in envs) < 100


def test_codes_tell_words_apart():
    for words in (CITIES, STATES):
        assert len({code(word) for word in words}) == len(words)


@pytest.mark.parametrize(
    ("kwargs", "words"), [({"queries": 0}, "queries must be at least 1, got 0"), ({"queries": -1}, "got -1")]
)
def test_bad_arguments_are_named(kwargs, words):
    with pytest.raises(ValueError, match=words):
        HiddenSchemaEnv(**kwargs)
