"""The worlds that policies are meta-trained in, held against the environments that they stand for."""

from __future__ import annotations

from collections import deque
from typing import Any

import gymnasium
import pytest
import torch

import environments  # noqa: F401 - registers them
from agent.meta.entities import EntityWorlds, entity_shape
from agent.meta.families import FAMILIES, seeded
from agent.meta.lesson import Lesson, World
from agent.meta.rooms import RoomWorlds, held_out, room_shape
from agent.meta.rules import RuleWorlds, rule_shape

Book = dict[Any, tuple[int, float, int]]  # what is noted -> how often, in which episode last, when last


def rooms(*, size: int = 5, key_door: bool = False, steps: int = 20, batch: int = 4, **more: Any) -> RoomWorlds:
    shape = room_shape(size=size, key_door=key_door)
    return RoomWorlds(
        shape, batch=batch, generator=seeded(3), size=size, steps=steps, key_door=key_door, **{"training": False} | more
    )


def ranked(book: Book) -> dict[Any, int]:
    """How many were noted more recently, of each."""
    return {name: sum(each[2] > book[name][2] for each in book.values()) for name in book}


def write(book: Book, name: Any, episode: float, clock: int) -> None:
    book[name] = (book.get(name, (0, 0.0, 0))[0] + 1, episode, clock)


def read_rooms(lesson: Lesson, row: int, size: int) -> dict[Any, tuple[float, float, int]]:
    """What a lesson shows of a memory: (place, reward) -> count, age, rank."""
    notes = lesson.notes
    *key, rows, columns = notes.parts
    layer = key[0][row] if key else torch.zeros_like(rows[row])
    places = layer * size * size + rows[row] * size + columns[row]
    return {
        (int(places[j]), float(notes.reward[row, j])): (
            float(notes.count[row, j]),
            float(notes.age[row, j]),
            int(notes.rank[row, j]),
        )
        for j in range(places.shape[0])
        if notes.filled[row, j]
    }


# -- rooms


@pytest.mark.parametrize("key_door", [False, True])
def test_rooms_are_the_environment_and_their_notes_are_what_was_seen(key_door: bool) -> None:
    size, steps, batch = 5, 14, 3
    world = rooms(size=size, key_door=key_door, steps=steps, batch=batch)
    envs: list[Any] = []
    for row in range(batch):
        name = "holdfast/DarkKeyDoor-v0" if key_door else "holdfast/DarkRoom-v0"
        env: Any = gymnasium.make(name, size=size, steps=steps).unwrapped
        if key_door:
            env.key, env.door = int(world._key[row]), int(world._door[row])
        else:
            env.goal = int(world._door[row])
        envs.append(env)
    books: list[Book] = [{} for _ in envs]
    episodes, clock = [0.0] * batch, 0
    shown = [int(env.reset()[0]) for env in envs]
    for row in range(batch):
        write(books[row], (shown[row], 0.0), 0.0, clock)
    actions = torch.randint(5, (200, batch), generator=seeded(1))
    rewarded = 0.0
    for taken in actions:
        lesson = world.lesson()
        for row in range(batch):
            assert read_rooms(lesson, row, size) == {
                name: (count, episodes[row] - episode, ranked(books[row])[name])
                for name, (count, episode, _) in books[row].items()
            }
            asked = sum(
                int(part[row, 0]) * scale
                for part, scale in zip(lesson.parts, (size * size, size, 1)[-len(lesson.parts) :], strict=True)
            )
            assert asked == shown[row]
        stepped = world.step(taken)
        clock += 3
        for row, env in enumerate(envs):
            observation, reward, terminated, truncated, _ = env.step(int(taken[row]))
            assert float(stepped.reward[row]) == reward
            assert bool(stepped.over[row]) == (terminated or truncated)
            write(books[row], (int(observation), reward), episodes[row], clock)
            shown[row] = int(observation)
            rewarded += reward
            if terminated or truncated:
                episodes[row] += 1.0
                shown[row] = int(env.reset()[0])
                write(books[row], (shown[row], 0.0), episodes[row], clock + 1)
    assert rewarded > 5.0


