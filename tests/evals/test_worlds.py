from __future__ import annotations

import gymnasium
import pytest

from evals.worlds import held_out, make_world, optimum, random_return, task_number

ROOM = {"env": "holdfast/DarkRoom-v0", "numbered": True}
DOOR = {"env": "holdfast/DarkKeyDoor-v0", "numbered": True}


def hidden(settings: dict, index: int, **more) -> set[int]:
    room = make_world({**settings, **more}, index=index).unwrapped
    return {room.goal} if hasattr(room, "goal") else {room.key, room.door}


@pytest.mark.parametrize("settings", [ROOM, DOOR])
def test_a_split_has_worlds_of_its_own_only(settings):
    for index in range(6):
        assert all(held_out(cell, 9) for cell in hidden(settings, index, split="held-out"))
        assert not any(held_out(cell, 9) for cell in hidden(settings, index, split="trained"))
    different = {frozenset(hidden(settings, index, split="held-out")) for index in range(6)}
    assert len(different) == 6


def test_every_fifth_cell_is_held_out_and_none_touches_another():
    cells = {cell for cell in range(81) if held_out(cell, 9)}
    assert len(cells) == 16
    assert not any((cell + 1 in cells and cell % 9 < 8) or cell + 9 in cells for cell in cells)


def test_numbers_without_places_are_taken_in_turn():
    assert [task_number("holdfast/HiddenRule-v0", index, "held-out") for index in (0, 7)] == [0, 7]
    assert task_number("holdfast/DarkRoom-v0", 7, None) == 7
    with pytest.raises(ValueError, match="a split is held-out or trained, got 'seen'"):
        task_number("holdfast/DarkRoom-v0", 0, "seen")


def test_a_foreign_world_is_the_next_one():
    settings = {"env": "holdfast/HiddenRule-v0", "numbered": True}
    own, other = make_world(settings, index=3), make_world(settings, index=3, foreign=True)
    assert other.unwrapped.rule == make_world(settings, index=4).unwrapped.rule != own.unwrapped.rule
    lake = {"env": "FrozenLake-v1", "arguments": {"is_slippery": False}, "foreign_arguments": {"map_name": "8x8"}}
    assert make_world(lake).observation_space == gymnasium.spaces.Discrete(16)
    assert make_world(lake, foreign=True).observation_space == gymnasium.spaces.Discrete(64)
    same = {"env": "holdfast/SilentSwitch-v0", "numbered": True, "arguments": {"switches": [3]}}
    assert make_world(same, foreign=True).unwrapped.switches == (3,)


def test_the_optimum_and_what_guessing_earns():
    settings = {"env": "holdfast/HiddenRule-v0", "numbered": True}
    assert optimum(settings, make_world(settings)) == 10.0
    assert optimum({**settings, "optimum": 3}, make_world(settings)) == 3.0
    assert random_return(lambda: make_world(settings), episodes=300, seed=1) == pytest.approx(2.0, abs=0.35)
