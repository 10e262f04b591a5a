"""The notebooks of lanes that are read together, held against the same notebooks, each read alone."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.meta.network import MetaNetwork
from agent.meta.notebook import Notebook
from agent.meta.reader import Reader
from agent.meta.shape import Part, Shape
from agent.meta.shelf import Shelf

SHAPE = Shape(observation=None, actions=4, parts=(Part(),), noted="answer", width=16, heads=2, layers=2, hidden=16)
LANES = 4


def make_reader() -> Reader:
    torch.manual_seed(1)
    network = MetaNetwork(SHAPE)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.2 * torch.randn_like(weight))
    return Reader(network)


READER = make_reader()


def key_of(symbol: int) -> Any:
    return np.array([symbol], np.float32)


def written(visits: list[Any], episode: int, capacity: int | None) -> Notebook:
    notebook = Notebook(READER, capacity=capacity)
    for symbol, action, reward in visits:
        notebook.note(key_of(symbol), action, reward, episode)
    return notebook


def agree(shelf: Shelf, alone: dict[int, Notebook], asked: dict[int, int], episode: int) -> None:
    """What lanes are told together is what each notebook says that has never been on a shelf."""
    keys = {lane: key_of(symbol) for lane, symbol in asked.items()}
    logits, drawn = shelf.scores(keys, episode, attention=True)
    assert drawn is not None
    assert len(logits) == len(drawn) == len(asked)
    for lane, scores, shares in zip(asked, logits, drawn, strict=True):
        wanted, attention = alone[lane].scores(keys[lane], episode)
        assert scores == pytest.approx(wanted, abs=1e-4)
        notes = len(alone[lane])
        assert shares[:notes] == pytest.approx(attention, abs=1e-5)
        assert not shares[notes:].any()
    only, nothing = shelf.scores(keys, episode, attention=False)
    assert nothing is None
    assert np.array_equal(only, logits)


visit = st.tuples(st.integers(0, 5), st.integers(0, 3), st.sampled_from([0.0, 0.5, 1.0]))
lane = st.integers(0, LANES - 1)
step = st.one_of(
    st.tuples(st.just("note"), lane, visit),
    st.tuples(st.just("copy"), lane, st.none()),  # of the base, as a frozen lane does
    st.tuples(st.just("put"), lane, st.lists(visit, max_size=8)),  # a notebook that was made elsewhere
    st.tuples(st.just("end"), lane, st.none()),
    st.tuples(st.just("ask"), lane, st.dictionaries(lane, st.integers(0, 6), min_size=1)),
)


@given(base=st.lists(visit, max_size=12), steps=st.lists(step, max_size=40), capacity=st.one_of(st.none(), st.just(5)))
@settings(max_examples=80, deadline=None)
def test_lanes_on_the_shelf_are_read_as_each_alone(base: list[Any], steps: list[Any], capacity: int | None) -> None:
    original, episode = written(base, 1, capacity), 2
    untouched = copy.deepcopy(original)
    shelf = Shelf(READER, 1)
    here = {lane: shelf.copy(original, lane) for lane in range(LANES)}
    alone = {lane: copy.deepcopy(untouched) for lane in range(LANES)}
    for kind, which, more in [*steps, ("ask", 0, dict.fromkeys(range(LANES), 0))]:
        if kind == "note":
            symbol, action, reward = more
            for notebook in (here[which], alone[which]):
                notebook.note(key_of(symbol), action, reward, episode)
        elif kind == "copy":
            here[which], alone[which] = shelf.copy(original, which), copy.deepcopy(untouched)
        elif kind == "put":
            here[which], alone[which] = (written(more, episode, capacity) for _ in range(2))
            shelf.put(here[which], which)
        elif kind == "end":
            episode += 1
        else:
            agree(shelf, alone, more, episode)
            one = here[which].scores(key_of(3), episode)[0]  # a notebook on the shelf can still be asked alone
            assert one == pytest.approx(alone[which].scores(key_of(3), episode)[0], abs=1e-4)
    assert original._identity == untouched._identity
    assert original._count.tolist() == untouched._count.tolist()


def test_a_notebook_that_outgrows_its_place_gets_a_larger_one_and_others_keep_theirs() -> None:
    base = [(symbol, 0, 1.0) for symbol in range(50)]
    shelf = Shelf(READER, 2)
    here = {lane: shelf.copy(written(base, 1, None), lane) for lane in range(2)}
    alone = {lane: written(base, 1, None) for lane in range(2)}
    for symbol in range(50, 250):
        for notebook in (here[1], alone[1]):
            notebook.note(key_of(symbol), symbol % 4, float(symbol % 2), 1)
        shelf.put(here[1], 1)
        if symbol % 40 == 0:
            for notebook in (here[0], alone[0]):
                notebook.note(key_of(symbol), 3, 0.5, 1)
            agree(shelf, alone, {0: symbol, 1: 7}, 1)
    agree(shelf, alone, {1: 249, 0: 3}, 2)


@given(visits=st.lists(visit, max_size=20), symbols=st.lists(st.integers(0, 7), min_size=1, max_size=9))
@settings(max_examples=40, deadline=None)
def test_one_notebook_is_read_for_several_as_for_each(visits: list[Any], symbols: list[int]) -> None:
    notebook = written(visits, 1, None)
    logits, drawn = notebook.several([key_of(symbol) for symbol in symbols], 2, attention=True)
    assert drawn is not None
    for symbol, scores, shares in zip(symbols, logits, drawn, strict=True):
        wanted, attention = notebook.scores(key_of(symbol), 2)
        assert scores == pytest.approx(wanted, abs=1e-4)
        assert shares == pytest.approx(attention, abs=1e-5)


def test_what_does_not_fit_is_told_and_leaves_the_others_as_they_are() -> None:
    """A reward of a million: its exponential is infinite, alone it is read all the same."""
    shelf = Shelf(READER, 2)
    here = [written([(1, 0, 1.0), (2, 1, reward)], 1, None) for reward in (0.5, 1e6)]
    alone = copy.deepcopy(here)
    for number, notebook in enumerate(here):
        shelf.put(notebook, number)
    logits, _ = shelf.scores({0: key_of(1), 1: key_of(1)}, 1, attention=False)
    assert logits[0] == pytest.approx(alone[0].scores(key_of(1), 1)[0], abs=1e-4)
    assert np.isnan(logits[1]).all()
    assert np.isfinite(here[1].scores(key_of(1), 1)[0]).all()
