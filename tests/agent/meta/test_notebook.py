"""The notebook of a meta-trained policy, held against a dict that is searched by hand."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.meta.network import MetaNetwork
from agent.meta.notebook import Identity, Notebook, as_transitions
from agent.meta.reader import Reader
from agent.meta.shape import Part, Shape
from retention import EpisodeDraft, EpisodicMemory, Transitions

SHAPE = Shape(observation=None, actions=3, parts=(Part(),), noted="answer", width=16, heads=2, layers=2, hidden=16)


def make_reader() -> Reader:
    torch.manual_seed(0)
    network = MetaNetwork(SHAPE)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return Reader(network)


READER = make_reader()


def key_of(symbol: int) -> Any:
    return np.array([symbol], np.float32)


@dataclass
class Row:
    """What is known of a note.

    Attributes:
        symbol: of the observation.
        action: done.
        reward: earned.
        count: how often.
        episode: the latest.
        order: when, larger is later.
    """

    symbol: int
    action: int
    reward: float
    count: int
    episode: int
    order: int


class Naive:
    """The notebook's docstring, step by step, over a list."""

    def __init__(self, capacity: int | None) -> None:
        self.rows: list[Row] = []
        self.capacity, self.clock = capacity, 0

    def note(self, symbol: int, action: int, reward: float, episode: int) -> None:
        self.clock += 1
        for row in self.rows:
            if (row.symbol, row.action, row.reward) == (symbol, action, reward):
                row.count, row.episode, row.order = row.count + 1, episode, self.clock
                return
        if len(self.rows) == self.capacity:
            superseded = [
                row for row in self.rows if any(o.symbol == row.symbol and o.reward > row.reward for o in self.rows)
            ]
            among = superseded or self.rows
            least = min(row.reward for row in among)
            self.rows.remove(min((row for row in among if row.reward == least), key=lambda row: row.order))
        self.rows.append(Row(symbol, action, reward, 1, episode, self.clock))

    def scores(self, symbol: int, episode: int) -> dict[Any, Any]:
        """Attention by note, and the logits under None, from nothing but the rows."""
        u = [READER.noted(key_of(row.symbol), row.action) for row in self.rows]
        count = np.array([row.count for row in self.rows])
        reward = np.array([row.reward for row in self.rows], np.float32)
        age = np.array([max(episode - row.episode, 0) for row in self.rows])
        if not u:
            return {None: Notebook(READER).scores(key_of(symbol), 1)[0]}
        k, v = (
            np.pad(each.transpose(1, 2, 0, 3), ((0, 0), (0, 0), (1, 0), (0, 0)))
            for each in READER.project(u, count, age, reward)
        )
        rank = np.array([sum(o.order > row.order for o in self.rows) for row in self.rows], np.float32)
        logits, drawn = READER.scores(READER.asked(key_of(symbol)), k, v, READER.leaning(leans(rank, reward)))
        by_note = {(row.symbol, row.action, row.reward): d for row, d in zip(self.rows, drawn.tolist(), strict=True)}
        return by_note | {None: logits}


def leans(rank: Any, reward: Any) -> Any:
    """What scores lean by beside likeness, the null slot first, ``[3, 1 + notes]``."""
    columns = np.zeros((3, 1 + len(rank)), np.float32)
    columns[0, 1:], columns[1, 1:], columns[2, 0] = np.log1p(rank), reward, 1.0
    return columns


def held(notebook: Notebook) -> list[tuple[int, int, float]]:
    """What names each note, in the order of rows."""
    return [
        (int(np.frombuffer(symbol, np.float32)[0]), action, reward) for symbol, action, reward in notebook._identity
    ]


def agree(notebook: Notebook, naive: Naive, symbol: int, episode: int) -> None:
    wanted = naive.scores(symbol, episode)
    logits, drawn = notebook.scores(key_of(symbol), episode)
    names = held(notebook)
    assert sorted(names) == sorted(name for name in wanted if name is not None)
    assert len(notebook) == len(names) == len(notebook.ids())
    assert notebook._reward[: len(notebook)].tolist() == [reward for _, _, reward in names]
    assert logits == pytest.approx(wanted[None], abs=1e-4)
    for name, share in zip(names, drawn.tolist(), strict=True):
        assert share == pytest.approx(wanted[name], abs=1e-4)
    assert notebook.latest_episode == max((row.episode for row in naive.rows), default=0)


visit = st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from([0.0, 0.5, 1.0]))
# a visit; or an episode that ends; or a look at a symbol
steps = st.lists(st.one_of(visit, st.just("end"), st.integers(0, 3)), max_size=60)


