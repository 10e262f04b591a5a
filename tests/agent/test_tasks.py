"""The name of a task: the same in every process, whatever an environment was made with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import toy_worlds

from agent import Agent, IdlePolicy, task_name

LARGE = np.arange(2000)


def made(value: Any) -> gymnasium.Env[Any, Any]:
    return gymnasium.make(f"{toy_worlds.__name__}:toy/Told-v0", a=value, second=2)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x", '"x"'),
        ([1, (2, None)], "[1,[2,null]]"),
        ({"y": 1, "x": True}, '{"x":true,"y":1}'),
        ({10: "b", 9: "a"}, '{"9":"a","10":"b"}'),
        ({(0, 1): 0.5}, '{"[0,1]":0.5}'),
        ({1: "a", "b": 2}, '{"\\"b\\"":2,"1":"a"}'),
        ({"c", "b", "a"}, '["\\"a\\"","\\"b\\"","\\"c\\""]'),
        (np.arange(3), '"[0 1 2]"'),
        (lambda: None, '"<function <lambda>>"'),
    ],
)
def test_arguments_of_every_kind_are_named(value: Any, shown: str) -> None:
    assert task_name(made(value)) == f'toy/Told-v0?{{"a":{shown},"second":2}}'


def test_large_arrays_that_differ_in_the_middle_are_two_tasks() -> None:
    other = LARGE.copy()
    other[1000] = -1
    assert task_name(made(LARGE)) == task_name(made(LARGE.copy())) != task_name(made(other))


def test_an_argument_that_lies_elsewhere_in_the_next_session_is_the_same_task(path: Path) -> None:
    for number, pay in enumerate((lambda: 1, lambda: 1), 1):
        with Agent.open(path, namespace="alice", policy=IdlePolicy()) as agent:
            assert agent.run(made(pay), episodes=1).episodes[0].episode == number
