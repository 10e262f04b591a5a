from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces

from agent.chat.telling import action_names, action_of, check_actions, check_tellable, fitted, told
from retention import EnvironmentFaultError, UnsupportedSpaceError


def test_observations_in_words():
    space = spaces.Dict(
        {
            "room": spaces.Text(20),
            "place": spaces.Tuple([spaces.Discrete(5), spaces.MultiBinary(2)]),
            "speed": spaces.Box(-1, 1, (2,)),
        }
    )
    check_tellable(space)
    shown = {"room": "attic", "place": (3, np.array([0, 1])), "speed": np.array([0.5, -0.25], np.float32)}
    assert told(space, shown) == "place: 3; 0 1; room: attic; speed: 0.5 -0.25"
    assert told(spaces.Discrete(20_000), np.int64(12_344)) == "12344"  # a symbol, whole
    assert told(spaces.MultiDiscrete([60_000, 2]), np.array([54_321, 1])) == "54321 1"
    assert told(spaces.Box(0, 99_999, (1,)), np.array([12_344.0], np.float32)) == "1.234e+04"


def test_what_cannot_be_told_is_refused():
    with pytest.raises(UnsupportedSpaceError, match="cannot tell an observation of Box"):
        check_tellable(spaces.Dict({"picture": spaces.Box(0, 255, (64, 64, 3), np.uint8)}))
    with pytest.raises(UnsupportedSpaceError, match="writes Text or chooses a Discrete action"):
        check_actions(spaces.Box(-1, 1, (2,)))
    with pytest.raises(EnvironmentFaultError, match="must be a text"):
        told(spaces.Text(5), 3)
    with pytest.raises(EnvironmentFaultError, match="NaN"):
        told(spaces.Box(-1, 1, (1,)), np.array([np.nan]))


def test_names_of_actions_and_actions_of_names():
    text, numbers = spaces.Text(9), spaces.Discrete(3, start=5)
    assert action_names(text, None) is None
    assert action_names(text, ["a", "b"]) == ("a", "b")
    assert action_names(numbers, None) == ("5", "6", "7")
    assert action_names(numbers, np.array([6, 7])) == ("6", "7")
    assert action_of(text, ("a", "b"), 1, ["a", "b"]) == "b"
    assert action_of(numbers, ("5", "6", "7"), 1, None) == 6
    assert action_of(numbers, ("6", "7"), 1, [6, 7]) == 7
    assert action_of(numbers, ("left", "right", "up"), 2, ["left", "right", "up"]) == 7
    with pytest.raises(EnvironmentFaultError, match="the same action twice"):
        action_names(text, ["a", "a"])


def test_what_a_model_says_is_made_an_action_of_the_space():
    space = spaces.Text(5, min_length=1, charset="abc ")
    assert fitted(space, "  ab\nX cab") == "ab ca"
    for said in ("", "XYZ", "a" * 20):
        assert space.contains(fitted(space, said))