@given(steps=steps, capacity=st.one_of(st.none(), st.integers(1, 6)))
@settings(max_examples=60, deadline=None)
def test_whatever_is_noted_it_is_the_naive_one(steps: list[Any], capacity: int | None) -> None:
    notebook, naive, episode = Notebook(READER, capacity=capacity), Naive(capacity), 1
    for step in steps:
        if step == "end":
            episode += 1
        elif isinstance(step, int):
            agree(notebook, naive, step, episode)
        else:
            symbol, action, reward = step
            notebook.note(key_of(symbol), action, reward, episode)
            naive.note(symbol, action, reward, episode)
            assert capacity is None or len(notebook) <= capacity
    agree(notebook, naive, 0, episode)


@given(before=st.lists(visit, max_size=20), mine=st.lists(visit, max_size=10), theirs=st.lists(visit, max_size=10))
@settings(max_examples=25, deadline=None)
def test_a_copy_and_its_original_do_not_see_each_other(before: list[Any], mine: list[Any], theirs: list[Any]) -> None:
    one, naive_one, naive_two = Notebook(READER, capacity=5), Naive(5), Naive(5)
    for symbol, action, reward in before:
        one.note(key_of(symbol), action, reward, 1)
        naive_one.note(symbol, action, reward, 1)
        naive_two.note(symbol, action, reward, 1)
    one.scores(key_of(0), 1)
    two = copy.deepcopy(one)
    for notebook, naive, visits in ((one, naive_one, mine), (two, naive_two, theirs)):
        for symbol, action, reward in visits:
            notebook.bind(notebook.note(key_of(symbol), action, reward, 2), 77)
            naive.note(symbol, action, reward, 2)
    agree(one, naive_one, 1, 2)
    agree(two, naive_two, 1, 2)


def test_a_note_that_moves_into_a_free_row_is_read_there_within_the_episode() -> None:
    notebook, naive = Notebook(READER, capacity=3), Naive(3)
    for symbol, reward in enumerate((0.0, 1.0, 0.5, 1.0)):  # the last one takes the place of the first one
        if symbol == 3:
            agree(notebook, naive, 1, 1)
        notebook.note(key_of(symbol), symbol % 3, reward, 1)
        naive.note(symbol, symbol % 3, reward, 1)
    agree(notebook, naive, 1, 1)


def test_what_a_copy_has_yet_to_project_is_not_projected_by_its_original() -> None:
    notebook, naive = Notebook(READER), Naive(None)
    for symbol in range(3):
        notebook.note(key_of(symbol), 0, 1.0, 1)
        naive.note(symbol, 0, 1.0, 1)
    agree(notebook, naive, 0, 1)
    twin, naive_twin = copy.deepcopy(notebook), copy.deepcopy(naive)
    twin.note(key_of(1), 0, 1.0, 1)
    naive_twin.note(1, 0, 1.0, 1)
    agree(notebook, naive, 0, 1)
    agree(twin, naive_twin, 0, 1)


def test_it_grows_past_its_first_rows() -> None:
    notebook, naive = Notebook(READER), Naive(None)
    for n in range(200):
        notebook.note(key_of(n), n % 3, float(n % 2), n)
        naive.note(n, n % 3, float(n % 2), n)
        if n % 50 == 0:
            agree(notebook, naive, 7, n)
    agree(notebook, naive, 7, 200)


def test_ids_follow_their_notes_when_others_are_given_up() -> None:
    notebook = Notebook(READER, capacity=3)
    for n, reward in enumerate([1.0, 0.0, 1.0]):
        notebook.bind(notebook.note(key_of(n), 0, reward, 1), 10 + n)
    gone = (key_of(1).tobytes(), 0, 0.0)
    notebook.note(key_of(5), 0, 1.0, 2)
    notebook.bind(gone, 99)  # no longer here: nothing happens
    ids = dict(zip((symbol for symbol, _, _ in held(notebook)), notebook.ids().tolist(), strict=True))
    assert ids == {0: 10, 2: 12, 5: 0}


@pytest.mark.parametrize("capacity", [0, -1])
def test_a_notebook_has_room_for_a_note(capacity: int) -> None:
    with pytest.raises(ValueError, match=f"capacity must be at least 1, got {capacity}"):
        Notebook(READER, capacity=capacity)


# -- through the memory's file


def commit(memory: EpisodicMemory, live: Notebook, number: int, visits: list[Identity]) -> Transitions:
    """Store an episode as the policy does, and return all templates of the task."""
    draft = EpisodeDraft(
        namespace="alice",
        task="t",
        number=number,
        seed=None,
        return_=0.0,
        length=len(visits),
        success=None,
        seconds=0.0,
    )
    committed = memory.commit_episode(draft, as_transitions(visits, 1))
    for name, template in zip(visits, committed.template_ids.tolist(), strict=True):
        live.bind(name, template)
    return memory.transitions(namespace="alice", task="t")[0]


