"""Sweeps against a loop in plain Python, and against value iteration; and what the unknown is worth."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.recall.sweep import optimistic_value, sweep

RETRIEVED_NOTHING = -math.inf


def swept_by_hand(
    value: list[float],
    reward: list[float],
    terminated: list[bool],
    index: list[list[list[int]]],
    scores: list[list[list[float]]],
    next_row: list[int],
    *,
    null_score: float,
    optimism: float,
    discount: float,
    times: int,
    tolerance: float,
) -> tuple[list[float], float]:
    """The same as the docstring of ``sweep`` says, one number at a time."""
    move = math.inf
    for _ in range(times):
        promise = []
        for row in range(len(index)):
            reads = []
            for slots, given_scores in zip(index[row], scores[row], strict=True):
                top = max([null_score, *given_scores])
                masses = [math.exp(score - top) for score in given_scores]
                null = math.exp(null_score - top)
                recalled = sum(mass * value[slot] for mass, slot in zip(masses, slots, strict=True))
                reads.append((null * optimism + recalled) / (null + sum(masses)))
            promise.append(max(reads))
        after = [
            r + (0.0 if over else discount * promise[row])
            for r, over, row in zip(reward, terminated, next_row, strict=True)
        ]
        move = max(abs(new - old) for new, old in zip(after, value, strict=True))
        value = after
        if move <= tolerance:
            break
    return value, move


def both(value: Any, reward: Any, terminated: Any, index: Any, scores: Any, next_row: Any, **how: Any) -> list[Any]:
    by_hand = swept_by_hand(
        *(np.asarray(each).tolist() for each in (value, reward, terminated, index, scores, next_row)), **how
    )
    after, move = sweep(
        torch.as_tensor(value, dtype=torch.float64),
        torch.as_tensor(reward, dtype=torch.float64),
        torch.as_tensor(terminated),
        torch.as_tensor(index),
        torch.as_tensor(scores, dtype=torch.float64),
        torch.as_tensor(next_row),
        **how,
    )
    assert after.dtype == torch.float64
    return [by_hand, (after.tolist(), move)]


@given(
    slots=st.integers(1, 7),
    rows=st.integers(1, 4),
    actions=st.integers(1, 3),
    k=st.integers(1, 4),
    times=st.integers(1, 6),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=80, deadline=None)
def test_a_sweep_is_what_its_formula_says(slots: int, rows: int, actions: int, k: int, times: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, (rows, actions, k))
    with np.errstate(divide="ignore"):
        scores = np.log(counts.astype(float))  # -inf where there is no outcome
    hand, fast = both(
        rng.normal(size=slots) * 5,
        rng.normal(size=slots),
        rng.random(slots) < 0.3,
        rng.integers(0, slots, (rows, actions, k)),
        scores,
        rng.integers(0, rows, slots),
        null_score=math.log(0.3),
        optimism=float(rng.normal() * 3),
        discount=0.9,
        times=times,
        tolerance=0.0,
    )
    np.testing.assert_allclose(fast[0], hand[0], rtol=1e-12, atol=1e-12)
    assert fast[1] == pytest.approx(hand[1], rel=1e-9, abs=1e-12)


def test_one_sweep_by_hand() -> None:
    # Slot 0 leads to row 0, where action 0 had outcome 1 three times and outcome 2 once, and action 1 is unknown.
    # The null slot weighs one visit and promises 10. Slot 1 ends the episode, slot 2 leads to a row that is unknown.
    hand, fast = both(
        [0.0, 4.0, 8.0],
        [1.0, 2.0, 3.0],
        [False, True, False],
        [[[1, 2], [0, 0]], [[0, 0], [0, 0]]],
        [[[math.log(3), 0.0], [RETRIEVED_NOTHING] * 2], [[RETRIEVED_NOTHING] * 2] * 2],
        [0, 0, 1],
        null_score=0.0,
        optimism=10.0,
        discount=0.5,
        times=1,
        tolerance=0.0,
    )
    known = (3 * 4.0 + 1 * 8.0 + 1 * 10.0) / 5
    assert known < 10.0  # so the unknown action is the better one there
    assert hand[0] == fast[0] == [1.0 + 0.5 * 10.0, 2.0, 3.0 + 0.5 * 10.0]


def test_the_known_action_is_taken_where_the_unknown_promises_less() -> None:
    _, fast = both(
        [0.0, 4.0],
        [1.0, 2.0],
        [False, True],
        [[[1], [0]]],
        [[[0.0], [RETRIEVED_NOTHING]]],
        [0, 0],
        null_score=0.0,
        optimism=-10.0,
        discount=0.5,
        times=1,
        tolerance=0.0,
    )
    assert fast[0] == [1.0 + 0.5 * (4.0 - 10.0) / 2, 2.0]


def test_all_slots_move_at_once() -> None:
    """Jacobi, not Gauss-Seidel: the value of a slot in one sweep never depends on the order of slots."""
    chain = {"null_score": -100.0, "optimism": 0.0, "discount": 0.5, "tolerance": 0.0}
    rows = [[[1]], [[2]], [[2]]]  # slot 0 leads to slot 1, that to slot 2, which ends
    for times, wanted in ((1, [0.0, 0.0, 8.0]), (2, [0.0, 4.0, 8.0]), (3, [2.0, 4.0, 8.0])):
        _, fast = both(
            [0.0] * 3, [0.0, 0.0, 8.0], [False, False, True], rows, [[[0.0]]] * 3, [0, 1, 2], times=times, **chain
        )
        assert fast[0] == pytest.approx(wanted)


def test_it_stops_when_nothing_moves() -> None:
    arguments: tuple[Any, ...] = ([2.0], [2.0], [True], [[[0]]], [[[0.0]]], [0])
    how = {"null_score": 0.0, "optimism": 0.0, "discount": 0.5, "tolerance": 1e-9}
    for times in (1, 5):
        hand, fast = both(*arguments, times=times, **how)
        assert fast == hand == ([2.0], 0.0)
    # what moves by no more than the tolerance is left as it is after that sweep
    chain: tuple[Any, ...] = ([0.0] * 3, [0.0, 0.0, 8.0], [False, False, True], [[[1]], [[2]], [[2]]], [[[0.0]]] * 3)
    for tolerance, wanted in ((8.0, [0.0, 0.0, 8.0]), (4.0, [0.0, 4.0, 8.0]), (3.9, [2.0, 4.0, 8.0])):
        hand, fast = both(*chain, [0, 1, 2], times=3, **(how | {"null_score": -100.0, "tolerance": tolerance}))
        assert fast[0] == pytest.approx(wanted)
        assert hand[0] == pytest.approx(wanted)
    # a chain that needs three sweeps needs four to know it
    rows = [[[1]], [[2]], [[2]]]
    hand, fast = both(
        [0.0] * 3,
        [0.0, 0.0, 8.0],
        [False, False, True],
        rows,
        [[[0.0]]] * 3,
        [0, 1, 2],
        times=100,
        **(how | {"null_score": -100.0}),
    )
    assert fast[1] == hand[1] == 0.0


def random_mdp(seed: int) -> dict[str, Any]:
    """A small decision process as visits: how often each action in each state led where, with what reward."""
    rng = np.random.default_rng(seed)
    states, actions = 6, 3
    visits = rng.integers(0, 4, (states, actions, states)) * (rng.random((states, actions, states)) < 0.5)
    return {
        "visits": visits,
        "reward": rng.normal(size=visits.shape),
        "ends": rng.random(visits.shape) < 0.15,
    }


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("optimism", [0.0, 3.0, -3.0])
def test_the_fixed_point_is_that_of_value_iteration(seed: int, optimism: float) -> None:
    mdp, null_mass, discount = random_mdp(seed), 0.3, 0.9
    visits, reward, ends = mdp["visits"], mdp["reward"], mdp["ends"]
    states, actions, _ = visits.shape
    # value iteration over states: an outcome's share is its count, and the null slot counts null_mass visits
    share = visits / (visits.sum(axis=2, keepdims=True) + null_mass)
    unknown = null_mass / (visits.sum(axis=2) + null_mass)
    state_value = np.zeros(states)
    for _ in range(600):
        q = (share * (reward + discount * np.where(ends, 0.0, state_value))).sum(axis=2) + unknown * optimism
        state_value = q.max(axis=1)
    # the same as slots
    slots = [tuple(map(int, each)) for each in np.argwhere(visits > 0)]
    most = int((visits > 0).sum(axis=2).max())
    index = np.zeros((states, actions, most), np.int64)
    scores = np.full(index.shape, -np.inf)
    fill = np.zeros((states, actions), int)
    for slot, (s, a, n) in enumerate(slots):
        index[s, a, fill[s, a]], scores[s, a, fill[s, a]] = slot, math.log(visits[s, a, n])
        fill[s, a] += 1
    after, move = sweep(
        torch.zeros(len(slots), dtype=torch.float64),
        torch.tensor([reward[each] for each in slots]),
        torch.tensor([bool(ends[each]) for each in slots]),
        torch.from_numpy(index),
        torch.from_numpy(scores),
        torch.tensor([n for _, _, n in slots]),
        null_score=math.log(null_mass),
        optimism=optimism,
        discount=discount,
        times=2000,
        tolerance=1e-13,
    )
    assert move <= 1e-13
    wanted = [reward[s, a, n] + (0.0 if ends[s, a, n] else discount * state_value[n]) for s, a, n in slots]
    np.testing.assert_allclose(after.numpy(), wanted, atol=1e-9)


# -- the value of the unknown


def worth(rewards: list[float], best_return: float = 0.0, best_rate: float = 0.0) -> float:
    return optimistic_value(np.array(rewards), best_return, best_rate, 0.9)


def test_where_most_decisions_cost_the_unknown_is_free() -> None:
    assert worth([-1.0] * 9 + [50.0], best_return=40.0, best_rate=3.0) == 0.0
    assert worth([-1.0, -100.0], best_return=-500.0, best_rate=-50.0) == 0.0


def test_else_the_unknown_is_worth_the_best_episode() -> None:
    assert worth([0.0] * 9 + [1.0], best_return=0.75) == 0.75
    assert worth([0.0] * 9 + [1.0], best_return=0.75, best_rate=0.05) == 0.75


def test_or_half_the_best_rate_of_pay_for_ever_if_that_is_more() -> None:
    assert worth([0.0] * 9 + [1.0], best_return=0.75, best_rate=0.2) == pytest.approx(1.0)
    assert worth([1.0, 2.0, 5.0], best_return=7.0, best_rate=2.0) == pytest.approx(10.0)


def test_where_no_episode_earned_anything_the_unknown_is_free() -> None:
    assert worth([0.0] * 9 + [-1.0], best_return=-0.5, best_rate=-0.1) == 0.0


@pytest.mark.parametrize("rewards", [[], [0.0], [0.0] * 20])
def test_while_nothing_was_ever_rewarded_the_unknown_is_worth_one(rewards: list[float]) -> None:
    assert worth(rewards) == 1.0


@given(
    rewards=st.lists(st.floats(-1e3, 1e3), max_size=20),
    best=st.floats(-1e3, 1e3),
    rate=st.floats(-1e3, 1e3),
    unit=st.floats(0.5, 100.0),
)
@settings(max_examples=60, deadline=None)
def test_the_unknown_is_never_hopeless_and_scales_with_the_reward(
    rewards: list[float], best: float, rate: float, unit: float
) -> None:
    promised = worth(rewards, best, rate)
    assert 0.0 <= promised < math.inf
    if any(abs(each) > 1e-9 for each in rewards):
        scaled = worth([unit * each for each in rewards], unit * best, unit * rate)
        assert scaled == pytest.approx(unit * promised, rel=1e-9, abs=1e-9)
