"""What holds for every environment of texts."""

from __future__ import annotations

import unicodedata

import gymnasium
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import environments
from environments.text_task import ACTION_LENGTH, CHARACTERS, readable

environments.register()

IDS = ["holdfast/HiddenApi-v0", "holdfast/HiddenSchema-v0", "holdfast/ToldFacts-v0"]
HOSTILE = [
    "",
    " \n ",
    "x" * (ACTION_LENGTH + 1),
    "ship amount=\x00",
    "SELECT \ud800",
    "日本",
    "SELECT " + "(" * 400,
    "1" * ACTION_LENGTH,
    "ship amount=" + "9" * 900,
    "'; DROP TABLE customers; --",
    None,
    3,
    b"SELECT 1",
    ["ship amount=3"],
]
EVERY = pytest.mark.parametrize(("env_id", "level"), [(env_id, level) for env_id in IDS for level in (1, 2, 3)])


def make(env_id: str, **arguments) -> gymnasium.Env:
    return gymnasium.make(env_id, **arguments).unwrapped


def check_told(env, observation, info, *, over=False) -> None:
    assert env.observation_space.contains(observation)
    assert len(info["candidates"]) <= env.candidate_count
    assert bool(info["candidates"]) != over
    assert all(env.action_space.contains(each) for each in info["candidates"])
    assert len(set(info["candidates"])) == len(info["candidates"])
    assert info["situation"] in observation
    assert isinstance(info["success"], bool)


@EVERY
def test_whatever_is_done_is_answered_in_words_and_earns_nothing_when_it_is_nonsense(env_id, level):
    env = make(env_id, level=level)
    observation, info = env.reset(seed=1)
    check_told(env, observation, info)
    over = False
    for step in range(10 * len(HOSTILE)):
        if over:
            observation, info = env.reset()
        observation, reward, over, truncated, info = env.step(HOSTILE[step % len(HOSTILE)])
        check_told(env, observation, info, over=over)
        assert (reward, truncated, info["success"]) == (0.0, False, False)


@EVERY
def test_an_action_outside_the_space_is_named(env_id, level):
    env = make(env_id, level=level)
    for action, words in [
        (7, "An action is a text, not a value of type int."),
        ("y" * 1001, "That is too long: 1001 characters, and at most 1000 are read."),
        ("a\tb", "That cannot be read: the character U+0009 is not served."),
    ]:
        env.reset(seed=0)
        assert env.step(action)[0].startswith(words + "\n\n")


@EVERY
def test_candidates_earn_between_nothing_and_the_optimum(env_id, level):
    returns = []
    for task in range(12):
        env = make(env_id, task=task, level=level)
        observation, info = env.reset(seed=task)
        total, over = 0.0, False
        while not over:
            observation, reward, over, _, info = env.step(info["candidates"][0])
            check_told(env, observation, info, over=over)
            total += reward
        assert 0.0 <= total <= env.optimal_return + 1e-9
        assert info["success"] == (total == pytest.approx(1.0))
        returns.append(total)
    assert 0.0 < sum(returns) / len(returns) < 0.6


@EVERY
def test_candidates_follow_from_task_and_situation_and_their_order_from_the_seed(env_id, level):
    """So a number in alphabetical order stands for one text in a situation, and no place in the list is favoured."""
    of_situation, orders = {}, set()
    for seed in range(8):
        env = make(env_id, task=4, level=level)
        _, info = env.reset(seed=seed)
        over = False
        while not over:
            known = of_situation.setdefault(info["situation"], sorted(info["candidates"]))
            assert known == sorted(info["candidates"])
            if len(info["candidates"]) > 1:
                orders.add(tuple(known.index(each) for each in info["candidates"]))
            _, _, over, _, info = env.step(info["candidates"][-1])
    assert len(orders) > 8


@pytest.mark.parametrize("env_id", IDS)
def test_wrong_use_is_named(env_id):
    env = make(env_id)
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step("")
    env.reset(seed=0)
    over = False
    while not over:
        _, _, over, _, _ = env.step("")
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step("")
    with pytest.warns(UserWarning, match="render_mode='ansi'"):
        assert env.render() is None


@pytest.mark.parametrize("env_id", IDS)
@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"task": -1}, ValueError, "task must be at least 0, got -1"),
        ({"level": 0}, ValueError, "level must be at least 1, got 0"),
        ({"level": 4}, ValueError, "level must be at most 3, got 4"),
        ({"level": "hard"}, TypeError, "level must be an integer, got 'hard' of type str"),
    ],
)
def test_bad_arguments_are_named(env_id, kwargs, error, words):
    with pytest.raises(error, match=words):
        gymnasium.make(env_id, **kwargs)


@pytest.mark.parametrize("env_id", IDS)
def test_rendering_shows_the_observation(env_id):
    env = make(env_id, render_mode="ansi")
    observation, _ = env.reset(seed=0)
    assert env.render() == observation + "\n"
    observation, *_ = env.step("nonsense")
    assert env.render() == observation + "\n"


def test_every_character_is_printable_and_there_once():
    assert len(set(CHARACTERS)) == len(CHARACTERS)
    assert all(each.isprintable() for each in CHARACTERS.removeprefix("\n"))
    assert not any(unicodedata.category(each).startswith("C") for each in CHARACTERS[1:])
    assert set("\n aZ~é„“”…€→≤") <= set(CHARACTERS)


@settings(max_examples=60, deadline=None)
@given(text=st.text(), length=st.integers(4, 40))
def test_what_is_made_readable_is_in_the_space(text, length):
    clean = readable(text, length)
    assert set(clean) <= set(CHARACTERS) and len(clean) <= length
    if len(text) <= length and set(text) <= set(CHARACTERS):
        assert clean == text