def loaded(transitions: Transitions, capacity: int | None = None) -> Notebook:
    notebook = Notebook(READER, capacity=capacity)
    notebook.load(transitions)
    return notebook


def same(one: Notebook, other: Notebook, episode: int) -> None:
    """Both hold the same, in the same order, and score the same."""
    assert sorted(held(one)) == sorted(held(other))
    for symbol in range(5):
        (scores, drawn), (others, others_drawn) = (each.scores(key_of(symbol), episode) for each in (one, other))
        assert scores == pytest.approx(others, abs=1e-5)
        mine, theirs = dict(zip(held(one), drawn, strict=True)), dict(zip(held(other), others_drawn, strict=True))
        assert mine == pytest.approx(theirs, abs=1e-5)


@given(episodes=st.lists(st.lists(visit, min_size=1, max_size=8), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_what_the_memory_gives_back_is_what_was_noted(episodes: list[list[Any]]) -> None:
    live = Notebook(READER)
    with EpisodicMemory.open(None) as memory:
        for number, visits in enumerate(episodes, 1):
            names = [live.note(key_of(symbol), action, reward, number) for symbol, action, reward in visits]
            transitions = commit(memory, live, number, names)
    again = loaded(transitions)
    same(live, again, len(episodes) + 1)
    assert again.latest_episode == len(episodes)
    assert sorted(again.ids().tolist()) == sorted(transitions.id.tolist())


def test_the_order_within_an_episode_is_kept_where_an_old_note_came_last() -> None:
    """A fact that is told anew, and then told as it was, is as it was: also for the next session."""
    live = Notebook(READER)
    with EpisodicMemory.open(None) as memory:
        commit(memory, live, 1, [live.note(key_of(1), 0, 0.0, 1)])
        second = [live.note(key_of(2), 0, 0.0, 2), live.note(key_of(1), 0, 0.0, 2)]
        again = loaded(commit(memory, live, 2, second))
    newest = [held(each)[int(each._order[: each.size].argmax())][0] for each in (live, again)]
    assert newest == [1, 1]


def test_a_reward_that_float32_rounds_is_one_note_however_often() -> None:
    live, reward = Notebook(READER), float(np.float32(0.1))
    with EpisodicMemory.open(None) as memory:
        for number in range(1, 8):
            transitions = commit(memory, live, number, [live.note(key_of(1), 0, reward, number)] * 3)
    again = loaded(transitions)
    again.note(key_of(1), 0, reward, 8)
    assert len(transitions) == len(again) == 1


def test_a_rating_changes_what_a_note_earned_and_the_same_again_is_still_one_note() -> None:
    live = Notebook(READER)
    with EpisodicMemory.open(None) as memory:
        commit(memory, live, 1, [live.note(key_of(1), 0, 1.0, 1), live.note(key_of(2), 0, 1.0, 1)])
        (episode,) = memory.episodes(namespace="alice")
        memory.feedback(episode.episode_id, namespace="alice", rating=-1.0)
        live.load(memory.transitions(namespace="alice", task="t")[0])
        assert sorted(live._reward[: len(live)].tolist()) == [0.0, 1.0]
        transitions = commit(memory, live, 2, [live.note(key_of(2), 0, 1.0, 2)])
    assert len(live) == 2
    same(live, loaded(transitions), 3)


def test_a_notebook_smaller_than_the_file_takes_what_is_worth_most() -> None:
    live = Notebook(READER)
    with EpisodicMemory.open(None) as memory:
        for number in range(1, 11):
            names = [live.note(key_of(number), 0, float(number in (2, 5, 7)), number)]
            transitions = commit(memory, live, number, names)
    small = loaded(transitions, capacity=4)
    assert sorted(symbol for symbol, _, _ in held(small)) == [2, 5, 7, 10]
    assert len(transitions) == 10


def test_visits_become_one_row_each() -> None:
    rows = as_transitions([(key_of(3).tobytes(), 2, 0.5), (key_of(-0.0).tobytes(), 0, 1.0)], 1)
    assert rows.key.tolist() == [[3.0], [0.0]]
    assert not np.signbit(rows.key).any()
    assert rows.next_key.tolist() == [[0.5], [1.0]]
    assert (rows.action.tolist(), rows.reward.tolist(), rows.count.tolist()) == ([2, 0], [0.5, 1.0], [1, 1])
    assert len(as_transitions([], 3)) == 0
    assert as_transitions([], 3).width == 3
