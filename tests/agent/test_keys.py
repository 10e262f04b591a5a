"""Keys: what an observation becomes before it is a template's key."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.recall.keys import key_space
from retention import EnvironmentFaultError, UnsupportedSpaceError

F32 = np.float32


def key(space: spaces.Space[Any], observation: Any) -> list[float]:
    made = key_space(space).key(observation)
    assert made.dtype == F32
    return made.tolist()


# -- by hand


@pytest.mark.parametrize(
    ("space", "observation", "wanted"),
    [
        (spaces.Discrete(5), 3, [3]),
        (spaces.Discrete(5, start=-2), -2, [0]),
        (spaces.Discrete(5, start=10), np.int64(14), [4]),
        (spaces.MultiDiscrete([3, 4]), np.array([2, 3]), [2, 3]),
        (spaces.MultiDiscrete([3, 4], start=[1, -1]), np.array([3, 2]), [2, 3]),
        (spaces.MultiDiscrete([[2, 3], [4, 5]]), np.array([[1, 2], [3, 4]]), [1, 2, 3, 4]),
        (spaces.MultiBinary(3), np.array([1, 0, 1], np.int8), [1, 0, 1]),
        (spaces.MultiBinary([2, 2]), np.array([[1, 0], [0, 1]], np.int8), [1, 0, 0, 1]),
        (spaces.Box(0, 255, (2, 2), np.uint8), np.array([[1, 2], [255, 0]], np.uint8), [1, 2, 255, 0]),
        (spaces.Box(-1.0, 1.0, (2,), F32), np.array([0.5, -0.25], F32), [0.5, -0.25]),
        (spaces.Box(-1.0, 1.0, (1, 2), np.float64), np.array([[0.5, -0.25]]), [0.5, -0.25]),
        (spaces.Tuple([spaces.Discrete(3), spaces.MultiBinary(2)]), (2, np.array([0, 1])), [2, 0, 1]),
        (spaces.Dict({"b": spaces.Discrete(3), "a": spaces.Discrete(4)}), {"b": 1, "a": 3}, [3, 1]),
        (
            spaces.Dict(
                {"x": spaces.Tuple([spaces.Discrete(3), spaces.Discrete(2, start=7)]), "a": spaces.Discrete(9)}
            ),
            {"x": (2, 8), "a": 5},
            [5, 2, 1],
        ),
    ],
)
def test_the_key_of_an_observation(space: spaces.Space[Any], observation: Any, wanted: list[float]) -> None:
    assert space.contains(observation)
    assert key(space, observation) == wanted
    assert key_space(space).width == len(wanted)


@pytest.mark.parametrize(
    ("space", "observation", "wanted"),
    [
        (spaces.Tuple([spaces.Discrete(3), spaces.Box(0.0, 1.0, (1,))]), (1, np.array([0.5], F32)), [0, 1, 0, 0.5]),
        (
            spaces.Tuple([spaces.Discrete(3, start=4), spaces.Box(0.0, 1.0, (1,))]),
            (6, np.array([0.5], F32)),
            [0, 0, 1, 0.5],
        ),
        (
            spaces.Dict({"b": spaces.Box(0.0, 1.0, (2,)), "a": spaces.MultiDiscrete([2, 3], start=[0, 1])}),
            {"b": np.array([0.25, 0.75], F32), "a": np.array([1, 2])},
            [0, 1, 0, 1, 0, 0.25, 0.75],
        ),
        (
            spaces.Tuple([spaces.Tuple([spaces.Discrete(2), spaces.MultiBinary(2)]), spaces.Box(0.0, 1.0, (1,))]),
            ((0, np.array([1, 1], np.int8)), np.array([0.5], F32)),
            [1, 0, 1, 1, 0.5],
        ),
        (
            spaces.Tuple([spaces.Box(0, 9, (1,), np.int64), spaces.Box(0.0, 1.0, (1,))]),
            (np.array([7]), np.array([0.5], F32)),
            [7, 0.5],
        ),
    ],
)
def test_beside_real_numbers_symbols_are_one_hot(
    space: spaces.Space[Any], observation: Any, wanted: list[float]
) -> None:
    assert space.contains(observation)
    assert key(space, observation) == wanted
    assert key_space(space).width == len(wanted)


@pytest.mark.parametrize(
    ("space", "exact"),
    [
        (spaces.Discrete(3), True),
        (spaces.MultiDiscrete([3, 2]), True),
        (spaces.MultiBinary(3), True),
        (spaces.Box(0, 5, (2,), np.int32), True),
        (spaces.Box(0, 5, (2,), F32), False),
        (spaces.Tuple([spaces.Discrete(3), spaces.Box(0, 5, (2,), np.uint8)]), True),
        (spaces.Dict({"deep": spaces.Tuple([spaces.Discrete(3), spaces.Box(0, 5, (2,), F32)])}), False),
    ],
)
def test_only_integers_are_exact(space: spaces.Space[Any], exact: bool) -> None:
    assert key_space(space).exact is exact


def test_a_key_does_not_change_with_the_array_it_came_from() -> None:
    shown = np.array([0.5, 0.5], F32)
    made = key_space(spaces.Box(0.0, 1.0, (2,), F32)).key(shown)
    shown[:] = 0.0
    assert made.tolist() == [0.5, 0.5]


def test_minus_zero_and_zero_are_one_place() -> None:
    keys = key_space(spaces.Box(-1.0, 1.0, (2,), F32))
    assert keys.key(np.array([-0.0, 0.5], F32)).tobytes() == keys.key(np.array([0.0, 0.5], F32)).tobytes()


# -- what is refused


BOX, MIXED = spaces.Box(-1.0, 1.0, (2,), F32), spaces.Tuple([spaces.Discrete(3), spaces.Box(0.0, 1.0, (1,))])
NAMED = spaces.Dict({"a": spaces.Discrete(3), "b": spaces.Discrete(3)})


@pytest.mark.parametrize(
    ("space", "observation", "said"),
    [
        (BOX, np.array([0.0, np.nan], F32), "NaN or infinity"),
        (BOX, np.array([np.inf, 0.0], F32), "NaN or infinity"),
        (BOX, np.array([0.0, -np.inf]), "NaN or infinity"),
        (BOX, np.zeros(3, F32), "3 numbers where its space declares 2"),
        (BOX, np.zeros(0, F32), "0 numbers where its space declares 2"),
        (BOX, None, "observation"),
        (BOX, "left", "does not fit its space"),
        (BOX, {"x": 1.0}, "does not fit its space"),
        (spaces.Discrete(3), np.nan, r"the symbol nan lies outside 0 \.\. 2"),
        (spaces.Discrete(3), 3, r"the symbol 3 lies outside 0 \.\. 2"),
        (spaces.Discrete(3, start=4), 3, r"the symbol 3 lies outside 4 \.\. 6"),
        (spaces.Discrete(3), np.array([1, 2]), "does not fit its space"),
        (spaces.MultiDiscrete([2, 2]), np.array([1]), "1 symbols where 2 are declared"),
        (spaces.MultiDiscrete([2, 2]), np.array([1, 1, 1]), "3 symbols where 2 are declared"),
        (spaces.MultiDiscrete([2, 3]), np.array([1, 3]), "lie outside"),
        (spaces.MultiDiscrete([2, 3]), np.array([-1, 0]), "lie outside"),
        (NAMED, {"a": 1, "b": 3}, r"the symbol 3 lies outside 0 \.\. 2"),
        (spaces.Text(9), 5, "5 where a text is declared"),
        (MIXED, (1, np.array([np.nan], F32)), "NaN or infinity"),
        (MIXED, (np.nan, np.array([0.5], F32)), "does not fit its space"),
        (MIXED, (3, np.array([0.5], F32)), None),
        (MIXED, (1,), "does not fit its space"),
        (MIXED, (1, np.array([0.5], F32), 2), "does not fit its space"),
        (MIXED, 1, "does not fit its space"),
        (NAMED, {"a": 1}, "does not fit its space"),
        (NAMED, 1, "does not fit its space"),
    ],
)
def test_an_observation_that_does_not_fit_is_the_environments_fault(
    space: spaces.Space[Any], observation: Any, said: str | None
) -> None:
    with pytest.raises(EnvironmentFaultError, match=said):
        key_space(space).key(observation)


def test_a_number_too_large_for_a_key_is_the_environments_fault() -> None:
    with pytest.raises(EnvironmentFaultError):
        key_space(spaces.Box(-np.inf, np.inf, (1,), np.float64)).key(np.array([1e300]))


@pytest.mark.parametrize("symbols", [[2, 0], [-1, 0]])
def test_a_symbol_outside_its_space_never_passes_for_another(symbols: list[int]) -> None:
    space = spaces.Tuple([spaces.MultiDiscrete([2, 3]), spaces.Box(0.0, 1.0, (1,))])
    with pytest.raises(EnvironmentFaultError):
        key_space(space).key((np.array(symbols), np.array([0.5], F32)))


UNSUPPORTED = [
    (spaces.Graph(node_space=spaces.Box(0, 1, (1,)), edge_space=None), "Graph"),
    (spaces.Sequence(spaces.Discrete(2)), "Sequence"),
    (spaces.OneOf([spaces.Discrete(2), spaces.Discrete(3)]), "OneOf"),
]


@pytest.mark.parametrize("number", [np.float32, np.int64])
def test_a_space_in_which_nothing_is_observed_is_refused(number: Any) -> None:
    with pytest.raises(UnsupportedSpaceError, match=r"an observation of Box\(.*\) is empty"):
        key_space(spaces.Box(0, 1, (0,), number))


@pytest.mark.parametrize(("space", "name"), UNSUPPORTED)
@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: spaces.Tuple([spaces.Discrete(2), s]), lambda s: spaces.Dict(x=s)]
)
def test_an_unsupported_observation_space_is_named_wherever_it_is(
    space: spaces.Space[Any], name: str, wrap: Any
) -> None:
    with pytest.raises(UnsupportedSpaceError, match=f"observations of {name} are not supported yet; supported: Disc"):
        key_space(wrap(space))


@pytest.mark.parametrize("space", [spaces.Discrete(2**24 + 1), spaces.MultiDiscrete([3, 2**25])])
def test_more_symbols_than_keys_can_tell_apart_are_refused(space: spaces.Space[Any]) -> None:
    with pytest.raises(UnsupportedSpaceError, match="more than 16777216 symbols"):
        key_space(space)


def test_integers_that_keys_cannot_tell_apart_are_refused() -> None:
    with pytest.raises((UnsupportedSpaceError, EnvironmentFaultError)):
        key_space(spaces.Box(0, 2**40, (1,), np.int64)).key(np.array([2**30 + 1]))


class Mission(spaces.Space[str]):
    """A space of texts that is not gymnasium's own, as some packages define it."""

    def __init__(self) -> None:
        super().__init__(dtype=str)