def steps_from(cell: int, size: int) -> dict[int, int]:
    """How many moves it takes to each cell, by a breadth-first search."""
    found, queue = {cell: 0}, deque([cell])
    while queue:
        here = queue.popleft()
        for there in neighbours(here, size):
            if there not in found:
                found[there] = found[here] + 1
                queue.append(there)
    return found


def neighbours(cell: int, size: int) -> list[int]:
    """Where stay, up, right, down and left lead."""
    row, column = divmod(cell, size)
    moved = [(row, column), (row - 1, column), (row, column + 1), (row + 1, column), (row, column - 1)]
    return [min(max(r, 0), size - 1) * size + min(max(c, 0), size - 1) for r, c in moved]


def taught(cell: int, been: set[int], sought: int | None, size: int) -> list[float]:
    """What a teacher does: go where it seeks, else to the nearest cell it has not been in; anything where none is."""
    ahead = neighbours(cell, size)
    if sought is not None:
        far = [steps_from(each, size)[sought] for each in ahead]
        good = [each == min(far) for each in far]
    else:
        away = {each: n for each, n in steps_from(cell, size).items() if each not in been}
        near = min(away.values(), default=0)
        targets = [each for each, n in away.items() if n == near]
        good = [any(steps_from(each, size)[target] < near for target in targets) for each in ahead]
    good = good if any(good) else [True] * 5
    return [float(each) / sum(good) for each in good]


