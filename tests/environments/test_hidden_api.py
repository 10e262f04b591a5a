from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from environments import HiddenApiEnv

TASKS = st.integers(0, 2**40)
SEEDS = st.integers(0, 2**31)
LEVELS = st.integers(1, 3)


def errand(info) -> str:
    return info["situation"].split("Errand: ")[1].split(".\n")[0].removesuffix(".")


def play(env: HiddenApiEnv, seed: int, calls_for) -> tuple[float, list[str], dict, list[str]]:
    """Play an episode; ``calls_for`` gives the calls for an errand."""
    _, info = env.reset(seed=seed)
    total, errands, answers, over = 0.0, [], [], False
    while not over:
        errands.append(errand(info))
        for call in calls_for(errands[-1], info):
            observation, reward, over, truncated, info = env.step(call)
            answers.append(observation.split("\n")[0])
            total += reward
            assert not truncated
    return total, errands, info, answers


def oracle(env: HiddenApiEnv):
    known = {each.errand: each.right_calls for each in env.endpoints}
    return lambda asked, _: known[asked]


@settings(max_examples=20, deadline=None)
@given(task=TASKS, seed=SEEDS, level=LEVELS, endpoints=st.integers(1, 8))
def test_who_knows_the_api_earns_the_optimum_with_candidates_alone(task, seed, level, endpoints):
    env = HiddenApiEnv(task, level, endpoints)
    known = oracle(env)

    def calls(asked, info):
        assert set(known(asked, info)) <= set(info["candidates"])
        assert len(info["candidates"]) == env.candidate_count == (6, 9, 7)[level - 1]
        return known(asked, info)

    total, errands, info, answers = play(env, seed, calls)
    assert total == pytest.approx(env.optimal_return)
    assert info["success"] is True
    assert sorted(errands) == sorted(each.errand for each in env.endpoints)
    assert all(answer.startswith("200 done") for answer in answers)


@settings(max_examples=10, deadline=None)
@given(task=TASKS, seed=SEEDS, level=LEVELS)
def test_exactly_one_call_does_an_errand_once_what_is_to_be_called_first_was(task, seed, level):
    env = HiddenApiEnv(task, level, calls=3)
    for endpoint in env.endpoints:
        calls = [endpoint.call(name, scale) for name in endpoint.parameters for scale in endpoint.scales]
        assert len(set(calls)) == len(calls)
        done = []
        for call in calls:
            env.reset(seed=seed)
            while env._present is not endpoint:
                env.step("")
            if endpoint.opening:
                assert env.step(call)[0].startswith("401 ")
                env.step(endpoint.opening)
            done.append(env.step(call)[1] > 0)
        assert sum(done) == 1


def test_the_answers_tell_a_little():
    env = HiddenApiEnv(1, level=2, calls=9)
    env.reset(seed=0)
    now = env._present
    wrong_name = next(name for name in now.parameters if name != now.parameter)
    other = next(each for each in env.endpoints if each is not now)
    right = now.amount * now.scale
    for call, answer in [
        ("", "404 no such name: nothing was called"),
        ("fly amount=3", "404 no such name: fly"),
        ("login", "404 no such name: login"),  # of level 3
        (now.name, f"400 that is no call: write {now.name} PARAMETER=NUMBER"),
        (f"{now.name} {wrong_name}={float(right):g}", f"422 {now.name} has no parameter {wrong_name}"),
        (f"{now.name} {now.parameter}={float(right) * 2:g}", "is too much"),
        (f"{now.name} {now.parameter}=0", f"409 {now.name}: 0 is too little"),
        (other.right_calls[0], f"409 {other.name}: that was not the errand"),
    ]:
        observation, reward, over, _, _ = env.step(call)
        told, asked = observation.split("\n\n")
        assert answer in told and now.errand in asked
        assert (reward, over) == (0.0, False)


def test_a_number_is_what_counts_and_not_how_it_is_written():
    env = HiddenApiEnv(1, level=1)
    loose = {e.errand: f"  {e.name}  {e.parameter} = {e.amount * e.scale}.00 " for e in env.endpoints}
    assert play(env, 0, lambda asked, _: [loose[asked]])[2]["success"]


def test_what_was_opened_for_one_errand_is_not_open_for_the_next():
    env = HiddenApiEnv(0, level=3, calls=2)
    opened = [e for e in env.endpoints if e.opening]
    assert opened
    for endpoint in opened:
        env.reset(seed=1)
        while env._present is not endpoint:
            env.step(endpoint.opening)
            env.step("")
        assert "Called already" not in env.step("")[4]["situation"]
        assert env.step(endpoint.right_calls[1])[0].startswith("401 ")


def test_errands_and_rules_depend_on_the_task_alone_and_the_order_on_the_seed():
    apis = [HiddenApiEnv(task).endpoints for task in range(100)]
    assert len(set(apis)) == 100
    env = HiddenApiEnv(7)
    orders = {tuple(play(env, seed, oracle(env))[1]) for seed in range(30)}
    assert len(orders) > 12
    assert env.endpoints == HiddenApiEnv(7).endpoints
    assert play(env, 5, oracle(env))[1] == play(HiddenApiEnv(7), 5, oracle(env))[1]
    # written down, so that a change of the draw between versions cannot pass unseen
    first = HiddenApiEnv(0, level=3).endpoints[0]
    assert (first.name, first.amount, first.parameter, first.scale, first.opening) == ("cut", 9, "amount", 1, "start")
    right = [each.right_calls for each in HiddenApiEnv(0, level=2).endpoints]
    assert right == [("cut count=900",), ("upload size=2000",), ("heat amount=360",), ("pay amount=3000",)]


def test_what_is_right_is_spread_over_the_candidates():
    """No parameter, unit or opening is right more often than chance, so there is nothing to know without a memory."""
    places = [HiddenApiEnv(task, level=3).endpoints[0] for task in range(200)]
    openings = [each.opening for each in places]
    for opening in (None, "lock", "login", "start"):
        assert 25 < openings.count(opening) < 76
    firsts = [each.parameters.index(each.parameter) for each in places]
    assert 70 < firsts.count(0) < 130
    assert 70 < sum(each.scale == each.scales[0] for each in places) < 130
    assert all(isinstance(each.scale, Fraction) for each in places)


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"endpoints": 0}, "endpoints must be at least 1, got 0"),
        ({"endpoints": 9}, "endpoints must be at most 8, got 9"),
        ({"calls": 0}, "calls must be at least 1, got 0"),
        ({"calls": 1, "level": 3}, "calls must be at least 2, got 1"),
    ],
)
def test_bad_arguments_are_named(kwargs, words):
    with pytest.raises(ValueError, match=words):
        HiddenApiEnv(**kwargs)