@pytest.mark.parametrize("space", [spaces.Text(40), Mission()])
def test_texts_are_symbols(space: spaces.Space[Any]) -> None:
    keys = key_space(spaces.Dict({"image": spaces.Box(0, 9, (2,), np.uint8), "mission": space}))
    assert (keys.exact, keys.width) == (True, 5)
    made = {text: keys.key({"image": np.zeros(2, np.uint8), "mission": text}) for text in ("go", "go ", "stay", "")}
    assert len({each.tobytes() for each in made.values()}) == 4
    for each in made.values():  # whole numbers that float32 holds exactly
        assert (each == np.round(each)).all()
        assert (each >= 0).all()
        assert (each < 2**24).all()


def test_a_text_is_the_same_symbol_in_every_process() -> None:
    assert key(spaces.Text(40), "get to the green goal square") == [16493982.0, 15821701.0, 16325001.0]


def test_beside_real_numbers_texts_lie_apart() -> None:
    keys = key_space(spaces.Dict({"at": spaces.Box(0.0, 1.0, (1,)), "mission": Mission()}))
    assert (keys.exact, keys.width) == (False, 33)
    one, other = (keys.key({"at": np.zeros(1, F32), "mission": text}) for text in ("go to the left", "go to the right"))
    assert set(one.tolist()) == {0.0, 1.0}
    assert 6 <= np.abs(one - other).sum() <= 26