@pytest.mark.parametrize("key_door", [False, True])
def test_the_teacher_of_rooms_takes_every_shortest_way(key_door: bool) -> None:
    size, batch = 5, 6
    world = rooms(size=size, key_door=key_door, steps=18, batch=batch, training=True, queries=6, episodes=4)
    cells, went = size * size, [0, 0]
    for taken in torch.randint(5, (40, batch), generator=seeded(2)):
        lesson = world.lesson()
        for row in range(batch):
            noted = set(read_rooms(lesson, row, size))
            key, door = int(world._key[row]), int(world._door[row])
            for query in range(lesson.parts[0].shape[1]):
                *flag, r, c = (int(part[row, query]) for part in lesson.parts)
                has_key, cell = bool(flag and flag[0]), r * size + c
                been = {place - cells * has_key for place, _ in noted if place // cells == has_key}
                if not key_door or has_key:
                    sought = door if (door + cells * key_door, 1.0) in noted else None
                else:
                    sought = key if (key + cells, 1.0) in noted else None
                went[sought is not None] += 1
                wanted = taught(cell, been, sought, size)
                assert lesson.wanted[row, query].tolist() == pytest.approx(wanted, abs=1e-6), (cell, been, sought)
        world.step(taken)
    assert min(went) > 20  # it explored and it went to what it knew


def test_held_out_goals_are_no_goals_of_training() -> None:
    hidden = set(held_out(9))
    assert 12 <= len(hidden) <= 20
    assert 40 not in hidden  # the start
    train = rooms(size=9, key_door=True, batch=200, training=True)
    trial = rooms(size=9, key_door=True, batch=200, unseen=True)
    for cells in (train._key, train._door):
        assert not hidden & set(cells.tolist())
    for cells in (trial._key, trial._door):
        assert set(cells.tolist()) <= hidden
    assert not (trial._key == trial._door).any()


def test_the_optimum_of_the_dark_room_is_that_of_its_held_out_goals() -> None:
    envs = [gymnasium.make("holdfast/DarkRoom-v0", task=task).unwrapped for task in range(80)]
    best = [env.optimal_return for env in envs if env.goal in held_out(9)]
    assert FAMILIES["dark-room"].optimum == pytest.approx(sum(best) / len(best))


# -- rules


def read_rules(world: RuleWorlds, lesson: Lesson, row: int) -> dict[Any, tuple[float, float, int]]:
    """What a lesson shows of a memory: (context, action, reward) -> count, age, rank. A code names its context."""
    names = {}
    order = world._order[row].roll(-world._step).tolist()
    for query, context in enumerate(order):
        names[tuple(lesson.parts[0][row, query].tolist())] = context
    assert len(names) == len(order)  # codes tell contexts apart
    notes = lesson.notes
    return {
        (names[tuple(notes.parts[0][row, j].tolist())], int(notes.action[row, j]), float(notes.reward[row, j])): (
            float(notes.count[row, j]),
            float(notes.age[row, j]),
            int(notes.rank[row, j]),
        )
        for j in range(notes.filled.shape[1])
        if notes.filled[row, j]
    }


@pytest.mark.parametrize("switches", [(), (2, 5)])
def test_rules_are_the_environment_and_their_notes_are_what_was_seen(switches: tuple[int, ...]) -> None:
    contexts, actions, batch = 4, 3, 3
    world = RuleWorlds(
        rule_shape(actions=actions),
        batch=batch,
        generator=seeded(0),
        contexts=contexts,
        training=False,
        switching=bool(switches),
        switches=switches,
    )
    envs: list[Any] = []
    for row in range(batch):
        name = "holdfast/SilentSwitch-v0" if switches else "holdfast/HiddenRule-v0"
        more: dict[str, Any] = {"switches": switches} if switches else {}
        env: Any = gymnasium.make(name, contexts=contexts, actions=actions, **more).unwrapped
        rules = tuple(tuple(each) for each in world._rules[row].tolist())
        if switches:
            env.rules = rules
        else:
            env.rule = rules[0]
        env.reset()
        envs.append(env)
    books: list[Book] = [{} for _ in envs]
    earned = 0.0
    for clock, taken in enumerate(torch.randint(actions, (8 * contexts, batch), generator=seeded(1))):
        episode, lesson = clock // contexts, world.lesson()
        for row, env in enumerate(envs):
            assert read_rules(world, lesson, row) == {
                name: (count, episode - last, ranked(books[row])[name]) for name, (count, last, _) in books[row].items()
            }
            asked = world._order[row].roll(-world._step).tolist()
            for place, context in enumerate(asked):
                wanted = lesson.wanted[row, place]
                if switches or (context, env.rule[context], 1.0) in books[row]:
                    assert int(wanted.argmax()) == env.rule[context]
                else:  # as far as can be known: what was tried was wrong, the rest is as likely
                    tried = [action for action in range(actions) if (context, action, 0.0) in books[row]]
                    rest = [action for action in range(actions) if action not in tried]
                    assert all(wanted[action] < 0.1 for action in tried)
                    torch.testing.assert_close(wanted[rest], torch.full((len(rest),), float(wanted[rest[0]])))
            inner = env._inner if switches else env
            inner._order = world._order[row].numpy().copy()
        before = world._order[:, world._step].tolist()
        stepped = world.step(taken)
        for row, env in enumerate(envs):
            _, reward, terminated, truncated, _ = env.step(int(taken[row]))
            assert float(stepped.reward[row]) == reward
            assert bool(stepped.over[row]) == (terminated or truncated)
            write(books[row], (before[row], int(taken[row]), reward), episode, clock)
            earned += reward
            if terminated:
                env.reset()
    assert earned > 10.0
    for row in range(batch):
        both = world._rules[row]
        assert not (both[0] == both[1]).any()  # every answer changes


def test_flipped_rewards_are_noted_as_seen_and_earned_in_truth() -> None:
    world = RuleWorlds(rule_shape(), batch=300, generator=seeded(0), training=False, flips=0.2)
    earned = torch.zeros(300)
    for _ in range(10):
        rows = torch.arange(300)
        earned += world.step(world._rules[rows, 0, world._order[:, world._step]]).reward
    assert (earned == 10.0).all()
    shown = world.lesson().notes
    seen = float((shown.reward * shown.filled).sum() / shown.filled.sum())
    assert seen == pytest.approx(0.8, abs=0.03)


def test_half_of_the_tasks_of_training_are_noisy() -> None:
    flips = RuleWorlds(rule_shape(), batch=2000, generator=seeded(0), most_flips=0.3)._flips
    assert float((flips > 0).float().mean()) == pytest.approx(0.5, abs=0.04)
    assert float(flips.max()) <= 0.3
    assert float(flips[flips > 0].mean()) == pytest.approx(0.15, abs=0.01)


# -- facts


def test_entities_are_the_environment_and_their_notes_are_what_was_seen() -> None:
    entities, values = 4, 3
    world = EntityWorlds(
        entity_shape(entities=entities, values=values),
        batch=1,
        generator=seeded(0),
        entities=entities,
        values=values,
        training=False,
    )
    env: Any = gymnasium.make("holdfast/EntityRewrite-v0", entities=entities, values=values).unwrapped
    env.reset()
    facts: dict[int, int] = {}
    book: Book = {}
    asked = right = 0
    for clock, (taken,) in enumerate(torch.randint(values, (200, 1), generator=seeded(1)).tolist()):
        entity, asking = int(world._entity[0]), bool(world._asking[0])
        lesson = world.lesson()
        episode = max(clock - entities, 0) // 10
        codes = {tuple(lesson.parts[0][0, i].tolist()): (entity + i) % entities for i in range(entities)}
        assert len(codes) == entities
        notes = lesson.notes
        assert {
            (codes[tuple(notes.parts[0][0, j].tolist())], int(notes.parts[1][0, j])): (
                float(notes.count[0, j]),
                float(notes.age[0, j]),
                int(notes.rank[0, j]),
            )
            for j in range(notes.filled.shape[1])
            if notes.filled[0, j]
        } == {name: (count, episode - last, ranked(book)[name]) for name, (count, last, _) in book.items()}
        for query in range(entities):
            who = (entity + query) % entities
            assert (float(lesson.weight[0, query]) > 0.5) == (who in facts)
            if who in facts:
                assert int(lesson.wanted[0, query].argmax()) == facts[who]
        value = values if asking else int(world._value[0])
        if not asking:
            assert facts.get(entity) != value  # a telling tells something new
        # the environment is shown the same row, and judges the same answer
        env._row, env._step, env._told = [(entity, value)], 0, dict(facts)
        assert env._observation().tolist() == [entity, value]
        _, reward, *_ = env.step(taken)
        stepped = world.step(torch.tensor([taken]))
        assert float(stepped.reward[0]) == reward
        facts = dict(env._told)
        assert bool(stepped.over[0]) == (clock + 1 >= entities and (clock + 1 - entities) % 10 == 0)
        write(book, (entity, value), episode, clock)
        asked, right = asked + asking, right + int(reward)
    assert asked == pytest.approx(0.8 * 196, abs=25)
    assert 20 < right < asked


# -- all


@pytest.mark.parametrize("name", FAMILIES)
def test_a_wiped_memory_holds_nothing_of_earlier_episodes(name: str) -> None:
    family = FAMILIES[name]
    world: World = family.make(batch=3, generator=seeded(0), training=False, **family.trial)
    for taken in torch.randint(family.shape.actions, (70, 3), generator=seeded(1)):
        world.step(taken)
    before = world.lesson().notes.filled.sum(dim=1)
    world.forget(torch.tensor([False, True, False]))
    after = world.lesson().notes.filled.sum(dim=1)
    assert (after[[0, 2]] == before[[0, 2]]).all()
    assert int(before[1]) > 1
    assert int(after[1]) == (family.shape.noted == "arrival")  # a room shows where one stands


@pytest.mark.parametrize("name", FAMILIES)
def test_worlds_of_one_seed_are_the_same_and_training_goes_through_tasks(name: str) -> None:
    family = FAMILIES[name]
    first, again = (family.make(batch=8, generator=seeded(5), training=True) for _ in range(2))
    emptied = 0
    filled = 0
    for taken in torch.randint(family.shape.actions, (700, 8), generator=seeded(1)):
        a, b = first.lesson(), again.lesson()
        for x, y in zip(
            (*a.parts, *a.notes.parts, a.wanted, a.notes.rank),
            (*b.parts, *b.notes.parts, b.wanted, b.notes.rank),
            strict=True,
        ):
            assert torch.equal(x, y)
        now = int(a.notes.filled[0].sum())
        emptied, filled = emptied + (now < filled), now
        first.step(taken)
        again.step(taken)
    assert emptied >= 1  # an old task made room for a new one
