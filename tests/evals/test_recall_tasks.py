from __future__ import annotations

import pytest
import torch

from evals.recall_tasks import TASKS, CopyTask, Exercise, FactTask, RewriteTask


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def last_told(exercise: Exercise) -> list[dict[int, int]]:
    """For each row what was told of each key, a later telling in place of an earlier one."""
    rows = torch.cat(exercise.told, dim=1).tolist()
    return [dict(zip(row[0::2], row[1::2], strict=True)) for row in rows]


def test_a_copy_asks_for_each_symbol_in_its_place():
    task = CopyTask(symbols=4, longest=5)
    exercise = task.draw(3, 5, generator())
    (told,), (asked,), (answers,) = exercise.told, exercise.asked, exercise.answers
    assert torch.equal(told - 1, answers)
    assert asked.tolist() == [[0] * 5] * 3
    assert told.min() >= 1
    assert told.max() < task.sizes(width=8, heads=1).tokens


def test_facts_are_told_by_segment_and_asked_for_in_another_order():
    task = FactTask(keys=64, values=16, segment=4, most=12)
    exercise = task.draw(5, 12, generator())
    assert [segment.shape for segment in exercise.told] == [(5, 8)] * 3
    assert [segment.shape for segment in exercise.asked] == [(5, 4)] * 3
    asked, answers = torch.cat(exercise.asked, dim=1), torch.cat(exercise.answers, dim=1)
    for row, told in enumerate(last_told(exercise)):
        assert len(told) == 12
        assert sorted(asked[row].tolist()) == sorted(told)
        assert asked[row].tolist() != list(told)
        assert [told[key] - 64 for key in asked[row].tolist()] == answers[row].tolist()


@pytest.mark.parametrize("count", [3, 64])
def test_keys_are_drawn_from_their_range_alone_and_never_twice_in_a_row(count):
    task = FactTask(keys=10_000, first=100, last=9_000, segment=3)
    seen = torch.cat([torch.cat(task.draw(200, count, generator(seed)).asked, dim=1) for seed in range(5)])
    assert seen.min() >= 100
    assert seen.max() < 9_000
    assert len(seen.unique()) > 0.9 * 8_900 * (1 - (1 - 1 / 8_900) ** seen.numel())
    assert (seen.sort(dim=1).values.diff(dim=1) > 0).all()


@pytest.mark.parametrize("together", [False, True])
def test_the_last_telling_of_a_key_counts(together):
    task = RewriteTask(keys=64, values=16, told=4, most=3, together=together)
    exercise = task.draw(6, 3, generator())
    assert len(exercise.told) == (1 if together else 4)
    assert torch.cat(exercise.told, dim=1).shape == (6, 32)
    (asked,), (answers,) = exercise.asked, exercise.answers
    for row, told in enumerate(last_told(exercise)):
        assert len(told) == 4
        assert {key: told[key] - 64 for key in asked[row].tolist()} == dict(
            zip(asked[row].tolist(), answers[row].tolist(), strict=True)
        )
    apart = RewriteTask(keys=64, values=16, told=4, most=3).draw(6, 3, generator())
    assert torch.equal(torch.cat(apart.told, dim=1), torch.cat(exercise.told, dim=1))


def test_keys_that_are_told_once_are_told_first_and_alone_asked_for():
    exercise = RewriteTask(keys=64, values=16, told=2, once=3, most=4).draw(6, 4, generator())
    assert [segment.shape[1] for segment in exercise.told] == [10, 4, 4, 4, 4]
    (asked,), (answers,) = exercise.asked, exercise.answers
    later = torch.cat(exercise.told[1:], dim=1)[:, 0::2]
    for row, told in enumerate(last_told(exercise)):
        assert not set(asked[row].tolist()) & set(later[row].tolist())
        assert len(set(later[row].tolist())) == 2
        assert [told[key] - 64 for key in asked[row].tolist()] == answers[row].tolist()
        assert len(asked[row]) == 3


@pytest.mark.parametrize("name", list(TASKS))
def test_a_task_fits_the_sizes_that_it_asks_for_and_repeats_for_a_seed(name):
    task = TASKS[name]()
    sizes = task.sizes(width=8, heads=2)
    for size in (1, 8):
        exercise, again = task.draw(4, size, generator(3)), task.draw(4, size, generator(3))
        for segments, same in ((exercise.told, again.told), (exercise.asked, again.asked)):
            for segment, other in zip(segments, same, strict=True):
                assert torch.equal(segment, other)
                assert segment.max() < sizes.tokens
                assert segment.shape[1] <= sizes.longest
        assert sum(segment.shape[1] for segment in exercise.told) <= sizes.told
        assert torch.cat(exercise.answers, dim=1).max() < sizes.answers


def test_keys_that_are_too_few_are_refused():
    with pytest.raises(ValueError, match="keys 60 to 64 of 64 are not enough for segments of 8"):
        FactTask(first=60)
    with pytest.raises(ValueError, match="keys 0 to 65 of 64"):
        FactTask(last=65)