# -- for any space

symbolic = st.one_of(
    st.builds(lambda n, start: spaces.Discrete(n, start=start), st.integers(1, 9), st.integers(-5, 5)),
    st.lists(st.integers(1, 5), min_size=1, max_size=3).map(spaces.MultiDiscrete),
    st.integers(1, 4).map(spaces.MultiBinary),
    st.builds(lambda n, high: spaces.Box(0, high, (n,), np.uint8), st.integers(1, 3), st.integers(1, 255)),
)
real = st.integers(1, 3).map(lambda n: spaces.Box(-10.0, 10.0, (n,), F32))


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(spaces.Tuple),
            st.dictionaries(st.sampled_from("abcd"), inner, min_size=1, max_size=3).map(spaces.Dict),
        ),
        max_leaves=4,
    )


def parts(space: spaces.Space[Any]) -> list[spaces.Space[Any]]:
    if isinstance(space, spaces.Tuple):
        return [leaf for each in space.spaces for leaf in parts(each)]
    if isinstance(space, spaces.Dict):
        return [leaf for each in space.spaces.values() for leaf in parts(each)]
    return [space]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, tuple):
        return all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict):
        return all(same(one[name], other[name]) for name in one)
    return bool(np.array_equal(one, other))


@given(space=nested(st.one_of(symbolic, real)), seed=st.integers(0, 2**20))
@settings(max_examples=80, deadline=None)
def test_keys_have_the_width_said_and_tell_observations_apart(space: spaces.Space[Any], seed: int) -> None:
    keys = key_space(space)
    wide = not keys.exact
    assert wide == any(isinstance(leaf, spaces.Box) and leaf.dtype == F32 for leaf in parts(space))
    width = 0
    for leaf in parts(space):
        if isinstance(leaf, spaces.Discrete):
            width += int(leaf.n) if wide else 1
        elif isinstance(leaf, spaces.MultiDiscrete):
            width += int(sum(leaf.nvec)) if wide else len(leaf.nvec)
        else:
            width += int(np.prod(leaf.shape))
    space.seed(seed)
    seen: list[tuple[Any, bytes]] = []
    for _ in range(12):
        observation = space.sample()
        made = keys.key(observation)
        assert made.shape == (keys.width,) == (width,)
        assert np.isfinite(made).all()
        assert keys.key(observation).tobytes() == made.tobytes()
        seen.append((observation, made.tobytes()))
    for one, first in seen:
        for other, second in seen:
            assert same(one, other) == (first == second)


@given(space=nested(symbolic), seed=st.integers(0, 2**20))
@settings(max_examples=40, deadline=None)
def test_different_symbols_beside_a_real_number_lie_apart(space: spaces.Space[Any], seed: int) -> None:
    mixed = spaces.Tuple([space, spaces.Box(-1.0, 1.0, (1,), F32)])
    keys = key_space(mixed)
    space.seed(seed)
    at = np.zeros(1, F32)
    for one, other in ((space.sample(), space.sample()) for _ in range(8)):
        apart = float(np.square(keys.key((one, at)) - keys.key((other, at))).sum())
        assert apart == 0.0 if same(one, other) else apart >= 1.0


def test_large_numbers_are_kept_without_a_warning() -> None:
    largest = np.full(256, np.finfo(F32).max, F32)
    assert np.array_equal(key_space(spaces.Box(-np.inf, np.inf, (256,), F32)).key(largest), largest)


def test_the_names_of_a_dict_may_be_texts_and_numbers() -> None:
    space = spaces.Dict({"b": spaces.Discrete(3), 1: spaces.Discrete(3), "a": spaces.Discrete(3)})
    assert key_space(space).key({"b": 2, 1: 1, "a": 0}).tolist() == [1.0, 0.0, 2.0]
